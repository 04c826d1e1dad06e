use automarket_core::{
    Result, TenantId, Timetable, async_trait,
    chrono::{DateTime, Utc},
    store::{
        Schedule, ScheduleStore,
        rows::{NewRow, unreadable_schedule},
    },
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    jobs::enqueue,
    value::{Columns, instant, limit as sql_limit, micros, to_json},
    writer::Tx,
};

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule> {
        let (schedule, job) = (schedule.clone(), to_json(&schedule.job)?);
        let call = self.inner.writer.call(move |tx| {
            let damaged = match schedule.revision {
                0 => damaged(tx, &schedule)?,
                _ => None,
            };
            let schedule = damaged.as_ref().unwrap_or(&schedule);
            let (sql, revision) = match schedule.revision {
                0 => (
                    "INSERT INTO automarket_schedules
                        (tenant, name, rule, zone, job, paused, next_at, revision)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (tenant, name) DO NOTHING RETURNING *",
                    tx.now,
                ),
                read => (
                    "UPDATE automarket_schedules
                     SET rule = ?3, zone = ?4, job = ?5, paused = ?6, next_at = ?7, revision = ?8 + 1
                     WHERE tenant = ?1 AND name = ?2 AND revision = ?8 RETURNING *",
                    read,
                ),
            };
            tx.db
                .prepare_cached(sql)?
                .query_row(
                    params![
                        schedule.tenant.as_str(),
                        schedule.name,
                        schedule.timetable.rule(),
                        schedule.timetable.zone(),
                        job,
                        schedule.paused,
                        schedule.next_at.map(micros),
                        revision
                    ],
                    |row| Ok(decode(row)),
                )
                .optional()?
                .unwrap_or_else(|| Err(schedule.changed().into()))
        });
        call.await
    }

    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached("SELECT * FROM automarket_schedules WHERE tenant = ?1 AND name = ?2")?
                .query_row(params![tenant.as_str(), name], |row| Ok(decode(row)))
                .optional()?
                .transpose()
        });
        read.await
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Result<Schedule>>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached("SELECT * FROM automarket_schedules WHERE tenant = ?1 ORDER BY name")?
                .query_and_then([tenant.as_str()], |row| -> Outcome<_> {
                    Ok(decode(row).map_err(Into::into))
                })?
                .collect()
        });
        read.await
    }

    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        let call = self.inner.writer.call(move |tx| {
            let removed = tx
                .db
                .prepare_cached("DELETE FROM automarket_schedules WHERE tenant = ?1 AND name = ?2")?
                .execute(params![tenant.as_str(), name])?;
            Ok(removed > 0)
        });
        call.await
    }

    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>> {
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_schedules WHERE next_at IS NOT NULL
                 ORDER BY next_at LIMIT ?1",
            )?
            .query_and_then([sql_limit(limit)], |row| -> Outcome<_> {
                Ok(decode(row).map_err(Into::into))
            })?
            .collect()
        });
        read.await
    }

    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        let Some(job) = schedule.due_job() else {
            return Ok(false);
        };
        let (rows, schedule) = (NewRow::all(&[job])?, schedule.clone());
        let call = self.inner.writer.call(move |tx| {
            let moved = tx
                .db
                .prepare_cached(
                    "UPDATE automarket_schedules
                     SET last_at = next_at, next_at = ?4, revision = revision + 1
                     WHERE tenant = ?1 AND name = ?2 AND revision = ?3 AND next_at IS NOT NULL",
                )?
                .execute(params![
                    schedule.tenant.as_str(),
                    schedule.name,
                    schedule.revision,
                    next_at.map(micros)
                ])?;
            if moved > 0 {
                enqueue(tx, &rows)?;
            }
            Ok(moved > 0)
        });
        call.await
    }
}

/// The schedule in place of the stored one, if there is one that cannot be read.
fn damaged(tx: &Tx<'_>, schedule: &Schedule) -> Outcome<Option<Schedule>> {
    tx.db
        .prepare_cached("SELECT * FROM automarket_schedules WHERE tenant = ?1 AND name = ?2")?
        .query_row(params![schedule.tenant.as_str(), schedule.name], |row| {
            if decode(row).is_ok() {
                return Ok(None);
            }
            let (revision, paused) = (row.get("revision")?, row.get("paused")?);
            Ok(Some(schedule.in_place_of(revision, paused)))
        })
        .optional()
        .map(Option::flatten)
        .map_err(Into::into)
}

fn decode(row: &Row<'_>) -> Outcome<Schedule> {
    let name: String = row.column("name")?;
    let (rule, zone): (String, String) = (row.column("rule")?, row.column("zone")?);
    let timetable = Timetable::parse(&rule, &zone).map_err(|e| unreadable_schedule(&name, e))?;
    let at = |name| -> Outcome<Option<DateTime<Utc>>> {
        row.column::<Option<i64>>(name)?.map(instant).transpose()
    };
    Ok(Schedule {
        tenant: row.tenant()?,
        name,
        timetable,
        job: row.json("job")?,
        paused: row.column("paused")?,
        next_at: at("next_at")?,
        last_at: at("last_at")?,
        revision: row.column("revision")?,
    })
}
