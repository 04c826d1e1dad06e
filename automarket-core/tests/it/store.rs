use std::{sync::Arc, time::Duration};

use automarket_core::{
    TenantId,
    store::{JobStore as _, MemoryStore, NewJob, UpkeepStore as _, WorkerBeat},
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

#[tokio::test]
async fn memory_looks_back_to_the_beginning_of_the_calendar_at_most() {
    let store = MemoryStore::new();
    let tenant = TenantId::new("acme").unwrap();
    let job = NewJob::new(tenant, "work", "x".into());
    store.enqueue(&[job]).await.unwrap();
    let found = store.overdue(Duration::MAX, None, 9).await.unwrap();
    assert_eq!(found, []);
    let beat = WorkerBeat {
        name: "w".to_owned(),
        kinds: Vec::new(),
        in_flight: 0,
        polled: Duration::MAX,
    };
    store.put_worker(&beat).await.unwrap();
    assert_eq!(store.workers().await.unwrap().len(), 1);
}
