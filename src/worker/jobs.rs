//! The host's own kinds of jobs: typed where they are registered, erased inside.

use std::{future::Future, sync::Arc};

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    pipeline::Run,
    store::{Enqueued, NewJob},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Tenant, accounts, market::Engine, publishing};

/// The kinds of jobs that are the library's own.
pub(crate) const OURS: [&str; 4] = [
    publishing::PUBLISH_JOB,
    publishing::DELETE_JOB,
    publishing::MEASURE_JOB,
    accounts::KEEP_ALIVE_JOB,
];

/// What runs the jobs of one kind.
pub(crate) type Handler =
    Arc<dyn Fn(Value, Run) -> BoxFuture<'static, Result<Value>> + Send + Sync>;

/// Makes a handler out of a typed one. A payload that is not a `T` is tried again, by a newer version of the
/// program perhaps, until its attempts are used up.
pub(crate) fn erase<T, R, F>(handler: impl Fn(T, Run) -> F + Send + Sync + 'static) -> Handler
where
    T: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R>> + Send + 'static,
{
    Arc::new(move |payload, run| {
        let payload = match serde_json::from_value(payload) {
            Ok(payload) => payload,
            Err(error) => {
                let error = Error::invalid("payload", "not what jobs of this kind carry")
                    .with_source(error)
                    .with_retry(Retry::After(None));
                return std::future::ready(Err(error)).boxed();
            }
        };
        handler(payload, run)
            .map(|end| {
                serde_json::to_value(end?).map_err(|error| {
                    Error::new(ErrorKind::Internal, "the job's result is not JSON")
                        .with_source(error)
                })
            })
            .boxed()
    })
}

impl Engine {
    /// The kinds of jobs that are known here.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        let hosts = self.jobs.keys().map(String::as_str);
        let pipelines = self.pipelines.keys().copied();
        OURS.into_iter().chain(hosts).chain(pipelines)
    }

    /// Whether jobs of this kind are run here.
    pub(crate) fn knows(&self, kind: &str) -> bool {
        OURS.contains(&kind) || self.jobs.contains_key(kind) || self.pipelines.contains_key(kind)
    }

    /// A kind as a label of metrics: rows may hold any.
    pub(crate) fn kind_label<'a>(&self, kind: &'a str) -> &'a str {
        if self.knows(kind) { kind } else { "unknown" }
    }
}

/// Whether the tenant may put this job in.
pub(super) fn may_put(tenant: &Tenant, job: &NewJob) -> Result<()> {
    if job.tenant != tenant.id {
        return Err(Error::invalid("tenant", "the job is another tenant's"));
    }
    if OURS.contains(&job.kind.as_str()) {
        return Err(Error::invalid(
            "kind",
            "jobs of this kind are put in by the library",
        ));
    }
    job.check()
}

impl Tenant {
    /// A job of this tenant for [`Tenant::enqueue`]: for now, priority 0, 20 attempts.
    ///
    /// # Errors
    /// `InvalidInput` (`payload`) when it cannot be written as JSON.
    pub fn new_job(&self, kind: &str, payload: &impl Serialize) -> Result<NewJob> {
        let payload = serde_json::to_value(payload)
            .map_err(|error| Error::invalid("payload", "not JSON").with_source(error))?;
        Ok(NewJob::new(self.id.clone(), kind, payload))
    }

    /// Puts a job into the queue: durable on return, run by a worker of a process in which its kind is
    /// registered with [`Builder::job`](crate::Builder::job).
    ///
    /// # Errors
    /// `InvalidInput` when the job is another tenant's (`tenant`) or of a kind that is the library's own (`kind`), and as
    /// [`NewJob::check`]; `Conflict` when another tenant has a job with its id; those of the store.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        may_put(self, &job)?;
        let put = self.engine().store.enqueue(&[job]).await?;
        self.engine().wake.notify_waiters();
        put.first()
            .copied()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the store gave no answer for the job"))
    }
}
