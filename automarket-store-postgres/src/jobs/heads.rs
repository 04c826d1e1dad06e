//! Where the lines begin, past what is leased.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::chrono::{DateTime, TimeDelta, Utc};

use crate::{error::Outcome, value::to_json};

/// For so long nothing is looked for before a head. `automarket.claim` holds to the same.
const FRESH: TimeDelta = TimeDelta::milliseconds(100);
/// More lines than this cost a claim more than walking.
const MOST: usize = 500;

/// Up to where this process has leased each line. What is leased stays in the line, so
/// the next claim would walk past all of it. What comes back behind a head waits until that is old, or until there
/// is nothing else to take; what this process itself gives back makes it forget.
#[derive(Default)]
pub(super) struct Heads(Mutex<Known>);

#[derive(Default)]
struct Known {
    lines: Lines,
    /// The store's time when the first of them was seen.
    since: Option<DateTime<Utc>>,
    /// How often they were forgotten.
    forgotten: u64,
}

type Lines = HashMap<i64, DateTime<Utc>>;

/// Up to where something was taken: line and run_at.
pub(super) type Taken = (i64, DateTime<Utc>);

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
    pub(super) fn note(&self, sent: &Sent, at: DateTime<Utc>, taken: &[Taken]) {
        let mut known = self.lock();
        if known.forgotten != sent.forgotten {
            return;
        }
        if known.since.is_none_or(|since| (at - since).abs() > FRESH) || known.lines.len() > MOST {
            known.forget();
            known.since = Some(at);
        }
        for taken in taken {
            known.note(*taken);
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
        self.lines.clear();
        self.since = None;
    }

    fn note(&mut self, (line, run_at): Taken) {
        let head = self.lines.entry(line).or_insert(run_at);
        *head = run_at.max(*head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// All heads, as their lines and seconds.
    fn seconds(heads: &Heads) -> Option<Vec<(i64, i64)>> {
        let sent = heads.send().ok().unwrap().heads?;
        let all: Lines = serde_json::from_str(&sent).unwrap();
        let all = all.iter().map(|(line, at)| (*line, at.timestamp()));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        Some(all)
    }

    #[test]
    fn heads_move_on_and_are_forgotten_in_time() {
        let heads = Heads::default();
        let note = |now, taken: &[Taken]| {
            let sent = heads.send().ok().unwrap();
            heads.note(&sent, now, taken);
            seconds(&heads)
        };
        assert_eq!(seconds(&heads), None);
        let first = note(at(100), &[(1, at(2)), (1, at(1)), (5, at(5))]);
        assert_eq!(first, Some(vec![(1, 2), (5, 5)]));
        let later = note(at(100) + FRESH, &[(1, at(3))]);
        assert_eq!(later, Some(vec![(1, 3), (5, 5)]));
        let too_late = at(100) + FRESH + TimeDelta::microseconds(1);
        assert_eq!(note(too_late, &[(6, at(9))]), Some(vec![(6, 9)]));
        // The clock was set back.
        assert_eq!(note(at(50), &[(7, at(9))]), Some(vec![(7, 9)]));
    }

    #[test]
    fn what_was_taken_before_something_came_back_is_not_noted() {
        let heads = Heads::default();
        let sent = heads.send().ok().unwrap();
        heads.forget();
        heads.note(&sent, DateTime::UNIX_EPOCH, &[(1, at(1))]);
        assert_eq!(seconds(&heads), None);
    }
}
