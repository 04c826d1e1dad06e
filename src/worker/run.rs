//! One claimed job: run by what is registered for its kind.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use automarket_core::{
    Error, ErrorKind, Result, Retry, Store, TenantId, async_trait,
    chrono::{DateTime, Utc},
    pipeline::Run,
    steps::Steps,
    store::{Job, Lease, LeaseToken},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::{
    SharedEngine,
    held::Stop,
    settle::{End, Ended},
};
use crate::{
    Tenant,
    accounts::KEEP_ALIVE_JOB,
    publishing::{DELETE_JOB, MEASURE_JOB, PUBLISH_JOB, delete, measure, send},
    trouble::waits,
};

/// Runs the job to its end. Stopped before that, its work is dropped at its next await and it ends in
/// `Release`, which has no power over a lease that was lost. It was claimed for `time`.
pub(super) async fn run(engine: &SharedEngine, lease: Lease, time: Duration, stop: Stop) -> Ended {
    let job = &lease.job;
    let span = tracing::info_span!(
        "job",
        tenant = job.tenant.as_str(),
        kind = job.kind,
        job = %job.id,
        attempt = job.attempts,
    );
    let began = Instant::now();
    let work = AssertUnwindSafe(handle(engine, &lease, time).instrument(span)).catch_unwind();
    let end = match stop.or(work).await {
        None => Ok(End::Release),
        Some(Ok(end)) => end,
        Some(Err(panic)) => Err(panicked(&*panic)),
    };
    Ended::new(lease, end, began.elapsed())
}

async fn handle(engine: &SharedEngine, lease: &Lease, time: Duration) -> Result<End> {
    let job = &lease.job;
    let steps: Arc<dyn Steps> = Arc::new(JobSteps::new(engine, lease, time));
    // Boxed, since what they need, some 16 KB, would be put aside for each job of the host's own.
    let ours: Option<BoxFuture<'_, Result<End>>> = match job.kind.as_str() {
        PUBLISH_JOB => Some(send::run(engine, job, steps.clone()).boxed()),
        DELETE_JOB => Some(delete::run(engine, job, steps.clone()).boxed()),
        MEASURE_JOB => Some(measure::run(engine, job).boxed()),
        KEEP_ALIVE_JOB => Some(engine.accounts.keep_alive(job).boxed()),
        _ => None,
    };
    if let Some(ours) = ours {
        return ours.await;
    }
    let (watch, tenant) = (engine.watch.clone(), job.tenant.clone());
    let run = Run::new(job.id, job.tenant.clone(), steps, engine.clock.clone())
        .attempt(job.attempts)
        .crashes(job.crashes)
        .watched(Arc::new(move |progress| watch(&tenant, progress)));
    if let Some(handler) = engine.jobs.get(&job.kind) {
        let tenant = Tenant::of_job(engine.clone(), job.tenant.clone(), "host");
        return handler(job.payload.clone(), run, tenant)
            .await
            .map(End::Done);
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

/// The steps of a leased job. They are read once, and not at all under the job's first lease: nobody but the
/// holder of the lease can add to them.
struct JobSteps {
    store: Arc<dyn Store>,
    tenant: TenantId,
    lease: LeaseToken,
    known: Mutex<Option<HashMap<String, Value>>>,
    look_after: Duration,
}

impl JobSteps {
    fn new(engine: &SharedEngine, lease: &Lease, time: Duration) -> Self {
        let first = lease.is_first(time);
        Self {
            store: engine.store.clone(),
            look_after: engine.look_after,
            tenant: lease.job.tenant.clone(),
            lease: lease.token,
            known: Mutex::new(first.then(HashMap::new)),
        }
    }
}

#[async_trait]
impl Steps for JobSteps {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            let steps = self.store.steps(&self.tenant, self.lease.job);
            let steps = steps.await.map_err(waits)?;
            *known = Some(steps.into_iter().collect());
        }
        Ok(known.as_ref().and_then(|known| known.get(name).cloned()))
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        let put = self.store.put_step(self.lease, name, value);
        put.await.map_err(waits)?;
        if let Some(known) = self.known.lock().await.as_mut() {
            known.insert(name.to_owned(), value.clone());
        }
        Ok(())
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>> {
        self.store.now().await.map(Some).map_err(waits)
    }

    fn look_after(&self) -> Duration {
        self.look_after
    }
}

#[cfg(test)]
mod tests {
    use automarket_core::store::MemoryStore;

    use super::{
        super::held::{Held, tests::leased},
        *,
    };
    use crate::Automarket;

    #[tokio::test]
    async fn a_job_puts_little_aside() {
        let market = Automarket::builder(MemoryStore::new()).build().unwrap();
        let (_, lease) = leased().await;
        let time = Duration::from_secs(30);
        let stop = Held::new(time).hold(&lease, tokio::time::Instant::now());
        let run = run(&market.engine, lease, time, stop);
        assert!(size_of_val(&run) < 4 << 10, "{}", size_of_val(&run));
    }
}
