//! Where the lines begin, past what is leased.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    chrono::{DateTime, TimeDelta, Utc},
    store::Lease,
};
use serde::Serialize;

use crate::{error::Outcome, value::to_json};

/// For so long nothing is looked for before a head. `automarket.claim` holds to the same.
const FRESH: TimeDelta = TimeDelta::milliseconds(100);
/// More lines than this cost a claim more than walking.
const MOST: usize = 500;

/// Up to where this process has leased each line, by kind, priority and tenant. What is leased stays in the line, so
/// the next claim would walk past all of it. What comes back behind a head waits until that is old, or until there
/// is nothing else to take; what this process itself gives back makes it forget.
#[derive(Default)]
pub(super) struct Heads(Mutex<Known>);

#[derive(Default)]
struct Known {
    lines: Lines,
    count: usize,
    /// The store's time when the first of them was seen.
    since: Option<DateTime<Utc>>,
    /// How often they were forgotten.
    forgotten: u64,
}

#[derive(Default, Serialize)]
#[serde(transparent)]
struct Lines(HashMap<String, HashMap<i16, HashMap<String, DateTime<Utc>>>>);

/// What a claim goes out with.
pub(super) struct Sent {
    /// For `automarket.claim`.
    pub(super) heads: Option<String>,
    pub(super) since: Option<DateTime<Utc>>,
    forgotten: u64,
}

impl Heads {
    pub(super) fn send(&self) -> Outcome<Sent> {
        let known = self.lock();
        Ok(Sent {
            heads: match known.since {
                Some(_) => Some(to_json(&known.lines)?),
                None => None,
            },
            since: known.since,
            forgotten: known.forgotten,
        })
    }

    /// Notes what was taken at this time by a claim that got all it asked for.
    pub(super) fn note<'a>(
        &self,
        sent: &Sent,
        at: DateTime<Utc>,
        taken: impl Iterator<Item = &'a Lease>,
    ) {
        let mut known = self.lock();
        if known.forgotten != sent.forgotten {
            return;
        }
        if known.since.is_none_or(|since| at - since > FRESH) || known.count > MOST {
            known.forget();
            known.since = Some(at);
        }
        for lease in taken {
            known.note(lease);
        }
    }

    /// Forgets all: something may have come back.
    pub(super) fn forget(&self) {
        let mut known = self.lock();
        known.forget();
        known.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self) {
        self.lines.0.clear();
        (self.count, self.since) = (0, None);
    }

    fn note(&mut self, lease: &Lease) {
        let job = &lease.job;
        let kinds = &mut self.lines.0;
        let known = kinds.get_mut(&job.kind);
        let known = known.and_then(|kind| kind.get_mut(&job.priority));
        let known = known.and_then(|lane| lane.get_mut(job.tenant.as_str()));
        if let Some(head) = known {
            *head = job.run_at.max(*head);
            return;
        }
        let lane = kinds.entry(job.kind.clone()).or_default();
        let lane = lane.entry(job.priority).or_default();
        lane.insert(job.tenant.as_str().to_owned(), job.run_at);
        self.count += 1;
    }
}
