use std::time::Duration;

use automarket_core::{
    Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Overdue, QueueRates, UpkeepStore, WorkerBeat, WorkerRecord, rules::WORKERS_KEPT},
};
use rusqlite::{Connection, Row, params, types::Value};

use crate::{
    SqliteStore,
    error::Outcome,
    jobs,
    value::{Columns, blob, limit as sql_limit, micros, to_json},
    writer::{BATCH, Tx},
};

const MINUTE: i64 = 60_000_000;
/// So many are read at once at the least, where some may be no jobs.
const LEAST: usize = 100;

/// So long before now, at the beginning of the calendar at the earliest.
fn ago(now: i64, span: Duration) -> i64 {
    let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    now.saturating_sub(span)
        .max(micros(DateTime::<Utc>::MIN_UTC))
}

#[async_trait]
impl UpkeepStore for SqliteStore {
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()> {
        let (beat, kinds) = (beat.clone(), to_json(&beat.kinds)?);
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached("DELETE FROM automarket_workers WHERE seen_at <= ?1")?
                .execute([ago(tx.now, WORKERS_KEPT)])?;
            tx.db
                .prepare_cached(
                    "INSERT INTO automarket_workers VALUES (?1, ?2, ?3, ?4, ?5, ?4)
                     ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds,
                        in_flight = excluded.in_flight, polled_at = excluded.polled_at,
                        seen_at = excluded.seen_at",
                )?
                .execute(params![
                    beat.name,
                    kinds,
                    beat.in_flight,
                    tx.now,
                    ago(tx.now, beat.polled)
                ])?;
            Ok(())
        });
        call.await
    }

    async fn remove_worker(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        let call = self.inner.writer.call(move |tx| {
            let removed = tx
                .db
                .prepare_cached("DELETE FROM automarket_workers WHERE name = ?1")?
                .execute([&name])?;
            Ok(removed > 0)
        });
        call.await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        let read = self.inner.readers.read(|db| {
            db.prepare_cached("SELECT * FROM automarket_workers ORDER BY name")?
                .query_and_then([], worker)?
                .collect()
        });
        read.await
    }

    async fn overdue(
        &self,
        grace: Duration,
        after: Option<&Overdue>,
        limit: usize,
    ) -> Result<Vec<Overdue>> {
        let cut = ago(micros(self.inner.clock.now()), grace);
        let place = |after: &Overdue| (micros(after.since).into(), blob(after.job).to_vec().into());
        let mut after: Option<(Value, Value)> = after.map(place);
        let read = self.inner.readers.read(move |db| {
            let mut read = db.prepare_cached(
                "SELECT s.tenant, s.kind, s.leased, j.id, s.since FROM (
                    SELECT place, tenant, kind, 0 AS leased, run_at AS since
                    FROM automarket_waiting WHERE leased = 0
                    UNION ALL
                    SELECT place, tenant, kind, 1, ends_at FROM automarket_leases) s
                 JOIN automarket_jobs j USING (place)
                 WHERE s.since < ?1 AND (?3 IS NULL OR (s.since, j.id) > (?3, ?4))
                 ORDER BY s.since, j.id LIMIT ?2",
            )?;
            let mut late = Vec::new();
            loop {
                let (since, job) = after.clone().unzip();
                let (room, mut seen) = (limit.saturating_sub(late.len()).max(LEAST), 0);
                let mut rows = read.query(params![cut, sql_limit(room), since, job])?;
                while let Some(row) = rows.next()? {
                    seen += 1;
                    after = Some((row.get("since")?, row.get("id")?));
                    // What is no job takes no place from what is one.
                    late.extend(overdue(row).ok());
                }
                if seen < room || late.len() >= limit {
                    late.truncate(limit);
                    return Ok(late);
                }
            }
        });
        read.await
    }

    async fn queue_rates(&self) -> Result<QueueRates> {
        let cut = micros(self.inner.clock.now()) - MINUTE;
        self.inner.readers.read(move |db| rates(db, cut)).await
    }

    async fn schema_version(&self) -> Result<u32> {
        let read = self.inner.readers.read(|db| {
            let sql = "SELECT ifnull(max(number), 0) FROM automarket_migrations";
            Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
        });
        read.await
    }

    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            let old = places(
                tx,
                "SELECT place FROM automarket_ended WHERE state <> 'dead' AND finished_at < ?1
                 ORDER BY finished_at LIMIT ?2",
                params![micros(before), sql_limit(limit)],
            )?;
            remove(tx, &old)
        });
        call.await
    }

    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            // Their numbers follow time, so that no index on it is needed. What a wrong clock dated ahead is passed by.
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_events WHERE sequence IN (
                        SELECT sequence FROM (SELECT sequence, at FROM automarket_events
                            WHERE at < ?1 OR at <= ?3 ORDER BY sequence LIMIT ?2) WHERE at < ?1)",
                )?
                .execute(params![micros(before), sql_limit(limit), tx.now])?;
            Ok(tx.erased(removed))
        });
        call.await
    }

    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_attempts WHERE number IN (
                        SELECT number FROM automarket_attempts WHERE ended_at < ?1
                        ORDER BY ended_at LIMIT ?2)",
                )?
                .execute(params![micros(before), sql_limit(limit)])?;
            Ok(tx.erased(removed))
        });
        call.await
    }

    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        let remove = |tx: &Tx<'_>, place| Ok(remove(tx, &[place])? > 0);
        self.each_dead(tenant, kind, limit, remove).await
    }

    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        self.each_dead(tenant, kind, limit, jobs::revive).await
    }
}

impl SqliteStore {
    /// Does this to the dead jobs of a tenant, the oldest first, until it was done to so many.
    async fn each_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
        each: fn(&Tx<'_>, i64) -> Outcome<bool>,
    ) -> Result<usize> {
        let (mut done, mut after) = (0, Some(i64::MIN));
        while let Some(from) = after.filter(|_| done < limit) {
            let (tenant, kind) = (tenant.clone(), kind.map(str::to_owned));
            let call = self.inner.writer.call(move |tx| {
                let (mut some, next) = (0, dead(tx, &tenant, kind.as_deref(), from)?);
                for (place, _) in next.iter().filter(|(_, wanted)| *wanted) {
                    if done + some == limit {
                        break;
                    }
                    some += usize::from(each(tx, *place)?);
                }
                let last = next.last().filter(|_| next.len() == BATCH);
                Ok((some, last.map(|(place, _)| *place)))
            });
            let (some, next) = call.await?;
            done += some;
            after = next;
        }
        Ok(done)
    }
}

fn places(tx: &Tx<'_>, sql: &str, params: impl rusqlite::Params) -> Outcome<Vec<i64>> {
    let mut found = tx.db.prepare_cached(sql)?;
    let found = found.query_map(params, |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The next dead jobs of a tenant behind a place, the oldest first, and whether each is of the kind.
fn dead(
    tx: &Tx<'_>,
    tenant: &TenantId,
    kind: Option<&str>,
    after: i64,
) -> Outcome<Vec<(i64, bool)>> {
    let mut next = tx.db.prepare_cached(
        "SELECT e.place, ?2 IS NULL OR j.kind IS ?2
         FROM automarket_ended e JOIN automarket_jobs j USING (place)
         WHERE e.tenant = ?1 AND e.state = 'dead' AND e.place > ?3 ORDER BY e.place LIMIT ?4",
    )?;
    let from = params![tenant.as_str(), kind, after, BATCH as i64];
    let next = next.query_map(from, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(next.collect::<rusqlite::Result<_>>()?)
}

/// Removes ended jobs wholly.
fn remove(tx: &Tx<'_>, places: &[i64]) -> Outcome<usize> {
    for place in places {
        for table in ["steps", "failures", "ended", "jobs"] {
            let sql = format!("DELETE FROM automarket_{table} WHERE place = ?1");
            tx.db.prepare_cached(&sql)?.execute([place])?;
        }
    }
    Ok(tx.erased(places.len()))
}

fn rates(db: &Connection, cut: i64) -> Outcome<QueueRates> {
    let count = |sql: &str| -> Outcome<u64> {
        let count: i64 = db.prepare_cached(sql)?.query_row([cut], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    Ok(QueueRates {
        // Read from the newest back, so that no index on the time is needed.
        enqueued: count(
            "SELECT count(*) FROM automarket_jobs WHERE place > ifnull((
                SELECT place FROM automarket_jobs WHERE created_at <= ?1
                ORDER BY place DESC LIMIT 1), 0)",
        )?,
        completed: count(
            "SELECT count(*) FROM automarket_ended
             WHERE state <> 'dead' AND state = 'completed' AND finished_at > ?1",
        )?,
        dead: count(
            "SELECT count(*) FROM automarket_ended WHERE state = 'dead' AND finished_at > ?1",
        )?,
        cancelled: count(
            "SELECT count(*) FROM automarket_ended
             WHERE state <> 'dead' AND state = 'cancelled' AND finished_at > ?1",
        )?,
    })
}

fn worker(row: &Row<'_>) -> Outcome<WorkerRecord> {
    Ok(WorkerRecord {
        name: row.column("name")?,
        kinds: row.json("kinds")?,
        in_flight: row.column("in_flight")?,
        started_at: row.instant("started_at")?,
        polled_at: row.instant("polled_at")?,
        seen_at: row.instant("seen_at")?,
    })
}

fn overdue(row: &Row<'_>) -> Outcome<Overdue> {
    Ok(Overdue {
        tenant: row.tenant()?,
        job: row.id("id")?,
        kind: row.column("kind")?,
        since: row.instant("since")?,
        leased: row.column("leased")?,
    })
}
