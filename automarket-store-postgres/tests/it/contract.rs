use std::sync::Arc;

use automarket_core::testing::{StoreUnderTest, store_cases};

use crate::cluster;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_store_contract() {
    let Some(cluster) = cluster().await else {
        return;
    };
    for case in store_cases() {
        let test = cluster.store().await.unwrap();
        let under_test = StoreUnderTest {
            name: "postgres",
            store: Arc::new(test.store.clone()),
            clock: Arc::new(test.clock()),
        };
        case.run(&under_test).await;
        test.remove().await.unwrap();
    }
}
