//! Clocks go wrong, and are set right again.

use serde_json::json;

use super::{StoreCase, StoreUnderTest, samples::job};
use crate::store::{JobState, NewJob, Settled, Verdict};

const HOUR: i64 = 3_600;

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a lease that ran out by a wrong clock alone is its worker's again",
            |s| Box::pin(lease_kept(s)),
        ),
        StoreCase::new(
            "what was due by a wrong clock alone waits for its time",
            |s| Box::pin(not_early(s)),
        ),
    ]
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

async fn not_early(s: &StoreUnderTest) {
    let later = s.in_seconds(HOUR).await;
    for _ in 0..3 {
        s.put(job("a").run_at(later)).await;
    }
    s.wait(2 * HOUR).await;
    let lease = s.claim_one().await;
    s.settle(lease.token, Verdict::Complete(json!(1))).await;
    s.wait(-2 * HOUR).await;
    let now = s.put(job("b")).await;
    assert_eq!(s.claimed_ids(1).await, [now], "it takes nobody's place");
    assert_eq!(s.claim(10).await, []);
    s.wait(HOUR + 1).await;
    let leases = s.claim(10).await;
    let due = leases.iter().filter(|lease| lease.job.id != now);
    let counts = |attempts, crashes| (attempts, crashes);
    let due: Vec<_> = due.map(|l| counts(l.job.attempts, l.job.crashes)).collect();
    assert_eq!(due, [(1, 0); 2]);
}
