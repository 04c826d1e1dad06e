use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, Worker, WorkerContext,
    WorkerOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Peer, Result, shapes::Put};

/// On tokio-postgres, as ours. Tuned as its own benchmark is: 500 at once, a local queue of 5,000, completions
/// gathered for 5 ms.
pub struct Graphile {
    worker: Arc<Worker>,
    done: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
struct Done(Arc<AtomicUsize>);

#[derive(Serialize, Deserialize)]
struct Work(Value);

impl TaskHandler for Work {
    const IDENTIFIER: &'static str = "work";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(Done(done)) = context.get_ext::<Done>() {
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<(), String>(())
    }
}

impl Graphile {
    pub async fn new(url: &str, connections: usize) -> Result<Self> {
        let (admin, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        admin.batch_execute("DROP SCHEMA IF EXISTS graphile_worker CASCADE; CHECKPOINT").await?;
        let done = Arc::default();
        let worker = WorkerOptions::default()
            .database_url(url)
            .max_pg_conn(connections as u32 + 4)
            .schema("graphile_worker")
            .concurrency(500)
            .poll_interval(Duration::from_millis(5))
            .complete_job_batch_delay(Duration::from_millis(5))
            .local_queue(LocalQueueConfig::default().with_size(5_000))
            .listen_os_shutdown_signals(false)
            .add_extension(Done(Arc::clone(&done)))
            .define_job::<Work>()
            .init()
            .await?;
        Ok(Self { worker: Arc::new(worker), done })
    }
}

#[async_trait]
impl Put for Graphile {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        let utils = self.worker.create_utils();
        if payloads.len() == 1 {
            for payload in payloads {
                utils.add_raw_job("work", payload, JobSpec::default()).await?;
            }
            return Ok(());
        }
        let job = |payload| RawJobSpec {
            identifier: "work".to_owned(),
            payload,
            spec: JobSpec::default(),
        };
        utils.add_raw_jobs(&payloads.into_iter().map(job).collect::<Vec<_>>()).await?;
        Ok(())
    }
}

#[async_trait]
impl Peer for Graphile {
    async fn drain(&self, jobs: usize) -> Result<()> {
        let worker = self.worker.clone();
        let running = tokio::spawn(async move { worker.run().await });
        while self.done.load(Ordering::Relaxed) < jobs {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.worker.request_shutdown();
        running.await??;
        Ok(())
    }
}
