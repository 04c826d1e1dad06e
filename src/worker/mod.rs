//! Does what the queue holds: claims, runs, keeps leases alive, writes verdicts.

mod backoff;
mod run;

use std::{future::Future, sync::Arc, time::Duration};

use automarket_core::{
    Error, JobId, Result,
    chrono::{DateTime, Utc},
    store::{Claim, Job, JobState},
};
use tokio::task::JoinSet;

use crate::{Automarket, Tenant};

pub use backoff::backoff;
pub(crate) use run::End;

/// A worker in this process. Any number may run, here and elsewhere, on one store.
#[derive(Debug)]
pub struct Worker {
    market: Automarket,
    name: String,
    concurrency: usize,
    lease: Duration,
    poll: Duration,
}

impl Worker {
    pub(crate) fn new(market: Automarket) -> Self {
        Self {
            market,
            name: format!("worker-{}", JobId::new()),
            concurrency: 16,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(5),
        }
    }

    /// How many jobs run at once; 16 unless said otherwise.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// How long a job belongs to a worker that is heard of no more; 30 s unless said otherwise, 1 s at the
    /// least. Heartbeats go out three times as often.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// How often the queue is looked at when nothing wakes the worker; 5 s unless said otherwise.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Works until `shutdown` is done; then nothing new is taken, and what runs is run to its end.
    ///
    /// # Errors
    /// None today: a store that is away is asked again after the poll interval.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut running = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            while running.try_join_next().is_some() {}
            let wake = self.market.engine.wake.notified();
            let free = self.concurrency - running.len();
            let took = if free == 0 {
                0
            } else {
                self.take(free, &mut running).await
            };
            if took == free && free > 0 {
                continue;
            }
            tokio::select! {
                () = &mut shutdown => break,
                () = wake => {}
                _ = running.join_next(), if !running.is_empty() => {}
                () = tokio::time::sleep(self.until_next().await) => {}
            }
        }
        while running.join_next().await.is_some() {}
        Ok(())
    }

    async fn take(&self, free: usize, running: &mut JoinSet<()>) -> usize {
        let claim = Claim::new(self.name.clone(), free).lease(self.lease);
        let leases = match self.market.engine.store.claim(&claim).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(error = %error.report(), "the queue cannot be read");
                return 0;
            }
        };
        let took = leases.len();
        for lease in leases {
            let (engine, time) = (self.market.engine.clone(), self.lease);
            running.spawn(async move {
                if let Err(error) = run::run(&engine, lease, time).await {
                    tracing::warn!(error = %error.report(), "a verdict could not be written");
                }
            });
        }
        took
    }

    /// How long there is surely nothing to do.
    async fn until_next(&self) -> Duration {
        let store = &self.market.engine.store;
        let (Ok(Some(next)), Ok(now)) = (store.next_ready(&[]).await, store.now().await) else {
            return self.poll;
        };
        (next - now)
            .to_std()
            .unwrap_or_default()
            .clamp(Duration::from_millis(1), self.poll)
    }
}

impl Tenant {
    /// Runs one job here, now, without a worker: until it has ended, or waits for a later time. A job that
    /// another process holds is waited for until it is free or ended.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn work_on(&self, job: JobId, lease: Duration) -> Result<Job> {
        let engine = &self.market.engine;
        let claim = Claim::new("inline", 1).only(job).lease(lease);
        loop {
            for lease_held in engine.store.claim(&claim).await? {
                run::run(engine, lease_held, lease).await?;
            }
            let found = engine.store.job(&self.id, job).await?;
            let found = found.ok_or_else(|| {
                Error::new(
                    automarket_core::ErrorKind::NotFound,
                    format!("the tenant has no job {job}"),
                )
            })?;
            match found.state {
                JobState::Waiting if found.run_at <= engine.store.now().await? => {}
                JobState::Leased => wait_for_lease(lease).await,
                _ => return Ok(found),
            }
        }
    }
}

/// Another process holds the job: look again soon.
async fn wait_for_lease(lease: Duration) {
    tokio::time::sleep((lease / 10).max(Duration::from_millis(20))).await;
}

pub(crate) fn retry_at(now: DateTime<Utc>, attempt: u32) -> DateTime<Utc> {
    now + automarket_core::chrono::Duration::from_std(backoff(attempt, fastrand::f64()))
        .unwrap_or_default()
}

/// What all runs of jobs share.
pub(crate) type SharedEngine = Arc<crate::market::Engine>;
