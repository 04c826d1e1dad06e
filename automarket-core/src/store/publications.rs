use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{NewEvent, NewJob};
use crate::{
    AccountId, Error, ErrorKind, ErrorRecord, Handle, Platform, PostId, PublicationId, Receipt,
    Result, TenantId, content::Post,
};

/// One post on one account: the unit of publishing, retry and truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// Our id.
    pub id: PublicationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The post.
    pub post: PostId,
    /// Where it goes.
    pub target: Target,
    /// Where it stands.
    pub state: PublicationState,
    /// The idempotency key: the same on every attempt of one intent.
    pub key: String,
    /// SHA-256 of what is said, in hex, so that a changed content is seen.
    pub content_hash: String,
    /// Not before this instant.
    pub due: DateTime<Utc>,
    /// When the sending began: the intent, committed before the first byte leaves.
    pub sent_at: Option<DateTime<Utc>>,
    /// The platform's word that it is public.
    pub receipt: Option<Receipt>,
    /// The platform's word that it was taken.
    pub handle: Option<Handle>,
    /// The last error.
    pub error: Option<ErrorRecord>,
    /// Counts every change; a change names the revision it was made against.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Where a publication goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The account.
    pub account: AccountId,
    /// Its connector's platform.
    pub platform: Platform,
    /// Its network.
    pub network: Platform,
}

/// Where a publication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PublicationState {
    /// Not to be published yet.
    Draft,
    /// Somebody has to say yes.
    AwaitingApproval,
    /// Waits for its time.
    Scheduled,
    /// Its intent is committed; it is being sent.
    Publishing,
    /// The platform took it; not public yet.
    Accepted,
    /// Public.
    Published,
    /// It did not and will not happen.
    Rejected,
    /// It may have happened, and the platform cannot tell.
    Unknown,
    /// Its time passed while nobody could publish it.
    Missed,
    /// Called off.
    Cancelled,
    /// Waits for its account to be reconnected.
    Blocked,
}

impl PublicationState {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Published | Self::Rejected | Self::Unknown | Self::Missed | Self::Cancelled
        )
    }

    /// The stable spelling used in reports, rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Scheduled => "scheduled",
            Self::Publishing => "publishing",
            Self::Accepted => "accepted",
            Self::Published => "published",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
            Self::Blocked => "blocked",
        }
    }
}

/// All that a call of `publish` writes, in one transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewPublishing {
    /// Whose it is.
    pub tenant: TenantId,
    /// The post.
    pub post: Post,
    /// Its publications, revision 1.
    pub publications: Vec<Publication>,
    /// The jobs that will send them.
    pub jobs: Vec<NewJob>,
    /// What to tell.
    pub events: Vec<NewEvent>,
}

impl NewPublishing {
    /// Whether all of it is of its tenant and post; stores call this first.
    ///
    /// # Errors
    /// `InvalidInput` when a publication, job or event is of another tenant, or a publication of another
    /// post.
    pub fn check(&self) -> Result<()> {
        if self.publications.iter().any(|p| p.post != self.post.id) {
            return Err(Error::invalid(
                "publications",
                "the publications are of the post that is written with them",
            ));
        }
        let publications = self.publications.iter().map(|p| &p.tenant);
        let jobs = self.jobs.iter().map(|job| &job.tenant);
        let events = self.events.iter().map(|event| &event.tenant);
        check_tenant(&self.tenant, publications.chain(jobs).chain(events))
    }
}

impl Publication {
    /// What is stored when `new` replaces this stored publication; stores call this.
    ///
    /// # Errors
    /// `Conflict` when `new` was made against another revision.
    pub fn replaced_by(&self, new: &Self, now: DateTime<Utc>) -> Result<Self> {
        if self.revision != new.revision {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "the publication is at revision {}, the change was made against {}",
                    self.revision, new.revision
                ),
            )
            .with_rule("publication.revision"));
        }
        Ok(Self {
            revision: self.revision + 1,
            post: self.post,
            created_at: self.created_at,
            updated_at: now,
            ..new.clone()
        })
    }

    /// Whether these events are of its tenant; stores call this first.
    ///
    /// # Errors
    /// `InvalidInput` when one is not.
    pub fn check_events(&self, events: &[NewEvent]) -> Result<()> {
        check_tenant(&self.tenant, events.iter().map(|event| &event.tenant))
    }
}

fn check_tenant<'a>(
    tenant: &TenantId,
    mut others: impl Iterator<Item = &'a TenantId>,
) -> Result<()> {
    if others.any(|other| other != tenant) {
        return Err(Error::invalid(
            "tenant",
            "what is written together is of one tenant",
        ));
    }
    Ok(())
}

/// Posts and publications.
#[async_trait]
pub trait PublicationStore: Send + Sync {
    /// Writes post, publications, jobs and events in one transaction, publications as given. A post or
    /// publication whose id is there already is left as it is; when none of them is new, jobs and events are
    /// not written either: so a repeated call changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` when a publication, job or event is of another tenant, or a publication of another
    /// post; those of [`JobStore::enqueue`](super::JobStore::enqueue).
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()>;
    /// The post with this id.
    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>>;
    /// The publication with this id.
    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>>;
    /// The publications of a post, in the order of their ids.
    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>>;
    /// Replaces the publication (but not its `post` and `created_at`) if its stored revision is
    /// `publication.revision`, together with the events in one transaction. Returns it as stored, revision
    /// counted up and `updated_at` set.
    ///
    /// # Errors
    /// `Conflict` when the revision is another; `NotFound`; `InvalidInput` when an event is of another tenant.
    async fn update_publication(
        &self,
        publication: &Publication,
        events: &[NewEvent],
    ) -> Result<Publication>;
}
