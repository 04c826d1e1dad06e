use std::time::Duration;

use automarket_core::{
    Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Overdue, QueueRates, UpkeepStore, WorkerBeat, WorkerRecord, rules::WORKERS_KEPT},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Database, Params, Tx, decode},
    error::Outcome,
    jobs::micros,
    value::{Columns, damaged, limit as sql_limit, to_json},
};

#[async_trait]
impl UpkeepStore for PostgresStore {
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()> {
        let sql = "WITH gone AS (
                DELETE FROM automarket.workers
                WHERE seen_at <= automarket.clock() - $5::bigint * interval '1 microsecond' AND name <> $1)
            INSERT INTO automarket.workers (name, kinds, in_flight, started_at, polled_at, seen_at)
            SELECT $1, $2::text::json, $3, c.now, c.now - $4::bigint * interval '1 microsecond', c.now
            FROM (SELECT automarket.clock() AS now) c
            ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, in_flight = excluded.in_flight,
                polled_at = excluded.polled_at, seen_at = excluded.seen_at";
        let params: Params<'_> = &[
            &beat.name,
            &to_json(&beat.kinds)?,
            &i64::from(beat.in_flight),
            &ago(beat.polled),
            &micros(WORKERS_KEPT),
        ];
        self.inner.db.execute(sql, params).await?;
        Ok(())
    }

    async fn remove_worker(&self, name: &str) -> Result<bool> {
        let sql = "DELETE FROM automarket.workers WHERE name = $1";
        Ok(self.inner.db.execute(sql, &[&name]).await? > 0)
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        let sql = "SELECT name, kinds::text, in_flight, started_at, polled_at, seen_at
            FROM automarket.workers ORDER BY name";
        decode(self.inner.db.rows(sql, &[]).await, worker)
    }

    async fn overdue(
        &self,
        grace: Duration,
        after: Option<&Overdue>,
        limit: usize,
    ) -> Result<Vec<Overdue>> {
        let sql = "SELECT q.tenant, q.id, q.kind, q.leased, q.since FROM (
                SELECT q.tenant, q.id, q.kind, q.leased_until IS NOT NULL AS leased, c.now,
                    coalesce(q.leased_until, q.run_at) AS since
                FROM automarket.queue q, (SELECT automarket.clock() AS now) c
                WHERE q.line >= 0 OR q.run_at <= c.now) q
            WHERE q.since < q.now - $1::bigint * interval '1 microsecond' AND isfinite(q.since) AND q.tenant <> ''
                AND ($3::timestamptz IS NULL OR (q.since, q.id) > ($3::timestamptz, $4::uuid))
            ORDER BY q.since, q.id LIMIT $2";
        let since = after.map(|after| after.since);
        let job = after.map(|after| after.job.uuid());
        let params: Params<'_> = &[&ago(grace), &sql_limit(limit), &since, &job];
        // What cannot be read is nobody's: a claim buries it, and it keeps no other from being told of. (What can be told
        // in SQL takes no place in the page.)
        let rows = self.inner.db.rows(sql, params).await?;
        Ok(rows.iter().filter_map(|row| overdue(row).ok()).collect())
    }

    async fn queue_rates(&self) -> Result<QueueRates> {
        let sql = "WITH cut AS (SELECT automarket.clock() - interval '1 minute' AS at), ended AS (
                SELECT e.state, e.created_at > cut.at AS is_new FROM automarket.ended e, cut
                WHERE e.state <> 'dead' AND e.finished_at > cut.at
            ), died AS (
                SELECT e.created_at > cut.at AS is_new FROM automarket.ended e, cut
                WHERE e.state = 'dead' AND e.finished_at > cut.at)
            SELECT (SELECT count(*) FROM automarket.queue q, cut WHERE q.created_at > cut.at)
                    + (SELECT count(*) FROM ended WHERE is_new)
                    + (SELECT count(*) FROM died WHERE is_new) AS enqueued,
                (SELECT count(*) FROM ended WHERE state = 'completed') AS completed,
                (SELECT count(*) FROM ended WHERE state = 'cancelled') AS cancelled,
                (SELECT count(*) FROM died) AS dead";
        let row = self.inner.db.row(sql, &[]).await?;
        let row = row.ok_or_else(|| damaged("the rates"))?;
        let count = |name| -> Outcome<u64> { Ok(row.column::<i64>(name)?.unsigned_abs()) };
        Ok(QueueRates {
            enqueued: count("enqueued")?,
            completed: count("completed")?,
            dead: count("dead")?,
            cancelled: count("cancelled")?,
        })
    }

    async fn schema_version(&self) -> Result<u32> {
        let sql = "SELECT coalesce(max(number), 0)::bigint AS number FROM automarket.migrations";
        let row = self.inner.db.row(sql, &[]).await?;
        let row = row.ok_or_else(|| damaged("the ledger"))?;
        Ok(row.long_count("number")?)
    }

    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let old = "SELECT id FROM automarket.ended WHERE state <> 'dead' AND finished_at < $1
            ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED";
        Ok(remove(&self.inner.db, old, &[&before, &sql_limit(limit)]).await?)
    }

    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        // Their numbers follow time, so that no index on it is needed. What a wrong clock dated ahead is passed by, and
        // what others hold, of which there may be as much as is removed.
        let sql = "DELETE FROM automarket.events WHERE sequence = ANY (ARRAY(
                SELECT sequence FROM automarket.events WHERE at < $1 AND sequence = ANY (ARRAY(
                    SELECT sequence FROM automarket.events
                    WHERE at < $1 OR at <= (SELECT automarket.clock())
                    ORDER BY sequence LIMIT least($2::bigint, 1000000) * 2))
                ORDER BY sequence LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let params: Params<'_> = &[&before, &sql_limit(limit)];
        let removed = self.inner.db.execute(sql, params).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let sql = "DELETE FROM automarket.attempts WHERE number = ANY (ARRAY(
                SELECT number FROM automarket.attempts WHERE ended_at < $1
                ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let params: Params<'_> = &[&before, &sql_limit(limit)];
        let removed = self.inner.db.execute(sql, params).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        let dead = "SELECT id FROM automarket.ended
            WHERE tenant = $1 AND state = 'dead' AND ($2::text IS NULL OR kind = $2)
            ORDER BY place LIMIT $3 FOR UPDATE SKIP LOCKED";
        let params: Params<'_> = &[&tenant.as_str(), &kind, &sql_limit(limit)];
        Ok(remove(&self.inner.db, dead, params).await?)
    }

    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        // Of several dead jobs with one key the first goes back; the others run into it, and others take their place.
        let sql = "WITH dead AS (
                SELECT e.* FROM automarket.ended e
                WHERE e.tenant = $1 AND e.state = 'dead' AND ($2::text IS NULL OR e.kind = $2)
                    AND NOT EXISTS (SELECT FROM automarket.queue q WHERE q.tenant = e.tenant
                        AND q.kind = e.kind AND q.unique_key = e.unique_key)
                ORDER BY e.place LIMIT $3 FOR UPDATE OF e SKIP LOCKED
            ), late AS ( -- Repeats that no claim has met yet.
                DELETE FROM automarket.queue q USING dead WHERE q.id = dead.id RETURNING q.id
            ), back AS (
                INSERT INTO automarket.queue
                    (id, place, line, run_at, created_at, max_attempts, fence, priority, kind, tenant, unique_key,
                    payload)
                SELECT id, place, automarket.line(kind, priority, tenant, true), automarket.clock(), created_at,
                    max_attempts, fence, priority, kind, tenant, unique_key, payload
                FROM dead, automarket.bounded(), (SELECT count(*) FROM late) late
                ON CONFLICT DO NOTHING RETURNING id)
            DELETE FROM automarket.ended e USING back b WHERE e.id = b.id";
        let mut back = 0;
        while back < limit {
            let params: Params<'_> = &[&tenant.as_str(), &kind, &sql_limit(limit - back)];
            let more = self.inner.db.execute(sql, params).await?;
            if more == 0 {
                break;
            }
            self.inner.bell.pull();
            back = back.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
        }
        Ok(back)
    }
}

/// So long ago, in microseconds: at most 6,000 years, since the calendar begins in 4714 BC.
fn ago(span: Duration) -> i64 {
    micros(span.min(Duration::from_secs(6_000 * 365 * 86_400)))
}

/// Removes the ended jobs that a statement locks, wholly.
async fn remove(db: &Database, which: &'static str, params: Params<'_>) -> Outcome<usize> {
    let mut connection = db.connection().await?;
    let tx = connection.begin().await?;
    let rows = tx.rows(which, params).await?;
    let ids: Vec<Uuid> = rows
        .iter()
        .map(|row| row.column("id"))
        .collect::<Outcome<_>>()?;
    if !ids.is_empty() {
        forget(&tx, &ids).await?;
    }
    tx.commit().await?;
    Ok(ids.len())
}

async fn forget(tx: &Tx<'_>, ids: &[Uuid]) -> Outcome<()> {
    for sql in [
        "DELETE FROM automarket.steps WHERE job = ANY ($1)",
        "DELETE FROM automarket.failures WHERE job = ANY ($1)",
        // Late repeats that no claim has met yet: from now on nothing would tell that they are such.
        "DELETE FROM automarket.queue WHERE id = ANY ($1)",
        "DELETE FROM automarket.ended WHERE id = ANY ($1)",
    ] {
        tx.execute(sql, &[&ids]).await?;
    }
    Ok(())
}

fn worker(row: &Row) -> Outcome<WorkerRecord> {
    Ok(WorkerRecord {
        name: row.column("name")?,
        kinds: row.json("kinds")?,
        in_flight: row.long_count("in_flight")?,
        started_at: row.instant("started_at")?,
        polled_at: row.instant("polled_at")?,
        seen_at: row.instant("seen_at")?,
    })
}

fn overdue(row: &Row) -> Outcome<Overdue> {
    Ok(Overdue {
        tenant: row.tenant()?,
        job: row.id("id")?,
        kind: row.column("kind")?,
        since: row.instant("since")?,
        leased: row.column("leased")?,
    })
}
