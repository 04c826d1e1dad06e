//! Jobs as they stand.

use automarket_core::{
    Result,
    chrono::{DateTime, Utc},
    store::{
        Job, QueueStats,
        rows::{job_state, of_input},
    },
};
use tokio_postgres::Row;

use super::claim::failures;
use crate::{
    db::Database,
    error::Outcome,
    value::{Columns, damaged, payload},
};

/// A job with its state; the end of the query says which.
macro_rules! select {
    ($end:literal) => {
        concat!(
            "SELECT j.id, j.tenant, j.kind, j.payload::text, j.leased, j.state, j.run_at, j.priority, j.attempts,
                j.crashes, j.max_attempts, j.unique_key, j.fence, j.result::text, j.created_at, j.finished_at,
                automarket.failures_of(j.id) AS failures
            FROM automarket.jobs j ",
            $end
        )
    };
}

pub(super) const BY_ID: &str =
    select!("WHERE j.id = $1 AND j.tenant = $2 ORDER BY j.finished_at LIMIT 1");
pub(super) const BY_KEY: &str = select!(
    "WHERE j.tenant = $1 AND j.kind = $2 AND j.unique_key = $3 ORDER BY j.place DESC LIMIT 1"
);
/// Only the dead have an index of their own: the others are looked at by people, and it would cost every job.
pub(super) const ENDED: &str = select!(
    "WHERE j.id = ANY (ARRAY(SELECT id FROM automarket.ended WHERE tenant = $1 AND state = $2
        ORDER BY place DESC LIMIT $3))
     ORDER BY j.place DESC"
);
/// No index either.
pub(super) const LIVE: &str = select!(
    "WHERE j.id = ANY (ARRAY(SELECT id FROM automarket.queue WHERE tenant = $1
        AND (leased_until IS NOT NULL) = $2
        ORDER BY place DESC LIMIT $3))
     ORDER BY j.place DESC"
);

pub(super) fn job(row: &Row) -> Outcome<Job> {
    let leased: Option<bool> = row.column("leased")?;
    let ended: Option<&str> = row.column("state")?;
    let finished_at: Option<DateTime<Utc>> = row.column("finished_at")?;
    let result: Option<&str> = row.column("result")?;
    Ok(Job {
        id: row.id("id")?,
        tenant: row.tenant()?,
        kind: row.column("kind")?,
        payload: payload(row.column("payload")?),
        state: job_state(leased, ended)?,
        run_at: row.instant("run_at")?,
        priority: row.column("priority")?,
        attempts: row.count("attempts")?,
        crashes: row.count("crashes")?,
        max_attempts: row.long_count("max_attempts")?,
        unique_key: row.column("unique_key")?,
        fence: row.column("fence")?,
        result: result.map(payload),
        failures: failures(row.column("failures")?)?,
        created_at: row.instant("created_at")?,
        finished_at,
    })
}

pub(super) async fn stats(db: &Database) -> Result<QueueStats> {
    let sql = "SELECT count(*) FILTER (WHERE free) AS ready, count(*) FILTER (WHERE NOT free AND NOT leased) AS later,
            count(*) FILTER (WHERE leased AND NOT free) AS leased, min(run_at) FILTER (WHERE free) AS oldest,
            (SELECT count(*) FROM automarket.ended WHERE state = 'dead') AS dead,
            ARRAY(SELECT f.error::text FROM (SELECT e.id FROM automarket.ended e WHERE e.state = 'dead' LIMIT 1000) e
                CROSS JOIN LATERAL (SELECT f.error FROM automarket.failures f WHERE f.job = e.id
                    ORDER BY f.number DESC LIMIT 1) f
            ) AS last_failures
        FROM (SELECT q.run_at, q.leased_until IS NOT NULL AS leased, coalesce(q.leased_until, q.run_at) <= c.now AS free
            FROM automarket.queue q, (SELECT automarket.clock() AS now) c) q";
    let row = db
        .row(sql, &[])
        .await?
        .ok_or_else(|| damaged("the stats"))?;
    let count = |name| -> Outcome<u64> { Ok(row.column::<i64>(name)?.unsigned_abs()) };
    Ok(QueueStats {
        ready: count("ready")?,
        later: count("later")?,
        leased: count("leased")?,
        dead: count("dead")?,
        dead_by_input: of_input(&row.column::<Vec<String>>("last_failures")?),
        oldest_due: row.column("oldest")?,
    })
}
