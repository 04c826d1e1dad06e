//! Other queues in Rust, beside ours, in one run: JSON lines on stdout. See `benches/README.md`.
//!
//! `cargo run --release -- --ours <the program of benches/queue> --effectum <the program of ./effectum>`

mod apalis_sql;
mod graphile;
mod message_queues;
mod ours;
#[path = "../../queue/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../../queue/report.rs"]
#[allow(dead_code)]
mod report;
#[path = "../../queue/shapes.rs"]
mod shapes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use automarket_store_postgres::testing::Cluster;
use report::{Case, Rounds, Sample};
use shapes::Put;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A queue of somebody else's, in a database of its own.
#[async_trait]
pub trait Peer: Put {
    /// Runs so many jobs that are there and do nothing, as fast as it can; returns when all are completed.
    async fn drain(&self, jobs: usize) -> Result<()>;
}

/// How long a peer may take to drain what others drain in a second.
const PATIENCE: Duration = Duration::from_secs(60);

struct Args {
    ours: String,
    effectum: Option<String>,
    stores: Vec<&'static str>,
    /// Only cases whose names begin so.
    case: String,
    /// A peer that is left out, such as one that does not end.
    without: String,
    jobs: usize,
    rounds: usize,
}

fn args() -> Result<Args> {
    let mut args = Args {
        ours: String::new(),
        effectum: None,
        stores: vec!["sqlite", "postgres"],
        case: String::new(),
        without: String::new(),
        jobs: 20_000,
        rounds: 3,
    };
    let mut given = std::env::args().skip(1);
    while let (Some(option), Some(value)) = (given.next(), given.next()) {
        match option.as_str() {
            "--ours" => args.ours = value,
            "--effectum" => args.effectum = Some(value),
            "--store" if value == "sqlite" => args.stores = vec!["sqlite"],
            "--store" if value == "postgres" => args.stores = vec!["postgres"],
            "--case" => args.case = value,
            "--without" => args.without = value,
            "--jobs" => args.jobs = value.parse()?,
            "--rounds" => args.rounds = value.parse()?,
            _ => return Err(format!("what is {option} {value}?").into()),
        }
    }
    Ok(args)
}

/// The peers on a store, and about how many jobs a second they manage, in batches and one by one, so that the
/// slow ones are not waited for.
fn peers(store: &str) -> &'static [(&'static str, usize, usize)] {
    match store {
        "sqlite" => &[("effectum", 20_000, 5_000), ("pgqrs", 5_000, 1_000), ("apalis", 500, 200)],
        _ => &[
            ("graphile_worker", 20_000, 500),
            ("pgmq", 20_000, 2_000),
            ("pgqrs", 5_000, 5_000),
            ("apalis", 2_000, 500),
        ],
    }
}

/// What is measured: the name in `benches/queue`, producers (0: a drain) and batch.
const CASES: [(&str, &str, usize, usize); 5] = [
    ("enqueue", "8 producers, single", 8, 1),
    ("enqueue", "64 producers, single", 64, 1),
    ("enqueue", "8 producers, batches of 100", 8, 100),
    ("drain", "16 in flight, batches of 100", 0, 0),
    ("worker", "worker, concurrency 1600", 0, 0),
];

#[tokio::main]
async fn main() -> Result<()> {
    let args = args()?;
    let cluster = match args.stores.contains(&"postgres") {
        true => Some(Cluster::start_durable().await?.ok_or("PostgreSQL cannot be measured here")?),
        false => None,
    };
    let url = cluster.as_ref().map_or("", Cluster::url);
    for store in &args.stores {
        for (what, case, producers, batch) in CASES {
            if !case.starts_with(&args.case) {
                continue;
            }
            let mut rounds = Rounds::new(Case::new(what, format!("{case}: peers"), store));
            for _ in 0..args.rounds {
                let jobs = if batch > 1 { args.jobs * 2 } else { args.jobs };
                rounds.add("ours", ours::run(&args.ours, url, store, what, case, jobs)?);
                let others = peers(store).iter().filter(|(peer, ..)| *peer != args.without);
                for (peer, rate, one_by_one) in others {
                    // About four seconds of the slow ones.
                    let rate = if batch == 1 { one_by_one } else { rate };
                    let jobs = jobs.min(rate * 4);
                    match one(&args, url, store, peer, producers, batch, jobs).await {
                        Ok(Some(sample)) => rounds.add(peer, sample),
                        Ok(None) => {}
                        Err(error) => eprintln!("{peer} on {store}, {case}: {error}"),
                    }
                }
            }
            rounds.finish();
        }
    }
    Ok(())
}

async fn one(
    args: &Args,
    url: &str,
    store: &str,
    peer: &str,
    producers: usize,
    batch: usize,
    jobs: usize,
) -> Result<Option<Sample>> {
    if peer == "effectum" {
        let Some(program) = &args.effectum else { return Ok(None) };
        return ours::effectum(program, producers, batch, jobs).map(Some);
    }
    let home = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR"))?;
    let file = home.path().join("peer.db").to_string_lossy().into_owned();
    let connections = producers.max(16);
    let peer: Arc<dyn Peer> = match (peer, store) {
        ("graphile_worker", _) => Arc::new(graphile::Graphile::new(url, connections).await?),
        ("pgmq", _) => Arc::new(message_queues::Pgmq::new(url, connections).await?),
        ("pgqrs", "sqlite") => Arc::new(message_queues::Pgqrs::sqlite(&file).await?),
        ("pgqrs", _) => Arc::new(message_queues::Pgqrs::postgres(url, connections).await?),
        ("apalis", "sqlite") => Arc::new(apalis_sql::OnSqlite::new(&file).await?),
        ("apalis", _) => Arc::new(apalis_sql::OnPostgres::new(url, connections).await?),
        _ => return Ok(None),
    };
    if producers > 0 {
        return shapes::enqueue(peer, producers, batch, jobs).await.map(Some);
    }
    shapes::enqueue(peer.clone(), 1, 1_000.min(jobs), jobs).await?;
    let cpu = process::cpu();
    let start = Instant::now();
    tokio::time::timeout(PATIENCE, peer.drain(jobs)).await.map_err(|_| "it does not drain")??;
    Ok(Some(Sample { jobs, time: start.elapsed(), cpu: process::cpu() - cpu }))
}
