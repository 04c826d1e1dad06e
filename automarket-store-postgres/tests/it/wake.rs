//! A word that jobs are there goes from store to store; nothing but the listener hears it.

use std::time::{Duration, Instant};

use automarket_core::{
    Timetable,
    chrono::DateTime,
    store::{Claim, JobStore, PublicationStore, Schedule, ScheduleStore, Verdict, Woken},
    testing::sample_publishing,
};
use tokio::time::timeout;

use crate::{acme, client, cluster, job, other};

/// Far longer than a word takes, so that a slow machine fails nothing.
const DEADLINE: Duration = Duration::from_secs(20);

async fn comes(word: Woken<'_>) {
    timeout(DEADLINE, word).await.expect("a word came in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_puts_in_wakes_another() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let other = other(cluster, &test).await;
    // The first word says that it listens.
    comes(other.woken()).await;

    let word = other.woken();
    test.store.enqueue(&[job()]).await.unwrap();
    comes(word).await;
    let leases = other.claim(&Claim::new("worker", 10)).await.unwrap();
    assert_eq!(leases.len(), 1);

    let word = other.woken();
    let released = [(leases[0].token, Verdict::Release)];
    test.store.settle(&released).await.unwrap();
    comes(word).await;

    let word = other.woken();
    let publishing = sample_publishing("acme", DateTime::UNIX_EPOCH);
    test.store.put_publishing(&publishing).await.unwrap();
    comes(word).await;

    let word = other.woken();
    let daily = Schedule {
        tenant: acme(),
        name: "daily".to_owned(),
        timetable: Timetable::parse("30 2 * * *", "Europe/Berlin").unwrap(),
        job: job(),
        paused: false,
        next_at: Some(DateTime::UNIX_EPOCH),
        last_at: None,
        revision: 0,
    };
    let daily = test.store.put_schedule(&daily).await.unwrap();
    assert!(test.store.run_schedule(&daily, None).await.unwrap());
    comes(word).await;

    let word = other.woken();
    test.store.wake();
    comes(word).await;
    test.remove().await.unwrap();
}

/// One of many is enough: a machine may be slow, and what takes as long each time is not its fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_there_within_50_ms() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let other = other(cluster, &test).await;
    comes(other.woken()).await;
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let (word, began) = (other.woken(), Instant::now());
        test.store.enqueue(&[job()]).await.unwrap();
        comes(word).await;
        best = best.min(began.elapsed());
        if best < Duration::from_millis(50) {
            return test.remove().await.unwrap();
        }
    }
    panic!("{best:?} at the best");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_lost_comes_back() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let other = other(cluster, &test).await;
    comes(other.woken()).await;
    let admin = client(cluster.url()).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = $1";
    let listening = format!("LISTEN {}", test.schema());
    for _ in 0..3 {
        let again = other.woken();
        let ended: i64 = admin.query_one(sql, &[&listening]).await.unwrap().get(0);
        assert_eq!(ended, 1, "one connection listens");
        comes(again).await;
        let word = other.woken();
        test.store.enqueue(&[job()]).await.unwrap();
        comes(word).await;
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_to_a_server_that_turned_read_only() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    comes(test.store.woken()).await;
    let again = test.store.woken();
    let read_only = || async {
        let sql = "SET default_transaction_read_only = on";
        test.run(sql).await.unwrap();
        test.store.enqueue(&[job()]).await
    };
    // Some connection of the pool's.
    while read_only().await.is_ok() {}
    comes(again).await;
    // Of the store's own some are read-only.
    let admin = client(cluster.url()).await;
    let drop = format!("DROP SCHEMA {} CASCADE", test.schema());
    admin.batch_execute(&drop).await.unwrap();
}
