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

/// And its lease passes to nobody until the step is in.
#[tokio::test]
async fn a_step_that_is_being_written_keeps_no_lease_from_being_prolonged() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (store, schema) = (test.store.clone(), test.schema());
    let (mut host, admin) = (client(cluster.url()).await, client(cluster.url()).await);
    store.enqueue(&[job()]).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 1)).await.unwrap();
    let (token, id) = (leases[0].token, leases[0].token.job.uuid());
    // The step waits for one of its name, with the lease's row in its hand.
    let tx = host.transaction().await.unwrap();
    let same = format!("INSERT INTO {schema}.steps (job, name, value) VALUES ($1, 's', '1')");
    tx.execute(&same, &[&id]).await.unwrap();
    let value = 2.into();
    let mut put = pin!(store.put_step(token, "s", &value));
    let waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
    let ours = format!("%{schema}.put_steps%");
    while admin.query(waits, &[&ours]).await.unwrap().is_empty() {
        let polled = poll_fn(|cx| Poll::Ready(put.as_mut().poll(cx).is_pending()));
        assert!(polled.await);
    }

    let lease = Duration::from_secs(3600);
    let lost = answered(store.heartbeat(&[token], lease)).await;
    assert_eq!(lost.unwrap(), []);
    let left = format!(
        "SELECT leased_until > now() + interval '30 minutes' FROM {schema}.queue WHERE id = $1"
    );
    let prolonged = admin.query_one(&left, &[&id]).await.unwrap();
    assert!(prolonged.get::<_, bool>(0));
    let free = format!("SELECT FROM {schema}.queue WHERE id = $1 FOR UPDATE SKIP LOCKED");
    assert!(admin.query(&free, &[&id]).await.unwrap().is_empty());
    tx.rollback().await.unwrap();
    put.await.unwrap();
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
