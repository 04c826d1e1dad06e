//! One claimed job: run, kept alive, judged.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use automarket_core::{
    Error, ErrorKind, ErrorRecord, JobId, Result, Retry, Store, TenantId, async_trait,
    chrono::{DateTime, Utc},
    pipeline::Run,
    steps::Steps,
    store::{Job, Lease, LeaseToken, Verdict},
};
use futures_util::FutureExt as _;
use serde_json::Value;

use super::{SharedEngine, retry_at};
use crate::publishing::{PUBLISH_JOB, PublishJob, send};

/// What running a job ended in.
pub(crate) enum End {
    /// Done, with this result.
    Done(Value),
    /// Wanted again at this instant, through no fault of the job.
    Snooze(DateTime<Utc>),
    /// To be tried again after a back-off.
    Retry(Error),
}

impl End {
    pub(crate) fn done() -> Self {
        Self::Done(Value::Null)
    }
}

/// Runs the job while keeping its lease, and writes the verdict. When the lease passed on meanwhile the
/// work is dropped at its next await and nothing is written.
pub(crate) async fn run(engine: &SharedEngine, lease: Lease, time: Duration) -> Result<()> {
    let token = lease.token;
    let work = AssertUnwindSafe(handle(engine, &lease)).catch_unwind();
    let end = tokio::select! {
        end = work => end,
        () = keep(&*engine.store, token, time) => {
            tracing::warn!(job = %token.job, kind = %lease.job.kind, "the lease passed on");
            return Ok(());
        }
    };
    let end = end.unwrap_or_else(|panic| Err(panicked(&*panic)));
    let now = engine.store.now().await?;
    let job = &lease.job;
    let verdict = match end {
        Ok(End::Done(result)) => Verdict::Complete(result),
        Ok(End::Snooze(at)) => Verdict::Snooze { at },
        Ok(End::Retry(error)) => failed(engine, job, &error, now).await?,
        Err(error) if error.kind() == ErrorKind::LeaseLost => return Ok(()),
        Err(error) if error.retry() == Retry::Never => {
            gave_up(engine, job, &error).await?;
            Verdict::Bury(ErrorRecord::from(&error))
        }
        Err(error) => failed(engine, job, &error, now).await?,
    };
    engine.store.settle(&[(token, verdict)]).await?;
    engine.wake.notify_waiters();
    Ok(())
}

async fn handle(engine: &SharedEngine, lease: &Lease) -> Result<End> {
    let job = &lease.job;
    let steps: Arc<dyn Steps> = Arc::new(JobSteps {
        store: engine.store.clone(),
        tenant: job.tenant.clone(),
        job: job.id,
        lease: lease.token,
    });
    if job.kind == PUBLISH_JOB {
        return send::send(engine, &job.tenant, payload(job)?.publication, steps).await;
    }
    let pipeline = engine.pipelines.get(job.kind.as_str()).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!("nothing is registered for jobs of the kind {}", job.kind),
        )
        .with_retry(Retry::After(None))
    })?;
    let (watch, tenant) = (engine.watch.clone(), job.tenant.clone());
    let run = Run::new(job.id, job.tenant.clone(), steps, engine.clock.clone())
        .watched(Arc::new(move |progress| watch(&tenant, progress)));
    pipeline.run(&run, job.payload.clone()).await.map(End::Done)
}

/// A failure that may pass: again after the platform's own time or a back-off, unless it was the last.
async fn failed(
    engine: &SharedEngine,
    job: &Job,
    error: &Error,
    now: DateTime<Utc>,
) -> Result<Verdict> {
    if job.attempts >= job.max_attempts {
        gave_up(engine, job, error).await?;
    }
    let at = match error.retry() {
        Retry::After(Some(wait)) => {
            now + automarket_core::chrono::Duration::from_std(wait).unwrap_or_default()
        }
        _ => retry_at(now, job.attempts),
    };
    Ok(Verdict::Retry {
        at,
        error: ErrorRecord::from(error),
    })
}

async fn gave_up(engine: &SharedEngine, job: &Job, error: &Error) -> Result<()> {
    if job.kind == PUBLISH_JOB {
        send::give_up(engine, &job.tenant, payload(job)?.publication, error).await?;
    }
    Ok(())
}

fn payload(job: &Job) -> Result<PublishJob> {
    serde_json::from_value(job.payload.clone()).map_err(|error| {
        Error::new(ErrorKind::Internal, "not the payload of a publish job").with_source(error)
    })
}

/// Prolongs the lease for as long as it is polled; returns when the lease is lost.
async fn keep(store: &dyn Store, token: LeaseToken, time: Duration) {
    loop {
        tokio::time::sleep(time / 3).await;
        match store.heartbeat(&[token], time).await {
            Ok(lost) if lost.is_empty() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(job = %token.job, error = %error.report(), "a heartbeat failed")
            }
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(
        ErrorKind::Internal,
        format!("the job panicked: {}", text.unwrap_or("no message")),
    )
    .with_retry(Retry::After(None))
}

/// The steps of a leased job.
struct JobSteps {
    store: Arc<dyn Store>,
    tenant: TenantId,
    job: JobId,
    lease: LeaseToken,
}

#[async_trait]
impl Steps for JobSteps {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        self.store.step(&self.tenant, self.job, name).await
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.store.put_step(self.lease, name, value).await
    }
}
