//! The database goes away and comes back while work goes on.

use std::collections::HashSet;

use automarket_core::{
    ErrorKind, JobId,
    store::{Claim, JobState, JobStore, NewJob, Settled, Verdict},
};
use automarket_store_postgres::{PostgresStore, testing::Cluster};
use tokio::sync::watch;

use crate::{acme, job};

/// Puts jobs in until it is told to stop; the ids that were acknowledged.
async fn produce(store: PostgresStore, stop: watch::Receiver<bool>) -> HashSet<JobId> {
    let mut put = HashSet::new();
    while !*stop.borrow() {
        let new: NewJob = job();
        while let Err(error) = store.enqueue(std::slice::from_ref(&new)).await {
            assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
            tokio::task::yield_now().await;
        }
        put.insert(new.id);
    }
    put
}

/// Does jobs until none is left after it was told to stop; the ids whose completion was acknowledged.
async fn work(store: PostgresStore, stop: watch::Receiver<bool>) -> HashSet<JobId> {
    let mut done = HashSet::new();
    // Short, so that leases which nobody heard of are soon taken again.
    let mut claim = Claim::new("worker", 20).lease(std::time::Duration::from_millis(200));
    claim.max_crashes = 1_000;
    loop {
        let told = *stop.borrow();
        let leases = match store.claim(&claim).await {
            Ok(leases) => leases,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
                tokio::task::yield_now().await;
                continue;
            }
        };
        if leases.is_empty() && told {
            match store.queue_stats().await {
                Ok(stats) if stats.ready + stats.leased == 0 => return done,
                _ => continue,
            }
        }
        for lease in leases {
            let verdict = [(lease.token, Verdict::Complete(1.into()))];
            if let Ok(settled) = store.settle(&verdict).await
                && settled == [Settled::Now(JobState::Completed)]
            {
                done.insert(lease.job.id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_database_has_what_was_acknowledged_and_the_store_goes_on() {
    if std::env::var("DATABASE_URL").is_ok() {
        return; // Somebody else's server is not ours to stop.
    }
    let Some(mut cluster) = Cluster::start().await.unwrap() else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (stop, told) = watch::channel(false);
    let producer = tokio::spawn(produce(test.store.clone(), told));
    let (all_put, told) = watch::channel(false);
    let worker = tokio::spawn(work(test.store.clone(), told));
    for _ in 0..2 {
        test.store.woken().await;
        cluster.stop().unwrap();
        cluster.start_again().await.unwrap();
        // Listening again: the word of its own, or of a job put in since.
        test.store.woken().await;
    }
    stop.send(true).unwrap();
    let put = producer.await.unwrap();
    all_put.send(true).unwrap();
    let done = worker.await.unwrap();
    assert!(put.len() > 2, "void: only {} jobs were put in", put.len());
    for id in &put {
        let job = test.store.job(&acme(), *id).await.unwrap();
        assert_eq!(job.map(|job| job.state), Some(JobState::Completed));
    }
    for id in done {
        let job = test.store.job(&acme(), id).await.unwrap();
        assert_eq!(job.map(|job| job.state), Some(JobState::Completed));
    }
}
