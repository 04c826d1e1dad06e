//! What a claim costs with 1 k to 1 M rows waiting: ready, future and dead ones mixed.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use automarket::{
    Error, ErrorKind, TenantId,
    core::{ErrorRecord, chrono},
    store::{Claim, NewJob, Store, Verdict},
};
use serde_json::{Value, json};
use std::future::poll_fn;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::{
    Result,
    args::Args,
    place::{FreshStore, Place},
    process,
    report::{Case, percentile, round},
    shapes,
};

const BATCH: usize = 100;
const CLAIMS: usize = 40;

/// Databases of all sizes stand side by side, and take turns.
pub(crate) async fn claim(place: &Place, args: &Args) -> Result<()> {
    let sizes = [1_000, 10_000, 100_000, args.waiting];
    let mut all = Vec::new();
    for size in sizes {
        let fresh = place.store(4).await?;
        let mix = fill(&*fresh.store, size, args.seed).await?;
        Case::new("claim", format!("{size} rows"), place.kind().name()).line(mix);
        all.push((size, fresh, Vec::new()));
    }
    place.settle_down().await?;
    for _ in 0..args.rounds {
        for (_, fresh, times) in &mut all {
            let cpu = (process::cpu(), place.server_cpu().await?);
            let took = claims(&*fresh.store).await?;
            let cpu = process::cpu() - cpu.0 + place.server_cpu().await? - cpu.1;
            times.push((took, cpu));
        }
    }
    for (size, fresh, rounds) in all {
        let cpu: f64 = rounds.iter().map(|(_, cpu)| cpu).sum();
        let mut times: Vec<Duration> = rounds.iter().flat_map(|(times, _)| times.clone()).collect();
        times.sort_unstable();
        Case::new("claim", format!("{size} rows, {BATCH} at a time"), place.kind().name()).line(json!({
            "summary": true, "claims": times.len(), "p50_ms": percentile(&times, 0.5),
            "p99_ms": percentile(&times, 0.99), "most_ms": percentile(&times, 1.0),
            "cpu_ms_with_giving_back": round(cpu * 1e3 / times.len() as f64), "load": process::load(),
        }));
        if size == args.waiting {
            plan(place, &fresh).await?;
        }
        fresh.remove().await?;
    }
    Ok(())
}

/// Half of the rows ready, four tenths for later, a tenth dead; 100 tenants, 3 kinds, 3 priorities.
async fn fill(store: &dyn Store, size: usize, seed: u64) -> Result<Value> {
    let start = Instant::now();
    let mut dice = fastrand::Rng::with_seed(seed);
    let now = store.now().await?;
    let dead = size / 10;
    for first in (0..size).step_by(1_000) {
        let mut batch = Vec::with_capacity(1_000);
        for number in first..size.min(first + 1_000) {
            let tenant = TenantId::new(format!("tenant-{:02}", dice.u8(..100)))?;
            let kind = ["publish", "measure", "mail"][dice.usize(..3)];
            let mut job = NewJob::new(tenant, kind, shapes::payload(number));
            job.priority = dice.i16(-1..=1);
            // Those that will be dead are first in every line.
            if number < dead {
                job = job.run_at(now - chrono::Duration::days(1));
                job.priority = 5;
            } else if dice.f32() < 4.0 / 9.0 {
                job = job.run_at(now + chrono::Duration::seconds(3_600 + dice.i64(0..86_400)));
            }
            batch.push(job);
        }
        store.enqueue(&batch).await?;
    }
    let mut left = dead;
    while left > 0 {
        let leases = store.claim(&Claim::new("bench", left.min(1_000))).await?;
        let bury = |lease: &automarket::store::Lease| {
            let error = Error::new(ErrorKind::InvalidInput, "given up");
            (lease.token, Verdict::Bury(ErrorRecord::from(&error)))
        };
        store
            .settle(&leases.iter().map(bury).collect::<Vec<_>>())
            .await?;
        left -= leases.len();
    }
    let stats = store.queue_stats().await?;
    Ok(json!({"filled": stats, "seconds": start.elapsed().as_secs(), "seed": seed}))
}

/// Claims, each handed back before the next.
async fn claims(store: &dyn Store) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..CLAIMS {
        let start = Instant::now();
        let leases = store.claim(&Claim::new("bench", BATCH)).await?;
        times.push(start.elapsed());
        let release = leases.iter().map(|lease| (lease.token, Verdict::Release));
        store.settle(&release.collect::<Vec<_>>()).await?;
    }
    Ok(times)
}

/// How PostgreSQL goes about a claim: every statement inside it with its plan, as `auto_explain` tells it.
/// SQLite's plans are held by a test of its store.
async fn plan(place: &Place, fresh: &FreshStore<'_>) -> Result<()> {
    let Place::Postgres { cluster, .. } = place else {
        return Ok(());
    };
    let (client, mut connection) = tokio_postgres::connect(cluster.url(), NoTls).await?;
    let (told, mut plans) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = told.send(notice.message().to_owned());
            }
        }
    });
    let claim = format!(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
         SET auto_explain.log_nested_statements = on; SET client_min_messages = log; BEGIN;
         SELECT count(*) FROM {}.claim(NULL, NULL, {BATCH}, 30000000, '{{}}', '{{}}'); ROLLBACK",
        fresh.name
    );
    if let Err(error) = client.batch_execute(&claim).await {
        Case::new("claim", "plan", place.kind().name())
            .line(json!({"not_shown": error.to_string()}));
    }
    drop(client);
    let mut shown = HashSet::new();
    while let Some(plan) = plans.recv().await {
        // One of the plans is made for each job.
        if !shown.insert(plan.lines().nth(2).map(str::to_owned)) {
            continue;
        }
        Case::new("claim", "plan", place.kind().name())
            .line(json!({"plan": plan.lines().collect::<Vec<_>>()}));
    }
    Ok(())
}
