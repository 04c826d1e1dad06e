//! Durable functions: a pipeline crashes anywhere and resumes after its last finished step.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Clock, JobId, Result, TenantId,
    steps::{self, Steps},
};

/// A durable function from JSON to JSON. It runs as a job: leased, fenced, retried.
///
/// Whatever it does to the world stands in a step of [`Run`]; everything between steps is computed again
/// on resumption and must follow from the input and the steps' results.
#[async_trait]
pub trait Pipeline: Send + Sync {
    /// The name stored in the job's row: never rename it.
    fn name(&self) -> &'static str;

    /// Runs from the beginning, or goes on: finished steps answer from memory.
    ///
    /// # Errors
    /// An error whose retry is `After` or `Reconcile` runs the pipeline again later; `Never` ends the job.
    async fn run(&self, run: &Run, input: Value) -> Result<Value>;
}

const _: Option<&dyn Pipeline> = None;

/// One execution of a pipeline, or of a job of the host's own.
#[derive(Clone)]
pub struct Run {
    /// The job it runs as.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How often the worker was gone that ran it: it may be what kills them.
    pub crashes: u32,
    steps: Arc<dyn Steps>,
    clock: Arc<dyn Clock>,
    progress: Arc<dyn Fn(Progress<'_>) + Send + Sync>,
}

/// What a pipeline is doing, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step begins (or is answered from memory).
    Begins(&'a str),
    /// A step ended well.
    Ended(&'a str),
    /// A step failed.
    Failed(&'a str),
}

impl Run {
    /// An execution that remembers its steps in `steps`.
    #[must_use]
    pub fn new(id: JobId, tenant: TenantId, steps: Arc<dyn Steps>, clock: Arc<dyn Clock>) -> Self {
        Self {
            id,
            tenant,
            attempt: 1,
            crashes: 0,
            steps,
            clock,
            progress: Arc::new(|_| {}),
        }
    }

    /// Says which attempt this is.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Says how often its worker was gone.
    #[must_use]
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.crashes = crashes;
        self
    }

    /// Tells `watch` what it is doing.
    #[must_use]
    pub fn watched(mut self, watch: Arc<dyn Fn(Progress<'_>) + Send + Sync>) -> Self {
        self.progress = watch;
        self
    }

    /// This instant. Not the same after a resumption: remember it in a step where it matters.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Where its steps are remembered, to hand on to a `Context` for the one call that a connector makes in this job.
    /// Another call of the same connector would be answered with the first one's end: where there are several, each
    /// has [`steps_of`](Self::steps_of) its own.
    #[must_use]
    pub fn steps(&self) -> Arc<dyn Steps> {
        self.steps.clone()
    }

    /// The steps of the call that has this name among those of the job: the same name on each attempt.
    ///
    /// ```
    /// # use automarket_core::{Context, Notice, Notifier, Result, pipeline::Run, store::Account};
    /// # async fn tell(run: &Run, slack: impl Notifier, channels: Vec<(Account, Context)>) -> Result<()> {
    /// for (channel, cx) in channels {
    ///     let cx = cx.with_steps(run.steps_of(&format!("tell {}", channel.id)));
    ///     slack.notify(&cx, &Notice::new("News", "It works.")).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn steps_of(&self, call: &str) -> Arc<dyn Steps> {
        Arc::new(StepsOf {
            call: call.to_owned(),
            all: self.steps(),
        })
    }

    /// Does one repeatable piece of work once; see [`steps::step`].
    ///
    /// # Errors
    /// Those of `work` and of the steps.
    pub async fn step<T, F>(&self, name: &str, work: impl FnOnce() -> F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        (self.progress)(Progress::Begins(name));
        self.told(name, steps::step(&*self.steps, name, work).await)
    }

    /// Does one outside write at most once; see [`steps::once`].
    ///
    /// # Errors
    /// Those of `find`, `act` and of the steps.
    pub async fn once<T, F, G>(
        &self,
        name: &str,
        find: impl FnOnce() -> G,
        act: impl FnOnce() -> F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
        G: Future<Output = Result<Option<T>>>,
    {
        (self.progress)(Progress::Begins(name));
        self.told(name, steps::once(&*self.steps, name, find, act).await)
    }

    fn told<T>(&self, name: &str, result: Result<T>) -> Result<T> {
        (self.progress)(if result.is_ok() {
            Progress::Ended(name)
        } else {
            Progress::Failed(name)
        });
        result
    }
}

/// The steps of one call of a job.
struct StepsOf {
    call: String,
    all: Arc<dyn Steps>,
}

impl StepsOf {
    fn name(&self, name: &str) -> String {
        format!("{}: {name}", self.call)
    }
}

#[async_trait]
impl Steps for StepsOf {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        self.all.get(&self.name(name)).await
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.all.put(&self.name(name), value).await
    }

    fn is_over(&self) -> bool {
        self.all.is_over()
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>> {
        self.all.now().await
    }

    fn look_after(&self) -> Duration {
        self.all.look_after()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
