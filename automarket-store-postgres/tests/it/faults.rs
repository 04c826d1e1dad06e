//! Connections that are ended at random while work goes on.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use automarket_core::{
    AccountId, ErrorKind, Retry,
    store::{
        AuditAction, AuditStore, Claim, EventStore, JobState, JobStore, NewAudit, NewEvent, NewJob,
        Verdict,
    },
};

use crate::{acme, client, cluster, job};

#[tokio::test(flavor = "multi_thread")]
async fn ended_connections_give_typed_errors_and_lose_nothing() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let admin = client(cluster.url()).await;
    let store = test.store.clone();
    // Long enough to be hit.
    let hits = Arc::<AtomicUsize>::default();
    let producers = (0..4).map(|_| {
        let (store, hits) = (store.clone(), hits.clone());
        tokio::spawn(async move {
            let mut put = Vec::new();
            while put.len() < 300 || hits.load(Ordering::Relaxed) < 6 {
                let new: NewJob = job();
                loop {
                    match store.enqueue(std::slice::from_ref(&new)).await {
                        Ok(answers) => break put.push(answers[0].id()),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
                            assert_eq!(error.retry(), Retry::After(None));
                            hits.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            }
            put
        })
    });
    let producers: Vec<_> = producers.collect();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'automarket' AND query LIKE $1 AND random() < 0.5";
    let pattern = format!("%{}%", test.schema());
    while producers.iter().any(|task| !task.is_finished()) {
        admin.query_one(sql, &[&pattern]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (mut put, mut calls) = (HashSet::new(), 0);
    for task in producers {
        let ids = task.await.unwrap();
        calls += ids.len();
        put.extend(ids);
    }
    assert_eq!(
        put.len(),
        calls,
        "a repeat with the same id is the same job"
    );
    let mut done = HashSet::new();
    loop {
        let leases = match store.claim(&Claim::new("worker", 100)).await {
            Ok(leases) => leases,
            // A connection whose end was not noticed yet.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
                continue;
            }
        };
        if leases.is_empty() {
            break;
        }
        done.extend(leases.iter().map(|lease| lease.job.id));
        let verdicts = leases
            .into_iter()
            .map(|l| (l.token, Verdict::Complete(1.into())));
        let verdicts: Vec<_> = verdicts.collect();
        while let Err(error) = store.settle(&verdicts).await {
            assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
        }
    }
    assert_eq!(done, put);
    let completed = store
        .jobs(&acme(), JobState::Completed, 10_000)
        .await
        .unwrap();
    assert_eq!(completed.len(), calls);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_held_is_refused_and_company_is_not_harmed() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let tasks = (0..64).map(|n| {
        let store = test.store.clone();
        let kind = if n == 7 { "a\0b" } else { "work" };
        let new = NewJob::new(acme(), kind, "\0".into());
        tokio::spawn(async move { (n, store.enqueue(&[new]).await) })
    });
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            (7, refused) => assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput),
            (_, answer) => drop(answer.unwrap()),
        }
    }
    assert_eq!(test.store.queue_stats().await.unwrap().ready, 63);
    test.run("ALTER TABLE automarket.queue RENAME TO gone")
        .await
        .unwrap();
    let broken = test.store.enqueue(&[job()]).await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Internal);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_repeat_would_double_says_so() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    let admin = client(cluster.url()).await;
    let tx = host.transaction().await.unwrap();
    let schema = test.schema();
    let lock = format!("LOCK TABLE {schema}.events, {schema}.audit IN EXCLUSIVE MODE");
    tx.batch_execute(&lock).await.unwrap();
    let event = NewEvent {
        tenant: acme(),
        kind: "test".into(),
        subject: "s".into(),
        data: 1.into(),
    };
    let entry = NewAudit {
        tenant: acme(),
        account: AccountId::new(),
        action: AuditAction::Use,
        who: "host".into(),
        why: "test".into(),
        outcome: "ok".into(),
    };
    let (events, audit) = (test.store.clone(), test.store.clone());
    let appends = [
        tokio::spawn(async move { events.append_events(&[event]).await }),
        tokio::spawn(async move { audit.append_audit(&[entry]).await }),
    ];
    // Those who wait for the lock.
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND strpos(query, $1) > 0";
    while appends.iter().any(|append| !append.is_finished()) {
        admin.query(sql, &[&schema]).await.unwrap();
        tokio::task::yield_now().await;
    }
    tx.rollback().await.unwrap();
    for append in appends {
        let cut = append.await.unwrap().unwrap_err();
        assert_eq!(
            (cut.kind(), cut.retry()),
            (ErrorKind::Storage, Retry::Reconcile)
        );
    }
    // The store's own connections may be of those that were ended.
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    host.batch_execute(&drop).await.unwrap();
}
