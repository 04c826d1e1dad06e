//! What operators see and set: health, numbers, retention, dead letters.

use std::collections::{BTreeMap, BTreeSet};

use automarket::{
    Credential, Platform, Post, When,
    report::HealthLimits,
    store::{Account, JobStore as _},
    testing::RecordingPublisher,
    worker::{Retention, Worker},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use super::*;

fn start() -> (ManualClock, Arc<FaultStore>) {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    (clock.clone(), watched(Arc::new(clock)))
}

#[tokio::test]
async fn health_tells_of_jobs_of_kinds_that_no_worker_knows() {
    let (_, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("known", |_: Value, _| async { Ok(()) })
    });
    let stranger = put(&tenant, "nobody-knows", Value::Null).await;
    let problems = async || tenant.market().health().await.problems;
    assert_eq!(problems().await, ["no worker is known"]);
    let seen = async {
        store.faults().until("put_worker", 1).await;
        while job(&tenant, stranger).await.failures.is_empty() {
            tokio::task::yield_now().await;
        }
        let told = "1 jobs are of kinds that no worker knows (nobody-knows)";
        assert_eq!(problems().await, [told]);
        assert!(tenant.cancel_job(stranger).await.unwrap());
        assert!(problems().await.is_empty());
    };
    tenant.market().worker().run_until(seen).await.unwrap();
}

#[tokio::test]
async fn health_tells_of_silence_overdue_and_dead_jobs_and_a_store_that_is_away() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("no", |_: Value, _| async {
            Err::<(), _>(Error::invalid("payload", "never"))
        })
    });
    let market = tenant.market();
    let problems = async || market.health().await.problems;
    assert_eq!(problems().await, ["no worker is known"]);

    let seen = async {
        store.faults().until("put_worker", 1).await;
        store.faults().until("claim", 1).await;
        let health = market.health().await;
        assert!(health.ok(), "{:?}", health.problems);
        let workers = health.store.unwrap().workers;
        assert!(workers[0].kinds.contains(&"no".to_owned()));
    };
    market.worker().run_until(seen).await.unwrap();
    assert_eq!(problems().await, ["no worker is known"], "it said good-bye");

    let id = put(&tenant, "no", Value::Null).await;
    clock.advance(chrono::Duration::minutes(6));
    let overdue = problems().await;
    assert!(overdue[1].contains(&id.to_string()), "{overdue:?}");
    let lenient = HealthLimits::default().grace(Duration::from_secs(3600));
    assert_eq!(market.health_within(lenient).await.problems.len(), 1);
    let never = HealthLimits::default().grace(Duration::MAX);
    assert_eq!(market.health_within(never).await.problems.len(), 1);

    tenant.work_on(id, LEASE).await.unwrap();
    assert!(problems().await[1].contains("1 jobs are dead"));
    fail(&store, "workers", 1);
    let away = market.health().await;
    assert!(away.problems[0].contains("does not answer") && away.store.is_none());
    let json = serde_json::to_value(market.health().await).unwrap();
    assert_eq!(json["queue"]["dead"], 1);
}

#[tokio::test]
async fn a_worker_that_ends_takes_no_other_worker_with_it() {
    let (_, store) = start();
    let tenant = on(store.clone(), |b| b);
    let worker = tenant.market().worker();
    let both_seen = store.faults().until("put_worker", 2);
    let one_gone = async {
        store.faults().until("remove_worker", 1).await;
        let problems = tenant.market().health().await.problems;
        assert!(problems.is_empty(), "{problems:?}");
    };
    let first = worker.clone().run_until(both_seen);
    let (first, second) = tokio::join!(first, worker.run_until(one_gone));
    first.and(second).unwrap();
}

#[tokio::test]
async fn a_silent_worker_is_told_of() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| b);
    let worker = tenant.market().worker().poll(Duration::from_secs(3600));
    let said = async {
        store.faults().until("put_worker", 1).await;
        clock.advance(chrono::Duration::seconds(90));
        let problems = tenant.market().health().await.problems;
        assert_eq!(problems, ["no worker has looked at the queue for 90 s"]);
    };
    worker.run_until(said).await.unwrap();
}

/// What `health` says of this worker after some beats, 10 s apart, and a while.
async fn after_beats(
    tenant: &Tenant,
    store: &FaultStore,
    clock: &ManualClock,
    worker: Worker,
) -> Vec<String> {
    let mut problems = Vec::new();
    let told = async {
        store.faults().until("put_worker", 6).await;
        clock.advance(chrono::Duration::seconds(11));
        problems = tenant.market().health().await.problems;
    };
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(told).await.unwrap();
    problems
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_no_room_is_not_silent() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
    });
    put(&tenant, "never", Value::Null).await;
    let full = tenant.market().worker().concurrency(1);
    let said = after_beats(&tenant, &store, &clock, full).await;
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_poll_is_not_due_is_not_silent() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| b);
    let idle = tenant.market().worker().poll(Duration::from_secs(3600));
    let said = after_beats(&tenant, &store, &clock, idle).await;
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_to_whom_the_queue_gives_no_answer_is_told_of() {
    // It cannot ask, or has no room since what has ended is not taken.
    for refused in ["claim", "settle"] {
        let (clock, store) = start();
        let tenant = on(store.clone(), |b| {
            b.job("quick", |_: Value, _| async { Ok(()) })
        });
        put(&tenant, "quick", Value::Null).await;
        fail(&store, refused, u32::MAX);
        let worker = tenant.market().worker().concurrency(1);
        let said = after_beats(&tenant, &store, &clock, worker).await;
        assert_eq!(said, ["no worker has looked at the queue for 61 s"]);
    }
}

#[tokio::test(start_paused = true)]
async fn workers_remove_what_is_old_a_batch_after_the_other() {
    let (clock, store) = start();
    let keep = Retention::default().ended(Some(Duration::from_secs(3600)));
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
            .job("no", |_: Value, _| async {
                Err::<(), _>(Error::invalid("payload", "never"))
            })
            .retention(keep)
    });
    let mut old = vec![put(&tenant, "no", Value::Null).await];
    for n in 0..600 {
        old.push(put(&tenant, "quick", json!(n)).await);
    }
    work(&tenant, &old).await;
    clock.advance(chrono::Duration::hours(2));
    let young = put(&tenant, "quick", Value::Null).await;
    let left = |state| store.jobs(tenant.id(), state, usize::MAX);
    let before = store.faults().answered("remove_ended").len();
    let removed = store.faults().until("remove_ended", before + 2);
    let began = tokio::time::Instant::now();
    tenant.market().worker().run_until(removed).await.unwrap();
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    let batches = store.faults().answered("remove_ended");
    assert!(batches.iter().all(|most| *most <= 500), "{batches:?}");
    work(&tenant, &[young]).await;
    let kept = left(JobState::Completed).await.unwrap();
    assert_eq!(kept.iter().map(|job| job.id).collect::<Vec<_>>(), [young]);
    assert_eq!(left(JobState::Dead).await.unwrap().len(), 1, "for somebody");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_or_hangs_keeps_no_other_from_being_made() {
    let day = Some(Duration::from_secs(24 * 3600));
    let all = [
        "remove_ended",
        "remove_events",
        "remove_measurements",
        "remove_attempts",
        "remove_audit",
        "remove_flows",
    ];
    for bad in all {
        for fault in [StoreFault::Refuse(ErrorKind::Internal), StoreFault::Hang] {
            let (_, store) = start();
            let keep = Retention::default().audit(day);
            let tenant = on(store.clone(), |b| b.retention(keep));
            let rule = StoreRule::on(bad, fault);
            store.faults().add(rule.times(u32::MAX));
            let others = all.into_iter().filter(|other| *other != bad);
            let made = async {
                for other in others {
                    let made = store.faults().until(other, 2);
                    let made = tokio::time::timeout(Duration::from_secs(3600), made).await;
                    assert!(made.is_ok(), "{bad} kept {other} from being made");
                }
            };
            tenant.market().worker().run_until(made).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_nobody_takes_in_time_each_is_told_of() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
    });
    let late = 1_500;
    // The first holds the worker's only place.
    for n in 0..=late {
        put(&tenant, "never", json!(n)).await;
    }
    clock.advance(chrono::Duration::minutes(6));
    let looked = store.faults().until("remove_ended", 3);
    let worker = tenant.market().worker().concurrency(1);
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(looked).await.unwrap();
    let events = tenant.events(0, usize::MAX).await.unwrap();
    let overdue = events.iter().filter(|e| e.event.kind == "job.overdue");
    let told: BTreeSet<_> = overdue.map(|e| &e.event.subject).collect();
    assert!(told.len() >= late, "{}", told.len());
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_told_of_together_in_a_tenth_of_the_time() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
    });
    let late = 2_500;
    // The first holds the worker's only place.
    for n in 0..=late {
        put(&tenant, "never", json!(n)).await;
    }
    clock.advance(chrono::Duration::minutes(6));
    let slow = StoreFault::Delay(Duration::from_secs(5));
    let slow = StoreRule::on("overdue", slow);
    store.faults().add(slow.times(u32::MAX));
    let began = tokio::time::Instant::now();
    // Three pages, and another look.
    let looked = async {
        store.faults().until("overdue", 3).await;
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(2 * 50 + 5), "{took:?}");
        store.faults().until("overdue", 4).await;
    };
    let worker = tenant.market().worker().concurrency(1);
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(looked).await.unwrap();
    let calls = |method| store.faults().answered(method);
    let told = tenant.events(0, usize::MAX).await.unwrap().len();
    assert!(told >= late, "{told}");
    assert_eq!(calls("events_about").len(), told, "once for each");
    assert!(calls("append_events").len() <= 26);
}

#[tokio::test(start_paused = true)]
async fn after_a_flood_what_is_overdue_for_longer_is_told_of_though_more_comes_all_the_time() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
    });
    // The first holds the worker's only place.
    for n in 0..=1_001 {
        put(&tenant, "never", json!(n)).await;
    }
    clock.advance(chrono::Duration::minutes(6));
    let overdue = async |time| {
        let job = tenant.new_job("never", &Value::Null).unwrap();
        let job = job.run_at(clock.now() - time);
        tenant.enqueue(job).await.unwrap().id()
    };
    let told = async |job: JobId| {
        let events = tenant.events(0, usize::MAX).await.unwrap();
        events.iter().any(|e| e.event.subject == job.to_string())
    };
    let worked = async {
        store.faults().until("overdue", 2).await;
        let longer = overdue(chrono::Duration::days(1)).await;
        for looks in 3..=60 {
            overdue(chrono::Duration::seconds(330)).await;
            store.faults().until("overdue", looks).await;
        }
        assert!(told(longer).await);
    };
    let worker = tenant.market().worker().concurrency(1);
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(worked).await.unwrap();
}

#[tokio::test]
async fn a_publication_that_cannot_be_read_keeps_nobody_behind_it_from_being_told_of() {
    let (clock, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
            .clock(Arc::new(clock.clone()))
            .publisher(RecordingPublisher::new(Platform::X))
            .keyring(automarket::Keyring::random())
    });
    let account = Account::new(tenant.id().clone(), Platform::X, "1");
    let token = Credential::token("t");
    let account = tenant.add_account(account, token).await.unwrap();
    // The first holds the worker's only place.
    put(&tenant, "never", json!(1)).await;
    let post = Post::text("We shipped!");
    let post = tenant.publish(post, [account.id], When::Now).await.unwrap();
    let unread = tenant.publications(post).await.unwrap().remove(0).job;
    let behind = put(&tenant, "never", json!(2)).await;
    clock.advance(chrono::Duration::minutes(6));
    let damaged = StoreRule::on("job", StoreFault::Refuse(ErrorKind::Internal));
    store.faults().add(damaged.times(u32::MAX));
    let looked = store.faults().until("remove_ended", 1);
    let worker = tenant.market().worker().concurrency(1);
    let worker = worker.grace(Duration::ZERO);
    worker.run_until(looked).await.unwrap();
    let events = tenant.events(0, 1000).await.unwrap();
    for job in [unread, behind] {
        let told = |e: &&automarket::store::Event| {
            e.event.kind == "job.overdue" && e.event.subject == job.to_string()
        };
        assert_eq!(events.iter().filter(told).count(), 1, "{job}");
    }
}

#[tokio::test]
async fn a_tenant_whose_events_cannot_be_written_keeps_no_others_from_being_told_of() {
    let (clock, store) = start();
    let acme = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
    });
    let other = acme.market().tenant("other").unwrap();
    put(&acme, "never", json!(0)).await;
    for tenant in [&acme, &other] {
        put(tenant, "never", json!(1)).await;
    }
    clock.advance(chrono::Duration::minutes(6));
    // All together, then the first one's alone.
    fail(&store, "append_events", 2);
    let looked = store.faults().until("remove_ended", 1);
    let worker = acme.market().worker().concurrency(1).grace(Duration::ZERO);
    worker.run_until(looked).await.unwrap();
    let told = async |tenant: &Tenant| tenant.events(0, 1000).await.unwrap().len();
    assert_eq!((told(&acme).await, told(&other).await), (0, 1));
}

#[tokio::test]
async fn what_nobody_takes_in_time_is_told_of_once() {
    let (clock, store) = start();
    let publisher = RecordingPublisher::new(Platform::X);
    let tenant = on(store.clone(), |b| {
        b.job("never", |_: Value, _| pending::<Result<()>>())
            .clock(Arc::new(clock.clone()))
            .publisher(publisher)
            .keyring(automarket::Keyring::random())
    });
    let account = Account::new(tenant.id().clone(), Platform::X, "1");
    let token = Credential::token("t");
    let account = tenant.add_account(account, token).await.unwrap();
    put(&tenant, "never", json!(1)).await;
    let late = put(&tenant, "never", json!(2)).await;
    let post = Post::text("We shipped!");
    let post = tenant.publish(post, [account.id], When::Now).await.unwrap();
    let publication = tenant.publications(post).await.unwrap().remove(0).id;
    clock.advance(chrono::Duration::minutes(6));
    put(&tenant, "never", json!(3)).await;
    // The first job holds the only place of each worker.
    for looks in 1..=2 {
        let looked = store.faults().until("remove_ended", looks);
        let worker = tenant.market().worker().concurrency(1);
        worker
            .grace(Duration::ZERO)
            .run_until(looked)
            .await
            .unwrap();
    }
    let events = tenant.events(0, 1000).await.unwrap();
    let told = |kind: &str, subject: String| {
        let same =
            |e: &&automarket::store::Event| e.event.kind == kind && e.event.subject == subject;
        events.iter().filter(same).count()
    };
    assert_eq!(told("job.overdue", late.to_string()), 1);
    assert_eq!(told("publication.overdue", publication.to_string()), 1);
    let all = events.iter().filter(|e| e.event.kind.ends_with(".overdue"));
    assert!(all.count() <= 3, "what is within its grace is not told of");
    let why = tenant.why(publication).await.unwrap().to_string();
    assert!(why.contains("publication.overdue"), "{why}");
}

#[tokio::test]
async fn dead_jobs_are_listed_with_their_history_redriven_and_removed() {
    let (_, store) = start();
    let mended = Arc::new(AtomicUsize::new(0));
    let flag = mended.clone();
    let tenant = on(store, |b| {
        b.job("mend", move |_: Value, _| {
            let mended = flag.load(Ordering::SeqCst) > 0;
            async move {
                match mended {
                    true => Ok(()),
                    false => Err(Error::invalid("payload", "never")),
                }
            }
        })
    });
    let mut jobs = Vec::new();
    for n in 0..3 {
        jobs.push(put(&tenant, "mend", json!(n)).await);
    }
    work(&tenant, &jobs).await;
    let dead = tenant.dead_jobs(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].id), (3, jobs[2]));
    assert_eq!(dead[0].failures.len(), 1);
    mended.store(1, Ordering::SeqCst);
    assert_eq!(tenant.redrive_dead(Some("mend"), 2).await.unwrap(), 2);
    work(&tenant, &jobs[..2]).await;
    assert_eq!(tenant.remove_dead(None, 10).await.unwrap(), 1);
    let stats = tenant.market().stats().await.unwrap();
    assert_eq!((stats.queue.dead, stats.last_minute.completed), (0, 2));
    let runs = stats.runs["mend"];
    assert_eq!((runs.dead, runs.completed), (3, 2));
}

/// All counters, as `name{label=value,…}`.
fn counters(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    all.filter_map(|(key, _, _, value)| match value {
        DebugValue::Counter(count) => {
            let key = key.key();
            let labels: Vec<String> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            Some((format!("{}{{{}}}", key.name(), labels.join(",")), count))
        }
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn metrics_equal_what_was_done_and_name_no_tenant() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(&recorder);
    let (_, store) = start();
    let tenant = on(store.clone(), |b| {
        b.job("quick", |_: Value, _| async { Ok(()) })
            .job("no", |_: Value, _| async {
                Err::<(), _>(Error::invalid("payload", "never"))
            })
    });
    fail(&store, "settle", 1);
    let mut jobs = vec![put(&tenant, "no", Value::Null).await];
    for n in 0..40 {
        jobs.push(put(&tenant, "quick", json!(n)).await);
    }
    let unknown = put(&tenant, "a tenant's own words", Value::Null).await;
    work(&tenant, &jobs).await;
    while job(&tenant, unknown).await.failures.is_empty() {
        tenant.work_on(unknown, LEASE).await.unwrap();
    }
    let counters = counters(&snapshotter);
    let of = |key: &str| counters.get(key).copied().unwrap_or_default();
    assert_eq!(of("automarket_jobs_claimed_total{kind=quick}"), 40);
    let settled = |rest: &str| of(&format!("automarket_jobs_settled_total{{{rest}}}"));
    assert_eq!(settled("kind=quick,outcome=completed"), 40);
    assert_eq!(settled("kind=no,outcome=dead"), 1);
    assert_eq!(settled("kind=unknown,outcome=retried"), 1);
    assert_eq!(of("automarket_store_errors_total{call=settle}"), 1);
    for key in counters.keys() {
        assert!(!key.contains("acme") && !key.contains("words"), "{key}");
    }
}
