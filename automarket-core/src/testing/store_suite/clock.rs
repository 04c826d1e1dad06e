//! Clocks go wrong, and are set right again.

use serde_json::json;

use super::{StoreCase, StoreUnderTest, samples::job};
use crate::store::{JobState, NewJob, Settled, Verdict};

const HOUR: i64 = 3_600;

pub(super) fn cases() -> Vec<StoreCase> {
    vec![StoreCase::new(
        "a lease that ran out by a wrong clock alone is its worker's again",
        |s| Box::pin(lease_kept(s)),
    )]
}

async fn lease_kept(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let held = s.claim_one().await;
    let urgent = NewJob {
        priority: 9,
        ..job("a")
    };
    let urgent = s.put(urgent).await;
    s.wait(HOUR).await;
    // Too small to take it, this claim lets it into the line all the same.
    let other = s.claim_one().await;
    assert_eq!(other.job.id, urgent);
    s.wait(1 - HOUR).await;
    assert_eq!(s.claim(10).await, []);
    assert_eq!(s.job(id).await.crashes, 0);
    let done = Verdict::Complete(json!(1));
    let settled = s.settle(held.token, done.clone()).await;
    assert_eq!(settled, Settled::Now(JobState::Completed));
    s.settle(other.token, done).await;
    assert_eq!(s.store.queue_stats().await.unwrap().ready, 0);
}
