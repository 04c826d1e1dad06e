//! Clocks go wrong, and are set right again.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{event, job, tenant},
};
use crate::{
    AccountId,
    store::{AuditAction, JobState, NewAudit, NewJob, Settled, Verdict},
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const TEN_YEARS: i64 = 3_650 * DAY;

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
        StoreCase::new(
            "events and audit entries of a time to come hold no removal up",
            |s| Box::pin(removal_goes_on(s)),
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

async fn removal_goes_on(s: &StoreUnderTest) {
    let a = tenant("a");
    let told = event("a", "one", "x");
    let entry = NewAudit {
        tenant: a.clone(),
        account: AccountId::derived("1"),
        action: AuditAction::Use,
        who: "host".to_owned(),
        why: "test".to_owned(),
        outcome: "done".to_owned(),
    };
    let append = async |count| {
        let events = vec![told.clone(); count];
        s.store.append_events(&events).await.unwrap();
        s.store
            .append_audit(&vec![entry.clone(); count])
            .await
            .unwrap();
    };
    s.wait(TEN_YEARS).await;
    append(3).await;
    s.wait(-TEN_YEARS).await;
    append(3).await;
    s.wait(2 * DAY).await;
    append(1).await;
    let before = s.now().await - TimeDelta::days(1);
    let removed = async |limit| {
        let events = s.store.remove_events(before, limit).await.unwrap();
        let entries = s.store.remove_audit(before, limit).await.unwrap();
        (events, entries)
    };
    assert_eq!(removed(2).await, (2, 2));
    assert_eq!(removed(2).await, (1, 1));
    assert_eq!(removed(2).await, (0, 0));
    assert_eq!(s.store.events(&a, 0, 9).await.unwrap().len(), 4);
    assert_eq!(s.store.audit(&a, 0, 9).await.unwrap().len(), 4);
}
