//! A job that is put in nevertheless after it has ended: by a statement that a broken connection left on its way.

use automarket_core::{
    Error, ErrorKind, ErrorRecord,
    store::{Claim, Enqueued, JobState, JobStore, NewJob, UpkeepStore, Verdict},
};
use automarket_store_postgres::testing::TestStore;

use crate::{acme, cluster, job, other};

/// Jobs that were put in and have ended; what arrives late stands beside.
async fn ended(test: &TestStore, verdict: Verdict) -> [NewJob; 2] {
    let jobs = [job(), job()];
    test.store.enqueue(&jobs).await.unwrap();
    test.run(
        "DROP TABLE IF EXISTS automarket.on_its_way;
        CREATE TABLE automarket.on_its_way AS SELECT * FROM automarket.queue",
    )
    .await
    .unwrap();
    for lease in test.store.claim(&Claim::new("worker", 9)).await.unwrap() {
        let end = [(lease.token, verdict.clone())];
        test.store.settle(&end).await.unwrap();
    }
    jobs
}

async fn arrive(test: &TestStore) {
    test.run("INSERT INTO automarket.queue SELECT * FROM automarket.on_its_way")
        .await
        .unwrap();
}

async fn waiting(test: &TestStore) -> u64 {
    test.store.queue_stats().await.unwrap().ready
}

fn buried() -> Verdict {
    Verdict::Bury(ErrorRecord::from(&Error::new(ErrorKind::Internal, "no")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_not_leased_again() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let old = ended(&test, Verdict::Complete(1.into())).await;
    arrive(&test).await;
    let stands = test.store.job(&acme(), old[0].id).await.unwrap().unwrap();
    assert_eq!(stands.state, JobState::Completed, "whatever arrived");
    // Among others.
    let mut new = [job(), job(), job()];
    new[1].priority = 1;
    test.store.enqueue(&new).await.unwrap();
    let mut claimed = Vec::new();
    for _ in 0..9 {
        let leases = test.store.claim(&Claim::new("worker", 2)).await.unwrap();
        claimed.extend(leases.iter().map(|lease| lease.job.id));
    }
    claimed.sort();
    assert_eq!(claimed, new.each_ref().map(|job| job.id));
    assert_eq!(waiting(&test).await, 0, "thrown away");
    // By its name.
    arrive(&test).await;
    let one = Claim {
        job: Some(old[1].id),
        ..Claim::new("worker", 1)
    };
    assert!(test.store.claim(&one).await.unwrap().is_empty());
    assert_eq!(waiting(&test).await, 1);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_not_cancelled_again() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let old = ended(&test, Verdict::Complete(1.into())).await;
    arrive(&test).await;
    assert!(!test.store.cancel_job(&acme(), old[0].id).await.unwrap());
    let stands = test.store.job(&acme(), old[0].id).await.unwrap().unwrap();
    assert_eq!(stands.state, JobState::Completed);
    assert_eq!(waiting(&test).await, 1);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dead_goes_back_once() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let old = ended(&test, buried()).await;
    arrive(&test).await;
    assert!(test.store.redrive(&acme(), old[0].id).await.unwrap());
    let back = test.store.redrive_dead(&acme(), None, 9).await.unwrap();
    assert_eq!(back, 1);
    let leases = test.store.claim(&Claim::new("worker", 9)).await.unwrap();
    assert_eq!(leases.len(), 2);
    let again = leases.iter().all(|lease| lease.job.failures.len() == 1);
    assert!(again, "it is the dead that went back");
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_not_done_after_all() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    ended(&test, buried()).await;
    arrive(&test).await;
    let removed = test.store.remove_dead(&acme(), None, 9).await.unwrap();
    assert_eq!((removed, waiting(&test).await), (2, 0));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_put_in_a_moment_ago_is_known() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let other = other(cluster, &test).await;
    // Both know the line.
    for store in [&test.store, &other] {
        store.enqueue(&[job()]).await.unwrap();
    }
    let live = [job(), job()];
    test.store.enqueue(&live[..1]).await.unwrap();
    let put = other.enqueue(&live).await.unwrap();
    assert_eq!(
        put,
        [Enqueued::Existing(live[0].id), Enqueued::New(live[1].id)]
    );
    let put = other.enqueue(&[live[0].clone()]).await.unwrap();
    assert_eq!(put, [Enqueued::Existing(live[0].id)]);
    test.remove().await.unwrap();
}
