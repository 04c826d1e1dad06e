//! Processes that know different kinds of jobs, on one store.

use std::{future::pending, sync::Arc, time::Duration};

use automarket::{
    ErrorKind,
    core::{SystemClock, pipeline::Run},
    store::{JobState, MemoryStore, NewJob, UpkeepStore},
};
use serde_json::Value;
use tokio::sync::Notify;

use super::{ended, job, on, put, watched, work};

#[tokio::test]
async fn a_job_is_left_to_the_workers_that_know_its_kind() {
    let store = watched(Arc::new(SystemClock));
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (running, may_end) = (begun.clone(), go_on.clone());
    let knows = on(store.clone(), |b| {
        b.job("render", move |_: Value, _: Run| {
            let (running, may_end) = (running.clone(), may_end.clone());
            async move {
                running.notify_one();
                may_end.notified().await;
                Ok(())
            }
        })
    });
    let idle = on(store.clone(), |b| b);
    let poll = Duration::from_millis(5);
    let busy = knows.market().worker().concurrency(1).poll(poll);
    let busy = tokio::spawn(busy.run_until(pending()));
    let first = put(&knows, "render", Value::Null).await;
    begun.notified().await;
    while store.workers().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    let second = put(&knows, "render", Value::Null).await;
    let claims = store.faults().answered("claim").len();
    let other = tokio::spawn(idle.market().worker().poll(poll).run_until(pending()));
    // The busy one asks for nothing meanwhile.
    while store.faults().answered("claim").len() < claims + 3 {
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    begun.notified().await;
    go_on.notify_one();
    ended(&knows, &[first, second]).await;
    busy.abort();
    other.abort();
    let second = job(&knows, second).await;
    assert_eq!((second.state, second.attempts), (JobState::Completed, 1));
    assert_eq!(second.failures, []);
}

#[tokio::test]
async fn a_job_that_no_worker_knows_dies() {
    let tenant = on(Arc::new(MemoryStore::new()), |b| b);
    let mut new = tenant.new_job("nobody-knows", &()).unwrap();
    new.max_attempts = 1;
    let id = tenant.enqueue(new).await.unwrap().id();
    let dead = work(&tenant, &[id]).await.remove(0);
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 1));
}

#[tokio::test]
async fn the_librarys_own_jobs_are_put_in_and_called_off_by_it_alone() {
    let tenant = on(Arc::new(MemoryStore::new()), |b| b);
    for kind in [
        "publish",
        "publish-delete",
        "measure",
        "credential-keep-alive",
    ] {
        let refused = tenant.new_job(kind, &()).unwrap_err();
        let is = (refused.kind(), refused.field());
        assert_eq!(is, (ErrorKind::InvalidInput, Some("kind")), "{kind}");
    }
    let theirs = NewJob::new(tenant.id().clone(), "publish", Value::Null);
    let theirs = tenant.market().store().enqueue(&[theirs]).await.unwrap();
    let refused = tenant.cancel_job(theirs[0].id()).await.unwrap_err();
    assert_eq!(refused.field(), Some("job"));
    let left = tenant.job(theirs[0].id()).await.unwrap();
    assert_eq!(left.state, JobState::Waiting);

    let own = put(&tenant, "mail", Value::Null).await;
    assert!(tenant.cancel_job(own).await.unwrap());
    assert!(!tenant.cancel_job(own).await.unwrap());
    assert_eq!(tenant.job(own).await.unwrap().state, JobState::Cancelled);
    let other = tenant.market().tenant("other").unwrap();
    let foreign = other.cancel_job(own).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
}
