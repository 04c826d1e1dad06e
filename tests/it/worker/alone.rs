//! A job that may be what kills its workers takes no other with it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use automarket::{
    Error,
    core::{chrono, pipeline::Run},
    store::{Claim, JobState, JobStore as _, MemoryStore},
    testing::ManualClock,
};
use serde_json::Value;
use tokio::sync::Notify;

use super::{LEASE, ended, on, put, work};

#[tokio::test]
async fn a_job_with_one_crash_left_runs_alone() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (at_once, beside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = beside.clone();
    let tenant = on(store, |b| {
        b.job("work", move |suspect: Value, _: Run| {
            let (at_once, beside) = (at_once.clone(), counted.clone());
            async move {
                at_once.fetch_add(1, Ordering::SeqCst);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    if suspect == true {
                        beside.fetch_max(at_once.load(Ordering::SeqCst), Ordering::SeqCst);
                    }
                }
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
    });
    let suspect = put(&tenant, "work", true.into()).await;
    let claim = Claim::new("gone", 1).only(suspect).lease(LEASE);
    for _ in 0..2 {
        let claimed = tenant.market().store().claim(&claim).await.unwrap();
        assert_eq!(claimed.len(), 1);
        clock.advance(chrono::Duration::from_std(LEASE * 2).unwrap());
    }
    let mut jobs = vec![suspect];
    for _ in 0..40 {
        jobs.push(put(&tenant, "work", false.into()).await);
    }
    let ended = work(&tenant, &jobs).await;
    assert!(ended.iter().all(|job| job.state == JobState::Completed));
    assert_eq!(ended[0].crashes, 2);
    assert_eq!(beside.load(Ordering::SeqCst), 1, "others ran beside it");
}

#[tokio::test]
async fn a_job_with_one_crash_left_has_its_turn_while_others_have_work() {
    for concurrency in [1, 4] {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
        let order = Arc::new(Mutex::new(Vec::new()));
        let told = order.clone();
        let tenant = on(store, |b| {
            b.job("work", move |suspect: bool, _: Run| {
                told.lock().unwrap().push(suspect);
                async { Ok(()) }
            })
        });
        let suspect = put(&tenant, "work", true.into()).await;
        let claim = Claim::new("gone", 1).only(suspect).lease(LEASE);
        for _ in 0..2 {
            tenant.market().store().claim(&claim).await.unwrap();
            clock.advance(chrono::Duration::from_std(LEASE * 2).unwrap());
        }
        // As many tenants have work as are asked at once.
        for n in 0..concurrency {
            let other = tenant.market().tenant(&format!("other-{n}")).unwrap();
            for _ in 0..50 {
                put(&other, "work", false.into()).await;
            }
        }
        let worker = tenant.market().worker().concurrency(concurrency);
        worker.run_until(ended(&tenant, &[suspect])).await.unwrap();
        let before = order.lock().unwrap().iter().position(|suspect| *suspect);
        assert!(before.unwrap() <= 2 * concurrency, "{before:?}");
    }
}

#[tokio::test]
async fn a_long_job_with_one_crash_left_holds_the_others_up_for_a_lease_at_most() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let others_done = Arc::new(Notify::new());
    let long = others_done.clone();
    let tenant = on(store, |b| {
        b.job("work", move |suspect: Value, _: Run| {
            let long = long.clone();
            async move {
                if suspect == true {
                    long.notified().await;
                }
                Ok(())
            }
        })
    });
    let suspect = put(&tenant, "work", true.into()).await;
    let claim = Claim::new("gone", 1).only(suspect).lease(LEASE);
    for _ in 0..2 {
        tenant.market().store().claim(&claim).await.unwrap();
        clock.advance(chrono::Duration::from_std(LEASE * 2).unwrap());
    }
    let mut others = Vec::new();
    for _ in 0..40 {
        others.push(put(&tenant, "work", false.into()).await);
    }
    let worker = tenant.market().worker().lease(Duration::from_secs(1));
    let until = async {
        ended(&tenant, &others).await;
        others_done.notify_one();
        ended(&tenant, &[suspect]).await;
    };
    let run = worker.run_until(until);
    let soon = tokio::time::timeout(Duration::from_secs(60), run).await;
    soon.expect("they wait for the long one").unwrap();
}

#[tokio::test]
async fn the_handler_of_an_unending_job_sees_its_crashes_and_ends_it() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let tenant = on(store.clone(), |b| {
        b.job("poison", |_: Value, run: Run| async move {
            match run.crashes {
                ..5 => Ok(()),
                _ => Err(Error::invalid("payload", "it kills its workers")),
            }
        })
    });
    let job = tenant.new_job("poison", &Value::Null).unwrap().unending();
    let id = tenant.enqueue(job).await.unwrap().id();
    for _ in 0..5 {
        let killed = store.claim(&Claim::new("killed", 1).only(id)).await;
        assert_eq!(killed.unwrap().len(), 1, "it is never given up");
        clock.advance(chrono::Duration::minutes(1));
    }
    let dead = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((dead.state, dead.crashes), (JobState::Dead, 5));
}
