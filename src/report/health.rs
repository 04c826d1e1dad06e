use std::{collections::BTreeMap, time::Duration};

use automarket_core::{
    Result,
    chrono::{self, DateTime, Utc},
    store::{Gate, Overdue, QueueStats, WorkerRecord},
};
use serde::Serialize;

use crate::Automarket;

/// So many closed gates are named.
const GATES: usize = 100;
/// So many kinds that nobody knows are named in a sentence.
const KINDS: usize = 10;

/// From when on something is a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthLimits {
    /// How long no worker may have looked at the queue; a minute unless said otherwise. One that has no room, or
    /// whose poll is not due, counts as one that looks. Workers tell of it every 10 s.
    pub silence: Duration,
    /// How long a job may be ready before it is overdue; five minutes unless said otherwise.
    pub grace: Duration,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(60),
            grace: Duration::from_secs(300),
        }
    }
}

impl HealthLimits {
    /// How long no worker may have looked at the queue.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// How long a job may be ready before it is overdue.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// How it stands, as JSON for whoever watches. It holds no payloads and no secrets, but names of tenants and
/// kinds: for operators, not for the public.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// What is wrong, as sentences; empty when all is well.
    pub problems: Vec<String>,
    /// What the store answered; `None` when it is away, and the first problem says why.
    #[serde(flatten)]
    pub store: Option<StoreHealth>,
}

/// What the store knows.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoreHealth {
    /// The number of its newest migration.
    pub schema_version: u32,
    /// The workers that were heard of within a day, by name.
    pub workers: Vec<WorkerRecord>,
    /// When a worker last looked at the queue, or had no need to.
    pub last_poll: Option<DateTime<Utc>>,
    /// The job that is ready for longest, if it is overdue.
    pub overdue: Option<Overdue>,
    /// How full the queue is.
    pub queue: QueueStats,
    /// How many jobs have not ended whose kind none of the workers knows, by kind; those that a new version of the program
    /// knows, until its workers are there.
    pub strangers: BTreeMap<String, u64>,
    /// The rate gates and circuit breakers that are closed now, at most a hundred: no problems of ours, but why
    /// some accounts wait.
    pub closed_gates: Vec<Gate>,
}

impl Health {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Automarket {
    /// How it stands, by the usual limits; see [`Automarket::health_within`].
    pub async fn health(&self) -> Health {
        self.health_within(HealthLimits::default()).await
    }

    /// How it stands: whether the store answers, workers look at the queue and know what is in it, jobs are overdue or
    /// dead. Reads the whole queue, so its cost grows with the jobs that live: for a look now and then, not for each request.
    ///
    /// A dead job is a problem until it is redriven ([`Tenant::redrive_dead`](crate::Tenant::redrive_dead)) or
    /// removed ([`Tenant::remove_dead`](crate::Tenant::remove_dead)); one that died of its tenant's own input
    /// ([`QueueStats::dead_by_input`], such as a campaign whose page is not there) is none.
    pub async fn health_within(&self, limits: HealthLimits) -> Health {
        match self.store_health(limits).await {
            Err(error) => Health {
                problems: vec![format!("the store does not answer: {error}")],
                store: None,
            },
            Ok((store, now)) => Health {
                problems: store.problems(limits, now),
                store: Some(store),
            },
        }
    }

    async fn store_health(&self, limits: HealthLimits) -> Result<(StoreHealth, DateTime<Utc>)> {
        let store = &self.engine.store;
        let (workers, now) = (store.workers().await?, store.now().await?);
        let silence = chrono::Duration::from_std(limits.silence).unwrap_or(chrono::Duration::MAX);
        let living = workers
            .iter()
            .filter(|worker| now - worker.seen_at <= silence);
        let living: Vec<&WorkerRecord> = living.collect();
        let health = StoreHealth {
            schema_version: store.schema_version().await?,
            last_poll: workers.iter().map(|worker| worker.polled_at).max(),
            overdue: store.overdue(limits.grace, None, 1).await?.pop(),
            queue: store.queue_stats().await?,
            strangers: strangers(&living, store.live_kinds().await?),
            closed_gates: store.closed_gates(GATES).await?,
            workers,
        };
        Ok((health, now))
    }
}

/// Those kinds that no worker knows who was heard of in time. Without workers that is another problem.
fn strangers(living: &[&WorkerRecord], mut live: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let known = |kind: &String| living.iter().any(|worker| worker.kinds.contains(kind));
    live.retain(|kind, _| !living.is_empty() && !known(kind));
    live
}

impl StoreHealth {
    fn problems(&self, limits: HealthLimits, now: DateTime<Utc>) -> Vec<String> {
        let mut problems = Vec::new();
        let silence = chrono::Duration::from_std(limits.silence).unwrap_or(chrono::Duration::MAX);
        match self.last_poll {
            None => problems.push("no worker is known".to_owned()),
            Some(at) if now - at > silence => problems.push(format!(
                "no worker has looked at the queue for {} s",
                (now - at).num_seconds()
            )),
            Some(_) => {}
        }
        if let Some(late) = &self.overdue {
            let since = (now - late.since).num_seconds();
            problems.push(format!(
                "the job {} ({}) of {} is ready for {since} s and nobody takes it",
                late.job, late.kind, late.tenant
            ));
        }
        if !self.strangers.is_empty() {
            let kinds: Vec<&str> = self
                .strangers
                .keys()
                .map(String::as_str)
                .take(KINDS)
                .collect();
            let jobs: u64 = self.strangers.values().sum();
            let kinds = kinds.join(", ");
            problems.push(format!(
                "{jobs} jobs are of kinds that no worker knows ({kinds})"
            ));
        }
        let dead = self.queue.dead.saturating_sub(self.queue.dead_by_input);
        if dead > 0 {
            problems.push(format!("{dead} jobs are dead"));
        }
        problems
    }
}
