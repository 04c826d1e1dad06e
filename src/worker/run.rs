//! One claimed job: run by what is registered for its kind.

use std::{panic::AssertUnwindSafe, sync::Arc};

use automarket_core::{
    Error, ErrorKind, JobId, Result, Retry, Store, TenantId, async_trait,
    pipeline::Run,
    steps::Steps,
    store::{Job, Lease, LeaseToken},
};
use futures_util::FutureExt as _;
use serde_json::Value;

use super::{
    SharedEngine,
    held::Stop,
    settle::{End, Ended},
};
use crate::{
    accounts::KEEP_ALIVE_JOB,
    publishing::{GUARD_JOB, PUBLISH_JOB, guard, send},
};

/// Runs the job to its end. Stopped before that, its work is dropped at its next await and it ends in
/// `Release`, which has no power over a lease that was lost.
pub(super) async fn run(engine: &SharedEngine, lease: Lease, stop: Stop) -> Ended {
    let work = AssertUnwindSafe(handle(engine, &lease)).catch_unwind();
    let end = match stop.or(work).await {
        None => Ok(End::Release),
        Some(Ok(end)) => end,
        Some(Err(panic)) => Err(panicked(&*panic)),
    };
    Ended { lease, end }
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
        let publication = guard::payload(job)?.publication;
        guard::set_if_dying(engine, job).await?;
        return send::send(engine, &job.tenant, publication, steps).await;
    }
    if job.kind == GUARD_JOB {
        return guard::run(engine, job).await;
    }
    if job.kind == KEEP_ALIVE_JOB {
        return engine.accounts.keep_alive(job).await;
    }
    let (watch, tenant) = (engine.watch.clone(), job.tenant.clone());
    let run = Run::new(job.id, job.tenant.clone(), steps, engine.clock.clone())
        .attempt(job.attempts)
        .watched(Arc::new(move |progress| watch(&tenant, progress)));
    if let Some(handler) = engine.jobs.get(&job.kind) {
        return handler(job.payload.clone(), run).await.map(End::Done);
    }
    let pipeline = engine.pipelines.get(job.kind.as_str());
    let pipeline = pipeline.ok_or_else(|| unknown(job))?;
    pipeline.run(&run, job.payload.clone()).await.map(End::Done)
}

/// Tried again, since another process may know the kind, until its attempts are used up.
fn unknown(job: &Job) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("nothing is registered for jobs of the kind {}", job.kind),
    )
    .with_retry(Retry::After(None))
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
