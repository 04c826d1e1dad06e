use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{JobId, Result, TenantId};

/// A job that is ready, and nobody takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overdue {
    /// Whose it is.
    pub tenant: TenantId,
    /// The job.
    pub job: JobId,
    /// What is to be done.
    pub kind: String,
    /// Since when: its time, or the end of the lease that ran out.
    pub since: DateTime<Utc>,
    /// Whether it is one whose lease ran out.
    pub leased: bool,
}

/// What went through the queue in the last minute of the store's clock, counted from rows: so it is true for
/// all processes together, and what was removed meanwhile is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRates {
    /// Jobs put in.
    pub enqueued: u64,
    /// Jobs done.
    pub completed: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Jobs called off.
    pub cancelled: u64,
}

/// A worker as it last said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Its name, one in the store.
    pub name: String,
    /// The kinds it knows, sorted.
    pub kinds: Vec<String>,
    /// How many jobs it holds.
    pub in_flight: u32,
    /// When it was first heard of.
    pub started_at: DateTime<Utc>,
    /// When it last looked at the queue with success, or had no need to: it has no room, or its poll is not due.
    pub polled_at: DateTime<Utc>,
    /// When it was last heard of.
    pub seen_at: DateTime<Utc>,
}

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerBeat {
    /// Its name.
    pub name: String,
    /// The kinds it knows, sorted.
    pub kinds: Vec<String>,
    /// How many jobs it holds.
    pub in_flight: u32,
    /// How long ago it looked at the queue with success, or had no need to: no instant, since workers' clocks do
    /// not matter.
    pub polled: Duration,
}

/// What operators ask and do: workers, what is overdue, what is old.
///
/// Whatever removes takes the oldest first, at most `limit` in one short transaction, and never waits for rows
/// that others hold: call it again while it returns `limit`. Dead jobs may go in several, so that very many hold up
/// nobody: a call that failed may have done a part, and another goes on there.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Writes down what a worker says of itself, and forgets those not heard of for [`WORKERS_KEPT`](super::rules::WORKERS_KEPT).
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()>;
    /// Forgets a worker that has stopped; `false` when it is not known.
    async fn remove_worker(&self, name: &str) -> Result<bool>;
    /// The workers, by name.
    async fn workers(&self) -> Result<Vec<WorkerRecord>>;

    /// The jobs that have been ready for longer than `grace`, those that were so for longest first, at most
    /// `limit`, from behind `after` on. Reads the whole queue, as [`JobStore::queue_stats`](super::JobStore::queue_stats) does: its cost
    /// grows with the jobs that live.
    async fn overdue(
        &self,
        grace: Duration,
        after: Option<&Overdue>,
        limit: usize,
    ) -> Result<Vec<Overdue>>;
    /// What went through the queue in the last minute.
    async fn queue_rates(&self) -> Result<QueueRates>;
    /// The number of the newest migration that was run; 0 for a store that has none.
    async fn schema_version(&self) -> Result<u32>;

    /// Removes jobs of all tenants that were completed or cancelled before an instant, with their steps,
    /// failures and results. An id that is removed may be put in again.
    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize>;
    /// Removes events of all tenants that happened before an instant. Events of a time to come, by a clock that was
    /// set back since, hold up no others.
    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize>;
    /// Removes attempts of all tenants that ended before an instant.
    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize>;
    /// Removes dead jobs of a tenant, of one kind or of all, with their steps and failures. Nothing else
    /// removes them.
    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize>;
    /// As [`JobStore::redrive`](super::JobStore::redrive) for the dead jobs of a tenant, of one kind or of
    /// all. Those whose unique key is held by a live job stay dead, and are not counted.
    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize>;
}
