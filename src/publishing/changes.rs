//! What a host may still change: cancel, reschedule, approve, edit, try again.

use std::collections::BTreeMap;

use automarket_core::{
    AccountId, Error, ErrorKind, JobId, Post, PostId, PublicationId, Result, When,
    chrono::{DateTime, SubsecRound as _, Utc},
    content::Voice,
    store::{Approval, Publication, PublicationState, PublishingChange, Target},
};
use serde_json::{Value, json};

use super::{
    PublishOptions, TooLate,
    anew::anew,
    job::{PublishJob, arm, for_now, job_id, nothing_out, was_settled},
    routed, said_by,
    slots::Hold,
    state::{changed, editable, waits},
    told::told,
};
use crate::{Tenant, report::metrics};

/// How an edit works where something is out already.
const OWN_WORDS: &str = "give the accounts to come words of their own (`account_variant`)";
/// What is left where something was begun.
const BEGUN: &str = "look there; `retry` goes on with what it says, or publish a new post";
/// Why there is nothing to say yes or no to.
const NOT_ASKED: &str = "nothing of it awaits approval";
/// So many publications are called off in one transaction.
const TOGETHER: usize = 100;

/// What a change is for: a whole post, or one publication of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All publications of a post.
    Post(PostId),
    /// One publication.
    Publication(PublicationId),
    /// One publication, if it still is at the revision that somebody looked at.
    Seen(PublicationId, i64),
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

/// The publication as it was read: when it changed since, the change is refused with `Conflict`
/// (`publication.changed`).
impl From<&Publication> for Selection {
    fn from(seen: &Publication) -> Self {
        Self::Seen(seen.id, seen.revision)
    }
}

/// What becomes of one publication: how it stands, and what is told.
pub(super) struct Move {
    pub(super) publication: Publication,
    pub(super) kind: &'static str,
    pub(super) facts: Value,
    /// The job to put in with it; [`arm`] then made its state.
    pub(super) job: Option<PublishJob>,
    /// The job that it had.
    left: JobId,
    /// Its slot, until it is written.
    held: Option<Hold>,
}

impl Move {
    fn new(publication: Publication, kind: &'static str, facts: Value) -> Self {
        Self {
            kind,
            facts,
            job: None,
            left: publication.job,
            held: None,
            publication,
        }
    }

    fn holding(self, held: Option<Hold>) -> Self {
        Self { held, ..self }
    }

    fn armed(self, job: PublishJob) -> Self {
        Self {
            job: Some(job),
            ..self
        }
    }
}

impl Tenant {
    /// Calls off what still waits: drafts, what awaits approval, what is scheduled or blocked. Of a post, what
    /// is out already stays as it is. Of a publication that a failure interrupted, what is out, or may be, stays: the rest of
    /// the thread, or the comment, is given up, and it ends [`Unknown`](PublicationState::Unknown). It is not taken back:
    /// what is wanted after all is a new post.
    ///
    /// Returns the publications as they stand then, those of other states unchanged.
    ///
    /// # Errors
    /// [`TooLate`] when there is nothing to call off; `NotFound`; those of the store.
    pub async fn cancel(&self, what: impl Into<Selection>) -> Result<Vec<Publication>> {
        let late = "nothing of it can be called off any more";
        self.change(what.into(), late, |p, _| async move {
            if !waits(&p) {
                return Ok(None);
            }
            let facts = json!({ "cancelled": true });
            self.called_off(p, facts).await.map(Some)
        })
        .await
    }

    async fn called_off(&self, mut p: Publication, facts: Value) -> Result<Move> {
        p.state = match nothing_out(self.engine(), &p).await? {
            true => PublicationState::Cancelled,
            false => PublicationState::Unknown,
        };
        let kind = p.state.as_str();
        Ok(Move::new(p, kind, facts))
    }

    /// Calls off what would still go out by itself, or by somebody's yes, on an account that was removed: connected again,
    /// it has the same id. Drafts stay. Whether there was anything.
    pub(crate) async fn call_off(&self, account: AccountId) -> Result<bool> {
        use PublicationState::{AwaitingApproval, Blocked, Scheduled};
        let states = [AwaitingApproval, Scheduled, Blocked];
        let facts = &json!({ "cancelled": true, "rule": "account.removed" });
        let mut any = false;
        loop {
            let some = anew(|| async {
                let store = &self.engine().store;
                let waiting = store.live_publications(&self.id, account, &states, TOGETHER);
                let mut moves = Vec::new();
                for publication in waiting.await? {
                    moves.push(self.called_off(publication, facts.clone()).await?);
                }
                if moves.is_empty() {
                    return Ok(false);
                }
                let change = PublishingChange::new(self.id.clone());
                self.write(change, moves).await.map(|_| true)
            });
            match some.await? {
                true => any = true,
                false => return Ok(any),
            }
        }
    }

    /// Gives what still waits another time. With [`When::Queue`], each account's next free slot.
    ///
    /// # Errors
    /// As [`Tenant::cancel`]; `InvalidInput` (`when`) for a time that is past (`when.past`), and for [`When::Queue`] on
    /// an account without slots (`slots.none`).
    pub async fn reschedule(
        &self,
        what: impl Into<Selection>,
        when: When,
    ) -> Result<Vec<Publication>> {
        let late = "it cannot be given another time any more";
        self.change(what.into(), late, |mut p, now| async move {
            if !waits(&p) {
                return Ok(None);
            }
            let (due, slot, held) = self.due(p.target.account, when, now, true).await?;
            // What goes another way holds no slot of its account.
            (p.due, p.slot) = (due.trunc_subsecs(6), slot.filter(|_| p.via.is_none()));
            self.check_time(when, &p, now)?;
            if when == When::Now {
                for_now(&mut p, now);
            }
            let facts = json!({ "due": p.due });
            if p.state == PublicationState::Draft {
                return Ok(Some(Move::new(p, "rescheduled", facts).holding(held)));
            }
            let job = PublishJob::continuing(self.engine(), &p, false).await?;
            let moved = Move::new(p, "rescheduled", facts).armed(job);
            Ok(Some(moved.holding(held)))
        })
        .await
    }

    /// Says yes to what awaits approval: it goes into the line for its time. What was to be sent at once is
    /// sent now; what became too late meanwhile is missed, and its state says so. `by` is whoever says it. Give the
    /// publication as it was read (`&publication`) to say yes to what was seen, and to nothing else.
    ///
    /// # Errors
    /// [`TooLate`] when nothing awaits approval; `Conflict` (`publication.changed`) when it was changed since it was
    /// read, or its words are changed meanwhile; `NotFound`; those of the store.
    pub async fn approve(
        &self,
        what: impl Into<Selection>,
        by: &str,
        note: Option<&str>,
    ) -> Result<Vec<Publication>> {
        let what = what.into();
        let facts = &json!({ "by": by, "note": note });
        let read = self.select(what).await?.into_iter();
        let words = &BTreeMap::from_iter(read.map(|p| (p.id, p.content_hash)));
        self.change(what, NOT_ASKED, |mut p, now| async move {
            if p.state != PublicationState::AwaitingApproval {
                return Ok(None);
            }
            if words.get(&p.id) != Some(&p.content_hash) {
                return Err(changed(&p));
            }
            if p.expiry().is_some_and(|expiry| expiry <= now) {
                p.state = PublicationState::Missed;
                return Ok(Some(Move::new(p, "missed", Value::Null)));
            }
            if p.asked_for_now() {
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
        let facts = &json!({ "by": by, "note": note, "rule": "approval.refused" });
        self.change(what.into(), NOT_ASKED, |mut p, _| async move {
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
    /// Unlike [`Tenant::publish`] it does so once: a repeated call is [`TooLate`], and its state says how the first one stands.
    ///
    /// # Errors
    /// [`TooLate`] when there is no draft, or none any more; those of [`Tenant::publish`].
    pub async fn publish_draft(
        &self,
        post: PostId,
        when: When,
        options: PublishOptions,
    ) -> Result<Vec<Publication>> {
        let late = "it is no draft any more";
        self.change(post.into(), late, |mut p, now| async move {
            if p.state != PublicationState::Draft {
                return Ok(None);
            }
            // What is checked is what goes: an edit after this is seen by the revision.
            let body = self.post(post).await?;
            let account = p.target.account;
            let plan = self.checked(&body, [account], &Voice::default()).await?;
            plan.check()?;
            let (due, slot, held) = self.due(account, when, now, true).await?;
            (p.due, p.slot) = (due.trunc_subsecs(6), slot);
            p.lateness = options.lateness;
            if options.approval {
                p.approval = Approval::Needed;
            }
            self.check_time(when, &p, now)?;
            if when == When::Now {
                for_now(&mut p, now);
            }
            let job = PublishJob::new(p.id);
            let moved = Move::new(p, "released", Value::Null).armed(job);
            Ok(Some(moved.holding(held)))
        })
        .await
    }

    /// Replaces what a post says: checked again as by [`Tenant::publish`], a new intent with a new key for
    /// every account on which it says something else. What was approved awaits approval again.
    ///
    /// Something that was sent, or may have been, cannot be said differently afterwards; the post can still be
    /// edited if it goes on saying the same there (another account's variant may change). A post that is cancelled on all
    /// its accounts is not edited: a cancel is not taken back, publish a new post.
    ///
    /// # Errors
    /// [`TooLate`], with the account on which it is; `InvalidInput` with the first blocker's rule; `NotFound`; those of the
    /// store.
    pub async fn edit(&self, id: PostId, mut post: Post) -> Result<Vec<Publication>> {
        post.id = id;
        anew(|| async {
            let publications = self.select(id.into()).await?;
            let accounts = publications.len();
            let cancelled = |p: &Publication| p.state == PublicationState::Cancelled;
            if publications.iter().all(cancelled) {
                let state = PublicationState::Cancelled;
                return Err(TooLate { state }.error("it cannot be said differently any more"));
            }
            let to_come = publications.iter().any(waits);
            let says_same = |p: &Publication| said_by(&post, p) == p.content_hash;
            let (same, other): (Vec<_>, Vec<_>) = publications.into_iter().partition(says_same);
            for p in other.iter().filter(|p| p.state != PublicationState::Draft) {
                let (post, account) = (routed(post.clone(), p), p.route().account);
                let plan = self.checked(&post, [account], &Voice::default()).await?;
                plan.check()?;
            }
            let mut change = PublishingChange {
                post: Some(post.clone()),
                accounts,
                ..PublishingChange::new(self.id.clone())
            };
            // Written as they are: so of two edits at once the second is made anew, whatever each is about.
            change.publications = same.into_iter().filter(editable).collect();
            let mut moves = Vec::new();
            for publication in other {
                let others_wait = to_come && !waits(&publication);
                let edited = self.edited(&post, publication).await;
                moves.push(edited.map_err(|error| match error.kind() {
                    ErrorKind::TooLate if others_wait => error.with_remedy(OWN_WORDS),
                    _ => error,
                })?);
            }
            self.write(change, moves).await
        })
        .await?;
        self.publications(id).await
    }

    /// What an edit makes of a publication that says something else then.
    async fn edited(&self, post: &Post, mut p: Publication) -> Result<Move> {
        let hash = said_by(post, &p);
        let engine = self.engine();
        let over = was_settled(engine, &p).await?;
        let began = p.sent_at.is_some() && !over && !nothing_out(engine, &p).await?;
        if began || !editable(&p) {
            let Target {
                account, network, ..
            } = p.route();
            let part = if editable(&p) {
                "a part of it is out or may be, "
            } else {
                ""
            };
            let why =
                format!("on {network} (account {account}) {part}it cannot be said differently");
            let error = TooLate { state: p.state }.error(&why);
            return Err(match editable(&p) {
                true => error.with_remedy(BEGUN),
                false => error,
            });
        }
        let facts = json!({ "was": p.content_hash, "is": hash, "key": new_key(&p, &hash) });
        p.key = new_key(&p, &hash);
        p.content_hash = hash;
        p.public_at = post.delivery.at();
        (p.sent_at, p.handle) = (None, None);
        let (job, next) = (PublishJob::new(p.id), job_id(p.id, p.revision + 1));
        let rearmed = waits(&p) && p.state != PublicationState::Draft;
        let mut edited = Move::new(p, "edited", facts);
        // Nothing goes on from what the old content began.
        edited.publication.job = next;
        Ok(match rearmed {
            true => edited.armed(job),
            false => edited,
        })
    }

    /// Sends again what surely failed: rejected and missed publications, for now. What needs an approval of what
    /// it says now awaits that first. Other states are left alone; of something unknown only
    /// [`Tenant::resend_unknown`] makes a second sending. Where surely nothing is out it starts from nothing, its media
    /// too; what the platform had taken and then failed is a new intent, with a key of its own.
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
    /// or does not mind. A thread goes on at its first part that is not known to be out. It keeps its key, so that
    /// a platform that knows it may still refuse the second; of what the platform had taken and could not tell the
    /// end of, it is a new intent. What was taken and only could not be asked for is asked for again instead. The
    /// reason is kept.
    ///
    /// # Errors
    /// `InvalidInput` (`reason`) when it is empty; [`TooLate`] when the publication is not unknown; `Conflict`
    /// (`publication.forgotten`) when the job that sent it is not kept any more; `NotFound`; those of the store.
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
                Some(p) => TooLate { state: p.state }.error("it is not unknown"),
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
        let (wanted, facts) = (&wanted, &facts);
        self.moved(what, |mut p, now| async move {
            if !wanted(&p) {
                return Ok(None);
            }
            let engine = self.engine();
            let job = if was_settled(engine, &p).await? {
                // What was taken is not to be taken for the end of this one, nor found instead of it.
                p.key = new_key(&p, &format!("{} again", p.content_hash));
                p.handle = None;
                if !resend {
                    p.sent_at = None; // Else it may be out, whatever becomes of the second.
                }
                let mut job = PublishJob::new(p.id);
                job.resent = resend;
                job
            } else if !resend && nothing_out(engine, &p).await? {
                PublishJob::new(p.id)
            } else {
                PublishJob::continuing(engine, &p, resend).await?
            };
            for_now(&mut p, now);
            (p.slot, p.error) = (None, None);
            Ok(Some(Move::new(p, kind, facts.clone()).armed(job)))
        })
        .await
    }

    /// As [`moved`](Self::moved), and returns how all stand then.
    ///
    /// # Errors
    /// [`TooLate`] when there was no move to make, with why.
    async fn change<F>(
        &self,
        what: Selection,
        late: &str,
        make: impl Fn(Publication, DateTime<Utc>) -> F,
    ) -> Result<Vec<Publication>>
    where
        F: Future<Output = Result<Option<Move>>>,
    {
        let moved = self.moved(what, make).await?;
        let Some(first) = moved.first() else {
            let state = self.select(what).await?.first().map(|p| p.state);
            return Err(match state {
                Some(state) => TooLate { state }.error(late),
                None => not_found(what),
            });
        };
        match what {
            Selection::Post(_) => self.select(what).await,
            _ => self.select(first.id.into()).await,
        }
    }

    /// Makes one move with each publication for which there is one, all of them or none, and returns those that
    /// were moved as they stood then. Made anew when they changed meanwhile.
    async fn moved<F>(
        &self,
        what: Selection,
        make: impl Fn(Publication, DateTime<Utc>) -> F,
    ) -> Result<Vec<Publication>>
    where
        F: Future<Output = Result<Option<Move>>>,
    {
        anew(|| async {
            let now = self.engine().store.now().await?;
            let mut moves = Vec::new();
            for publication in self.select(what).await? {
                moves.extend(make(publication, now).await?);
            }
            if moves.is_empty() {
                return Ok(Vec::new());
            }
            let change = PublishingChange::new(self.id.clone());
            self.write(change, moves).await
        })
        .await
    }

    /// Adds moves to a change, writes it in one transaction, and calls off the jobs that they leave behind.
    /// Returns what was moved.
    async fn write(
        &self,
        mut change: PublishingChange,
        moves: Vec<Move>,
    ) -> Result<Vec<Publication>> {
        let store = &self.engine().store;
        let kept = change.publications.len();
        let (mut left, mut ends, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for mut made in moves {
            held.extend(made.held);
            let p = &mut made.publication;
            let revision = p.revision + 1;
            if let Some(job) = made.job {
                change.jobs.extend(arm(p, job, revision)?);
            }
            if p.job != made.left || p.state.is_terminal() {
                left.push(made.left);
            }
            let facts = match made.facts {
                Value::Object(mut facts) => {
                    facts.insert("state".into(), json!(p.state));
                    Value::Object(facts)
                }
                _ => json!({ "state": p.state }),
            };
            change.events.push(told(p, revision, made.kind, facts));
            ends.push(matches!(made.kind, "cancelled" | "missed" | "unknown"));
            change.publications.push(made.publication);
        }
        let changed = store.change_publishing(&change).await?;
        drop(held);
        let moved = changed.into_iter().skip(kept).collect::<Vec<_>>();
        for (publication, _) in moved.iter().zip(ends).filter(|(_, ends)| *ends) {
            metrics::publication(publication);
        }
        for job in left {
            // It has no power any more; this only keeps the queue tidy.
            if let Err(error) = store.cancel_job(&self.id, job).await {
                tracing::debug!(%job, error = %error.report(), "a job without power stays in the queue");
            }
        }
        self.engine().wake.notify_waiters();
        Ok(moved)
    }

    pub(super) async fn select(&self, what: Selection) -> Result<Vec<Publication>> {
        let store = &self.engine().store;
        let found = match what {
            Selection::Post(post) => store.publications(&self.id, post).await?,
            Selection::Publication(id) | Selection::Seen(id, _) => {
                store.publication(&self.id, id).await?.into_iter().collect()
            }
        };
        if let (Selection::Seen(_, seen), Some(found)) = (what, found.first())
            && found.revision != seen
        {
            return Err(changed(found));
        }
        match found.is_empty() {
            true => Err(not_found(what)),
            false => Ok(found),
        }
    }
}

/// A changed content is a new intent, and so is one that begins again: its key follows from what is said, and since when.
pub(super) fn new_key(publication: &Publication, hash: &str) -> String {
    let Publication { id, revision, .. } = publication;
    PublicationId::derived(&format!("{id} says {hash} after {revision}")).to_string()
}

pub(super) fn not_found(what: Selection) -> Error {
    let message = match what {
        Selection::Post(id) => format!("the tenant has no publications of a post {id}"),
        Selection::Publication(id) | Selection::Seen(id, _) => {
            format!("the tenant has no publication {id}")
        }
    };
    Error::new(ErrorKind::NotFound, message)
}
