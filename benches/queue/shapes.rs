//! The shapes of work that every side does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde_json::{Value, json};

use crate::{Result, async_trait, process, report::Sample};

/// Something that jobs are put into.
#[async_trait]
pub(crate) trait Put: Send + Sync {
    /// Puts jobs with these payloads in, as one of several producers: durable on return.
    async fn put(&self, producer: usize, payloads: Vec<Value>) -> Result<()>;
}

/// A queue that is emptied by hand.
#[async_trait]
pub(crate) trait Queue: Put {
    /// Takes up to so many jobs and completes them, durably, as one of several consumers; how many.
    async fn turn(&self, consumer: usize, limit: usize) -> Result<usize>;
}

/// About 100 bytes, as a job that names things by their ids.
pub(crate) fn payload(number: usize) -> Value {
    json!({"number": number, "publication": "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f", "note": "x".repeat(20)})
}

/// `producers` put `jobs` in, `batch` at a time.
pub(crate) async fn enqueue(
    queue: Arc<dyn Put>,
    producers: usize,
    batch: usize,
    jobs: usize,
) -> Result<Sample> {
    let next = Arc::new(AtomicUsize::new(0));
    let cpu = process::cpu();
    let start = Instant::now();
    let mut tasks = Vec::new();
    for producer in 0..producers {
        let (queue, next) = (queue.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let first = next.fetch_add(batch, Ordering::Relaxed);
                if first >= jobs {
                    return Result::Ok(());
                }
                queue
                    .put(producer, (first..first + batch).map(payload).collect())
                    .await?;
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    let time = start.elapsed();
    Ok(Sample {
        jobs: jobs.div_ceil(batch) * batch,
        time,
        cpu: process::cpu() - cpu,
    })
}

/// `consumers` empty the queue, `batch` at a time.
pub(crate) async fn drain(queue: Arc<dyn Queue>, consumers: usize, batch: usize) -> Result<Sample> {
    let cpu = process::cpu();
    let start = Instant::now();
    let mut tasks = Vec::new();
    for consumer in 0..consumers {
        let queue = queue.clone();
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            loop {
                match queue.turn(consumer, batch).await? {
                    0 => return Result::Ok(done),
                    more => done += more,
                }
            }
        }));
    }
    let mut jobs = 0;
    for task in tasks {
        jobs += task.await??;
    }
    Ok(Sample {
        jobs,
        time: start.elapsed(),
        cpu: process::cpu() - cpu,
    })
}
