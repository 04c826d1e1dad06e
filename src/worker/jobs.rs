//! The host's own kinds of jobs: typed where they are registered, erased inside.

use std::{future::Future, sync::Arc};

use automarket_core::{
    Error, ErrorKind, JobId, Result, Retry,
    pipeline::Run,
    store::{Enqueued, Job, NewJob},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::size::json_size;
use crate::{Builder, Tenant, accounts, market::Engine, publishing};

/// The kinds of jobs that are the library's own.
pub(crate) const OURS: [&str; 4] = [
    publishing::PUBLISH_JOB,
    publishing::DELETE_JOB,
    publishing::MEASURE_JOB,
    accounts::KEEP_ALIVE_JOB,
];

/// What runs the jobs of one kind.
pub(crate) type Handler =
    Arc<dyn Fn(Value, Run, Tenant) -> BoxFuture<'static, Result<Value>> + Send + Sync>;

/// Makes a handler out of a typed one. A payload that is not a `T` is tried again, by a newer version of the
/// program perhaps, until its attempts are used up.
fn erase<T, R, F>(handler: impl Fn(T, Run, Tenant) -> F + Send + Sync + 'static) -> Handler
where
    T: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R>> + Send + 'static,
{
    Arc::new(move |payload, run, tenant| {
        let payload = match serde_json::from_value(payload) {
            Ok(payload) => payload,
            Err(error) => {
                let error = Error::invalid("payload", "not what jobs of this kind carry")
                    .with_source(error)
                    .with_retry(Retry::After(None));
                return std::future::ready(Err(error)).boxed();
            }
        };
        handler(payload, run, tenant)
            .map(|end| {
                serde_json::to_value(end?).map_err(|error| {
                    Error::new(ErrorKind::Internal, "the job's result is not JSON")
                        .with_source(error)
                })
            })
            .boxed()
    })
}

impl Builder {
    /// Adds a kind of jobs of the host's own; put one in with [`Tenant::enqueue`]. The kind is stored in each
    /// job's row: never rename it.
    ///
    /// A job runs at least once: whatever it does to the world stands in a [`Run::step`] or
    /// [`Run::once`]. An error whose retry is `After` or `Reconcile` runs it again, as does a panic, and one of the
    /// kind `Config` or `Storage`, which may be right soon or in another process; any other whose retry is `Never` ends
    /// it dead. To put a job off return [`Error::snooze`]: that uses up no attempt, as does waiting out a `RateLimited` with
    /// a time. The job's result is kept with it: one of more
    /// than 16 MiB as JSON ends it dead (`Internal`, naming `result`).
    ///
    /// So the kind that you give to an error of your own decides: `Internal`, `InvalidInput` and most others end the job
    /// at its first try; `Unavailable`, `Timeout`, `Network` and `Storage` are tried again (see [`Error::new`],
    /// [`Error::with_retry`]). What may pass, an I/O error for one, is
    /// `Error::new(ErrorKind::Unavailable, "the disk is away").with_source(error)`. A job that ends dead with an error that names
    /// a field ([`Error::invalid`]) is its tenant's matter, and no problem of [`Automarket::health`](crate::Automarket::health).
    ///
    /// A job of a kind that no worker knows, or whose payload is not a `T`, is tried on like one that failed, and not dead at
    /// once: a newer version of the program may be on its way. [`Automarket::health`](crate::Automarket::health) tells of
    /// such kinds.
    ///
    /// The handler is given no tenant: see [`job_with`](Self::job_with).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{Automarket, pipeline::Run, store::MemoryStore};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Greeting { name: String }
    ///
    /// let market = Automarket::builder(MemoryStore::new())
    ///     .job("greet", |job: Greeting, _: Run| async move { Ok(format!("Hello {}", job.name)) })
    ///     .build()?;
    /// let tenant = market.tenant("acme")?;
    /// let job = tenant.new_job("greet", &Greeting { name: "Ada".into() })?;
    /// let id = tenant.enqueue(job).await?.id();
    /// // In this process, now; a worker does it as well.
    /// let done = tenant.work_on(id, std::time::Duration::from_secs(30)).await?;
    /// assert_eq!(done.result, Some("Hello Ada".into()));
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn job<T, R, F>(
        self,
        kind: impl Into<String>,
        handler: impl Fn(T, Run) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
        F: Future<Output = Result<R>> + Send + 'static,
    {
        self.job_with(kind, move |job, run, _| handler(job, run))
    }

    /// As [`job`](Self::job), for jobs that use the library: the handler is given the job's tenant too. Hold no
    /// [`Automarket`](crate::Automarket) in the handler for that: it would keep the store open for ever.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{AccountId, Automarket, Post, PostId, Run, Tenant, When, store::MemoryStore};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Announce { text: String, accounts: Vec<AccountId> }
    ///
    /// let market = Automarket::builder(MemoryStore::new())
    ///     .job_with("announce", |job: Announce, run: Run, tenant: Tenant| async move {
    ///         let mut post = Post::text(job.text);
    ///         // The same on each attempt of this job, so that it is one post.
    ///         post.id = PostId::derived(&format!("announce {}", run.id));
    ///         tenant.publish(post, job.accounts, When::Now).await
    ///     })
    ///     .build()?;
    /// # let _ = market;
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    ///
    /// A job may come late: a time that is past by then is not refused to this tenant (`when.past`), and the post is
    /// `missed`, as any that comes too late, or sent (`PublishOptions::however_late`).
    ///
    /// For a call of a connector of your own, [`Tenant::context`] with the steps of [`Run::steps_of`] is the context.
    #[must_use]
    pub fn job_with<T, R, F>(
        mut self,
        kind: impl Into<String>,
        handler: impl Fn(T, Run, Tenant) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
        F: Future<Output = Result<R>> + Send + 'static,
    {
        let (kind, handler) = (kind.into(), erase(handler));
        self.kinds.push(kind.clone());
        self.engine.jobs.insert(kind, handler);
        self
    }
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
    not_ours(&job.kind)?;
    small(&job.payload)?;
    job.check()?;
    let engine = tenant.engine();
    // A process without kinds of its own leaves them to others.
    if !engine.jobs.is_empty() && !engine.knows(&job.kind) {
        tracing::warn!(kind = job.kind, job = %job.id, "nothing is registered here for jobs of this kind");
    }
    Ok(())
}

fn small(payload: &Value) -> Result<()> {
    match json_size(payload) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("payload", "more than 16 MiB as JSON")
            .with_remedy("keep it elsewhere, and let the job carry its name")),
    }
}

fn not_ours(kind: &str) -> Result<()> {
    match OURS.contains(&kind) {
        true => Err(Error::invalid(
            "kind",
            "jobs of this kind are put in by the library",
        )),
        false => Ok(()),
    }
}

impl Tenant {
    /// A job of this tenant for [`Tenant::enqueue`]: for now, priority 0, 20 attempts.
    ///
    /// # Errors
    /// `InvalidInput`: `payload` when it cannot be written as JSON, `kind` for one that is the library's own.
    pub fn new_job(&self, kind: &str, payload: &impl Serialize) -> Result<NewJob> {
        not_ours(kind)?;
        let payload = serde_json::to_value(payload)
            .map_err(|error| Error::invalid("payload", "not JSON").with_source(error))?;
        small(&payload)?;
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

    /// One of its jobs as it stands.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn job(&self, job: JobId) -> Result<Job> {
        let found = self.engine().store.job(&self.id, job).await?;
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the tenant has no job {job}")))
    }

    /// Calls off a job of the host's own, or a campaign's, that waits. `false` when it does not wait: it is being done,
    /// or has ended. What a campaign has handed over stays: see [`Tenant::cancel`].
    ///
    /// # Errors
    /// `InvalidInput` (`job`) for one that the library put in; `NotFound`; those of the store.
    pub async fn cancel_job(&self, job: JobId) -> Result<bool> {
        if OURS.contains(&self.job(job).await?.kind.as_str()) {
            let message = "jobs of this kind belong to what they are for";
            return Err(Error::invalid("job", message).with_remedy("call that off: Tenant::cancel"));
        }
        self.engine().store.cancel_job(&self.id, job).await
    }
}
