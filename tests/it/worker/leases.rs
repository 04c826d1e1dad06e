//! Leases: kept by heartbeats, and what happens when they are lost.

use std::time::Instant;

use automarket::{
    ErrorKind,
    store::{Claim, JobStore as _, Verdict},
};

use super::*;

/// Says when it is dropped.
struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A tenant with a kind `hang` that never ends, its starts and its drops.
fn hanging(store: Arc<FaultStore>) -> (Tenant, Arc<Notify>, Arc<Notify>) {
    let (started, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun, gone) = (started.clone(), dropped.clone());
    let tenant = on(store, |b| {
        b.job("hang", move |_: Value, _| {
            let gone = Dropped(gone.clone());
            begun.notify_one();
            async move {
                pending::<()>().await;
                drop(gone);
                Ok(())
            }
        })
    });
    (tenant, started, dropped)
}

#[tokio::test]
async fn one_heartbeat_keeps_all_jobs_of_a_worker() {
    let store = watched(Arc::new(SystemClock));
    let (tenant, ..) = hanging(store.clone());
    for n in 0..3 {
        put(&tenant, "hang", json!(n)).await;
    }
    let worker = tenant.market().worker().lease(Duration::from_secs(1));
    let beaten = store.faults().until("heartbeat", 2);
    worker
        .grace(Duration::ZERO)
        .run_until(beaten)
        .await
        .unwrap();
    let beats = store.faults().answered("heartbeat");
    assert!(beats.iter().all(|leases| *leases == 3));
}

#[tokio::test]
async fn many_are_taken_by_halves_and_all_of_them_run() {
    let store = watched(Arc::new(SystemClock));
    let all = Arc::new(tokio::sync::Barrier::new(251));
    let meet = all.clone();
    let tenant = on(store.clone(), |b| {
        b.job("meet", move |_: Value, _| {
            let meet = meet.clone();
            async move {
                meet.wait().await;
                Ok(())
            }
        })
    });
    for n in 0..250 {
        put(&tenant, "meet", json!(n)).await;
    }
    let worker = tenant.market().worker().concurrency(250);
    let met = async {
        all.wait().await;
    };
    worker.run_until(met).await.unwrap();
    assert_eq!(store.faults().answered("claim").len(), 2);
}

#[tokio::test]
async fn work_whose_lease_passed_on_is_dropped_and_writes_nothing() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let (tenant, started, dropped) = hanging(store.clone());
    let id = put(&tenant, "hang", Value::Null).await;
    let worker = tenant.market().worker().lease(Duration::from_secs(1));
    let other = async {
        started.notified().await;
        clock.advance(chrono::Duration::hours(1));
        let lease = store
            .claim(&Claim::new("other", 1))
            .await
            .unwrap()
            .remove(0);
        dropped.notified().await;
        let verdict = Verdict::Complete("the other's".into());
        store.settle(&[(lease.token, verdict)]).await.unwrap();
    };
    worker.run_until(other).await.unwrap();
    let done = job(&tenant, id).await;
    assert_eq!(done.result, Some("the other's".into()));
    assert_eq!((done.crashes, done.failures.len()), (1, 1));
}

#[tokio::test]
async fn a_lease_is_for_thirty_seconds_unless_said_otherwise() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let (tenant, started, _) = hanging(store.clone());
    put(&tenant, "hang", Value::Null).await;
    let other = async {
        started.notified().await;
        for (later, taken) in [(29_999, 0), (1, 1)] {
            clock.advance(chrono::Duration::milliseconds(later));
            let leases = store.claim(&Claim::new("other", 1)).await.unwrap();
            assert_eq!(leases.len(), taken);
            let end = clock.now() + chrono::Duration::seconds(30);
            assert!(leases.iter().all(|lease| lease.expires_at == end));
        }
    };
    let worker = tenant.market().worker().grace(Duration::ZERO);
    worker.run_until(other).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_for_longer_than_the_lease_ends_the_work() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock));
    fail(&store, "heartbeat", 1000);
    let (tenant, started, dropped) = hanging(store.clone());
    let id = put(&tenant, "hang", Value::Null).await;
    let worker = tenant.market().worker().lease(Duration::from_secs(1));
    let gone = async {
        started.notified().await;
        dropped.notified().await;
    };
    worker.grace(Duration::ZERO).run_until(gone).await.unwrap();
    assert!(store.faults().answered("heartbeat").len() >= 3);
    let back = job(&tenant, id).await;
    assert_eq!((back.state, back.attempts), (JobState::Waiting, 0));
}

#[tokio::test]
async fn a_step_under_a_lost_lease_is_refused() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, going) = (begun.clone(), go_on.clone());
    let told = Arc::new(std::sync::Mutex::new(None));
    let tell = told.clone();
    let tenant = on(store.clone(), |b| {
        b.job("late", move |_: Value, cx: Run| {
            let (started, going, tell) = (started.clone(), going.clone(), tell.clone());
            async move {
                started.notify_one();
                going.notified().await;
                let end = cx.step("write", || async { Ok(1) }).await;
                *tell.lock().unwrap() = end.as_ref().err().map(Error::kind);
                end
            }
        })
    });
    let id = put(&tenant, "late", Value::Null).await;
    let other = async {
        begun.notified().await;
        clock.advance(chrono::Duration::hours(1));
        store.claim(&Claim::new("other", 1)).await.unwrap();
        go_on.notify_one();
        while told.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tenant.market().worker().run_until(other).await.unwrap();
    assert_eq!(*told.lock().unwrap(), Some(ErrorKind::LeaseLost));
    assert_eq!(job(&tenant, id).await.state, JobState::Leased);
    assert!(store.steps(tenant.id(), id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_blocks_the_runtime_for_longer_than_its_lease_keeps_it() {
    let store = watched(Arc::new(SystemClock));
    let watched = store.clone();
    let tenant = on(store, |b| {
        b.job("blocks", move |_: Value, _| {
            // The only thread of this runtime stands here for five thirds of the lease.
            let give_up = Instant::now() + Duration::from_secs(60);
            while watched.faults().answered("heartbeat").len() < 5 && Instant::now() < give_up {
                std::thread::yield_now();
            }
            let other = Claim::new("other", 1);
            let taken = futures_util::FutureExt::now_or_never(watched.claim(&other));
            let taken = taken.expect("a store in memory answers at once").unwrap();
            async move { Ok(taken.len()) }
        })
    });
    let id = put(&tenant, "blocks", Value::Null).await;
    let worker = tenant.market().worker().lease(Duration::from_secs(1));
    worker.run_until(ended(&tenant, &[id])).await.unwrap();
    let done = job(&tenant, id).await;
    assert_eq!(done.result, Some(json!(0)), "nobody else could take it");
    assert_eq!((done.crashes, done.attempts), (0, 1));
}

#[tokio::test]
async fn steps_are_read_once_and_not_at_all_the_first_time() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let tenant = on(store.clone(), |b| {
        b.job("steps", |_: Value, cx: Run| async move {
            for name in ["one", "two", "three"] {
                cx.step(name, || async { Ok(name.to_owned()) }).await?;
            }
            match cx.attempt {
                1 => Err(Error::new(ErrorKind::Unavailable, "once more")),
                _ => {
                    cx.step("one", || async { Ok("not again".to_owned()) })
                        .await
                }
            }
        })
    });
    let id = put(&tenant, "steps", Value::Null).await;
    tenant.work_on(id, LEASE).await.unwrap();
    let reads = || store.faults().answered("steps").len() + store.faults().answered("step").len();
    assert_eq!(reads(), 0);
    clock.advance(chrono::Duration::hours(2));
    let done = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!(done.result, Some(json!("one")));
    assert_eq!(reads(), 1);
}
