//! Plan, publish, and what becomes of it: one publication per post and account.

pub(crate) mod guard;
mod plan;
pub(crate) mod send;

pub(crate) use guard::GUARD_JOB;
pub use plan::{Plan, TargetPlan, rules_for};

use automarket_core::{
    AccountId, Error, JobId, Post, PostId, PublicationId, Result, When,
    check::Severity,
    content::Voice,
    store::{NewEvent, NewJob, NewPublishing, Publication, PublicationState, Target},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Tenant;

/// The kind of the jobs that send publications.
pub const PUBLISH_JOB: &str = "publish";

/// What such a job carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublishJob {
    pub(crate) publication: PublicationId,
}

impl Tenant {
    /// What would be sent where, and what stands against it: no outside call, nothing stored. Media of this
    /// machine and of the host is looked into, media at addresses is taken as it is said to be.
    ///
    /// # Errors
    /// `NotFound` for an account that the tenant does not have; `Config` for a platform without connector, or
    /// for media of the host without a `MediaHost`; those of the host.
    pub async fn plan(
        &self,
        post: &Post,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<Plan> {
        self.plan_with(post, accounts, &Voice::default()).await
    }

    /// As [`Tenant::plan`], held to a brand's voice.
    ///
    /// # Errors
    /// As [`Tenant::plan`].
    pub async fn plan_with(
        &self,
        post: &Post,
        accounts: impl IntoIterator<Item = AccountId>,
        voice: &Voice,
    ) -> Result<Plan> {
        let mut targets = Vec::new();
        for id in accounts {
            let account = self.engine().account(&self.id, id).await?;
            let publisher = self.engine().publisher(&account.platform)?;
            let cx = self.engine().offline(account.clone());
            let target = TargetPlan::of(post, &account, &**publisher, voice, &cx).await?;
            targets.push(target);
        }
        Ok(Plan { targets })
    }

    /// Checks the post for every account and hands it to the queue: durable on return, sent by a worker.
    /// Repeating the call with the same post and account changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` with the first blocker's rule when a check fails for any account (nothing is stored
    /// then); those of [`Tenant::plan`] and of the store.
    pub async fn publish(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
    ) -> Result<PostId> {
        let publishing = self.prepare(post, accounts, when).await?;
        self.engine().store.put_publishing(&publishing).await?;
        self.engine().wake.notify_waiters();
        Ok(publishing.post.id)
    }

    /// Checks the post as [`Tenant::publish`] does, and gives all that it would write, without writing it: for a
    /// host that writes it inside its own transaction (see the README of its store), and calls
    /// [`Automarket::wake`](crate::Automarket::wake) after its commit.
    ///
    /// # Errors
    /// As [`Tenant::publish`].
    pub async fn prepare(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
    ) -> Result<NewPublishing> {
        let plan = self.plan(&post, accounts).await?;
        if let Some((target, finding)) = plan.blockers().next() {
            let message = format!(
                "{} on {}: {}",
                target.account.name, target.account.network, finding.message
            );
            return Err(Error::invalid("post", message)
                .with_rule(finding.rule.clone())
                .with_remedy(finding.remedy.clone()));
        }
        self.publishing(post, &plan, when).await
    }

    /// Where a post stands on each of its accounts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn publications(&self, post: PostId) -> Result<Vec<Publication>> {
        self.engine().store.publications(&self.id, post).await
    }

    /// The job that sends a publication, for [`Tenant::work_on`].
    #[must_use]
    pub fn publication_job(&self, publication: PublicationId) -> JobId {
        publish_job_id(publication)
    }

    /// The rows of a post that passed its checks.
    async fn publishing(&self, post: Post, plan: &Plan, when: When) -> Result<NewPublishing> {
        let now = self.engine().store.now().await?;
        let due = when.instant(now);
        let mut publications = Vec::new();
        let mut jobs = Vec::new();
        let mut events = Vec::new();
        for target in &plan.targets {
            let account = &target.account;
            let publication = Publication {
                id: publication_id(post.id, account.id),
                tenant: self.id.clone(),
                post: post.id,
                target: Target {
                    account: account.id,
                    platform: account.platform.clone(),
                    network: account.network.clone(),
                },
                state: PublicationState::Scheduled,
                key: publication_id(post.id, account.id).to_string(),
                content_hash: content_hash(&post, account.id, &account.network),
                due,
                sent_at: None,
                receipt: None,
                handle: None,
                error: None,
                revision: 1,
                created_at: now,
                updated_at: now,
            };
            events.push(event(&publication));
            jobs.push(publish_job(&publication)?);
            publications.push(publication);
        }
        Ok(NewPublishing {
            tenant: self.id.clone(),
            post,
            publications,
            jobs,
            events,
        })
    }
}

/// The id of a post on an account: the same pair is the same publication.
pub(crate) fn publication_id(post: PostId, account: AccountId) -> PublicationId {
    PublicationId::derived(&format!("publication {post} {account}"))
}

/// The job that sends a publication; its id follows from the publication's.
pub(crate) fn publish_job(publication: &Publication) -> Result<NewJob> {
    let payload = serde_json::to_value(PublishJob {
        publication: publication.id,
    })
    .map_err(|error| {
        Error::invalid("publication", "not representable as JSON").with_source(error)
    })?;
    let mut job =
        NewJob::new(publication.tenant.clone(), PUBLISH_JOB, payload).run_at(publication.due);
    job.id = publish_job_id(publication.id);
    Ok(job.unique(publication.id.to_string()))
}

pub(crate) fn publish_job_id(publication: PublicationId) -> JobId {
    JobId::derived(&format!("publish {publication}"))
}

/// What is said on an account, hashed, so that a changed content is seen.
pub(crate) fn content_hash(
    post: &Post,
    account: AccountId,
    network: &automarket_core::Platform,
) -> String {
    let content = serde_json::to_vec(&(post.content_for(network, Some(account)), post.delivery))
        .unwrap_or_default();
    let digest = Sha256::digest(&content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is told of a publication's state.
pub(crate) fn event(publication: &Publication) -> NewEvent {
    NewEvent {
        tenant: publication.tenant.clone(),
        kind: format!("publication.{}", publication.state.as_str()),
        subject: publication.id.to_string(),
        data: serde_json::json!({
            "post": publication.post,
            "account": publication.target.account,
            "platform": publication.target.platform,
            "network": publication.target.network,
            "remote_id": remote_id(publication),
            "error": publication.error,
        }),
    }
}

/// The platform's id of what it took or published.
#[must_use]
pub fn remote_id(publication: &Publication) -> Option<&str> {
    let receipt = publication
        .receipt
        .as_ref()
        .map(|receipt| receipt.remote_id.as_str());
    receipt.or_else(|| {
        publication
            .handle
            .as_ref()
            .map(|handle| handle.remote_id.as_str())
    })
}

impl Plan {
    /// Everything that stands against sending, with where it stands.
    pub fn blockers(
        &self,
    ) -> impl Iterator<Item = (&TargetPlan, &automarket_core::check::Finding)> {
        self.targets.iter().flat_map(|target| {
            let findings = target.report.findings.iter();
            findings
                .filter(|finding| finding.severity == Severity::Blocker)
                .map(move |finding| (target, finding))
        })
    }
}
