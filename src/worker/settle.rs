//! What running jobs ended in, judged and written.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, ErrorRecord, Result, Retry,
    chrono::{DateTime, Utc},
    store::{JobState, Lease, LeaseToken, Settled, Verdict},
    wait_end,
};
use serde_json::Value;

use super::{SharedEngine, retry_at, size::json_size};
use crate::{
    report::{RunEnd, metrics},
    trouble::is_ours,
};

/// What running a job ended in.
pub(crate) enum End {
    /// Done, with this result.
    Done(Value),
    /// Wanted again at this instant, through no fault of the job.
    Snooze(DateTime<Utc>),
    /// To be tried again after a back-off.
    Retry(Error),
    /// The same, at this instant at the latest.
    RetryBy(Error, DateTime<Utc>),
    /// Never to be tried again.
    Dead(Error),
    /// Not finished: for the next worker.
    Release,
}

impl End {
    pub(crate) fn done() -> Self {
        Self::Done(Value::Null)
    }
}

/// A job that was run.
pub(super) struct Ended {
    pub(super) lease: Lease,
    pub(super) end: Result<End>,
    /// How long it ran.
    pub(super) took: Duration,
    /// How many bytes its result has.
    pub(super) size: usize,
    /// Among how many its verdict may be written: fewer once the store did not take it.
    pub(super) among: usize,
}

impl Ended {
    /// One whose result is too large to be kept has failed.
    pub(super) fn new(lease: Lease, end: Result<End>, took: Duration) -> Self {
        let (end, size) = match end {
            Ok(End::Done(result)) => match json_size(&result) {
                Some(size) => (Ok(End::Done(result)), size),
                None => (Err(too_large()), 0),
            },
            end => (end, 0),
        };
        Self {
            lease,
            end,
            took,
            size,
            among: usize::MAX,
        }
    }
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the job's result has more than 16 MiB as JSON",
    )
    .with_field("result")
    .with_remedy("keep it elsewhere, and let the job give its name")
}

/// Writes the verdicts in one call. On an error nothing was judged, and it may be called again.
pub(super) async fn settle(engine: &SharedEngine, ended: &[Ended]) -> Result<()> {
    let mut verdicts: Vec<(LeaseToken, Verdict)> = Vec::with_capacity(ended.len());
    let mut runs = Vec::with_capacity(ended.len());
    let mut now = None;
    for Ended {
        lease, end, took, ..
    } in ended
    {
        let verdict = match end {
            Ok(End::Done(result)) => Verdict::Complete(result.clone()),
            Ok(End::Snooze(at)) => Verdict::Snooze { at: *at },
            Ok(End::Release) => Verdict::Release,
            Err(error) if error.kind() == ErrorKind::LeaseLost => continue,
            Ok(End::Dead(error)) => Verdict::Bury(ErrorRecord::from(error)),
            Err(error) if error.retry() == Retry::Never && !is_ours(error.kind()) => {
                Verdict::Bury(ErrorRecord::from(error))
            }
            Ok(End::Retry(error) | End::RetryBy(error, _)) | Err(error) => {
                let now = match now {
                    Some(now) => now,
                    None => *now.insert(engine.store.now().await?),
                };
                let latest = match end {
                    Ok(End::RetryBy(_, latest)) => *latest,
                    _ => DateTime::<Utc>::MAX_UTC,
                };
                again(error, lease.job.attempts, engine.look_after, now, latest)
            }
        };
        runs.push((lease, *took));
        verdicts.push((lease.token, verdict));
    }
    if verdicts.is_empty() {
        return Ok(());
    }
    let settled = engine.store.settle(&verdicts).await?;
    let mut counted = Vec::with_capacity(ended.len());
    for (((_, verdict), (lease, took)), settled) in verdicts.iter().zip(runs).zip(settled) {
        let end = run_end(verdict, settled);
        counted.push((engine.kind_label(&lease.job.kind), end, took));
        if end == RunEnd::LeaseLost {
            tracing::warn!(job = %lease.job.id, "the lease had passed on: its verdict was refused");
        }
    }
    engine.counts.add(&counted);
    metrics::settled(counted);
    Ok(())
}

fn run_end(verdict: &Verdict, settled: Settled) -> RunEnd {
    match (settled, verdict) {
        (Settled::LeaseLost, _) => RunEnd::LeaseLost,
        (Settled::Now(JobState::Dead), _) => RunEnd::Dead,
        (_, Verdict::Complete(_)) => RunEnd::Completed,
        (_, Verdict::Snooze { .. }) => RunEnd::Snoozed,
        (_, Verdict::Release) => RunEnd::Released,
        (_, Verdict::Retry { .. } | Verdict::Bury(_)) => RunEnd::Retried,
    }
}

/// A failure that may pass: again after the platform's own time or a back-off, but not before what may have happened
/// can be looked for. Waiting out a rate limit uses up no attempt, unless a look is told to wait: nobody would ever say
/// that its end is unknown.
fn again(
    error: &Error,
    attempts: u32,
    look_after: Duration,
    now: DateTime<Utc>,
    latest: DateTime<Utc>,
) -> Verdict {
    let at = match error.retry() {
        Retry::After(Some(wait)) => wait_end(now, wait),
        Retry::After(None) | Retry::Never => retry_at(now, attempts),
        Retry::Reconcile => {
            let told = error.wait().map_or(now, |wait| wait_end(now, wait));
            retry_at(now, attempts).max(now + look_after).max(told)
        }
    };
    let at = at.min(latest);
    if error.kind() == ErrorKind::RateLimited && matches!(error.retry(), Retry::After(Some(_))) {
        return Verdict::Snooze { at };
    }
    Verdict::Retry {
        at,
        error: ErrorRecord::from(error),
    }
}
