//! The queue. Its tables are explained in `migrations/0010_standing.sql`.

mod admission;
mod claim;
mod enqueue;
mod line;
mod near;
mod read;
mod settle;
#[cfg(any(test, feature = "sqlx"))]
pub(crate) mod sql;
mod standing;
mod steps;
mod taken;
#[cfg(test)]
pub(crate) mod testing;

use std::{collections::BTreeMap, time::Duration};

use automarket_core::{
    JobId, Result, TenantId, async_trait,
    chrono::{DateTime, SubsecRound, Utc},
    store::{
        Claim, Enqueued, Job, JobState, JobStore, Lease, LeaseToken, NewJob, QueueStats, Settled,
        Verdict, Woken,
        rows::{NewRow, step_to_json},
    },
};
use rusqlite::params;
use serde_json::Value;

use crate::SqliteStore;
pub(crate) use admission::Looks;
pub(crate) use enqueue::{enqueue, enqueue_all, enqueue_one};
use settle::VerdictRow;
pub(crate) use settle::revive;

#[async_trait]
impl JobStore for SqliteStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.inner.clock.now().trunc_subsecs(6))
    }

    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        self.inner.writer.put(NewRow::all(jobs)?).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>> {
        claim::claim(&self.inner, claim).await
    }

    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>> {
        let leases = leases.to_vec();
        let call = self
            .inner
            .writer
            .call_unflushed(move |tx| settle::prolong(tx, &leases, lease));
        call.await
    }

    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>> {
        let rows = verdicts.iter().map(VerdictRow::new);
        let rows = rows.collect::<Result<Vec<_>>>()?;
        self.inner
            .writer
            .call(move |tx| settle::settle(tx, &rows))
            .await
    }

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        let tenant = tenant.clone();
        let read = self
            .inner
            .readers
            .read(move |db| read::job(db, &tenant, id));
        read.await
    }

    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>> {
        let (tenant, kind, key) = (tenant.clone(), kind.to_owned(), key.to_owned());
        let read = self.inner.readers.read(move |db| {
            let newest = read::query(
                db,
                "WHERE j.tenant = ?1 AND j.kind = ?2 AND j.unique_key = ?3
                 ORDER BY j.place DESC LIMIT 1",
                params![tenant.as_str(), kind, key],
            );
            Ok(newest?.pop())
        });
        read.await
    }

    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>> {
        let tenant = tenant.clone();
        let read = self
            .inner
            .readers
            .read(move |db| read::jobs(db, &tenant, state, limit));
        read.await
    }

    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        let tenant = tenant.clone();
        let call = self
            .inner
            .writer
            .call(move |tx| settle::cancel(tx, &tenant, id));
        call.await
    }

    async fn reschedule_job(
        &self,
        tenant: &TenantId,
        id: JobId,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let tenant = tenant.clone();
        let call = self
            .inner
            .writer
            .call(move |tx| settle::reschedule(tx, &tenant, id, at));
        call.await
    }

    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        let tenant = tenant.clone();
        let call = self
            .inner
            .writer
            .call(move |tx| settle::redrive(tx, &tenant, id));
        call.await
    }

    async fn queue_stats(&self) -> Result<QueueStats> {
        let now = self.now().await?;
        self.inner
            .readers
            .read(move |db| read::stats(db, now))
            .await
    }

    async fn live_kinds(&self) -> Result<BTreeMap<String, u64>> {
        self.inner.readers.read(read::live_kinds).await
    }

    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>> {
        let kinds = kinds.to_vec();
        let read = self
            .inner
            .readers
            .read(move |db| read::next_ready(db, &kinds));
        read.await
    }

    fn wake(&self) {}

    fn woken(&self) -> Woken<'_> {
        Box::pin(std::future::pending())
    }

    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        let read = self
            .inner
            .readers
            .read(move |db| steps::one(db, &tenant, job, &name));
        read.await
    }

    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()> {
        let (name, value) = (name.to_owned(), step_to_json(value)?);
        let call = self
            .inner
            .writer
            .call(move |tx| steps::put(tx, lease, &name, &value));
        call.await
    }

    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>> {
        let tenant = tenant.clone();
        let read = self
            .inner
            .readers
            .read(move |db| steps::all(db, &tenant, job));
        read.await
    }
}
