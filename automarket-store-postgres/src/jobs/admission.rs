//! Letting what has become due into the lines, when it is more than claims let in.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::db::Database;

/// So long after a look the next one at the earliest.
const PAUSE: Duration = Duration::from_millis(500);
/// About so many are let in by each.
const MOST: i32 = 1_000;

/// A claim lets in a thousand of each kind, those that are due for longest. If it then gives less than it was asked for,
/// nothing is due any more that is not in the line; else it is looked, before the next claim, whether there is, and
/// some of each tenant's is let in: so a due job waits for no flood of others that were due before it.
#[derive(Default)]
pub(super) struct Admission(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Whether the last claim gave all that it was asked for.
    full: bool,
    looked: Option<Instant>,
}

impl Admission {
    pub(super) fn note(&self, full: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).full = full;
    }

    /// Before a claim. What fails is tried again before a later one; nothing hangs on it but fairness.
    pub(super) async fn look(&self, db: &Database) {
        if self.is_time() {
            let _ = db.rows("SELECT automarket.admit($1)", &[&MOST]).await;
        }
    }

    fn is_time(&self) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = known.full && known.looked.is_none_or(|at| at.elapsed() >= PAUSE);
        if is_time {
            known.looked = Some(Instant::now());
        }
        is_time
    }
}
