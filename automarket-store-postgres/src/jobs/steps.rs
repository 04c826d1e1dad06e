//! Remembering steps, those that come at the same time in one statement.

use std::sync::Arc;

use automarket_core::{Result, store::LeaseToken};
use uuid::Uuid;

use crate::{
    db::Database,
    error::Outcome,
    together::{Together, WITHOUT_TURN, Waiting, answer_apart},
    value::Columns as _,
};

/// So many steps go together at the most, one of so many bytes as two.
const GROUP: usize = 100;
const SMALL: usize = 10_000;
const PUT: &str =
    "SELECT put.n FROM automarket.bounded(), automarket.put_steps($1, $2, $3, $4) AS put (n)";

/// A step to remember, its value as JSON.
pub(super) struct Step {
    pub(super) lease: LeaseToken,
    pub(super) name: String,
    pub(super) value: String,
}

impl Step {
    fn weight(&self) -> usize {
        1 + self.value.len() / SMALL
    }
}

/// Remembers steps.
pub(crate) struct Steps {
    company: Together<Step, bool>,
    db: Arc<Database>,
}

impl Steps {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let all = db.clone();
        let send = move |group: Vec<Waiting<Step, bool>>| {
            let db = all.clone();
            async move {
                let steps: Vec<&Step> = group.iter().map(|waiting| &waiting.call).collect();
                let all = put(&db, &steps).await;
                for waiting in answer_apart(group, all) {
                    let answer = put_one(&db, &waiting.call).await;
                    let _ = waiting.answer(answer);
                }
            }
        };
        Self {
            company: Together::start(1, WITHOUT_TURN, GROUP, Step::weight, send),
            db,
        }
    }

    /// # Errors
    /// `LeaseLost`.
    pub(super) async fn put(&self, step: Step) -> Result<()> {
        let lease = step.lease;
        let written = match self.company.alone() {
            Some(_turn) => put_one(&self.db, &step).await?,
            None => self.company.call(step).await?,
        };
        written.then_some(()).ok_or_else(|| lease.lost())
    }
}

async fn put_one(db: &Database, step: &Step) -> Result<bool> {
    Ok(put(db, &[step]).await? == [true])
}

/// Whether each was written: its lease was held. Until they are in nobody takes these leases: whoever does locks their
/// rows `FOR UPDATE` first (a bare `UPDATE` would pass by this lock unseen). A heartbeat does not, and prolongs them.
async fn put(db: &Database, steps: &[&Step]) -> Outcome<Vec<bool>> {
    let ids: Vec<Uuid> = steps.iter().map(|step| step.lease.job.uuid()).collect();
    let fences: Vec<i64> = steps.iter().map(|step| step.lease.fence).collect();
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let values: Vec<&str> = steps.iter().map(|step| step.value.as_str()).collect();
    let mut written = vec![false; steps.len()];
    for row in db.rows(PUT, &[&ids, &fences, &names, &values]).await? {
        let n: i64 = row.column("n")?;
        let place = usize::try_from(n - 1).ok();
        if let Some(written) = place.and_then(|place| written.get_mut(place)) {
            *written = true;
        }
    }
    Ok(written)
}
