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
#[cfg_attr(test, derive(serde::Deserialize))]
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

#[cfg(test)]
mod tests {
    use automarket_core::{
        JobId, TenantId,
        store::{Job, JobState, LeaseToken},
    };

    use super::*;

    fn lease(tenant: &str, second: i64) -> Lease {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        let job = Job {
            id: JobId::new(),
            tenant: TenantId::new(tenant).unwrap(),
            kind: "work".into(),
            payload: 1.into(),
            state: JobState::Leased,
            run_at: at,
            priority: 0,
            attempts: 1,
            crashes: 0,
            max_attempts: 20,
            unique_key: None,
            fence: 1,
            result: None,
            failures: Vec::new(),
            created_at: at,
            finished_at: None,
        };
        Lease {
            token: LeaseToken {
                job: job.id,
                fence: 1,
            },
            job,
            expires_at: at,
            in_trust: false,
        }
    }

    fn seconds(heads: &Heads) -> Option<String> {
        let sent = heads.send().ok().unwrap().heads?;
        let all: Lines = serde_json::from_str(&sent).unwrap();
        let mut all: Vec<_> = all.0["work"][&0].iter().collect();
        all.sort();
        let all = all
            .into_iter()
            .map(|(t, at)| format!("{t}{}", at.timestamp()));
        Some(all.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn heads_move_on_and_are_forgotten_in_time() {
        let heads = Heads::default();
        let at = DateTime::from_timestamp(100, 0).unwrap();
        let note = |at, leases: &[Lease]| {
            let sent = heads.send().ok().unwrap();
            heads.note(&sent, at, leases.iter());
            seconds(&heads)
        };
        assert_eq!(seconds(&heads), None);
        let first = note(at, &[lease("a", 2), lease("a", 1), lease("b", 5)]);
        assert_eq!(first.as_deref(), Some("a2 b5"));
        let later = note(at + FRESH, &[lease("a", 3)]);
        assert_eq!(later.as_deref(), Some("a3 b5"));
        let too_late = at + FRESH + TimeDelta::microseconds(1);
        assert_eq!(note(too_late, &[lease("c", 9)]).as_deref(), Some("c9"));
    }

    #[test]
    fn what_was_taken_before_something_came_back_is_not_noted() {
        let heads = Heads::default();
        let sent = heads.send().ok().unwrap();
        heads.forget();
        heads.note(&sent, DateTime::UNIX_EPOCH, [lease("a", 1)].iter());
        assert_eq!(seconds(&heads), None);
    }
}
