//! Plan, publish, and what becomes of it: one publication per post and account.

mod anew;
mod attempt;
mod changes;
pub(crate) mod delete;
mod fallback;
mod job;
pub(crate) mod measure;
mod options;
mod others;
mod plan;
mod release;
pub(crate) mod send;
mod slots;
mod state;
mod timing;
mod told;
mod why;

pub use changes::Selection;
pub(crate) use delete::DELETE_JOB;
pub use job::PUBLISH_JOB;
pub(crate) use measure::MEASURE_JOB;
pub use measure::{MEASURE_AFTER, PostMetrics};
pub use options::PublishOptions;
pub use plan::{BudgetLeft, Due, Looked, Part, Plan, PlanOptions, Scopes, TargetPlan};
pub(crate) use release::release_blocked;
pub use send::LOOK_AFTER;
pub(crate) use slots::Chosen;
pub use state::{PostState, TooLate};
pub(crate) use told::overdue;
pub use told::remote_id;
pub use why::{Link, Why, meaning};

pub use automarket_core::publisher::rules_for;

use automarket_core::{
    AccountId, Error, ErrorKind, Platform, Post, PostId, PublicationId, Result, When,
    check::Severity,
    chrono::SubsecRound as _,
    content::Voice,
    hash::sha256,
    store::{Approval, NewPublishing, Publication, PublicationState, Target, rules::post_moved},
};
use serde_json::json;

use crate::Tenant;
use anew::anew;
use job::{PublishJob, arm, job_id};
use slots::Hold;

impl Tenant {
    /// What would be sent where, and what stands against it: the text and its parts, what the credential may do,
    /// what is left of the rate limits. No outside call but for keys ([`KeyProvider`](crate::KeyProvider)), nothing stored.
    /// Of a credential that does not open advice tells (`vault.*`). Media of this machine and of the host is looked
    /// into, media at addresses is taken as it is said to be.
    ///
    /// # Errors
    /// `NotFound` for an account that the tenant does not have; `Config` for a platform without connector (both
    /// `accounts`), or for media of the host without a `MediaHost`; those of the host.
    pub async fn plan(
        &self,
        post: &Post,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<Plan> {
        self.plan_with(post, accounts, &PlanOptions::new()).await
    }

    /// As [`Tenant::plan`], held to a brand's voice, for a time, or with a look at the platforms.
    ///
    /// # Errors
    /// As [`Tenant::plan`]; `InvalidInput` (`when`, `slots.none`) for [`When::Queue`] on an account without slots. A
    /// time that is past is a blocker (`when.past`).
    pub async fn plan_with(
        &self,
        post: &Post,
        accounts: impl IntoIterator<Item = AccountId>,
        options: &PlanOptions,
    ) -> Result<Plan> {
        let mut plan = self.checked(post, accounts, &options.voice).await?;
        self.complete(&mut plan, options).await?;
        Ok(plan)
    }

    /// The rules by which an account publishes: its network's limits, with what its connector can do. `None` when no publisher
    /// is registered for its platform: no account to offer for posts.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn rules(&self, account: AccountId) -> Result<Option<automarket_core::Profile>> {
        let account = self.engine().account(&self.id, account).await?;
        let publisher = self.engine().publisher(&account.platform).ok();
        Ok(publisher.map(|publisher| rules_for(&account, &**publisher)))
    }

    /// The checks alone.
    async fn checked(
        &self,
        post: &Post,
        accounts: impl IntoIterator<Item = AccountId>,
        voice: &Voice,
    ) -> Result<Plan> {
        let mut targets: Vec<TargetPlan> = Vec::new();
        for id in accounts {
            if targets.iter().any(|target| target.account.id == id) {
                continue;
            }
            let of = |error: Error| error.with_field("accounts");
            let account = self.engine().account(&self.id, id).await.map_err(of)?;
            let publisher = self.engine().publisher_of(&account);
            let publisher = publisher.map_err(|error| of(error.about(&account.name)))?;
            let cx = self.engine().offline(account.clone());
            let target = TargetPlan::of(post, &account, &**publisher, voice, &cx).await?;
            targets.push(target);
        }
        Ok(Plan { targets })
    }

    /// The checks for the accounts to which the post was not handed over yet, and what of it is stored. Where it was handed
    /// over, the call is a repeated one, and what became since of files, account and rules is no matter.
    async fn to_write(&self, post: &Post, accounts: &[AccountId]) -> Result<(Plan, Stored)> {
        let mut accounts = accounts.to_vec();
        if accounts.is_empty() {
            return Err(Error::invalid("accounts", "a post needs an account"));
        }
        let store = &self.engine().store;
        let Some(stored) = store.post(&self.id, post.id).await? else {
            let plan = self.checked(post, accounts, &Voice::default()).await?;
            return Ok((plan, Stored::default()));
        };
        let known = store.publications(&self.id, post.id).await?;
        for publication in &known {
            let Target {
                account, network, ..
            } = &publication.target;
            let handed_over = !matches!(
                publication.state,
                PublicationState::Draft | PublicationState::Cancelled
            );
            if handed_over && accounts.contains(account) {
                says_same(&stored, post, *account, network)?;
                accounts.retain(|id| id != account);
            }
        }
        let plan = self.checked(post, accounts, &Voice::default()).await?;
        for TargetPlan { account, .. } in &plan.targets {
            says_same(&stored, post, account.id, &account.network)?;
        }
        Ok((plan, (Some(stored), known)))
    }

    /// Checks the post for every account and hands it to the queue: durable on return, sent by a worker.
    /// Repeating the call with the same post and account changes nothing, whatever became of its files or of the account
    /// since; with more accounts the post goes to those, too. Posts that an account has due at the same time, as all for
    /// [`When::Now`] at once, go out in no order that is promised.
    ///
    /// # Errors
    /// `InvalidInput` with the first blocker's rule when a check fails for any account, or (`accounts`) when there is
    /// none (nothing is stored then); `Conflict` when a post with this id is there and says something else
    /// (`post.changed`), or is a draft or cancelled on one of the accounts (`post.draft`, `post.cancelled`), or goes
    /// there already as the fallback of another (`post.rerouted`); `InvalidInput` (`when`) for a time longer past than
    /// the post may be late (`when.past`), and for [`When::Queue`] on an account without slots (`slots.none`); those of
    /// [`Tenant::plan`] and of the store.
    pub async fn publish(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
    ) -> Result<PostId> {
        let options = PublishOptions::default();
        self.publish_with(post, accounts, when, options).await
    }

    /// As [`Tenant::publish`], with an approval first or another idea of what is too late.
    ///
    /// # Errors
    /// As [`Tenant::publish`].
    pub async fn publish_with(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
        options: PublishOptions,
    ) -> Result<PostId> {
        let accounts = Vec::from_iter(accounts);
        anew(|| async {
            let publishing = self.publishing(&post, &accounts, Some(when), options, true);
            let (publishing, _held) = publishing.await?;
            self.put(publishing).await
        })
        .await?;
        self.engine().wake.notify_waiters();
        Ok(post.id)
    }

    /// Checks the post as [`Tenant::publish`] does, and gives all that it would write, without writing it: for a
    /// host that writes it inside its own transaction (see the README of its store), and calls
    /// [`Automarket::wake`](crate::Automarket::wake) after its commit.
    ///
    /// It holds nothing until then, no slot of [`When::Queue`] either: of two that were prepared before one of them was
    /// written, the second is refused at its writing (`Conflict`, rule `publication.slot`). Prepare it again.
    ///
    /// # Errors
    /// As [`Tenant::publish`].
    pub async fn prepare(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
    ) -> Result<NewPublishing> {
        let options = PublishOptions::default();
        self.prepare_with(post, accounts, when, options).await
    }

    /// As [`Tenant::prepare`], with an approval first or another idea of what is too late.
    ///
    /// # Errors
    /// As [`Tenant::publish`].
    pub async fn prepare_with(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
        when: When,
        options: PublishOptions,
    ) -> Result<NewPublishing> {
        let accounts = Vec::from_iter(accounts);
        let publishing = self.publishing(&post, &accounts, Some(when), options, false);
        Ok(publishing.await?.0)
    }

    /// Keeps the post for these accounts and sends nothing: a draft of ours, which need not pass its checks
    /// yet. [`Tenant::edit`] changes it, [`Tenant::publish_draft`] hands it to the queue. (A draft on the
    /// platform itself is a post with [`Delivery::Draft`](crate::Delivery::Draft).)
    ///
    /// # Errors
    /// `InvalidInput` (`accounts`) when there is none; `Conflict` (`post.changed`) when a post with this id is there and
    /// says something else; those of [`Tenant::plan`] and of the store.
    pub async fn save_draft(
        &self,
        post: Post,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<PostId> {
        let accounts = Vec::from_iter(accounts);
        let options = PublishOptions::default();
        anew(|| async {
            let publishing = self.publishing(&post, &accounts, None, options, true);
            let (publishing, _held) = publishing.await?;
            self.put(publishing).await
        })
        .await?;
        Ok(post.id)
    }

    /// Writes what was made for a post as it was read.
    ///
    /// # Errors
    /// `Conflict` ([`REVISION`](automarket_core::store::REVISION)) when somebody else put it there meanwhile: what is there may
    /// say something else, or be a draft.
    async fn put(&self, publishing: NewPublishing) -> Result<()> {
        if publishing.publications.is_empty() {
            return Ok(()); // All of it is there.
        }
        match self.engine().store.put_publishing(&publishing).await? {
            true => Ok(()),
            false => Err(post_moved(publishing.post.id)),
        }
    }

    /// A post as it is stored: to change something of it and give it to [`Tenant::edit`], which replaces the whole.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn post(&self, post: PostId) -> Result<Post> {
        let found = self.engine().store.post(&self.id, post).await?;
        found.ok_or_else(|| changes::not_found(post.into()))
    }

    /// Where a post stands on one account.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn publication(&self, publication: PublicationId) -> Result<Publication> {
        let found = self
            .engine()
            .store
            .publication(&self.id, publication)
            .await?;
        found.ok_or_else(|| changes::not_found(publication.into()))
    }

    /// Where a post stands on each of its accounts.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn publications(&self, post: PostId) -> Result<Vec<Publication>> {
        let found = self.engine().store.publications(&self.id, post).await?;
        if found.is_empty() {
            return Err(changes::not_found(post.into()));
        }
        Ok(found)
    }

    /// Where a post stands as a whole.
    ///
    /// # Errors
    /// As [`publications`](Self::publications).
    pub async fn post_state(&self, post: PostId) -> Result<PostState> {
        Ok(PostState::of(&self.publications(post).await?))
    }

    /// The rows of a post that are not there yet, and the slots that they take where these are to be held; without `when`
    /// a draft, which need not pass the checks.
    async fn publishing(
        &self,
        post: &Post,
        accounts: &[AccountId],
        when: Option<When>,
        options: PublishOptions,
        hold: bool,
    ) -> Result<(NewPublishing, Vec<Hold>)> {
        let (plan, (stored, known)) = self.to_write(post, accounts).await?;
        if when.is_some() {
            plan.check()?;
        }
        let now = self.engine().store.now().await?;
        let mut held = Vec::new();
        let mut new = NewPublishing {
            tenant: self.id.clone(),
            // What it says on other accounts is not what this is about.
            post: stored.unwrap_or_else(|| post.clone()),
            publications: Vec::new(),
            jobs: Vec::new(),
            events: Vec::new(),
        };
        for target in &plan.targets {
            let account = &target.account;
            let id = publication_id(post.id, account.id);
            if let Some(known) = known.iter().find(|p| p.id == id) {
                let (is, rule, remedy) = match known.state {
                    PublicationState::Draft => {
                        let remedy = "hand it over with Tenant::publish_draft";
                        ("a draft", "post.draft", remedy)
                    }
                    PublicationState::Cancelled => {
                        ("cancelled", "post.cancelled", "publish a new post")
                    }
                    _ => continue,
                };
                if when.is_some() {
                    let message = format!("the post is {is} on {}", account.name);
                    return Err(Error::new(ErrorKind::Conflict, message)
                        .with_rule(rule)
                        .with_remedy(remedy));
                }
                continue;
            }
            let goes_there = |p: &&Publication| {
                p.route().account == account.id && p.state != PublicationState::Cancelled
            };
            if let Some(other) = known.iter().find(goes_there) {
                if when.is_some() {
                    let message = format!(
                        "the post goes to {} already: another account's publication {} took that way",
                        account.name, other.id
                    );
                    return Err(Error::new(ErrorKind::Conflict, message)
                        .with_rule("post.rerouted")
                        .with_remedy("leave the account out"));
                }
                continue;
            }
            let (due, slot, its) = match when {
                None => (now, None, None),
                Some(when) => self.due(account.id, when, now, hold).await?,
            };
            held.extend(its);
            let mut publication = Publication {
                id,
                tenant: self.id.clone(),
                post: post.id,
                target: Target {
                    account: account.id,
                    platform: account.platform.clone(),
                    network: account.network.clone(),
                },
                state: PublicationState::Draft,
                key: id.to_string(),
                content_hash: content_hash(post, account.id, &account.network),
                due: due.trunc_subsecs(6),
                lateness: options.lateness,
                public_at: post.delivery.at(),
                approval: match options.approval {
                    true => Approval::Needed,
                    false => Approval::NotNeeded,
                },
                slot,
                job: job_id(id, 1),
                via: None,
                sent_at: None,
                receipt: None,
                handle: None,
                error: None,
                revision: 1,
                created_at: now,
                updated_at: now,
            };
            if let Some(when) = when {
                self.check_time(when, &publication, now)?;
                new.jobs
                    .extend(arm(&mut publication, PublishJob::new(id), 1)?);
            }
            let kind = publication.state.as_str();
            new.events
                .push(told::told(&publication, 1, kind, target.facts()));
            new.publications.push(publication);
        }
        Ok((new, held))
    }
}

/// A post as it is stored, if it is, and the publications that it has already.
type Stored = (Option<Post>, Vec<Publication>);

/// # Errors
/// `Conflict` (`post.changed`) when the post says something else on the account than the one that is stored.
fn says_same(stored: &Post, post: &Post, account: AccountId, network: &Platform) -> Result<()> {
    if content_hash(stored, account, network) == content_hash(post, account, network) {
        return Ok(());
    }
    let message = format!(
        "the post {} is there already, and says something else on the account {account}",
        post.id
    );
    Err(Error::new(ErrorKind::Conflict, message)
        .with_rule("post.changed")
        .with_remedy("change it with Tenant::edit, or publish a new post"))
}

/// The id of a post on an account: the same pair is the same publication.
pub(crate) fn publication_id(post: PostId, account: AccountId) -> PublicationId {
    PublicationId::derived(&format!("publication {post} {account}"))
}

/// What is said by a publication on the way it goes now, hashed.
pub(crate) fn said_by(post: &Post, publication: &Publication) -> String {
    let route = publication.route();
    let post = routed(post.clone(), publication);
    content_hash(&post, route.account, &route.network)
}

/// The post as it goes by the publication's way: what its own account says is said on the other one too, unless
/// that has words of its own.
pub(crate) fn routed(mut post: Post, publication: &Publication) -> Post {
    if let Some(via) = &publication.via
        && let Some(own) = post.accounts.get(&publication.target.account).cloned()
    {
        post.accounts.entry(via.account).or_insert(own);
    }
    post
}

/// What is said on an account, hashed, so that a changed content is seen: by every process alike, in whatever order its
/// build of `serde_json` keeps what stands in options.
fn content_hash(post: &Post, account: AccountId, network: &Platform) -> String {
    let mut content = post.content_for(network, Some(account));
    for options in content.options.values_mut() {
        options.sort_all_objects();
    }
    let content = serde_json::to_vec(&(content, post.delivery)).unwrap_or_default();
    sha256(content)
}

impl TargetPlan {
    /// What the checks found, for the event that tells of it.
    fn facts(&self) -> serde_json::Value {
        json!({ "checks": {
            "length": self.report.length,
            "limit": self.report.limit,
            "findings": self.report.findings,
        }})
    }
}

impl Plan {
    /// The error of the first blocker.
    pub(crate) fn check(&self) -> Result<()> {
        let Some((target, finding)) = self.blockers().next() else {
            return Ok(());
        };
        let message = format!(
            "{} on {}: {}",
            target.account.name, target.account.network, finding.message
        );
        Err(Error::invalid("post", message)
            .with_rule(finding.rule.clone())
            .with_remedy(finding.remedy.clone()))
    }

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

#[cfg(test)]
mod tests {
    use automarket_core::{
        Delivery, Media,
        content::{MediaKind, MediaSource},
    };

    use super::*;

    /// What waits in databases bears these hashes: with another one all of it would be rejected at its time. A field that
    /// is added is left out of the JSON while it says nothing.
    #[test]
    fn what_a_post_says_has_the_hash_that_it_always_had() {
        let account = AccountId::derived("acme");
        let mut post = Post::text("We shipped!");
        let hash = |post: &Post| content_hash(post, account, &Platform::X);
        assert_eq!(
            hash(&post),
            "33fbd0a930d3e47efb867cd6845db3dc46c096bb45dddd11beb05d36530f2d1b"
        );
        let mut film = Media::new(MediaKind::Video, MediaSource::Host("film.mp4".into()));
        film.seconds = Some(5.0 / 24.0);
        post.base.media = Some(vec![film]);
        let options =
            json!({ "reply": "followers", "made_with_ai": true, "nested": { "b": 1, "a": 0.1 } });
        post.base.options.insert(Platform::X, options);
        post.delivery = Delivery::Draft;
        assert_eq!(
            hash(&post),
            "15a5eb755487611bf0c32972a695814d9e0a5251880ff4d7ce662e3b376a6f90"
        );
    }
}
