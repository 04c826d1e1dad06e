//! What every store does alike, for those who write one: what becomes of a job when its lease ends, what stays and for
//! how long, and what is said where a write is refused.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::Value;

use super::{DeadReason, JobState, LeaseToken, REVISION, Verdict};
use crate::{Error, ErrorKind, ErrorRecord, JobId, PostId, Retry};

/// How many failures a job keeps; older ones are dropped.
pub const FAILURES_KEPT: usize = 20;

/// How long a worker that is heard of no more stays in the list.
pub const WORKERS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a verdict makes of a job; see [`Verdict::resolve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Its new state.
    pub state: JobState,
    /// Its new time; `None` leaves the old one.
    pub run_at: Option<DateTime<Utc>>,
    /// Its attempts that count.
    pub attempts: u32,
    /// What is added to its history.
    pub failure: Option<ErrorRecord>,
    /// What it gave.
    pub result: Option<Value>,
}

impl Verdict {
    /// What this verdict makes of a leased job with these attempts (the one under way counted).
    #[must_use]
    pub fn resolve(self, attempts: u32, max_attempts: u32) -> Resolution {
        let waiting = Resolution {
            state: JobState::Waiting,
            run_at: None,
            attempts,
            failure: None,
            result: None,
        };
        let dead = |reason: DeadReason, error| Resolution {
            state: JobState::Dead,
            failure: Some(reason.sign(error)),
            ..waiting.clone()
        };
        match self {
            Self::Complete(result) => Resolution {
                state: JobState::Completed,
                result: Some(result),
                ..waiting
            },
            Self::Retry { error, .. } if attempts >= max_attempts => {
                dead(DeadReason::Attempts, error)
            }
            Self::Retry { at, error } => Resolution {
                run_at: Some(at),
                failure: Some(error),
                ..waiting
            },
            Self::Snooze { at } => Resolution {
                run_at: Some(at),
                attempts: attempts.saturating_sub(1),
                ..waiting
            },
            Self::Release => Resolution {
                attempts: attempts.saturating_sub(1),
                ..waiting
            },
            Self::Bury(error) => dead(DeadReason::Buried, error),
        }
    }
}

/// What a lease that ran out makes of a job; see [`Crash::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Crash {
    /// What is added to its history.
    pub failure: ErrorRecord,
    /// Whether it is dead instead of claimed.
    pub dead: bool,
}

impl Crash {
    /// Judges a job whose lease ran out: `crashes` and `attempts` with this one counted. An
    /// [unending](super::NewJob::unending) one is never dead.
    #[must_use]
    pub fn new(crashes: u32, max_crashes: u32, attempts: u32, max_attempts: u32) -> Self {
        let error = Error::new(
            ErrorKind::LeaseLost,
            format!("its worker was gone: the lease ran out (crash {crashes})"),
        );
        let error = ErrorRecord::from(&error.with_retry(Retry::Reconcile));
        let reason = if max_attempts == u32::MAX {
            None
        } else if crashes >= max_crashes {
            Some(DeadReason::Crashes)
        } else if attempts >= max_attempts {
            Some(DeadReason::Attempts)
        } else {
            None
        };
        Self {
            dead: reason.is_some(),
            failure: match reason {
                Some(reason) => reason.sign(error),
                None => error,
            },
        }
    }
}

impl DeadReason {
    /// The last failure of a job that died for this reason: [`DeadReason::rule`], where it has no rule of its own.
    #[must_use]
    pub fn sign(self, mut error: ErrorRecord) -> ErrorRecord {
        error.rule.get_or_insert_with(|| self.rule().to_owned());
        error
    }

    /// Why a job is dead, if this is its last failure and has no rule of its own.
    #[must_use]
    pub fn of(error: &ErrorRecord) -> Option<Self> {
        let all = [Self::Attempts, Self::Crashes, Self::Buried];
        all.into_iter()
            .find(|reason| error.rule.as_deref() == Some(reason.rule()))
    }
}

/// From so many crashes on the next one is a job's last, where it is dead after `max_crashes`.
#[must_use]
pub fn last_chance(max_crashes: u32) -> u32 {
    max_crashes.saturating_sub(1).max(1)
}

/// When a lease taken or prolonged now ends: to the microsecond, at the end of the calendar at the latest.
#[must_use]
pub fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lease)
        .ok()
        .and_then(|lease| now.checked_add_signed(lease))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
        .trunc_subsecs(6)
}

/// The fence of a lease taken now, by the store's clock in microseconds: after `last` of the same job, or its first, where
/// that is 0. A first one is the time, so that none comes again when a removed id is put in again; a later one never is, so
/// that the first is known ([`Lease::is_first`](super::Lease::is_first)).
#[must_use]
pub fn next_fence(last: i64, now_micros: i64) -> i64 {
    let next = last.saturating_add(1);
    match last {
        0 => now_micros.max(1),
        _ if next == now_micros => next.saturating_add(1),
        _ => next,
    }
}

impl LeaseToken {
    /// The error of a write under a lease that passed on or ended.
    #[must_use]
    pub fn lost(self) -> Error {
        let message = format!("the lease of job {} passed on or ended", self.job);
        Error::new(ErrorKind::LeaseLost, message)
    }
}

/// The error when a job of another tenant has the id of a new one.
#[must_use]
pub fn id_taken(id: JobId) -> Error {
    let message = format!("the job id {id} is taken");
    Error::new(ErrorKind::Conflict, message).with_rule("job.id")
}

/// The error when a post says something else by now, or has other publications than it was written or changed for, or goes
/// other ways.
#[must_use]
pub fn post_moved(post: PostId) -> Error {
    let message = format!("the post {post} was changed, or goes to other accounts, meanwhile");
    Error::new(ErrorKind::Conflict, message)
        .with_rule(REVISION)
        .with_remedy("make it anew from what is stored by now")
}

/// The error when something is to be changed that is not there.
#[must_use]
pub fn not_there(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no such {what}"))
}
