//! A job that may be what kills its workers takes no other with it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use automarket::{
    core::{chrono, pipeline::Run},
    store::{Claim, JobState, MemoryStore},
    testing::ManualClock,
};
use serde_json::Value;

use super::{LEASE, on, put, work};

#[tokio::test]
async fn a_job_with_one_crash_left_runs_alone() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (at_once, beside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = beside.clone();
    let tenant = on(store, |b| {
        b.job("work", move |suspect: Value, _: Run| {
            let (at_once, beside) = (at_once.clone(), counted.clone());
            async move {
                at_once.fetch_add(1, Ordering::SeqCst);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    if suspect == true {
                        beside.fetch_max(at_once.load(Ordering::SeqCst), Ordering::SeqCst);
                    }
                }
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
    });
    let suspect = put(&tenant, "work", true.into()).await;
    let claim = Claim::new("gone", 1).only(suspect).lease(LEASE);
    for _ in 0..2 {
        let claimed = tenant.market().store().claim(&claim).await.unwrap();
        assert_eq!(claimed.len(), 1);
        clock.advance(chrono::Duration::from_std(LEASE * 2).unwrap());
    }
    let mut jobs = vec![suspect];
    for _ in 0..40 {
        jobs.push(put(&tenant, "work", false.into()).await);
    }
    let ended = work(&tenant, &jobs).await;
    assert!(ended.iter().all(|job| job.state == JobState::Completed));
    assert_eq!(ended[0].crashes, 2);
    assert_eq!(beside.load(Ordering::SeqCst), 1, "others ran beside it");
}
