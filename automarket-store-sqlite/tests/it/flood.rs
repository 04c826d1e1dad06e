//! Very many jobs become due at once, and others do not wait behind them.

use std::{sync::Arc, time::Duration};

use automarket_core::{
    TenantId,
    chrono::TimeDelta,
    store::{Claim, JobStore, NewJob},
    testing::ManualClock,
};
use automarket_store_sqlite::{SqliteStore, Synchronous};

#[tokio::test]
async fn a_flood_delays_neither_the_urgent_nor_what_lost_its_worker() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::parse("2027-01-01T00:00:00Z");
    let store = SqliteStore::builder(directory.path().join("a.db"))
        .clock(Arc::new(clock.clone()))
        .synchronous(Synchronous::Normal)
        .build()
        .await
        .unwrap();
    let job = |tenant: &str| NewJob::new(TenantId::new(tenant).unwrap(), "work", 1.into());
    let start = store.now().await.unwrap();
    let orphan = job("c");
    store.enqueue(std::slice::from_ref(&orphan)).await.unwrap();
    let lease = Claim::new("gone", 1).lease(Duration::from_secs(11));
    assert_eq!(store.claim(&lease).await.unwrap().len(), 1);

    let later = |seconds| start + TimeDelta::seconds(seconds);
    let flood: Vec<NewJob> = (0..3_000).map(|_| job("a").run_at(later(10))).collect();
    store.enqueue(&flood).await.unwrap();
    let mut urgent = job("a").run_at(later(11));
    urgent.priority = 1;
    store.enqueue(std::slice::from_ref(&urgent)).await.unwrap();
    clock.advance(TimeDelta::seconds(12));

    let first = store.claim(&Claim::new("w", 1)).await.unwrap().remove(0);
    assert_eq!(first.job.id, urgent.id);
    let next = store.claim(&Claim::new("w", 4)).await.unwrap();
    assert!(next.iter().any(|lease| lease.job.id == orphan.id));
}
