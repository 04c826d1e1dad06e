//! What a host may still change: cancel, reschedule, approve, edit, try again.

use std::collections::{BTreeMap, HashSet};

use automarket_core::{
    Error, ErrorKind, Post, PostId, PublicationId, Result, When,
    chrono::{DateTime, SubsecRound as _, Utc},
    content::Voice,
    store::{Approval, Publication, PublicationState, PublishingChange, REVISION, SLOT},
};
use serde_json::{Value, json};

use super::{
    PublishOptions, TooLate,
    job::{PublishJob, arm, asked_for_now, expiry, job_id, nothing_out},
    said_by, slots,
    told::told,
};
use crate::{Tenant, report::metrics};

/// What a change is for: a whole post, or one publication of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All publications of a post.
    Post(PostId),
    /// One publication.
    Publication(PublicationId),
}

impl From<PostId> for Selection {
    fn from(id: PostId) -> Self {
        Self::Post(id)
    }
}

impl From<PublicationId> for Selection {
    fn from(id: PublicationId) -> Self {
        Self::Publication(id)
    }
}

/// How often a change is made anew when the publications changed under it.
const TRIES: usize = 16;

/// What becomes of one publication: how it stands, and what is told.
pub(super) struct Move {
    pub(super) publication: Publication,
    pub(super) kind: &'static str,
    pub(super) facts: Value,
    /// The job to put in with it; [`arm`] then made its state.
    pub(super) job: Option<PublishJob>,
}

impl Move {
    fn new(publication: Publication, kind: &'static str, facts: Value) -> Self {
        Self {
            publication,
            kind,
            facts,
            job: None,
        }
    }

    fn armed(self, job: PublishJob) -> Self {
        Self {
            job: Some(job),
            ..self
        }
    }
}

/// Whether nothing was sent yet and something is still to come.
fn waits(publication: &Publication) -> bool {
    matches!(
        publication.state,
        PublicationState::Draft
            | PublicationState::AwaitingApproval
            | PublicationState::Scheduled
            | PublicationState::Blocked
    )
}

impl Tenant {
    /// Calls off what still waits: drafts, what awaits approval, what is scheduled or blocked. Of a post, what
    /// is out already stays as it is. Of a thread that a failure interrupted, the parts that are out stay.
    ///
    /// Returns the publications as they stand then, those of other states unchanged.
    ///
    /// # Errors
    /// [`TooLate`] when there is nothing to call off; `NotFound`; those of the store.
    pub async fn cancel(&self, what: impl Into<Selection>) -> Result<Vec<Publication>> {
        self.change(what.into(), |mut p, _| {
            if !waits(&p) {
                return Ok(None);
            }
            p.state = PublicationState::Cancelled;
            Ok(Some(Move::new(p, "cancelled", Value::Null)))
        })
        .await
    }

    /// Gives what still waits another time. With [`When::Queue`], each account's next free slot.
    ///
    /// # Errors
    /// As [`Tenant::cancel`]; `Config` for [`When::Queue`] on an account without slots.
    pub async fn reschedule(
        &self,
        what: impl Into<Selection>,
        when: When,
    ) -> Result<Vec<Publication>> {
        let what = what.into();
        for _ in 0..slots::TRIES {
            let now = self.engine().store.now().await?;
            let mut dues = BTreeMap::new();
            let mut jobs = BTreeMap::new();
            for p in self.select(what).await?.iter().filter(|p| waits(p)) {
                dues.insert(p.id, self.due(p.target.account, when, now).await?);
                jobs.insert(p.id, PublishJob::continuing(self.engine(), p, false).await?);
            }
            let moved = self.change(what, |mut p, _| {
                let (Some((due, slot)), Some(job), true) =
                    (dues.get(&p.id), jobs.get(&p.id), waits(&p))
                else {
                    return Ok(None);
                };
                (p.due, p.slot) = (due.trunc_subsecs(6), *slot);
                let facts = json!({ "due": p.due });
                let draft = p.state == PublicationState::Draft;
                let moved = Move::new(p, "rescheduled", facts);
                Ok(Some(match draft {
                    true => moved,
                    false => moved.armed(job.clone()),
                }))
            });
            match moved.await {
                Err(error) if error.rule() == Some(SLOT) => {}
                moved => return moved,
            }
        }
        Err(slots::none_free())
    }

    /// Says yes to what awaits approval: it goes into the line for its time. What was to be sent at once is
    /// sent now; what became too late meanwhile is missed, and its state says so. `by` is whoever says it.
    ///
    /// # Errors
    /// [`TooLate`] when nothing awaits approval; `NotFound`; those of the store.
    pub async fn approve(
        &self,
        what: impl Into<Selection>,
        by: &str,
        note: Option<&str>,
    ) -> Result<Vec<Publication>> {
        let facts = json!({ "by": by, "note": note });
        self.change(what.into(), |mut p, now| {
            if p.state != PublicationState::AwaitingApproval {
                return Ok(None);
            }
            if expiry(&p).is_some_and(|expiry| expiry <= now) {
                p.state = PublicationState::Missed;
                return Ok(Some(Move::new(p, "missed", Value::Null)));
            }
            if asked_for_now(&p) {
                p.due = now;
            }
            p.approval = Approval::Given(p.content_hash.clone());
            let job = PublishJob::new(p.id);
            Ok(Some(Move::new(p, "approved", facts.clone()).armed(job)))
        })
        .await
    }

    /// Says no to what awaits approval: it is cancelled, with the reason told.
    ///
    /// # Errors
    /// As [`Tenant::approve`].
    pub async fn reject_approval(
        &self,
        what: impl Into<Selection>,
        by: &str,
        note: Option<&str>,
    ) -> Result<Vec<Publication>> {
        let facts = json!({ "by": by, "note": note, "rule": "approval.refused" });
        self.change(what.into(), |mut p, _| {
            if p.state != PublicationState::AwaitingApproval {
                return Ok(None);
            }
            p.state = PublicationState::Cancelled;
            Ok(Some(Move::new(p, "cancelled", facts.clone())))
        })
        .await
    }

    /// Hands drafts of ours to the queue, checked as by [`Tenant::publish`].
    ///
    /// # Errors
    /// [`TooLate`] when there is no draft; those of [`Tenant::publish`].
    pub async fn publish_draft(
        &self,
        post: PostId,
        when: When,
        options: PublishOptions,
    ) -> Result<Vec<Publication>> {
        for _ in 0..slots::TRIES {
            let now = self.engine().store.now().await?;
            let drafts = self.select(post.into()).await?;
            let drafts: Vec<_> = drafts
                .into_iter()
                .filter(|p| p.state == PublicationState::Draft)
                .collect();
            let body = self.body(post).await?;
            let accounts = drafts.iter().map(|p| p.target.account);
            let voice = Voice::default();
            self.checked(&body, accounts, &voice).await?.check()?;
            let mut dues = BTreeMap::new();
            for p in &drafts {
                let due = self.due(p.target.account, when, now).await?;
                dues.insert(p.id, (p.revision, due));
            }
            let moved = self.change(post.into(), |mut p, _| {
                // What was checked is what goes: of another revision it is looked at again.
                let due = dues.get(&p.id).filter(|(seen, _)| *seen == p.revision);
                let (Some((_, (due, slot))), PublicationState::Draft) = (due, p.state) else {
                    return Ok(None);
                };
                (p.due, p.slot) = (due.trunc_subsecs(6), *slot);
                p.lateness = options.lateness;
                if options.approval {
                    p.approval = Approval::Needed;
                    if when == When::Now {
                        p.due = p.created_at;
                    }
                }
                let job = PublishJob::new(p.id);
                Ok(Some(Move::new(p, "released", Value::Null).armed(job)))
            });
            match moved.await {
                Err(error) if error.rule() == Some(SLOT) => {}
                moved => return moved,
            }
        }
        Err(slots::none_free())
    }

    /// Replaces what a post says: checked again as by [`Tenant::publish`], a new intent with a new key for
    /// every account on which it says something else. What was approved awaits approval again.
    ///
    /// Something that was sent, or may have been, cannot be said differently afterwards; the post can still be
    /// edited if it goes on saying the same there (another account's variant may change).
    ///
    /// # Errors
    /// [`TooLate`]; `InvalidInput` with the first blocker's rule; `NotFound`; those of the store.
    pub async fn edit(&self, id: PostId, mut post: Post) -> Result<Vec<Publication>> {
        post.id = id;
        for _ in 0..TRIES {
            let publications = self.select(id.into()).await?;
            let accounts = publications
                .iter()
                .filter(|p| {
                    p.state != PublicationState::Draft && said_by(&post, p) != p.content_hash
                })
                .map(|p| p.target.account);
            let voice = Voice::default();
            self.checked(&post, accounts, &voice).await?.check()?;
            let mut moves = Vec::new();
            for publication in publications {
                moves.extend(self.edited(&post, publication).await?);
            }
            match self.write(Some(post.clone()), moves).await {
                Err(error) if error.rule() == Some(REVISION) => {}
                Err(error) => return Err(error),
                Ok(()) => return self.publications(id).await,
            }
        }
        Err(restless())
    }

    /// What an edit makes of a publication; `None` when it says the same.
    async fn edited(&self, post: &Post, mut p: Publication) -> Result<Option<Move>> {
        let hash = said_by(post, &p);
        if hash == p.content_hash {
            return Ok(None);
        }
        let failed = matches!(
            p.state,
            PublicationState::Rejected | PublicationState::Missed
        );
        let began = p.sent_at.is_some() && !nothing_out(self.engine(), &p).await?;
        if began || !(waits(&p) || failed || p.state == PublicationState::Cancelled) {
            return Err(TooLate { state: p.state }.into_error());
        }
        let facts = json!({ "was": p.content_hash, "is": hash, "key": new_key(&p, &hash) });
        p.key = new_key(&p, &hash);
        p.content_hash = hash;
        // Nothing goes on from what the old content began.
        (p.job, p.sent_at) = (job_id(p.id, p.revision + 1), None);
        let draft = p.state == PublicationState::Draft;
        let job = PublishJob::new(p.id);
        let rearmed = waits(&p) && !draft;
        let edited = Move::new(p, "edited", facts);
        Ok(Some(match rearmed {
            true => edited.armed(job),
            false => edited,
        }))
    }

    /// Sends again what surely failed: rejected and missed publications, for now. A thread goes on at its first
    /// part that is not out. What needs an approval of what it says now awaits that first. Other states are
    /// left alone; of something unknown only [`Tenant::resend_unknown`] makes a second sending.
    ///
    /// Returns the publications that are tried again.
    ///
    /// # Errors
    /// `Conflict` (`publication.forgotten`) when the job that failed is not kept any more; `NotFound`; those of the store.
    pub async fn retry(&self, what: impl Into<Selection>) -> Result<Vec<Publication>> {
        let what = what.into();
        let failed = |p: &Publication| {
            matches!(
                p.state,
                PublicationState::Rejected | PublicationState::Missed
            )
        };
        self.again(what, failed, "retried", Value::Null, false)
            .await
    }

    /// Sends an unknown publication again, with the risk that it then stands there twice: for whoever looked,
    /// or does not mind. It keeps its key, so that a platform that knows it may still refuse the second. The
    /// reason is kept.
    ///
    /// # Errors
    /// `InvalidInput` (`reason`) when it is empty; [`TooLate`] when the publication is not unknown; `NotFound`;
    /// those of the store.
    pub async fn resend_unknown(
        &self,
        publication: PublicationId,
        reason: &str,
    ) -> Result<Publication> {
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "a second sending needs a reason"));
        }
        let unknown = |p: &Publication| p.state == PublicationState::Unknown;
        let facts = json!({ "reason": reason });
        let what = Selection::Publication(publication);
        let sent = self.again(what, unknown, "resent", facts, true).await?;
        match sent.into_iter().next() {
            Some(publication) => Ok(publication),
            None => Err(match self.select(what).await?.first() {
                Some(p) => TooLate { state: p.state }.into_error(),
                None => not_found(what),
            }),
        }
    }

    async fn again(
        &self,
        what: Selection,
        wanted: impl Fn(&Publication) -> bool,
        kind: &'static str,
        facts: Value,
        resend: bool,
    ) -> Result<Vec<Publication>> {
        for _ in 0..TRIES {
            let now = self.engine().store.now().await?;
            let mut moves = Vec::new();
            for mut p in self.select(what).await? {
                if !wanted(&p) {
                    continue;
                }
                let job = PublishJob::continuing(self.engine(), &p, resend).await?;
                (p.due, p.slot, p.error) = (now, None, None);
                let again = Move::new(p, kind, facts.clone());
                moves.push(again.armed(job));
            }
            let ids: HashSet<_> = moves.iter().map(|m| m.publication.id).collect();
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            match self.write(None, moves).await {
                Err(error) if error.rule() == Some(REVISION) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let mut all = self.select(what).await?;
                    all.retain(|p| ids.contains(&p.id));
                    return Ok(all);
                }
            }
        }
        Err(restless())
    }

    /// Makes one move with each publication for which there is one, all of them or none, and returns how all
    /// stand then. Made anew when they changed meanwhile.
    async fn change(
        &self,
        what: Selection,
        make: impl Fn(Publication, DateTime<Utc>) -> Result<Option<Move>>,
    ) -> Result<Vec<Publication>> {
        for _ in 0..TRIES {
            let now = self.engine().store.now().await?;
            let publications = self.select(what).await?;
            let state = publications.first().map(|p| p.state);
            let moves = publications
                .into_iter()
                .filter_map(|p| make(p, now).transpose());
            let moves = moves.collect::<Result<Vec<_>>>()?;
            if moves.is_empty() {
                return Err(match state {
                    Some(state) => TooLate { state }.into_error(),
                    None => not_found(what),
                });
            }
            match self.write(None, moves).await {
                Err(error) if error.rule() == Some(REVISION) => {}
                Err(error) => return Err(error),
                Ok(()) => return self.select(what).await,
            }
        }
        Err(restless())
    }

    /// Writes moves in one transaction, and calls off the jobs that they leave behind.
    async fn write(&self, post: Option<Post>, moves: Vec<Move>) -> Result<()> {
        let store = &self.engine().store;
        let mut change = PublishingChange {
            post,
            ..PublishingChange::new(self.id.clone())
        };
        let (mut left, mut ends) = (Vec::new(), Vec::new());
        for mut made in moves {
            let p = &mut made.publication;
            let (old, revision) = (p.job, p.revision + 1);
            if let Some(job) = made.job {
                change.jobs.extend(arm(p, job, revision)?);
            }
            if p.job != old || p.state.is_terminal() {
                left.push(old);
            }
            let facts = match made.facts {
                Value::Object(mut facts) => {
                    facts.insert("state".into(), json!(p.state));
                    Value::Object(facts)
                }
                _ => json!({ "state": p.state }),
            };
            change.events.push(told(p, revision, made.kind, facts));
            ends.push(made.kind == "cancelled" || made.kind == "missed");
            change.publications.push(made.publication);
        }
        let changed = store.change_publishing(&change).await?;
        for (publication, _) in changed.iter().zip(ends).filter(|(_, ends)| *ends) {
            metrics::publication(publication);
        }
        for job in left {
            // It has no power any more; this only keeps the queue tidy.
            if let Err(error) = store.cancel_job(&self.id, job).await {
                tracing::debug!(%job, error = %error.report(), "a job without power stays in the queue");
            }
        }
        self.engine().wake.notify_waiters();
        Ok(())
    }

    pub(super) async fn select(&self, what: Selection) -> Result<Vec<Publication>> {
        let store = &self.engine().store;
        let found = match what {
            Selection::Post(post) => store.publications(&self.id, post).await?,
            Selection::Publication(id) => {
                store.publication(&self.id, id).await?.into_iter().collect()
            }
        };
        match found.is_empty() {
            true => Err(not_found(what)),
            false => Ok(found),
        }
    }

    async fn body(&self, post: PostId) -> Result<Post> {
        let body = self.engine().store.post(&self.id, post).await?;
        body.ok_or_else(|| not_found(Selection::Post(post)))
    }
}

/// A changed content is a new intent: its key follows from what is said.
pub(super) fn new_key(publication: &Publication, hash: &str) -> String {
    PublicationId::derived(&format!("{} says {hash}", publication.id)).to_string()
}

pub(super) fn not_found(what: Selection) -> Error {
    let message = match what {
        Selection::Post(id) => format!("the tenant has no publications of a post {id}"),
        Selection::Publication(id) => format!("the tenant has no publication {id}"),
    };
    Error::new(ErrorKind::NotFound, message)
}

fn restless() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the publications went on changing under the change; nothing was changed",
    )
    .with_rule(REVISION)
    .with_remedy("read them again, and call again")
}
