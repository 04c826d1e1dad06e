//! One try, from its beginning to what is kept of it.

use automarket_core::{
    ErrorRecord, Outcome, Result, Retry,
    chrono::{DateTime, Duration, Utc},
    http::Exchanges,
    store::{Attempt, AttemptOutcome, Decision, Job, Operation, Publication},
};
use tokio::time::Instant;

use super::job::tries;

/// A try under way.
pub(super) struct Try {
    job: automarket_core::JobId,
    number: u32,
    tries: usize,
    counts: bool,
    operation: Operation,
    began: DateTime<Utc>,
    since: Instant,
    /// Where its calls are collected.
    pub(super) exchanges: Exchanges,
}

/// A try that has ended; what is to follow is not decided yet.
pub(super) struct Tried {
    row: Attempt,
    tries: usize,
    /// Whether something before it counts against its job.
    pub(super) counts: bool,
}

impl Try {
    /// Begins now, by the store's clock.
    pub(super) fn new(job: &Job, operation: Operation, now: DateTime<Utc>) -> Self {
        Self {
            job: job.id,
            number: job.attempts,
            tries: tries(job) + 1,
            counts: job.attempts > 1 || job.crashes > 0,
            operation,
            began: now,
            since: Instant::now(),
            exchanges: Exchanges::default(),
        }
    }

    /// Which of its job's attempts it is.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// This instant by the store's clock.
    pub(super) fn ended(&self) -> DateTime<Utc> {
        let micros = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.began + Duration::microseconds(micros)
    }

    /// What is kept of it.
    pub(super) fn of(self, publication: &Publication, result: &Result<Outcome>) -> Tried {
        let ended = self.ended();
        let (exchanges, left_out) = self.exchanges.take();
        let row = Attempt {
            tenant: publication.tenant.clone(),
            publication: publication.id,
            revision: publication.revision + 1,
            job: self.job,
            number: self.number,
            route: publication.route().clone(),
            operation: self.operation,
            began: self.began,
            ended,
            outcome: match result {
                Ok(Outcome::Done(_)) => AttemptOutcome::Done,
                Ok(Outcome::Accepted(_)) => AttemptOutcome::Accepted,
                Err(error) if error.retry() == Retry::Reconcile => AttemptOutcome::Unknown,
                Err(_) => AttemptOutcome::Rejected,
            },
            error: result.as_ref().err().map(ErrorRecord::from),
            remote_id: result.as_ref().ok().map(|o| o.remote_id().to_owned()),
            decision: Decision {
                rule: String::new(),
                until: None,
            },
            exchanges,
            left_out,
        };
        Tried {
            row,
            tries: self.tries,
            counts: self.counts,
        }
    }
}

impl Tried {
    /// How often its job was tried, with this.
    pub(super) fn tries(&self) -> usize {
        self.tries
    }

    /// When it began.
    pub(super) fn began(&self) -> DateTime<Utc> {
        self.row.began
    }

    /// The row.
    pub(super) fn decided(&self, decision: Decision) -> Attempt {
        Attempt {
            decision,
            ..self.row.clone()
        }
    }
}
