//! The worker from end to end: how much it drains, how soon it starts a job, what it costs when idle.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use automarket::{Automarket, pipeline::Run, store::NewJob};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use crate::{
    Result,
    args::Args,
    place::{FreshStore, Place, acme},
    process,
    report::{Case, Rounds, Sample, percentile, round},
    shapes,
};

/// Counts jobs, and says when there have been enough.
#[derive(Default)]
struct Done {
    count: AtomicUsize,
    wanted: usize,
    all: Notify,
}

/// A worker drains jobs that do nothing, beside the same drain by hand.
pub(crate) async fn drain(place: &Place, args: &Args) -> Result<()> {
    let jobs = args.jobs * 2;
    for concurrency in [16, 100, 1_600] {
        let case = format!("worker, concurrency {concurrency}, against a floor of 16 x 100");
        if !case.contains(&args.case) {
            continue;
        }
        let mut rounds = Rounds::new(Case::new("worker", case, place.kind().name()));
        for _ in 0..args.rounds {
            for side in args.sides() {
                if side == "ours" {
                    let fresh = place.store(16).await?;
                    rounds.add(side, worker_drain(place, &fresh, concurrency, jobs).await?);
                    fresh.remove().await?;
                } else {
                    let fresh = place.fresh(side, 16).await?;
                    shapes::enqueue(fresh.queue.clone(), 1, 1_000.min(jobs), jobs).await?;
                    place.settle_down().await?;
                    rounds.add(side, shapes::drain(fresh.queue.clone(), 16, 100).await?);
                    fresh.remove().await?;
                }
            }
        }
        rounds.finish();
    }
    Ok(())
}

async fn worker_drain(
    place: &Place,
    fresh: &FreshStore<'_>,
    concurrency: usize,
    jobs: usize,
) -> Result<Sample> {
    for first in (0..jobs).step_by(1_000) {
        let batch = (first..jobs.min(first + 1_000))
            .map(|n| NewJob::new(acme(), "work", shapes::payload(n)));
        fresh.store.enqueue(&batch.collect::<Vec<_>>()).await?;
    }
    place.settle_down().await?;
    let done = Arc::new(Done {
        wanted: jobs,
        ..Done::default()
    });
    let ran = done.clone();
    let market = Automarket::shared(fresh.store.clone())
        .job("work", move |_: Value, _: Run| {
            if ran.count.fetch_add(1, Ordering::Relaxed) + 1 == ran.wanted {
                ran.all.notify_one();
            }
            async { Ok(()) }
        })
        .build()?;
    let cpu = process::cpu();
    let start = Instant::now();
    // On return the last verdicts are written.
    market
        .worker()
        .concurrency(concurrency)
        .run_until(async { done.all.notified().await })
        .await?;
    Ok(Sample {
        jobs,
        time: start.elapsed(),
        cpu: process::cpu() - cpu,
    })
}

/// 200 jobs a second: how long from the call that puts a job in until it runs.
pub(crate) async fn latency(place: &Place, args: &Args) -> Result<()> {
    const EVERY: Duration = Duration::from_millis(5);
    let fresh = place.store(10).await?;
    let started: Arc<Mutex<Vec<Option<Instant>>>> = Arc::default();
    let count = args.seconds as usize * 200;
    lock(&started).resize(count, None);
    let seen = started.clone();
    let market = Automarket::shared(fresh.store.clone())
        .job("work", move |number: usize, _: Run| {
            lock(&seen)[number] = Some(Instant::now());
            async { Ok(()) }
        })
        .build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = market.worker().run_until(async { drop(stopped.await) });
    let worker = tokio::spawn(worker);
    let tenant = market.tenant("acme")?;
    let mut ticks = tokio::time::interval(EVERY);
    let mut calls = Vec::new();
    for number in 0..count {
        ticks.tick().await;
        let (tenant, job) = (tenant.clone(), tenant.new_job("work", &number)?);
        calls.push(tokio::spawn(async move {
            let called = Instant::now();
            tenant
                .enqueue(job)
                .await
                .map(|_| (called, called.elapsed()))
        }));
    }
    let (mut to_start, mut to_ack, mut after_ack) = (Vec::new(), Vec::new(), Vec::new());
    let mut called = Vec::new();
    for call in calls {
        called.push(call.await??);
    }
    let give_up = Instant::now() + Duration::from_secs(30);
    while lock(&started).iter().any(Option::is_none) && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for ((call, ack), start) in called.into_iter().zip(lock(&started).iter()) {
        let start = start.ok_or("a job did not start")?;
        to_start.push(start - call);
        to_ack.push(ack);
        after_ack.push(start.saturating_duration_since(call + ack));
    }
    drop(stop);
    worker.await??;
    let line = |mut times: Vec<Duration>| {
        times.sort_unstable();
        json!({"p50_ms": percentile(&times, 0.5), "p90_ms": percentile(&times, 0.9),
            "p99_ms": percentile(&times, 0.99), "most_ms": percentile(&times, 1.0)})
    };
    Case::new("latency", "200 jobs/s, one worker", place.kind().name()).line(json!({
        "jobs": count, "call_to_start": line(to_start), "call_to_ack": line(to_ack),
        "ack_to_start": line(after_ack), "load": process::load(),
    }));
    fresh.remove().await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker with nothing to do, with its usual poll: statements (PostgreSQL counts transactions, and each of
/// our idle statements is one) and CPU.
pub(crate) async fn idle(place: &Place, args: &Args) -> Result<()> {
    let fresh = place.store(10).await?;
    let market = Automarket::shared(fresh.store.clone()).build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(market.worker().run_until(async { drop(stopped.await) }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = Counts::now(place).await?;
    tokio::time::sleep(Duration::from_secs(args.seconds.max(10))).await;
    let after = Counts::now(place).await?;
    drop(stop);
    worker.await??;
    let seconds = (after.at - before.at).as_secs_f64();
    let share = |from: f64, to: f64| round((to - from) / seconds * 100.0);
    let statements = before.statements.zip(after.statements);
    Case::new("idle", "one worker, nothing to do", place.kind().name()).line(json!({
        "seconds": round(seconds),
        "statements_per_second": statements.map(|(from, to)| round((to - from) as f64 / seconds)),
        "cpu_percent": share(before.cpu, after.cpu),
        "server_cpu_percent": share(before.server_cpu, after.server_cpu),
    }));
    fresh.remove().await
}

/// What has been used until an instant.
struct Counts {
    /// Counting takes a while, so the time between two of these is not the sleep between them.
    at: Instant,
    statements: Option<i64>,
    cpu: f64,
    server_cpu: f64,
}

impl Counts {
    async fn now(place: &Place) -> Result<Self> {
        let statements = transactions(place).await?;
        Ok(Self {
            at: Instant::now(),
            statements,
            cpu: process::cpu(),
            server_cpu: place.server_cpu().await?,
        })
    }
}

/// How many transactions the server has seen, those of this question left out as far as it sees them.
async fn transactions(place: &Place) -> Result<Option<i64>> {
    let Some(admin) = place.admin() else {
        return Ok(None);
    };
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    // Counts reach the statistics with some delay: at most once a second for each connection.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    Ok(Some(admin.query_one(sql, &[]).await?.get(0)))
}
