use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Attempt, NewEvent, NewJob, Routing, RoutingPart, rows::has_nul, rules::post_moved};
use crate::{
    AccountId, Error, ErrorKind, ErrorRecord, Handle, JobId, Platform, PostId, PublicationId,
    Receipt, Result, TenantId, content::Post,
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
    /// How long after that it may still be sent.
    pub lateness: Lateness,
    /// When the platform itself makes it public ([`Delivery::At`](crate::Delivery::At)): it may be sent until then,
    /// whatever `lateness` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_at: Option<DateTime<Utc>>,
    /// Whether somebody has to say yes to what is said, and whether somebody did.
    pub approval: Approval,
    /// The posting slot it holds; while it lives no other publication of the account gets the same.
    pub slot: Option<DateTime<Utc>>,
    /// The job that takes it further. Any other job that names it has no power over it.
    pub job: JobId,
    /// The way it goes instead of `target`, once that way surely failed.
    pub via: Option<Target>,
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

/// Whether somebody has to say yes to what is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody has to.
    #[default]
    NotNeeded,
    /// Somebody has to.
    Needed,
    /// Somebody did, to the content with this hash.
    Given(String),
}

/// What being late means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lateness {
    /// Sent when it is at most this late, else missed.
    PublishIfWithin(Duration),
    /// Sent however late it is.
    Always,
}

impl Default for Lateness {
    /// Within an hour.
    fn default() -> Self {
        Self::PublishIfWithin(Duration::from_secs(3600))
    }
}

impl Lateness {
    /// The last instant at which something due then may be sent; `None` when there is none.
    #[must_use]
    pub fn last(self, due: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::PublishIfWithin(late) => due.checked_add_signed(TimeDelta::from_std(late).ok()?),
            Self::Always => None,
        }
    }
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
    /// It may have happened, and the platform cannot tell; or a part of it is out, and the rest was given up.
    Unknown,
    /// Its time passed while nobody could publish it.
    Missed,
    /// Called off.
    Cancelled,
    /// Waits for its account to be reconnected, or for a newer version of the library.
    Blocked,
    /// It was taken by the platform, and taken down again.
    Deleted,
}

impl PublicationState {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Published
                | Self::Rejected
                | Self::Unknown
                | Self::Missed
                | Self::Cancelled
                | Self::Deleted
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
            Self::Deleted => "deleted",
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
    /// Whether all of it is of its tenant and post, and every store can hold the post; stores call this first.
    ///
    /// # Errors
    /// `InvalidInput` when a publication, job or event is of another tenant, or a publication of another
    /// post, and for U+0000 anywhere in the post (`post`, rule `text.control`).
    pub fn check(&self) -> Result<()> {
        check_post(&self.post)?;
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

    /// Whether it is to be written where the post is stored like this, with these publications; stores call this.
    ///
    /// # Errors
    /// `Conflict` ([`REVISION`]): written, it would not say what the post says, tell twice of what is there, or bring the
    /// post to an account to which it goes already.
    pub fn is_new(&self, stored: &Post, there: &[Publication]) -> Result<bool> {
        let new = &self.publications;
        let is_there = |new: &&Publication| there.iter().any(|old| old.id == new.id);
        let known = new.iter().filter(is_there).count();
        if known == new.len() {
            return Ok(false);
        }
        let doubles = |new: &Publication| there.iter().any(|old| new.doubles(old));
        if known > 0 || *stored != self.post || new.iter().any(doubles) {
            return Err(post_moved(self.post.id));
        }
        Ok(true)
    }
}

/// All that changes together about one post's publications, in one transaction.
#[derive(Clone, Debug)]
pub struct PublishingChange {
    /// Whose it is.
    pub tenant: TenantId,
    /// The post's new body.
    pub post: Option<Post>,
    /// With a new body: how many publications the post had when the change was made.
    pub accounts: usize,
    /// The publications as they shall be, each with the revision that the change was made against.
    pub publications: Vec<Publication>,
    /// Jobs to put in.
    pub jobs: Vec<NewJob>,
    /// What to tell.
    pub events: Vec<NewEvent>,
    /// What was tried.
    pub attempts: Vec<Attempt>,
}

impl PublishingChange {
    /// One that changes nothing yet.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            post: None,
            accounts: 0,
            publications: Vec::new(),
            jobs: Vec::new(),
            events: Vec::new(),
            attempts: Vec::new(),
        }
    }

    /// Whether all of it is of its tenant, each publication is there once, and every store can hold the post; stores call
    /// this first.
    ///
    /// # Errors
    /// `InvalidInput`; of the post as [`NewPublishing::check`].
    pub fn check(&self) -> Result<()> {
        self.post.as_ref().map_or(Ok(()), check_post)?;
        let mut ids: Vec<PublicationId> = self.publications.iter().map(|p| p.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|two| two[0] == two[1]) {
            return Err(Error::invalid("publications", "each is changed once"));
        }
        let publications = self.publications.iter().map(|p| &p.tenant);
        let jobs = self.jobs.iter().map(|job| &job.tenant);
        let events = self.events.iter().map(|event| &event.tenant);
        let attempts = self.attempts.iter().map(|attempt| &attempt.tenant);
        check_tenant(
            &self.tenant,
            publications.chain(jobs).chain(events).chain(attempts),
        )
    }
}

/// The `rule` of the error when a publication, or its post, was changed meanwhile.
pub const REVISION: &str = "publication.revision";
/// The `rule` of the error when a posting slot is taken.
pub const SLOT: &str = "publication.slot";

impl Publication {
    /// The way it goes now.
    #[must_use]
    pub fn route(&self) -> &Target {
        self.via.as_ref().unwrap_or(&self.target)
    }

    /// Whether the other one brings the same post to the account that this one goes by, or was to: the post would be
    /// said there twice. Stores refuse this one then, where it is new and where it takes another way ([`REVISION`]).
    #[must_use]
    pub fn doubles(&self, other: &Self) -> bool {
        let account = self.route().account;
        other.id != self.id
            && other.tenant == self.tenant
            && other.post == self.post
            && other.state != PublicationState::Cancelled
            && [other.target.account, other.route().account].contains(&account)
    }

    /// What is stored when `new` replaces this stored publication; stores call this.
    ///
    /// # Errors
    /// `Conflict` ([`REVISION`]) when `new` was made against another revision.
    pub fn replaced_by(&self, new: &Self, now: DateTime<Utc>) -> Result<Self> {
        if self.revision != new.revision {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "the publication {} is at revision {}, the change was made against {}",
                    self.id, self.revision, new.revision
                ),
            )
            .with_rule(REVISION));
        }
        Ok(Self {
            revision: self.revision + 1,
            post: self.post,
            created_at: self.created_at,
            updated_at: now,
            ..new.clone()
        })
    }

    /// The first instant at which it is missed; `None` when it never is. What the platform makes public is in time until
    /// then; what waits for an approval to be sent at once is not late.
    #[must_use]
    pub fn expiry(&self) -> Option<DateTime<Utc>> {
        if let Some(at) = self.public_at.filter(|at| *at > self.due) {
            return Some(at);
        }
        if self.state == PublicationState::AwaitingApproval && self.asked_for_now() {
            return None;
        }
        let last = self.lateness.last(self.due)?;
        last.checked_add_signed(TimeDelta::milliseconds(1))
    }

    /// Whether it was to be published as soon as possible.
    #[must_use]
    pub fn asked_for_now(&self) -> bool {
        self.due == self.created_at
    }

    /// Whether what it says now may be published, as far as approval goes.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        match &self.approval {
            Approval::NotNeeded => true,
            Approval::Needed => false,
            Approval::Given(hash) => *hash == self.content_hash,
        }
    }

    /// The slot that nobody else may hold; stores keep it unique per tenant and account.
    #[must_use]
    pub fn held_slot(&self) -> Option<DateTime<Utc>> {
        self.slot.filter(|_| !self.state.is_terminal())
    }

    /// The error when its slot is taken.
    #[must_use]
    pub fn slot_taken(&self) -> Error {
        let message = format!("the slot of the publication {} is taken", self.id);
        Error::new(ErrorKind::Conflict, message)
            .with_rule(SLOT)
            .with_remedy("prepare it again: it takes the next free slot")
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

/// Its options and names of files, too, which no check of its texts looks at: PostgreSQL takes the document apart.
fn check_post(post: &Post) -> Result<()> {
    if !has_nul(post) {
        return Ok(());
    }
    let rule = "a post has no U+0000, in its options and names of files neither";
    Err(Error::invalid("post", rule)
        .with_rule("text.control")
        .with_remedy("remove it"))
}

/// Posts and publications.
#[async_trait]
pub trait PublicationStore: Send + Sync {
    /// Writes post, publications, jobs and events in one transaction, publications as given. `false`, and nothing is
    /// written, when all of it is there already, whatever it says by now: so a repeated call changes nothing. Publications
    /// for more accounts are given with the post as it is stored, which stays as it is.
    ///
    /// # Errors
    /// `Conflict` ([`REVISION`]) when the post is there and says something else, only some of the publications are there, or
    /// another one of the post goes by a new one's account ([`NewPublishing::is_new`]); `Conflict` ([`SLOT`]) when the slot of a new publication is taken. `InvalidInput` when a publication, job or event is of another tenant, or a publication of another
    /// post, or the post has U+0000 ([`NewPublishing::check`]); those of [`JobStore::enqueue`](super::JobStore::enqueue).
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<bool>;
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
    /// Changes several publications of a tenant at once, with a post's body, jobs, events and attempts: all of
    /// it or nothing. A post gets a new body only while it has as many publications as the change says. Each publication is replaced (but not its `post` and `created_at`) if its stored revision
    /// is the one it names. Returns them as stored, in the order given, revisions counted up and `updated_at`
    /// set. A job whose id is there already is left as it is. A store may write U+FFFD for U+0000 in publications and attempts,
    /// whose texts are platforms': it refuses none for it, since what became of a post would be lost.
    ///
    /// # Errors
    /// `Conflict` naming the publication whose revision is another, or the post that has more, or goes already where a
    /// publication now goes, too ([`Publication::doubles`]; [`REVISION`]), or whose slot is taken ([`SLOT`]), or a job's id of another tenant; `NotFound` when the post or a publication is not there;
    /// `InvalidInput` as [`PublishingChange::check`].
    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>>;
    /// The account's publications that have not ended, in these states (empty is any), by the way they go now, in the
    /// order of `due`, at most `limit`.
    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        states: &[PublicationState],
        limit: usize,
    ) -> Result<Vec<Publication>>;
    /// The account's publications whose sending began and of which something may have become public at this instant or
    /// later, by the way they go now: all that have not ended, and those changed since. Asked seldom: once a lost post was
    /// found.
    async fn sent_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Publication>>;
    /// Replaces one half of how an account publishes, and leaves the other as it is stored.
    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        part: &RoutingPart,
    ) -> Result<()>;
    /// How an account publishes; the default when nothing was said.
    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing>;
}
