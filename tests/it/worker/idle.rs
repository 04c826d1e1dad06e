//! A12: what an idle worker asks for, and how soon it begins. Time is paused: what is waited for is told to the millisecond.

use tokio::{sync::mpsc, time::Instant};

use super::*;

/// A tenant whose jobs say when they begin.
fn telling(store: Arc<FaultStore>) -> (Tenant, mpsc::UnboundedReceiver<Instant>) {
    let (begins, begun) = mpsc::unbounded_channel();
    let tenant = on(store, |b| {
        b.job("quick", move |_: Value, _| {
            begins.send(Instant::now()).unwrap();
            async { Ok(()) }
        })
    });
    (tenant, begun)
}

/// Puts a job in as another process does it: no worker of this one is told.
async fn put_elsewhere(tenant: &Tenant, store: &FaultStore) {
    let job = tenant.new_job("quick", &Value::Null).unwrap();
    store.enqueue(&[job]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_asks_for_less_than_five_things_a_second() {
    const SECONDS: u32 = 600;
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| b);
    let long = tokio::time::sleep(Duration::from_secs(SECONDS.into()));
    tenant.market().worker().run_until(long).await.unwrap();
    let calls = |method| store.faults().answered(method).len();
    let (claims, looks) = (calls("claim"), calls("next_ready"));
    assert!(claims >= 100, "a look each poll: {claims}");
    assert!(claims <= looks + 1, "one claim a look: {claims} {looks}");
    assert_eq!((calls("settle"), calls("heartbeat")), (0, 0));
    let all = store.faults().calls();
    assert!(all < 5 * SECONDS, "{all} in {SECONDS} s");
}

#[tokio::test(start_paused = true)]
async fn a_job_put_in_begins_within_50_ms_whoever_is_told() {
    for elsewhere in [false, true] {
        let store = watched(Arc::new(SystemClock));
        let (tenant, mut begun) = telling(store.clone());
        let worker = tenant.market().worker().poll(Duration::from_secs(3600));
        let begins = async {
            store.faults().until("next_ready", 1).await;
            let put_at = Instant::now();
            if elsewhere {
                put_elsewhere(&tenant, &store).await;
                store.wake();
            } else {
                put(&tenant, "quick", Value::Null).await;
            }
            let took = begun.recv().await.unwrap() - put_at;
            assert!(took < Duration::from_millis(50), "{elsewhere}: {took:?}");
        };
        worker.run_until(begins).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_which_no_word_comes_begins_within_the_poll() {
    let store = watched(Arc::new(SystemClock));
    let (tenant, mut begun) = telling(store.clone());
    let begins = async {
        store.faults().until("next_ready", 1).await;
        let put_at = Instant::now();
        put_elsewhere(&tenant, &store).await;
        let took = begun.recv().await.unwrap() - put_at;
        assert!(took <= Duration::from_secs(5), "{took:?}");
    };
    tenant.market().worker().run_until(begins).await.unwrap();
}
