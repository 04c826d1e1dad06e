use std::{sync::Arc, time::Duration};

use automarket_core::{
    TenantId,
    chrono::TimeDelta,
    store::{Claim, JobStore, MemoryStore, NewJob, Verdict, rules::next_fence},
    testing::{ManualClock, StoreUnderTest, store_cases},
};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_store_contract() {
    for case in store_cases() {
        let clock = ManualClock::parse("2027-01-01T00:00:00.123456Z");
        let store = StoreUnderTest {
            name: "memory",
            store: Arc::new(MemoryStore::with_clock(Arc::new(clock.clone()))),
            clock: Arc::new(clock),
        };
        case.run(&store).await;
    }
}

#[test]
fn a_first_fence_is_the_time_and_a_later_one_never() {
    let cases = [
        ((0, 1_000), 1_000),
        ((0, -5), 1),
        ((1_000, 1_000), 1_001),
        ((1_000, 1_001), 1_002),
        ((1_000, 9_000), 1_001),
        ((9_000, 1_000), 9_001),
        ((i64::MAX, 1_000), i64::MAX),
    ];
    for ((last, now), wanted) in cases {
        assert_eq!(next_fence(last, now), wanted, "after {last} at {now}");
    }
}

#[tokio::test]
async fn no_later_lease_is_taken_for_a_first_one() {
    let clock = ManualClock::parse("2027-01-01T00:00:00.123456789Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let job = NewJob::new(TenantId::new("a").unwrap(), "work", 1.into());
    store.enqueue(&[job]).await.unwrap();
    for (time, first) in [
        (Duration::from_secs(30), true),
        (Duration::from_secs(30), false),
        (Duration::MAX, false),
    ] {
        let claim = Claim::new("w", 1).lease(time);
        let lease = store.claim(&claim).await.unwrap().remove(0);
        assert_eq!(lease.is_first(time), first);
        let back = (lease.token, Verdict::Release);
        store.settle(&[back]).await.unwrap();
        clock.advance(TimeDelta::microseconds(1));
    }
}
