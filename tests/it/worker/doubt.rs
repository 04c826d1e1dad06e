//! Outside writes of a host's jobs whose end is not known.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use automarket::{
    Error, ErrorKind, JobId, Retry, Tenant,
    core::{
        chrono::{self, DateTime, Utc},
        pipeline::Run,
    },
    store::{Job, JobState, JobStore as _, LeaseToken, MemoryStore, Verdict},
    testing::ManualClock,
};
use serde_json::Value;
use tokio::sync::Notify;

use super::{LEASE, on, put};

/// Another system, which takes a while: what it was told shows after five seconds.
#[derive(Default)]
struct Slow {
    told: Mutex<Vec<DateTime<Utc>>>,
    /// At its work for the first time.
    at_work: Notify,
}

/// A job that tells it something. Its first answer is lost, or never comes.
fn telling(slow: &Arc<Slow>, clock: &ManualClock, hangs: bool) -> (Arc<MemoryStore>, Tenant) {
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (slow, clock) = (slow.clone(), clock.clone());
    let tenant = on(store.clone(), |b| {
        b.look_after(Duration::from_secs(60))
            .job("tell", move |_: Value, run: Run| {
                let (slow, clock) = (slow.clone(), clock.clone());
                async move {
                    let now = || automarket::Clock::now(&clock);
                    let find = || async {
                        let told = slow.told.lock().unwrap().clone();
                        let shows =
                            |at: &DateTime<Utc>| now() - *at >= chrono::Duration::seconds(5);
                        Ok(told.iter().any(shows).then_some(()))
                    };
                    let act = || async {
                        let times = {
                            let mut told = slow.told.lock().unwrap();
                            told.push(now());
                            told.len()
                        };
                        slow.at_work.notify_one();
                        if hangs && times == 1 {
                            std::future::pending::<()>().await;
                        }
                        let lost = Error::new(ErrorKind::Timeout, "no answer came");
                        Err::<(), _>(lost.with_retry(Retry::Reconcile))
                    };
                    run.once("tell", find, act).await
                }
            })
    });
    (store, tenant)
}

/// Runs it whenever it may run, to its end.
async fn to_the_end(tenant: &Tenant, clock: &ManualClock, job: JobId) -> Job {
    for _ in 0..200 {
        let job = tenant.work_on(job, LEASE).await.unwrap();
        if job.state == JobState::Completed {
            return job;
        }
        clock.advance(chrono::Duration::seconds(1));
    }
    panic!("it has no end");
}

#[tokio::test]
async fn what_a_job_lost_is_not_looked_for_at_once() {
    let (clock, slow) = (ManualClock::parse("2027-01-11T09:00:00Z"), Arc::default());
    let (_, tenant) = telling(&slow, &clock, false);
    let job = put(&tenant, "tell", Value::Null).await;
    let end = to_the_end(&tenant, &clock, job).await;
    assert_eq!(slow.told.lock().unwrap().len(), 1, "told twice");
    assert_eq!(end.attempts, 2, "it asked in vain");
}

#[tokio::test]
async fn nor_what_was_under_way_when_its_worker_died_or_stopped() {
    for died in [true, false] {
        let (clock, slow) = (ManualClock::parse("2027-01-11T09:00:00Z"), Arc::default());
        let (store, tenant) = telling(&slow, &clock, true);
        let job = put(&tenant, "tell", Value::Null).await;
        tokio::select! {
            _ = tenant.work_on(job, LEASE) => panic!("it hangs"),
            () = slow.at_work.notified() => {}
        }
        if died {
            clock.advance(chrono::Duration::from_std(LEASE).unwrap());
        } else {
            let fence = super::job(&tenant, job).await.fence;
            let given_back = (LeaseToken { job, fence }, Verdict::Release);
            store.settle(&[given_back]).await.unwrap();
        }
        to_the_end(&tenant, &clock, job).await;
        assert_eq!(slow.told.lock().unwrap().len(), 1, "told twice");
    }
}

#[tokio::test]
async fn who_names_a_wait_of_nothing_is_not_asked_on_and_on() {
    let store = Arc::new(MemoryStore::with_clock(Arc::new(ManualClock::parse(
        "2027-01-11T09:00:00Z",
    ))));
    let tenant = on(store, |b| {
        let asked = AtomicUsize::new(0);
        b.job("ask", move |_: Value, _: Run| {
            let wanted = asked.fetch_add(1, Ordering::SeqCst) < 3;
            async move {
                let slow = Error::new(ErrorKind::RateLimited, "slow down");
                let slow = slow.with_retry(Retry::After(Some(Duration::ZERO)));
                if wanted { Err(slow) } else { Ok(()) }
            }
        })
    });
    let job = put(&tenant, "ask", Value::Null).await;
    let waits = tenant.work_on(job, LEASE).await.unwrap();
    assert_eq!(waits.state, JobState::Waiting);
    assert_eq!(waits.failures, []);
}
