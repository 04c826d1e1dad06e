//! Heartbeats while the runtime that the store was opened in stands still.

use std::time::Duration;

use automarket_core::store::{Claim, JobStore};

use crate::{cluster, job};

#[tokio::test]
async fn a_blocked_runtime_keeps_its_leases() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = test.store.clone();
    store.enqueue(&[job()]).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 1)).await.unwrap();
    let token = leases[0].token;
    let beat = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let lease = Duration::from_secs(3600);
        // The deadline only ends a test that fails.
        runtime.block_on(async {
            let beat = store.heartbeat(std::slice::from_ref(&token), lease);
            tokio::time::timeout(Duration::from_secs(60), beat).await
        })
    });
    // This is the runtime's only thread, and it waits here.
    let answer = beat.join().unwrap();
    assert_eq!(answer.expect("an answer").unwrap(), []);
    test.remove().await.unwrap();
}
