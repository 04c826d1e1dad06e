//! Heartbeats while the runtime that the store was opened in stands still.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use automarket_core::{
    ErrorKind,
    store::{Claim, JobStore, Settled, Verdict},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{client, cluster, job};

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

#[tokio::test]
async fn a_row_that_is_locked_keeps_no_other_lease_from_being_prolonged() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (store, schema) = (test.store.clone(), test.schema());
    let mut admin = client(cluster.url()).await;
    store.enqueue(&[job(), job()]).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 2)).await.unwrap();
    let (locked, other) = (leases[0].token, leases[1].token);
    let lock = format!("SELECT FROM {schema}.queue WHERE id = $1 FOR UPDATE");
    let tx = admin.transaction().await.unwrap();
    tx.query_one(&lock, &[&locked.job.uuid()]).await.unwrap();

    let lease = Duration::from_secs(3600);
    let lost = answered(store.heartbeat(&[locked, other], lease)).await;
    assert_eq!(lost.unwrap(), []);
    let left =
        format!("SELECT id FROM {schema}.queue WHERE leased_until > now() + interval '30 minutes'");
    let prolonged = tx.query_one(&left, &[]).await.unwrap();
    assert_eq!(prolonged.get::<_, Uuid>(0), other.job.uuid());
    tx.rollback().await.unwrap();
    test.remove().await.unwrap();
}

#[tokio::test]
async fn a_verdict_that_stands_still_keeps_its_row_locked_for_some_seconds() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (store, schema) = (test.store.clone(), test.schema());
    let admin = client(cluster.url()).await;
    store.enqueue(&[job()]).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 1)).await.unwrap();
    let token = leases[0].token;
    let verdict = [(token, Verdict::Release)];
    let mut settle = pin!(store.settle(&verdict));
    // Until it holds the lock, and no further.
    let free = format!("SELECT FROM {schema}.queue WHERE id = $1 FOR UPDATE SKIP LOCKED");
    while !admin
        .query(&free, &[&token.job.uuid()])
        .await
        .unwrap()
        .is_empty()
    {
        let polled = poll_fn(|cx| Poll::Ready(settle.as_mut().poll(cx).is_pending()));
        assert!(polled.await);
    }

    let lock = format!("SELECT FROM {schema}.queue WHERE id = $1 FOR UPDATE");
    answered(admin.query(&lock, &[&token.job.uuid()]))
        .await
        .unwrap();
    assert_eq!(settle.await.unwrap_err().kind(), ErrorKind::Storage);
    let again = store.settle(&verdict).await.unwrap();
    assert!(matches!(again[..], [Settled::Now(_)]));
    test.remove().await.unwrap();
}

/// The deadline only ends a test that fails.
async fn answered<T>(call: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), call)
        .await
        .expect("an answer")
}
