//! Batches of jobs that differ in ids and payloads alone go in by a shorter way than others.

use automarket_core::{
    chrono::{DateTime, SubsecRound as _, TimeDelta, Utc},
    store::{Claim, Enqueued, Job, JobStore, NewJob},
    testing::StoreClock as _,
};
use automarket_store_postgres::testing::TestStore;
use serde_json::json;

use crate::{acme, cluster};

fn of(priority: i16, run_at: Option<DateTime<Utc>>, number: u32) -> NewJob {
    NewJob {
        priority,
        run_at,
        max_attempts: 7,
        ..NewJob::new(acme(), "work", json!({ "number": number }))
    }
}

/// What became of a job, but for what differs between any two.
async fn seen(test: &TestStore, job: &NewJob) -> Job {
    let found = test.store.job(&acme(), job.id).await.unwrap().unwrap();
    let alone = of(0, None, 0);
    Job {
        id: alone.id,
        created_at: DateTime::UNIX_EPOCH,
        run_at: match job.run_at {
            Some(_) => found.run_at,
            None => DateTime::UNIX_EPOCH,
        },
        ..found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_alike_stand_as_those_that_are_not() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let later = test.store.now().await.unwrap().trunc_subsecs(6) + TimeDelta::hours(1);
    for (priority, run_at) in [
        (0, None),
        (-3, Some(later)),
        (5, Some(DateTime::UNIX_EPOCH)),
    ] {
        let alike: Vec<_> = (0..30).map(|n| of(priority, run_at, n)).collect();
        let mut mixed: Vec<_> = (0..30).map(|n| of(priority, run_at, n)).collect();
        mixed.push(of(1, None, 0));
        for batch in [&alike, &mixed] {
            let put = test.store.enqueue(batch).await.unwrap();
            let new: Vec<_> = batch.iter().map(|job| Enqueued::New(job.id)).collect();
            assert_eq!(put, new);
        }
        for (one, other) in alike.iter().zip(&mixed) {
            let (mut one, other) = (seen(&test, one).await, seen(&test, other).await);
            one.id = other.id;
            assert_eq!(one, other);
        }
        // In the order put in, and not before their time.
        test.clock().advance(TimeDelta::minutes(1)).await;
        let leases = test.store.claim(&Claim::new("worker", 100)).await.unwrap();
        let claimed = leases.iter().filter(|lease| lease.job.priority == priority);
        let claimed: Vec<_> = claimed.map(|lease| lease.job.id).collect();
        let due = run_at.is_none_or(|at| at < later);
        let wanted = [&alike[..], &mixed[..30]].concat();
        let wanted: Vec<_> = wanted.iter().filter(|_| due).map(|job| job.id).collect();
        assert_eq!(claimed, wanted);
        // An id that is known is nobody's again.
        let again = [alike, vec![of(priority, run_at, 99)]].concat();
        let put = test.store.enqueue(&again).await.unwrap();
        let new = put.iter().filter(|put| matches!(put, Enqueued::New(_)));
        assert_eq!(new.count(), 1);
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lone_jobs_stand_in_their_own_lines_whoever_came_before() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let later = test.store.now().await.unwrap() + TimeDelta::hours(1);
    // Each line is told by its first job and remembered for its second; one that waits tells nothing.
    let jobs = [
        of(0, Some(later), 0),
        of(0, None, 1),
        of(0, None, 2),
        of(7, None, 3),
        of(7, None, 4),
        NewJob::new(acme(), "mail", json!(5)),
        NewJob::new(acme(), "mail", json!(6)),
        of(0, Some(later), 7),
    ];
    for job in &jobs {
        test.store.enqueue(std::slice::from_ref(job)).await.unwrap();
    }
    for (kind, wanted) in [("mail", &[5, 6][..]), ("work", &[3, 4, 1, 2])] {
        let mut claim = Claim::new("worker", 1);
        claim.kinds.push(kind.to_owned());
        let mut claimed = Vec::new();
        while let Some(lease) = test.store.claim(&claim).await.unwrap().pop() {
            claimed.push(lease.job.id);
        }
        let wanted: Vec<_> = wanted.iter().map(|n| jobs[*n].id).collect();
        assert_eq!(claimed, wanted, "{kind}");
    }
    test.remove().await.unwrap();
}
