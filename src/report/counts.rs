use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

/// What a run of a job ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// Done.
    Completed,
    /// Failed, to be tried again.
    Retried,
    /// Put off, through no fault of its own.
    Snoozed,
    /// Handed back unfinished.
    Released,
    /// Given up.
    Dead,
    /// Refused: the lease had passed on.
    LeaseLost,
}

impl RunEnd {
    /// The stable spelling used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Released => "released",
            Self::Dead => "dead",
            Self::LeaseLost => "lease_lost",
        }
    }
}

/// How runs of one kind of jobs ended, in this process since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunCounts {
    /// Done.
    pub completed: u64,
    /// Failed, to be tried again.
    pub retried: u64,
    /// Put off.
    pub snoozed: u64,
    /// Handed back.
    pub released: u64,
    /// Given up.
    pub dead: u64,
    /// Refused.
    pub lease_lost: u64,
}

/// The counts of this process by kind.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, RunCounts>>);

impl Counts {
    pub(crate) fn add(&self, kind: &str, end: RunEnd) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kinds.contains_key(kind) {
            kinds.insert(kind.to_owned(), RunCounts::default());
        }
        if let Some(counts) = kinds.get_mut(kind) {
            *match end {
                RunEnd::Completed => &mut counts.completed,
                RunEnd::Retried => &mut counts.retried,
                RunEnd::Snoozed => &mut counts.snoozed,
                RunEnd::Released => &mut counts.released,
                RunEnd::Dead => &mut counts.dead,
                RunEnd::LeaseLost => &mut counts.lease_lost,
            } += 1;
        }
    }

    pub(crate) fn read(&self) -> BTreeMap<String, RunCounts> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
