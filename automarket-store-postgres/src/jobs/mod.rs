//! The queue. What its tables are is explained in `migrations/0003_one_row.sql`, where a job stands in
//! `migrations/0014_one_number.sql`; its hot statements are functions, each as the last migration that names it has it.

mod admission;
mod claim;
mod enqueue;
mod fresh;
mod heads;
mod lines;
mod read;
mod settle;
mod steps;

use std::{collections::BTreeMap, time::Duration};

use automarket_core::{
    JobId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{
        Claim, Enqueued, Job, JobState, JobStore, Lease, LeaseToken, NewJob, QueueStats, Settled,
        Verdict, Woken,
        rows::{ended_state, step_to_json},
    },
};
use serde_json::Value;
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::decode,
    value::{Columns, damaged, limit as sql_limit},
};
pub(crate) use claim::{Claims, micros};
pub(crate) use enqueue::{JobColumns, Writer, enqueue, payloads_of, with_payloads};
pub(crate) use settle::{Settler, prolong};
use steps::Step;
pub(crate) use steps::Steps;

#[async_trait]
impl JobStore for PostgresStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        let sql = "SELECT automarket.clock() AS now";
        let rows = self.inner.db.glance(sql, &[]).await;
        let now = decode(rows, |row| row.instant("now"))?.pop();
        now.ok_or_else(|| damaged("the clock"))
    }

    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        let put = self.inner.writer.enqueue(jobs).await?;
        if put.iter().any(|put| matches!(put, Enqueued::New(_))) {
            if jobs.iter().any(|job| job.run_at.is_some()) {
                self.inner.claims.look_again();
            }
            self.inner.bell.pull();
        }
        Ok(put)
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>> {
        self.inner.claims.claim(&self.inner.db, claim).await
    }

    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>> {
        self.inner.heart.beat(leases, lease).await
    }

    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>> {
        let settled = self.inner.settler.settle(&self.inner.db, verdicts).await?;
        if settled.contains(&Settled::Now(JobState::Waiting)) {
            self.inner.claims.look_again();
            self.inner.bell.pull();
        }
        Ok(settled)
    }

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        let rows = self
            .inner
            .db
            .glance(read::BY_ID, &[&id.uuid(), &tenant.as_str()])
            .await;
        Ok(decode(rows, read::job)?.pop())
    }

    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>> {
        let rows = self
            .inner
            .db
            .rows(read::BY_KEY, &[&tenant.as_str(), &kind, &key])
            .await;
        Ok(decode(rows, read::job)?.pop())
    }

    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>> {
        let (db, tenant, limit) = (&self.inner.db, tenant.as_str(), sql_limit(limit));
        let rows = match ended_state(state) {
            Some(state) => db.rows(read::ENDED, &[&tenant, &state, &limit]).await,
            None => {
                let leased = state == JobState::Leased;
                db.rows(read::LIVE, &[&tenant, &leased, &limit]).await
            }
        };
        decode(rows, read::job)
    }

    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        Ok(settle::cancel(&self.inner.db, tenant, id).await?)
    }

    async fn reschedule_job(
        &self,
        tenant: &TenantId,
        id: JobId,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let sql = "UPDATE automarket.queue SET run_at = $3,
                line = automarket.line(kind, priority, tenant, $3 <= automarket.clock())
            WHERE id = $1 AND tenant = $2 AND leased_until IS NULL";
        let params: crate::db::Params<'_> = &[&id.uuid(), &tenant.as_str(), &at];
        let moved = self.inner.db.execute(sql, params).await? > 0;
        if moved {
            self.inner.claims.look_again();
            self.inner.bell.pull();
        }
        Ok(moved)
    }

    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        let back = settle::redrive(&self.inner.db, tenant, id).await?;
        if back {
            self.inner.bell.pull();
        }
        Ok(back)
    }

    async fn queue_stats(&self) -> Result<QueueStats> {
        read::stats(&self.inner.db).await
    }

    async fn live_kinds(&self) -> Result<BTreeMap<String, u64>> {
        let sql = "SELECT kind, count(*) FROM automarket.queue GROUP BY kind";
        let rows = self.inner.db.rows(sql, &[]).await;
        let count = |row: &Row| Ok((row.column(0)?, row.column::<i64>(1)?.unsigned_abs()));
        Ok(decode(rows, count)?.into_iter().collect())
    }

    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>> {
        let kinds = (!kinds.is_empty()).then_some(kinds);
        let row = self
            .inner
            .db
            .row("SELECT automarket.next_ready($1) AS at", &[&kinds])
            .await;
        let row = row?.ok_or_else(|| damaged("the next time"))?;
        Ok(row.column("at")?)
    }

    fn wake(&self) {
        self.inner.bell.pull();
    }

    fn woken(&self) -> Woken<'_> {
        Box::pin(self.inner.bell.heard())
    }

    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>> {
        let sql =
            "SELECT s.value::text FROM automarket.jobs j JOIN automarket.steps s ON s.job = j.id
            WHERE j.id = $1 AND j.tenant = $2 AND s.name = $3";
        let rows = self
            .inner
            .db
            .glance(sql, &[&job.uuid(), &tenant.as_str(), &name])
            .await;
        Ok(decode(rows, |row| row.json("value"))?.pop())
    }

    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()> {
        let step = Step {
            lease,
            name: name.to_owned(),
            value: step_to_json(value)?,
        };
        self.inner.steps.put(step).await
    }

    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>> {
        let sql = "SELECT s.name, s.value::text FROM automarket.jobs j
            JOIN automarket.steps s ON s.job = j.id
            WHERE j.id = $1 AND j.tenant = $2 ORDER BY s.number";
        let rows = self
            .inner
            .db
            .glance(sql, &[&job.uuid(), &tenant.as_str()])
            .await;
        decode(rows, |row| Ok((row.column("name")?, row.json("value")?)))
    }
}
