//! Unique keys under concurrency: two stores with pools of their own, as two processes have, and hosts whose
//! transactions roll back at random.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, ErrorRecord,
    store::{Claim, Enqueued, JobStore, UpkeepStore, Verdict},
};
use automarket_store_postgres::with_tokio_postgres;
use tokio_postgres::{Client, Transaction};

use crate::{acme, client, cluster, job, other};

const SEED: u64 = 20_270_101;

#[tokio::test(flavor = "multi_thread")]
async fn never_two_live_never_none() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let stores = [test.store.clone(), other(cluster, &test).await];
    for round in 0..10_u64 {
        let key = format!("round {round}");
        let tasks = (0..128).map(|task| {
            let (store, key) = (stores[task % 2].clone(), key.clone());
            tokio::spawn(async move { store.enqueue(&[job().unique(key)]).await.unwrap()[0] })
        });
        let tasks: Vec<_> = tasks.collect();
        let sql = format!(
            "SELECT {}.enqueue('acme', 'work', '1', unique_key => '{key}')",
            test.schema()
        );
        let mut random = fastrand::Rng::with_seed(SEED + round);
        let hosts = (0..8).map(|_| {
            let (sql, commits) = (sql.clone(), random.bool());
            tokio::spawn(async move {
                let mut host = client(cluster.url()).await;
                let tx = host.transaction().await.unwrap();
                tx.query_one(&sql, &[]).await.unwrap();
                if commits {
                    tx.commit().await.unwrap()
                } else {
                    tx.rollback().await.unwrap()
                }
            })
        });
        for host in hosts.collect::<Vec<_>>() {
            host.await.unwrap();
        }
        let (mut new, mut named) = (0, Vec::new());
        for task in tasks {
            let answer = task.await.unwrap();
            new += usize::from(matches!(answer, Enqueued::New(_)));
            named.push(answer.id());
        }
        let live = stores[0].claim(&Claim::new("worker", 10)).await.unwrap();
        assert_eq!(live.len(), 1, "seed {SEED}, round {round}");
        assert!(new <= 1 && named.iter().all(|id| *id == live[0].job.id));
        stores[1]
            .settle(&[(live[0].token, Verdict::Complete(1.into()))])
            .await
            .unwrap();
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_waits_for_the_end_of_its_job_does_not_revive_it() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (store, new) = (test.store.clone(), job());
    let id = new.id;
    store.enqueue(std::slice::from_ref(&new)).await.unwrap();
    let fence = store.claim(&Claim::new("worker", 1)).await.unwrap()[0]
        .token
        .fence;
    let mut host = client(cluster.url()).await;
    let tx = host.transaction().await.unwrap();
    let sql = format!(
        "SELECT {}.complete(ARRAY[$1::uuid], ARRAY[$2::bigint], ARRAY['1'])",
        test.schema()
    );
    tx.query(&sql, &[&id.uuid(), &fence]).await.unwrap();
    let repeat = tokio::spawn(async move { store.enqueue(&[new]).await });
    let admin = client(cluster.url()).await;
    while waiting_puts(&admin, test.schema()).await == 0 {
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    assert_eq!(repeat.await.unwrap().unwrap(), [Enqueued::Existing(id)]);
    let stats = test.store.queue_stats().await.unwrap();
    assert_eq!(stats.ready + stats.later + stats.leased, 0);
    test.remove().await.unwrap();
}

/// How many puts of a store wait for somebody's lock.
async fn waiting_puts(admin: &Client, schema: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND strpos(query, $1) > 0";
    let ours = format!("{schema}.");
    admin.query_one(sql, &[&ours]).await.unwrap().get(0)
}

/// Takes the key `held` in a host's transaction.
async fn hold(tx: &Transaction<'_>, schema: &str) {
    let sql = format!("SELECT {schema}.enqueue('acme', 'work', '1', unique_key => 'held')");
    tx.query_one(&sql, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_an_open_transaction_holds_takes_no_connection_for_good() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    let tx = host.transaction().await.unwrap();
    hold(&tx, test.schema()).await;
    // More than there are connections.
    let calls = (0..20).map(|_| {
        let store = test.store.clone();
        tokio::spawn(async move { store.enqueue(&[job().unique("held")]).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let refused = call.await.unwrap().unwrap_err();
        assert_eq!(refused.rule(), Some("postgres.timeout"));
    }
    test.store.enqueue(&[job()]).await.unwrap();
    tx.commit().await.unwrap();
    let again = test.store.enqueue(&[job().unique("held")]).await.unwrap();
    assert!(matches!(again[..], [Enqueued::Existing(_)]));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_an_open_transaction_holds_holds_up_no_other_job() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let admin = client(cluster.url()).await;
    let mut host = client(cluster.url()).await;
    // What comes after it is put in as a job that nobody knows.
    test.store.enqueue(&[job()]).await.unwrap();
    let held = job();
    let tx = host.transaction().await.unwrap();
    let put = with_tokio_postgres::enqueue_in(&test.store, &tx, &held);
    put.await.unwrap();
    let mut repeats = Vec::new();
    for waiting in 1..4_i64 {
        let (store, held) = (test.store.clone(), held.clone());
        repeats.push(tokio::spawn(async move { store.enqueue(&[held]).await }));
        // One after the other, not in one group.
        while waiting_puts(&admin, test.schema()).await < waiting
            && !repeats.iter().any(|repeat| repeat.is_finished())
        {
            tokio::task::yield_now().await;
        }
    }
    // In the company of one that is held. (The deadline only ends a test that fails.)
    let (mine, again) = (job(), held.clone());
    let both = async {
        tokio::join!(
            test.store.enqueue(std::slice::from_ref(&mine)),
            test.store.enqueue(std::slice::from_ref(&again))
        )
    };
    let both = tokio::time::timeout(Duration::from_secs(60), both).await;
    let (mine, again) = both.expect("nobody waits for good");
    assert!(matches!(mine.unwrap()[..], [Enqueued::New(_)]));
    assert_eq!(again.unwrap_err().rule(), Some("postgres.timeout"));
    let batch: Vec<_> = (0..20).map(|_| held.clone()).collect();
    let batch = test.store.enqueue(&batch).await.unwrap_err();
    assert_eq!(batch.rule(), Some("postgres.timeout"));
    for repeat in repeats {
        let refused = tokio::time::timeout(Duration::from_secs(60), repeat).await;
        let refused = refused
            .expect("nobody waits for good")
            .unwrap()
            .unwrap_err();
        assert_eq!(refused.rule(), Some("postgres.timeout"));
    }
    tx.commit().await.unwrap();
    let again = test.store.enqueue(std::slice::from_ref(&held)).await;
    assert_eq!(again.unwrap(), [Enqueued::Existing(held.id)]);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_whose_key_an_open_transaction_holds_comes_back_after_it() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let dead = job().unique("held");
    test.store
        .enqueue(std::slice::from_ref(&dead))
        .await
        .unwrap();
    let leases = test.store.claim(&Claim::new("worker", 1)).await.unwrap();
    let error = Error::new(ErrorKind::Internal, "no");
    let bury = (leases[0].token, Verdict::Bury(ErrorRecord::from(&error)));
    test.store.settle(&[bury]).await.unwrap();
    let mut host = client(cluster.url()).await;
    let tx = host.transaction().await.unwrap();
    hold(&tx, test.schema()).await;
    let one = test.store.redrive(&acme(), dead.id).await.unwrap_err();
    let all = test.store.redrive_dead(&acme(), None, 9).await.unwrap_err();
    assert_eq!([one.rule(), all.rule()], [Some("postgres.timeout"); 2]);
    tx.rollback().await.unwrap();
    assert!(test.store.redrive(&acme(), dead.id).await.unwrap());
    test.remove().await.unwrap();
}
