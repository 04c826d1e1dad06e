//! One publication on its way: the intent first, then the platform, then the truth.

use std::sync::Arc;

use automarket_core::{
    Context, Error, ErrorKind, ErrorRecord, Outcome, Post, Publisher, Result, Retry,
    check::check,
    chrono::{DateTime, Duration, Utc},
    content::Voice,
    fault_point,
    publisher::{ends_post, is_last_word},
    steps::{OVER, Steps},
    store::{
        Account, Decision, Job, NewJob, Operation, Publication, PublicationState, PublishingChange,
    },
    wait_end,
};

use super::{
    anew::anew,
    attempt::{Tried, Try},
    fallback,
    job::{
        ATTEMPTS, Continued, PublishJob, arm, hangs_on_a_look, in_doubt, is_one_write, is_unsure,
        nothing_out, tries, used_up,
    },
    measure,
    others::Others,
    routed, rules_for, said_by,
    timing::{in_time, not_now},
    told,
};
use crate::{
    market::Engine,
    report::metrics,
    trouble::{is_ours, waits},
    worker::{End, closed_until},
};

/// Something accepted is asked for after a quarter of the time it has been waited for, within these bounds:
/// an upload in minutes, a draft that nobody publishes every few hours.
const POLL: (Duration, Duration) = (Duration::minutes(1), Duration::hours(6));
/// How often what waits looks whether its account is usable again, if nobody tells it.
pub(super) const BLOCKED: Duration = Duration::minutes(15);
/// So long after a sending whose end is not known it is looked for, unless the host says otherwise
/// ([`Builder::look_after`](crate::Builder::look_after)).
pub const LOOK_AFTER: std::time::Duration = std::time::Duration::from_secs(60);
/// So many attempts a platform's `Config`, such as a workspace that is gone, may keep from asking what became of
/// something before that is counted: each comes within an hour, so who has to mend it is given three days.
const MENDING: u32 = 150;

/// Takes the publication of a job one move further; called as often as that takes. A job that dies has settled
/// its publication before.
pub(crate) async fn run(engine: &Arc<Engine>, job: &Job, steps: Arc<dyn Steps>) -> Result<End> {
    let used_up = used_up(job);
    let carries = match PublishJob::of(job) {
        Ok(carries) => carries,
        Err(error) if used_up.is_some() => return Ok(End::Dead(error)),
        Err(error) => return Err(error),
    };
    if let Some(last) = used_up {
        return give_up(engine, job, &carries, last.into()).await;
    }
    // Made anew, nothing is out that the steps do not know of.
    match anew(|| send(engine, job, &carries, steps.clone())).await {
        Ok(End::Retry(error) | End::RetryBy(error, _))
            if tries(job) + 1 >= ATTEMPTS && !is_ours(error.kind()) =>
        {
            give_up(engine, job, &carries, error).await
        }
        Err(error) if error.kind() == ErrorKind::LeaseLost || is_ours(error.kind()) => Err(error),
        Err(error) if error.retry() == Retry::Never => give_up(engine, job, &carries, error).await,
        end => end,
    }
}

async fn send(
    engine: &Arc<Engine>,
    job: &Job,
    carries: &PublishJob,
    steps: Arc<dyn Steps>,
) -> Result<End> {
    let id = carries.publication;
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            format!("the tenant has no publication {id}"),
        )
    };
    let found = engine.store.publication(&job.tenant, id).await?;
    let mut publication = found.ok_or_else(missing)?;
    if publication.state.is_terminal() || publication.job != job.id {
        return Ok(End::done());
    }
    let now = engine.store.now().await?;
    if let Some(end) = not_now(engine, job, &publication, now).await? {
        return Ok(end);
    }

    let account = account_of(engine, &publication).await?;
    let operation = match publication.state {
        PublicationState::Accepted => Operation::Poll,
        PublicationState::Publishing => Operation::Reconcile,
        _ => Operation::Publish,
    };
    // An id that its steps knew before is its own.
    let looks = operation == Operation::Reconcile && is_unsure(engine, &publication).await?;
    let over = operation != Operation::Poll
        && publication.expiry().is_some_and(|expiry| expiry <= now)
        && hangs_on_a_look(engine, &publication).await?;
    let steps = Arc::new(Continued {
        own: steps,
        carries: carries.clone(),
        over,
    });
    let attempt = Try::new(job, operation, now);
    let publisher = match engine.publisher(&account.platform) {
        Ok(publisher) => publisher.clone(),
        Err(error) => {
            return ended(engine, carries, &account, publication, attempt, Err(error)).await;
        }
    };
    let post = engine.store.post(&job.tenant, publication.post).await?;
    let post = routed(post.ok_or_else(missing)?, &publication);
    let bucket = publisher.profile().bucket;
    let bucket = bucket.filter(|_| operation != Operation::Poll);
    let (context, passed) = match engine.passing_in(account.clone(), bucket).await {
        Ok((context, passed)) => {
            let context = context.with_steps(steps).with_key(&publication.key);
            (context.with_exchanges(attempt.exchanges.clone()), passed)
        }
        Err(error) => match closed_until(&error, now) {
            Some(until) => {
                return held_back(engine, publication, attempt, error, until).await;
            }
            None => {
                return ended(engine, carries, &account, publication, attempt, Err(error)).await;
            }
        },
    };
    let publisher = &*publisher;

    if publication.state == PublicationState::Accepted {
        let this = &publication;
        let call = |cx| async move { poll(publisher, &cx, this).await };
        let polled = passed.call(engine, context, call).await;
        return ended(engine, carries, &account, publication, attempt, polled).await;
    }

    let checked = match unchanged(&post, &publication) {
        Ok(()) => verify(engine, &post, &publication, &account, publisher, &context).await,
        changed => changed,
    };
    if let Err(error) = checked {
        passed.unused().await;
        return ended(engine, carries, &account, publication, attempt, Err(error)).await;
    }
    // The intent is committed before the first byte leaves.
    publication.state = PublicationState::Publishing;
    publication.sent_at.get_or_insert(now);
    fault_point("publish.intent", "before");
    publication = match save(engine, told::change(publication)).await {
        Ok(publication) => publication,
        Err(error) => {
            passed.unused().await;
            return Err(error);
        }
    };
    fault_point("publish.intent", "after");
    let post = &post;
    let profile = publisher.profile_for(&account);
    let others = Arc::new(Others::of(engine.clone(), &publication, post, profile, now));
    let context = context.with_taken(others.clone());
    let call = |cx| async move { publisher.publish(&cx, post).await };
    let mut sent = passed.call(engine, context, call).await;
    if looks && let Ok(found) = sent {
        sent = match others.believed(found).await {
            Err(error) if error.kind() != ErrorKind::CannotTell => return Err(error),
            believed => believed,
        };
    }
    ended(engine, carries, &account, publication, attempt, sent).await
}

/// The account that it goes by. That somebody removed it is the end of their posts, and no trouble of the host's: it names
/// the field.
pub(super) async fn account_of(engine: &Engine, publication: &Publication) -> Result<Account> {
    let account = engine.account(&publication.tenant, publication.route().account);
    account.await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => error.with_field("account"),
        _ => error,
    })
}

/// Whether what is read again is what was meant.
fn unchanged(post: &Post, publication: &Publication) -> Result<()> {
    if said_by(post, publication) == publication.content_hash {
        return Ok(());
    }
    let message = "the post is no longer the one that was scheduled";
    Err(Error::new(ErrorKind::Conflict, message))
}

/// Whether it still passes its checks. What is out in part, or may be, passed them before and goes on, whatever became
/// of its files since.
async fn verify(
    engine: &Engine,
    post: &Post,
    publication: &Publication,
    account: &Account,
    publisher: &dyn Publisher,
    context: &Context,
) -> Result<()> {
    let mut content = post.content_for(&account.network, Some(account.id));
    let rules = rules_for(account, publisher);
    let checked = match content.inspect_local(context).await {
        Ok(()) => check(&content, &rules, &Voice::default()).require(),
        unread => unread,
    };
    match checked {
        Err(error) if nothing_out(engine, publication).await? => Err(error),
        _ => Ok(()),
    }
}

async fn poll(
    publisher: &dyn Publisher,
    context: &Context,
    publication: &Publication,
) -> Result<Outcome> {
    match &publication.handle {
        Some(handle) => publisher.poll(context, handle).await,
        None => Err(Error::new(
            ErrorKind::Internal,
            "an accepted publication has no handle",
        )),
    }
}

/// What becomes of a publication whose account is left alone: it waits, or goes its second way when that would be
/// too long. Nothing was called: no try is counted, and only a second way is written down, with its reason.
async fn held_back(
    engine: &Engine,
    mut publication: Publication,
    attempt: Try,
    error: Error,
    until: DateTime<Utc>,
) -> Result<End> {
    let now = attempt.ended();
    let wait = in_time(engine, &publication, until, now).await?;
    publication.error = Some(ErrorRecord::from(&error));
    let result = Err(error);
    let attempt = attempt.of(&publication, &result);
    let rerouted = rerouted(engine, &publication, &attempt, &result, now).await?;
    Ok(match rerouted {
        true => End::done(),
        false => End::Snooze(wait),
    })
}

/// Sends a publication on its second way, if it has one and this result calls for it.
async fn rerouted(
    engine: &Engine,
    publication: &Publication,
    attempt: &Tried,
    result: &Result<Outcome>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Err(error) = result else {
        return Ok(false);
    };
    if publication.state == PublicationState::Accepted {
        return Ok(false);
    }
    let change = fallback::instead(engine, publication, attempt, error, now).await?;
    let Some(change) = change else {
        return Ok(false);
    };
    save(engine, change).await?;
    engine.wake.notify_waiters();
    Ok(true)
}

/// Writes down what a call ended in, and says when the job is wanted again.
async fn ended(
    engine: &Engine,
    carries: &PublishJob,
    account: &Account,
    mut publication: Publication,
    attempt: Try,
    result: Result<Outcome>,
) -> Result<End> {
    let now = attempt.ended();
    let before = publication.clone();
    let was_accepted = publication.state == PublicationState::Accepted;
    // What this process lacks, such as a place for media, another may have.
    let result = match result.map_err(waits) {
        // Whoever has the lease now says what became of it.
        Err(error) if error.kind() == ErrorKind::LeaseLost => return Err(error),
        // A look said that nothing is out.
        Err(error) if error.rule() == Some(OVER) => Err(error),
        // Only the platform's word on the post ends what it took; a question that fails is asked again.
        Err(error)
            if was_accepted
                && error.retry() == Retry::Never
                && !ends_post(error.kind(), error.rule()) =>
        {
            Err(error.with_retry(Retry::After(None)))
        }
        // What kept this attempt from looking says nothing of the sending before it.
        Err(error)
            if error.retry() != Retry::Reconcile
                && publication.state == PublicationState::Publishing
                && in_doubt(engine, &publication).await? =>
        {
            Err(error.with_retry(Retry::Reconcile))
        }
        result => result,
    };
    let result = match result {
        Err(error) if was_accepted || error.retry() == Retry::Reconcile => {
            Err(lasting(error, &attempt))
        }
        result => result,
    };
    let attempt = attempt.of(&publication, &result);
    publication.error = result.as_ref().err().map(ErrorRecord::from);
    // What kept it from being sent in time is the cause that people look for.
    if let (Some(over), Some(last)) = (&mut publication.error, &before.error)
        && over.rule.as_deref() == Some(OVER)
    {
        over.message = format!("{}; before that: {}", over.message, last.message);
    }
    if rerouted(engine, &publication, &attempt, &result, now).await? {
        return Ok(End::done());
    }
    let still_kept = was_accepted && matches!(result, Ok(Outcome::Accepted(_)));
    let (end, rule) = match result {
        // The sending before may have left the part that is refused now.
        Ok(Outcome::Done(receipt)) if carries.resent && receipt.thread_error().is_some() => {
            publication.state = PublicationState::Unknown;
            publication.receipt = Some(receipt);
            (End::done(), "platform.cannot_tell")
        }
        Ok(Outcome::Done(receipt)) => {
            publication.state = PublicationState::Published;
            publication.receipt = Some(receipt);
            (End::done(), "done")
        }
        Ok(Outcome::Accepted(handle)) => {
            let again = next_poll(handle.due, publication.sent_at.unwrap_or(now), now);
            publication.state = PublicationState::Accepted;
            publication.handle = Some(handle);
            (End::Snooze(again), "accepted.poll")
        }
        Err(error) if error.rule() == Some(OVER) => {
            publication.state = PublicationState::Missed;
            (End::done(), "missed")
        }
        Err(error) if error.kind() == ErrorKind::CannotTell => {
            publication.state = PublicationState::Unknown;
            keep_receipt(&mut publication, &error);
            (End::done(), "platform.cannot_tell")
        }
        Err(error) => match (waits_for(&error, was_accepted), error.retry()) {
            (Some(rule), retry) => {
                // What may have happened stays `publishing`: it is looked up once the account is usable.
                if !was_accepted && retry != Retry::Reconcile {
                    publication.state = PublicationState::Blocked;
                }
                let look = in_time(engine, &publication, now + BLOCKED, now).await?;
                (End::Snooze(look), rule)
            }
            // The state stays `publishing`: the next attempt looks before it sends.
            (None, Retry::Reconcile) => (End::Retry(error), "retry.reconcile"),
            (None, Retry::After(wait)) => {
                if !was_accepted {
                    publication.state = PublicationState::Scheduled;
                }
                match wait.map(|wait| wait_end(now, wait)) {
                    Some(until) => {
                        let again = in_time(engine, &publication, until, now).await?;
                        (End::Snooze(again), "platform.wait")
                    }
                    None => {
                        let latest = DateTime::<Utc>::MAX_UTC;
                        let latest = in_time(engine, &publication, latest, now).await?;
                        (End::RetryBy(error, latest), "retry.backoff")
                    }
                }
            }
            (None, Retry::Never) => {
                publication.state = refused(engine, &publication, carries).await?;
                keep_receipt(&mut publication, &error);
                (End::done(), "rejected")
            }
        },
    };
    let until = match &end {
        End::Snooze(at) => Some(*at),
        _ => None,
    };
    // Only failures in a row are counted: with an answer, a new job begins the count anew.
    let fresh = match until.filter(|_| still_kept && attempt.counts) {
        Some(at) => kept_by(engine, &mut publication, at).await?,
        None => None,
    };
    let end = fresh.as_ref().map_or(end, |_| End::done());
    // What goes on waiting as before is no news.
    if publication == before
        && matches!(
            before.state,
            PublicationState::Accepted | PublicationState::Blocked
        )
    {
        return Ok(end);
    }
    let rule = rule.to_owned();
    let measuring = measure::job(engine, account, &publication, now)?;
    let mut change = told::change(publication);
    change.jobs.extend(measuring.into_iter().chain(fresh));
    change
        .attempts
        .push(attempt.decided(Decision { rule, until }));
    fault_point("publish.verdict", "before");
    save(engine, change).await?;
    fault_point("publish.verdict", "after");
    Ok(end)
}

/// What is surely out of something that ends unknown can be seen, and taken down. (Not where its last error is known by its
/// record alone, as after crashes.)
fn keep_receipt(publication: &mut Publication, error: &Error) {
    if publication.state == PublicationState::Unknown
        && let Some(out) = error.receipt()
    {
        publication.receipt = Some(out.clone());
    }
}

/// Another job for what the platform keeps, which goes on from what its job knows and asks again at this instant.
async fn kept_by(
    engine: &Engine,
    publication: &mut Publication,
    at: DateTime<Utc>,
) -> Result<Option<NewJob>> {
    let carries = PublishJob::continuing(engine, publication, false).await?;
    let mut next = publication.clone();
    let job = arm(&mut next, carries, publication.revision + 1)?;
    Ok(job.map(|job| {
        publication.job = next.job;
        job.run_at(at)
    }))
}

/// The rule by which waiting for the account, or for another version of the program, is what helps.
pub(super) fn blocked_by(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Unauthorized => Some("account.blocked"),
        ErrorKind::ApiVersionRetired => Some("api.retired"),
        _ => None,
    }
}

/// As [`blocked_by`], unless it ends what was accepted: mending it sends nothing any more.
fn waits_for(error: &Error, was_accepted: bool) -> Option<&'static str> {
    let ended =
        was_accepted && error.retry() == Retry::Never && ends_post(error.kind(), error.rule());
    blocked_by(error.kind()).filter(|_| !ended)
}

/// The error of a question about what was accepted, or is in doubt. A platform's `Config` that nobody mended in time
/// becomes one that is counted, so that its end is unknown at last; one that names its wait is missing in this process.
fn lasting(error: Error, attempt: &Try) -> Error {
    let of_platform = error.kind() == ErrorKind::Config && error.platform().is_some();
    if !of_platform || error.wait().is_some() || attempt.number() <= MENDING {
        return error;
    }
    let retry = error.retry();
    let counted = error.with_kind(ErrorKind::UnexpectedReply);
    counted.with_retry(retry)
}

/// Where a publication stands whose sending was refused for good. Of a second sending that says nothing of the
/// first, and of a later part nothing of those before it.
async fn refused(
    engine: &Engine,
    publication: &Publication,
    carries: &PublishJob,
) -> Result<PublicationState> {
    let nowhere = match publication.state {
        PublicationState::Accepted => !carries.resent && is_one_write(engine, publication).await?,
        _ => nothing_out(engine, publication).await?,
    };
    Ok(match nowhere {
        true => PublicationState::Rejected,
        false => PublicationState::Unknown,
    })
}

/// When something accepted is worth asking for again.
fn next_poll(
    due: Option<DateTime<Utc>>,
    sent_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let (shortest, longest) = POLL;
    match due {
        Some(due) if due > now => due.checked_add_signed(shortest).unwrap_or(due),
        due => now + ((now - due.unwrap_or(sent_at)) / 4).clamp(shortest, longest),
    }
}

/// Settles the publication of a job that is not to be run again, of this error: what may have happened is
/// unknown, the rest did not happen. Only then the job may die.
async fn give_up(engine: &Engine, job: &Job, carries: &PublishJob, error: Error) -> Result<End> {
    let settled = anew(|| settle(engine, job, carries, &error)).await;
    if let Err(error) = settled {
        // The job outlives this, whatever it is.
        return Ok(End::Retry(error.with_retry(Retry::After(None))));
    }
    Ok(End::Dead(error))
}

async fn settle(engine: &Engine, job: &Job, carries: &PublishJob, error: &Error) -> Result<()> {
    let found = engine.store.publication(&job.tenant, carries.publication);
    let Some(mut publication) = found.await? else {
        return Ok(());
    };
    if publication.state.is_terminal() || publication.job != job.id {
        return Ok(());
    }
    let mut record = ErrorRecord::from(error);
    // Nobody asked the platform, as when the account is not there any more.
    if publication.state == PublicationState::Accepted && is_last_word(record.kind) {
        record.kind = ErrorKind::Internal;
    }
    let sent = publication.sent_at.is_some() && record.retry == Retry::Reconcile;
    publication.state = match publication.state {
        PublicationState::Publishing | PublicationState::Accepted => PublicationState::Unknown,
        _ if sent => PublicationState::Unknown,
        _ => refused(engine, &publication, carries).await?,
    };
    keep_receipt(&mut publication, error);
    publication.error = Some(record);
    save(engine, told::change(publication)).await.map(drop)
}

/// Writes a change of one publication.
pub(super) async fn save(engine: &Engine, change: PublishingChange) -> Result<Publication> {
    let changed = engine.store.change_publishing(&change).await?;
    let changed = changed
        .into_iter()
        .next()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the store returned no publication"))?;
    metrics::publication(&changed);
    Ok(changed)
}
