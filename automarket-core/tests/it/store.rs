use std::sync::Arc;

use automarket_core::{
    store::MemoryStore,
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
