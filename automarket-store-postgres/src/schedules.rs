use automarket_core::{
    Result, TenantId, Timetable, async_trait,
    chrono::{DateTime, Utc},
    store::{Schedule, ScheduleStore, rows::unreadable_schedule},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::decode,
    error::Outcome,
    jobs,
    value::{Columns, limit as sql_limit, to_json},
};

/// What a schedule is read from.
macro_rules! columns {
    () => {
        "tenant, name, rule, zone, job::text, paused, next_at, last_at, revision"
    };
}

/// Schedules; the end of the query says which.
macro_rules! select {
    ($end:literal) => {
        concat!("SELECT ", columns!(), " FROM automarket.schedules ", $end)
    };
}

const ONE: &str = select!("WHERE tenant = $1 AND name = $2");

#[async_trait]
impl ScheduleStore for PostgresStore {
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule> {
        let damaged = match schedule.revision {
            0 => self.damaged(schedule).await?,
            _ => None,
        };
        let schedule = damaged.as_ref().unwrap_or(schedule);
        let sql = match schedule.revision {
            0 => {
                concat!(
                    "INSERT INTO automarket.schedules
                    (tenant, name, rule, zone, job, paused, next_at, revision)
                VALUES ($1, $2, $3, $4, $5::text::json, $6, $7,
                    $8::bigint + (extract(epoch FROM automarket.clock()) * 1000000)::bigint)
                ON CONFLICT (tenant, name) DO NOTHING
                RETURNING ",
                    columns!()
                )
            }
            _ => {
                concat!(
                    "UPDATE automarket.schedules
                SET rule = $3, zone = $4, job = $5::text::json, paused = $6, next_at = $7,
                    revision = $8::bigint + 1
                WHERE tenant = $1 AND name = $2 AND revision = $8::bigint
                RETURNING ",
                    columns!()
                )
            }
        };
        let stored = self
            .inner
            .db
            .rows(
                sql,
                &[
                    &schedule.tenant.as_str(),
                    &schedule.name,
                    &schedule.timetable.rule(),
                    &schedule.timetable.zone(),
                    &to_json(&schedule.job)?,
                    &schedule.paused,
                    &schedule.next_at,
                    &schedule.revision,
                ],
            )
            .await;
        let stored = decode(stored, read)?.pop();
        stored.ok_or_else(|| schedule.changed())
    }

    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>> {
        let rows = self.inner.db.rows(ONE, &[&tenant.as_str(), &name]).await;
        Ok(decode(rows, read)?.pop())
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Result<Schedule>>> {
        let sql = select!("WHERE tenant = $1 ORDER BY name");
        let rows = self.inner.db.rows(sql, &[&tenant.as_str()]).await?;
        Ok(rows
            .iter()
            .map(|row| read(row).map_err(Into::into))
            .collect())
    }

    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        let sql = "DELETE FROM automarket.schedules WHERE tenant = $1 AND name = $2";
        let removed = self.inner.db.execute(sql, &[&tenant.as_str(), &name]).await;
        Ok(removed? > 0)
    }

    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>> {
        let sql = select!("WHERE next_at IS NOT NULL ORDER BY next_at LIMIT $1");
        let rows = self.inner.db.rows(sql, &[&sql_limit(limit)]).await?;
        Ok(rows
            .iter()
            .map(|row| read(row).map_err(Into::into))
            .collect())
    }

    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        let Some(job) = schedule.due_job() else {
            return Ok(false);
        };
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let sql = "UPDATE automarket.schedules
            SET last_at = next_at, next_at = $4, revision = revision + 1
            WHERE tenant = $1 AND name = $2 AND revision = $3 AND next_at IS NOT NULL";
        let params: crate::db::Params<'_> = &[
            &schedule.tenant.as_str(),
            &schedule.name,
            &schedule.revision,
            &next_at,
        ];
        if tx.execute(sql, params).await? == 0 {
            return Ok(false);
        }
        jobs::enqueue(&tx, &[job]).await?;
        tx.commit().await?;
        self.inner.claims.look_again();
        self.inner.bell.pull();
        Ok(true)
    }
}

impl PostgresStore {
    /// The schedule in place of the stored one, if there is one that cannot be read.
    async fn damaged(&self, schedule: &Schedule) -> Outcome<Option<Schedule>> {
        let key: crate::db::Params<'_> = &[&schedule.tenant.as_str(), &schedule.name];
        let row = self.inner.db.row(ONE, key).await?;
        let Some(row) = row.filter(|row| read(row).is_err()) else {
            return Ok(None);
        };
        let (revision, paused) = (row.column("revision")?, row.column("paused")?);
        Ok(Some(schedule.in_place_of(revision, paused)))
    }
}

fn read(row: &Row) -> Outcome<Schedule> {
    let name: String = row.column("name")?;
    let timetable = Timetable::parse(row.column("rule")?, row.column("zone")?);
    Ok(Schedule {
        tenant: row.tenant()?,
        timetable: timetable.map_err(|e| unreadable_schedule(&name, e))?,
        name,
        job: row.json("job")?,
        paused: row.column("paused")?,
        next_at: row.column("next_at")?,
        last_at: row.column("last_at")?,
        revision: row.column("revision")?,
    })
}
