use std::sync::Arc;

use automarket_core::testing::{ManualClock, StoreUnderTest, store_cases};
use automarket_store_sqlite::{SqliteStore, Synchronous};

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_store_contract() {
    for case in store_cases() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::parse("2027-01-01T00:00:00.123456Z");
        let store = SqliteStore::builder(directory.path().join("automarket.db"))
            .clock(Arc::new(clock.clone()))
            // Only a loss of power could tell the difference, and waiting for the disk takes long.
            .synchronous(Synchronous::Normal)
            .build()
            .await
            .unwrap();
        let store = StoreUnderTest {
            name: "sqlite",
            store: Arc::new(store),
            clock: Arc::new(clock),
        };
        case.run(&store).await;
    }
}
