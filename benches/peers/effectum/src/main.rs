//! One sample of effectum: `peer-effectum <producers, 0 for a drain> <batch> <jobs>`. It sets
//! `synchronous=NORMAL` by itself, so a loss of power may take what it acknowledged; it cannot be told otherwise.

#[path = "../../../queue/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../../../queue/report.rs"]
#[allow(dead_code)]
mod report;
#[path = "../../../queue/shapes.rs"]
#[allow(dead_code)]
mod shapes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use report::{Case, Rounds, Sample};
use serde_json::Value;
use shapes::Put;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Effectum(Queue);

#[async_trait]
impl Put for Effectum {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        let job = |payload: Value| Ok(Job::builder("work").json_payload(&payload)?.build());
        let mut jobs = payloads.into_iter().map(job).collect::<Result<Vec<_>>>()?;
        match jobs.len() {
            1 => drop(self.0.add_job(jobs.remove(0)).await?),
            _ => drop(self.0.add_jobs(jobs).await?),
        }
        Ok(())
    }
}

async fn work(_: RunningJob, done: Arc<AtomicUsize>) -> std::result::Result<(), String> {
    done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let numbers = std::env::args().skip(1).map(|n| n.parse()).collect::<std::result::Result<Vec<usize>, _>>()?;
    let [producers, batch, jobs] = numbers[..] else {
        return Err("producers, batch and jobs".into());
    };
    let home = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR"))?;
    let queue = Arc::new(Effectum(Queue::new(&home.path().join("effectum.db")).await?));
    let mut rounds = Rounds::new(Case::new("effectum", "one sample", "sqlite"));
    if producers > 0 {
        rounds.add("effectum", shapes::enqueue(queue, producers, batch, jobs).await?);
        return Ok(());
    }
    shapes::enqueue(queue.clone(), 1, 1_000.min(jobs), jobs).await?;
    let done = Arc::new(AtomicUsize::new(0));
    let cpu = process::cpu();
    let start = Instant::now();
    // Its largest worker: it asks for more when fewer than the least are running.
    let worker = Worker::builder(&queue.0, done.clone())
        .jobs([JobRunner::builder("work", work).build()])
        .min_concurrency(800)
        .max_concurrency(1_600)
        .build()
        .await?;
    while done.load(Ordering::Relaxed) < jobs || queue.0.num_active_jobs().await?.running > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rounds.add("effectum", Sample { jobs, time: start.elapsed(), cpu: process::cpu() - cpu });
    worker.unregister(None).await?;
    Ok(())
}
