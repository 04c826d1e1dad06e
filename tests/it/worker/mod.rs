//! The worker: host's jobs, batches, leases, limits, the end.

mod alone;
mod apart;
mod doubt;
mod dying;
mod gates;
mod hanging;
mod idle;
mod kinds;
mod leases;
mod operations;
mod schedules;
mod tenant;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use automarket::{
    Automarket, Builder, Clock, Error, ErrorKind, JobId, Result, Retry, Tenant,
    core::{Pipeline, SystemClock, async_trait, chrono, pipeline::Run},
    store::{
        Claim, DeadReason, Enqueued, Job, JobState, JobStore as _, MemoryStore, NewJob, Store,
    },
    testing::{FaultStore, ManualClock, StoreFault, StoreRule},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

/// A store in memory that remembers what was called.
fn watched(clock: Arc<dyn Clock>) -> Arc<FaultStore> {
    Arc::new(FaultStore::new(Arc::new(MemoryStore::with_clock(clock))))
}

/// Lets the next so many calls of this method fail.
fn fail(store: &FaultStore, method: &'static str, times: u32) {
    let rule = StoreRule::on(method, StoreFault::FailBefore);
    store.faults().add(rule.times(times));
}

const LEASE: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

fn mail() -> Mail {
    Mail {
        to: "ada@example.com".into(),
    }
}

async fn put(tenant: &Tenant, kind: &str, payload: Value) -> JobId {
    let job = tenant.new_job(kind, &payload).unwrap();
    tenant.enqueue(job).await.unwrap().id()
}

/// Works until all these jobs have ended.
async fn work(tenant: &Tenant, jobs: &[JobId]) -> Vec<Job> {
    let worker = tenant.market().worker().poll(Duration::from_millis(20));
    worker.run_until(ended(tenant, jobs)).await.unwrap();
    let mut found = Vec::new();
    for id in jobs {
        found.push(job(tenant, *id).await);
    }
    found
}

async fn ended(tenant: &Tenant, jobs: &[JobId]) {
    for id in jobs {
        while matches!(
            job(tenant, *id).await.state,
            JobState::Waiting | JobState::Leased
        ) {
            tokio::task::yield_now().await;
        }
    }
}

async fn job(tenant: &Tenant, id: JobId) -> Job {
    let store = tenant.market().store();
    store.job(tenant.id(), id).await.unwrap().unwrap()
}

fn on(store: Arc<dyn Store>, with: impl FnOnce(Builder) -> Builder) -> Tenant {
    let market = with(Automarket::shared(store)).build().unwrap();
    market.tenant("acme").unwrap()
}

#[tokio::test]
async fn a_hosts_job_runs_with_its_payload_and_keeps_its_result() {
    let tenant = on(Arc::new(MemoryStore::new()), |b| {
        b.job("mail", |mail: Mail, cx: Run| async move {
            let said = cx
                .step("say", || async { Ok(format!("to {}", mail.to)) })
                .await?;
            Ok((said, cx.tenant.to_string(), cx.attempt))
        })
    });
    let new = tenant.new_job("mail", &mail()).unwrap().unique("one");
    let id = tenant.enqueue(new.clone()).await.unwrap().id();
    let again = tenant.new_job("mail", &mail()).unwrap().unique("one");
    assert_eq!(
        tenant.enqueue(again).await.unwrap(),
        Enqueued::Existing(id),
        "a unique key is taken once"
    );
    let done = work(&tenant, &[id]).await.remove(0);
    assert_eq!(done.state, JobState::Completed);
    assert_eq!(done.result, Some(json!(["to ada@example.com", "acme", 1])));
}

#[tokio::test]
async fn a_job_that_puts_itself_off_uses_up_no_attempt() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let asked = Arc::new(AtomicUsize::new(0));
    let tenant = on(store, |b| {
        b.job("poll", move |_: Value, _| {
            let times = asked.fetch_add(1, Ordering::SeqCst);
            async move {
                match times {
                    0..3 => Err(Error::snooze(Duration::from_secs(3600))),
                    _ => Ok(()),
                }
            }
        })
    });
    let mut new = tenant.new_job("poll", &Value::Null).unwrap();
    new.max_attempts = 1;
    let id = tenant.enqueue(new).await.unwrap().id();
    for _ in 0..3 {
        let put_off = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!(put_off.state, JobState::Waiting);
        assert_eq!(
            put_off.run_at,
            clock.now() + chrono::Duration::hours(1),
            "the very time"
        );
        clock.advance(chrono::Duration::hours(1));
    }
    let done = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((done.state, done.failures), (JobState::Completed, vec![]));
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_known_waits_longer_and_longer_and_dies() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let tenant = on(store, |b| b.job("mail", |_: Mail, _| async { Ok(()) }));
    for kind in ["mail", "nobody-knows"] {
        let mut new = tenant.new_job(kind, &json!({"to": 7})).unwrap();
        new.max_attempts = 3;
        let id = tenant.enqueue(new).await.unwrap().id();
        for attempt in 1..3 {
            let now = tenant.work_on(id, LEASE).await.unwrap();
            assert_eq!((now.state, now.attempts), (JobState::Waiting, attempt));
            clock.advance(chrono::Duration::hours(2));
        }
        let dead = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!((dead.state, dead.failures.len()), (JobState::Dead, 3));
        let rule = dead.failures[2].error.rule.as_deref();
        assert_eq!(rule, Some(DeadReason::Attempts.rule()));
    }
}

#[tokio::test]
async fn jobs_that_fail_together_come_back_spread_over_the_whole_wait() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let tenant = on(store, |b| {
        b.job("fails", |_: Value, _: Run| async {
            Err::<(), _>(Error::new(ErrorKind::Unavailable, "away"))
        })
    });
    let (jobs, mut tenths) = (400, [0; 10]);
    for _ in 0..jobs {
        let id = put(&tenant, "fails", Value::Null).await;
        let failed = tenant.work_on(id, LEASE).await.unwrap();
        // The first wait is a second at the most.
        let wait = (failed.run_at - clock.now()).num_milliseconds();
        tenths[usize::try_from(wait).unwrap().min(999) / 100] += 1;
    }
    // 40 are to be expected of each; of a fair draw fewer than 10 or more than 90 never come.
    let fair = tenths.iter().all(|tenth| (10..90).contains(tenth));
    assert!(fair, "{tenths:?}");
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_a_named_wait_is_none() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let runs = Arc::new(AtomicUsize::new(0));
    let tenant = on(store, |b| {
        b.job("odd", move |_: Value, _| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            assert_ne!(run, 0, "boom");
            async move {
                let wait = Retry::After(Some(Duration::from_secs(60)));
                match run {
                    1 => Err(Error::new(ErrorKind::RateLimited, "slow").with_retry(wait)),
                    _ => Ok(()),
                }
            }
        })
    });
    let id = put(&tenant, "odd", Value::Null).await;
    let panicked = tenant.work_on(id, LEASE).await.unwrap();
    assert!(panicked.failures[0].error.message.contains("boom"));
    clock.advance(chrono::Duration::hours(2));
    let limited = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((limited.state, limited.attempts), (JobState::Waiting, 1));
    assert_eq!(
        limited.run_at.to_rfc3339(),
        "2027-01-11T11:01:00+00:00",
        "the platform's own time"
    );
    clock.advance(chrono::Duration::minutes(2));
    let done = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((done.state, done.attempts), (JobState::Completed, 2));
}

#[tokio::test]
async fn a_wait_that_leads_out_of_the_calendar_is_a_day() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let tenant = on(store, |b| {
        b.job("waits", |seconds: u64, _| async move {
            let wait = Retry::After(Some(Duration::from_secs(seconds)));
            Err::<(), _>(Error::new(ErrorKind::Unavailable, "later").with_retry(wait))
        })
    });
    for seconds in [8_300_000_000_000_u64, 9_000_000_000_000_000, u64::MAX] {
        let id = put(&tenant, "waits", json!(seconds)).await;
        let waits = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!((waits.state, waits.failures.len()), (JobState::Waiting, 1));
        assert_eq!(waits.run_at, clock.now() + chrono::Duration::days(1));
    }
}

struct Named(&'static str);

#[async_trait]
impl Pipeline for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn run(&self, _: &Run, _: Value) -> Result<Value> {
        Ok(Value::Null)
    }
}

#[tokio::test]
async fn names_that_are_taken_are_refused() {
    let nothing = |_: Value, _: Run| async { Ok(()) };
    let new = || Automarket::builder(MemoryStore::new());
    for refused in [
        new().job("publish", nothing),
        new().job("campaign", nothing),
        new().pipeline(Named("mine")).job("mine", nothing),
        new().pipeline(Named("publish")),
        new().pipeline(Named("campaign")),
        new().pipeline(Named("mine")).pipeline(Named("mine")),
        new().job("mine", nothing).job("mine", nothing),
        // No store takes it, and some would refuse each claim that names it.
        new().job("bad\0kind", nothing),
        new().job("k".repeat(201), nothing),
    ] {
        assert_eq!(refused.build().unwrap_err().kind(), ErrorKind::Config);
    }

    let market = new().build().unwrap();
    let (acme, rival) = (
        market.tenant("acme").unwrap(),
        market.tenant("rival").unwrap(),
    );
    let ours = NewJob::new(acme.id().clone(), "publish", Value::Null);
    let foreign = rival.new_job("mail", &Value::Null).unwrap();
    let refused = |error: Error| error.field().map(str::to_owned);
    let error = acme.enqueue(ours).await.unwrap_err();
    assert_eq!(refused(error).as_deref(), Some("kind"));
    let error = acme.enqueue(foreign).await.unwrap_err();
    assert_eq!(refused(error).as_deref(), Some("tenant"));
    // What would be refused each time is not scheduled.
    let long = acme.new_job("mail", &Value::Null).unwrap();
    let long = long.unique("k".repeat(1_001));
    let hourly = automarket::core::Timetable::parse("0 * * * *", "UTC").unwrap();
    let error = acme.schedule("long", hourly, long).await.unwrap_err();
    assert_eq!(refused(error).as_deref(), Some("unique_key"));
}

#[tokio::test]
async fn what_was_put_in_is_run_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("market.db");
    let open = async || {
        let store = automarket::store::sqlite::SqliteStore::open(&path)
            .await
            .unwrap();
        on(Arc::new(store), |b| {
            b.job("mail", |mail: Mail, _| async move { Ok(mail.to) })
        })
    };
    let tenant = open().await;
    let id = put(&tenant, "mail", json!(mail())).await;
    drop(tenant);
    let done = work(&open().await, &[id]).await.remove(0);
    assert_eq!(done.result, Some("ada@example.com".into()));
}

#[tokio::test]
async fn jobs_that_end_together_are_written_in_one_call() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    let mut jobs = Vec::new();
    for n in 0..32 {
        jobs.push(put(&tenant, "quick", json!(n)).await);
    }
    work(&tenant, &jobs).await;
    let settles = store.faults().answered("settle");
    assert_eq!(settles.iter().sum::<usize>(), 32);
    assert!(settles.len() <= 16, "{settles:?}");
}

#[tokio::test]
async fn a_verdict_that_the_store_did_not_take_is_written_later() {
    // Away, or read-only for now.
    for kind in [ErrorKind::Storage, ErrorKind::Config] {
        let store = watched(Arc::new(SystemClock));
        let refused = StoreRule::on("settle", StoreFault::Refuse(kind));
        store.faults().add(refused.times(2));
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let tenant = on(store.clone(), |b| {
            b.job("quick", move |_: Value, _| {
                counted.fetch_add(1, Ordering::SeqCst);
                async { Ok(()) }
            })
        });
        let id = put(&tenant, "quick", Value::Null).await;
        let worker = tenant.market().worker().lease(Duration::from_secs(1));
        let jobs = [id];
        let until = worker.run_until(ended(&tenant, &jobs));
        let soon = tokio::time::timeout(Duration::from_secs(60), until).await;
        soon.expect("it is written").unwrap();
        let done = job(&tenant, id).await;
        assert_eq!((done.state, done.crashes), (JobState::Completed, 0));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_was_not_taken_is_written_later_without_a_worker_too() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    let id = put(&tenant, "quick", Value::Null).await;
    fail(&store, "settle", 3);
    let done = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((done.state, done.crashes), (JobState::Completed, 0));
    // Not for ever.
    let id = put(&tenant, "quick", Value::Null).await;
    fail(&store, "settle", u32::MAX);
    let end = tenant.work_on(id, LEASE).await.unwrap_err();
    assert_eq!(end.kind(), ErrorKind::Storage);
}

#[tokio::test]
async fn a_step_that_the_store_refuses_for_now_is_done_again() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let tenant = on(store.clone(), |b| {
        b.job("steps", |_: Value, run: Run| async move {
            run.step("one", || async { Ok(1) }).await
        })
    });
    for method in ["put_step", "steps"] {
        let id = put(&tenant, "steps", Value::Null).await;
        // The first lease reads no steps.
        fail(&store, "put_step", 1);
        tenant.work_on(id, LEASE).await.unwrap();
        clock.advance(chrono::Duration::hours(1));
        let rule = StoreRule::on(method, StoreFault::Refuse(ErrorKind::Config));
        store.faults().add(rule);
        let met = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!(met.state, JobState::Waiting, "{method}: {met:?}");
        clock.advance(chrono::Duration::hours(1));
        let done = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!(done.state, JobState::Completed, "{method}: {done:?}");
    }
}

/// The deadline only ends a test that fails.
#[tokio::test]
async fn a_lease_of_nothing_is_long_enough_to_work_under() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    let id = put(&tenant, "quick", Value::Null).await;
    let worked = tenant.work_on(id, Duration::ZERO);
    let worked = tokio::time::timeout(Duration::from_secs(5), worked).await;
    let done = worked.expect("it ends").unwrap();
    assert_eq!(done.state, JobState::Completed);
    assert_eq!(store.faults().answered("claim").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_poll_is_nothing_looks_with_pauses() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| b);
    let began = tokio::time::Instant::now();
    let looked = store.faults().until("claim", 100);
    let worker = tenant.market().worker().poll(Duration::ZERO);
    worker.run_until(looked).await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(90), "{took:?}");
}

#[tokio::test]
async fn a_limited_kind_keeps_to_its_limit_and_keeps_nobody_from_running() {
    let store = watched(Arc::new(SystemClock));
    let open = Arc::new(Semaphore::new(0));
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, now, peak) = (open.clone(), at_once.clone(), most.clone());
    let tenant = on(store.clone(), |b| {
        b.job("slow", move |_: Value, _| {
            let (gate, now, peak) = (gate.clone(), now.clone(), peak.clone());
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .job("quick", |_: Value, _| async { Ok(()) })
    });
    let (mut slow, mut quick) = (Vec::new(), Vec::new());
    for n in 0..10 {
        slow.push(put(&tenant, "slow", json!(n)).await);
    }
    for n in 0..10 {
        quick.push(put(&tenant, "quick", json!(n)).await);
    }
    let worker = tenant.market().worker().concurrency(4).limit("slow", 2);
    let worker = worker.poll(Duration::from_secs(3600));
    let until = async {
        // Two slow ones hold on; the quick ones, put in later, run meanwhile.
        ended(&tenant, &quick).await;
        open.add_permits(10);
        ended(&tenant, &slow).await;
    };
    let run = worker.run_until(until);
    let soon = tokio::time::timeout(Duration::from_secs(60), run).await;
    soon.expect("a kind with room was not looked for").unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 2);
    let claims = store.faults().answered("claim").len();
    assert!(claims < 60, "no hot loop: {claims} claims for 20 jobs");
}

#[tokio::test]
async fn times_for_ever_end_no_worker() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = watched(Arc::new(clock.clone()));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
    });
    // It may have killed its worker, and will be waited for as long as a lease.
    let suspect = put(&tenant, "quick", Value::Null).await;
    let claim = Claim::new("gone", 1).lease(LEASE);
    store.claim(&claim).await.unwrap();
    clock.advance(chrono::Duration::minutes(1));
    let worker = tenant.market().worker().max_crashes(2);
    let worker = worker.poll(Duration::MAX).lease(Duration::MAX);
    let done = async {
        ended(&tenant, &[suspect]).await;
        store.faults().until("next_ready", 1).await;
        let id = put(&tenant, "quick", Value::Null).await;
        ended(&tenant, &[id]).await;
    };
    let run = worker.grace(Duration::MAX).run_until(done);
    let soon = tokio::time::timeout(Duration::from_secs(60), run).await;
    soon.expect("it slept on").unwrap();
}

#[tokio::test]
async fn what_is_put_off_for_a_moment_does_not_wait_for_the_poll() {
    let tenant = on(Arc::new(MemoryStore::new()), |b| {
        b.job("again", |_: Value, cx: Run| async move {
            let soon = Retry::After(Some(Duration::from_millis(20)));
            match cx.attempt {
                1 => Err(Error::new(ErrorKind::Unavailable, "in a moment").with_retry(soon)),
                _ => Ok(()),
            }
        })
    });
    let id = put(&tenant, "again", Value::Null).await;
    let worker = tenant.market().worker().poll(Duration::from_secs(3600));
    let run = worker.run_until(ended(&tenant, std::slice::from_ref(&id)));
    let soon = tokio::time::timeout(Duration::from_secs(60), run).await;
    soon.expect("it slept on").unwrap();
    assert_eq!(job(&tenant, id).await.attempts, 2);
}

#[tokio::test]
async fn a_shutdown_takes_nothing_new_lets_jobs_end_and_hands_the_rest_back() {
    let store = watched(Arc::new(SystemClock));
    let (started, release) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (begun, released) = (started.clone(), release.clone());
    let forever = started.clone();
    let tenant = on(store, |b| {
        b.job("ends", move |_: Value, _| {
            let (begun, released) = (begun.clone(), released.clone());
            async move {
                begun.add_permits(1);
                released.notified().await;
                Ok(())
            }
        })
        .job("never", move |_: Value, _| {
            forever.add_permits(1);
            pending::<Result<()>>()
        })
    });
    let ends = put(&tenant, "ends", Value::Null).await;
    let never = put(&tenant, "never", Value::Null).await;
    let worker = tenant.market().worker().grace(Duration::from_millis(300));
    let late = Arc::new(std::sync::OnceLock::new());
    let shutdown = async {
        started.acquire_many(2).await.unwrap().forget();
        late.set(put(&tenant, "ends", Value::Null).await).unwrap();
        release.notify_one();
    };
    worker.run_until(shutdown).await.unwrap();
    assert_eq!(job(&tenant, ends).await.state, JobState::Completed);
    let back = job(&tenant, never).await;
    assert_eq!((back.state, back.attempts), (JobState::Waiting, 0));
    assert_eq!((back.crashes, back.failures.len()), (0, 0));
    let late = job(&tenant, *late.get().unwrap()).await;
    assert_eq!((late.state, late.fence), (JobState::Waiting, 0));
}
