//! A store that gives no answer: a connection whose other end is silently gone.

use automarket::Keyring;

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
