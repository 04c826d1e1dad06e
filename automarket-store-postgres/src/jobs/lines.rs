//! The numbers of lines.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::{TenantId, store::NewJob};

/// So many are remembered.
const MOST: usize = 10_000;

/// The lines of jobs that are due, as the database told them: to reckon one is a tenth of what it does for a lone job.
/// A migration that gives lines other numbers gives their column another name: a process of before must not use its own.
#[derive(Default)]
pub(super) struct LineNumbers(Mutex<HashMap<Line, i64>>);

type Line = (TenantId, String, i16);

impl LineNumbers {
    pub(super) fn of(&self, job: &NewJob) -> Option<i64> {
        self.lock().get(&line(job)).copied()
    }

    pub(super) fn note(&self, job: &NewJob, number: i64) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(line(job), number);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Line, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(job: &NewJob) -> Line {
    (job.tenant.clone(), job.kind.clone(), job.priority)
}
