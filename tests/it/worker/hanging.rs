//! A store that gives no answer: a connection whose other end is silently gone.

use automarket::{Keyring, worker::Worker};

use super::*;

/// No call of this method is answered any more.
fn hang(store: &FaultStore, method: &'static str) {
    let rule = StoreRule::on(method, StoreFault::Hang);
    store.faults().add(rule.times(u32::MAX));
}

#[tokio::test(start_paused = true)]
async fn a_worker_stops_in_time_though_the_store_gives_no_answer() {
    for method in ["key_uses", "claim", "settle", "put_worker", "remove_worker"] {
        let store = watched(Arc::new(SystemClock));
        let tenant = on(store.clone(), |b| {
            b.keyring(Keyring::random())
                .job("quick", |_: Value, _| async { Ok(()) })
                .job("long", |_: Value, _| pending::<Result<()>>())
        });
        put(&tenant, "quick", Value::Null).await;
        put(&tenant, "long", Value::Null).await;
        hang(&store, method);
        let worker = tenant.market().worker().grace(Duration::from_secs(10));
        let began = tokio::time::Instant::now();
        let shutdown = tokio::time::sleep(Duration::from_secs(5));
        worker.run_until(shutdown).await.unwrap();
        assert!(store.faults().hits() > 0, "{method} was never called");
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(5 + 10 + 10),
            "{method}: {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_answer_is_made_anew() {
    for method in [
        "claim",
        "next_ready",
        "settle",
        "next_schedules",
        "put_worker",
        "overdue",
    ] {
        let store = watched(Arc::new(SystemClock));
        let tenant = on(store.clone(), |b| {
            b.job("quick", |_: Value, _| async { Ok(()) })
        });
        let id = put(&tenant, "quick", Value::Null).await;
        store.faults().add(StoreRule::on(method, StoreFault::Hang));
        let answered = async {
            store.faults().until(method, 1).await;
            ended(&tenant, &[id]).await;
        };
        let run = tenant.market().worker().run_until(answered);
        let in_time = tokio::time::timeout(Duration::from_secs(600), run).await;
        in_time.expect(method).unwrap();
        assert_eq!(store.faults().hits(), 1, "{method}");
    }
}

/// By a worker as it is unless told otherwise: nobody waits for its poll.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_asked_again_soon() {
    for (refused, asked) in [
        ("claim", "claim"),
        ("next_ready", "claim"),
        ("next_schedules", "next_schedules"),
    ] {
        let store = watched(Arc::new(SystemClock));
        let tenant = on(store.clone(), |b| b);
        fail(&store, refused, 1);
        let began = tokio::time::Instant::now();
        let again = store.faults().until(asked, 2);
        tenant.market().worker().run_until(again).await.unwrap();
        assert_eq!(store.faults().hits(), 1, "{refused}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{refused}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_is_overdue_or_old_says_that_it_lives_and_looks_at_its_schedules() {
    for method in ["overdue", "remove_ended"] {
        let store = watched(Arc::new(SystemClock));
        let tenant = on(store.clone(), |b| b);
        hang(&store, method);
        let shutdown = tokio::time::sleep(Duration::from_secs(45));
        tenant.market().worker().run_until(shutdown).await.unwrap();
        assert_eq!(store.faults().hits(), 1, "{method}: no more was asked for");
        let calls = |method| store.faults().answered(method).len();
        // Every ten seconds, and every five.
        assert_eq!(calls("put_worker"), 5, "{method}");
        assert!(calls("next_schedules") >= 9, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_late_claim_brings_is_given_back() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("long", |_: Value, _| async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(())
        })
        .job("quick", |_: Value, _| async { Ok(()) })
    });
    let long = put(&tenant, "long", Value::Null).await;
    let quick = put(&tenant, "quick", Value::Null).await;
    // The second claim takes the long one, and the first, answered after its lease, the quick one.
    let late = StoreFault::Delay(Duration::from_secs(40));
    store.faults().add(StoreRule::on("claim", late));
    let worker = tenant.market().worker().concurrency(1);
    // (Who looks again and again would hold the paused time up.)
    let shutdown = tokio::time::sleep(Duration::from_secs(200));
    worker.run_until(shutdown).await.unwrap();
    assert_eq!(job(&tenant, long).await.state, JobState::Completed);
    let quick = job(&tenant, quick).await;
    assert_eq!((quick.state, quick.attempts), (JobState::Completed, 1));
}

/// Ends a worker that has no grace while the store is at this call of a method.
async fn stop_while(store: &FaultStore, worker: Worker, method: &'static str, calls: u32) {
    let slow = StoreFault::Delay(Duration::from_secs(2));
    store.faults().add(StoreRule::on(method, slow).after(calls));
    let shutdown = tokio::time::sleep(Duration::from_secs(1));
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(shutdown).await.unwrap();
    assert_eq!(store.faults().hits(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_as_the_shutdown_comes_is_written() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    let id = put(&tenant, "quick", Value::Null).await;
    stop_while(&store, tenant.market().worker(), "settle", 0).await;
    assert_eq!(job(&tenant, id).await.state, JobState::Completed);
}

#[tokio::test(start_paused = true)]
async fn what_a_store_refuses_as_the_shutdown_comes_is_written_when_it_is_back() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    let id = put(&tenant, "quick", Value::Null).await;
    // A primary that is started anew.
    fail(&store, "settle", 8);
    let shutdown = store.faults().until("settle", 1);
    let worker = tenant.market().worker().grace(Duration::ZERO);
    worker.run_until(shutdown).await.unwrap();
    assert_eq!(job(&tenant, id).await.state, JobState::Completed);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_as_the_shutdown_comes_is_given_back() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("one", |_: Value, _| async { Ok(()) })
            .job("any", |_: Value, _| async { Ok(()) })
    });
    let id = put(&tenant, "one", Value::Null).await;
    // One is taken, and then the worker fills up.
    let worker = tenant.market().worker().limit("one", 1);
    stop_while(&store, worker, "claim", 1).await;
    let given_back = job(&tenant, id).await;
    let stands = (given_back.state, given_back.attempts);
    assert_eq!(stands, (JobState::Waiting, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_waits_for_no_more_than_a_heartbeat_for_what_fills_up() {
    let store = watched(Arc::new(SystemClock));
    let began = tokio::time::Instant::now();
    let (started, ran) = tokio::sync::oneshot::channel();
    let started = std::sync::Mutex::new(Some(started));
    let tenant = on(store.clone(), |b| {
        b.job("one", move |_: Value, _| {
            let started = started.lock().unwrap().take().unwrap();
            started.send(began.elapsed()).unwrap();
            async { Ok(()) }
        })
    });
    put(&tenant, "one", Value::Null).await;
    let hangs = StoreRule::on("claim", StoreFault::Hang).after(1);
    store.faults().add(hangs);
    let worker = tenant.market().worker().limit("one", 1);
    let worker = worker.lease(Duration::from_secs(30));
    let ran = async {
        let after = ran.await.unwrap();
        assert!(after <= Duration::from_secs(10), "{after:?}");
    };
    worker.run_until(ran).await.unwrap();
    assert_eq!(store.faults().hits(), 1);
}
