//! Jobs as they stand.

use automarket_core::{
    JobId, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{
        Failure, Job, JobState, QueueStats,
        rows::{ended_state, job_state, of_input},
    },
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::collections::BTreeMap;

use super::{line, near};
use crate::{
    error::{Fault, Outcome},
    value::{Columns, blob, failure, instant, limit as sql_limit, micros, payload},
};

const SELECT: &str = "
    SELECT j.place, j.id, j.tenant, j.kind, j.payload, j.priority, j.max_attempts, j.unique_key,
        j.created_at, j.run_at, iif(e.place IS NULL, l.place IS NOT NULL, NULL) AS leased, e.state, e.result, e.finished_at,
        coalesce(l.fence, w.fence, e.fence, 0) AS fence, coalesce(l.attempts, w.attempts, e.attempts) AS attempts,
        coalesce(l.crashes, w.crashes, e.crashes) AS crashes
    FROM automarket_jobs j
    LEFT JOIN automarket_leases l ON l.place = j.place
    LEFT JOIN automarket_waiting w ON w.later IN (0, 1) AND w.priority = j.priority AND w.kind = j.kind
        AND w.tenant = j.tenant AND w.run_at = j.run_at AND w.place = j.place
    LEFT JOIN automarket_ended e ON e.place = j.place ";

/// The jobs that this end of a query finds.
pub(super) fn query(db: &Connection, end: &str, params: impl Params) -> Outcome<Vec<Job>> {
    db.prepare_cached(&format!("{SELECT}{end}"))?
        .query_and_then(params, |row| {
            let place = row.column("place")?;
            decode(row, failures(db, place)?)
        })?
        .collect()
}

/// The one row that a statement finds, if it finds one.
pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Outcome<Option<T>> {
    let found = db.prepare_cached(sql)?.query_row(params, read);
    Ok(found.optional()?)
}

pub(super) fn job(db: &Connection, tenant: &TenantId, id: JobId) -> Outcome<Option<Job>> {
    let params = params![blob(id), tenant.as_str()];
    Ok(query(db, "WHERE j.id = ?1 AND j.tenant = ?2", params)?.pop())
}

pub(super) fn jobs(
    db: &Connection,
    tenant: &TenantId,
    state: JobState,
    limit: usize,
) -> Outcome<Vec<Job>> {
    let limit = sql_limit(limit);
    match ended_state(state) {
        // Only the dead have an index of their own: the others are looked at by people, and it would cost every job.
        Some(name) => {
            let ended = format!(
                "WHERE j.place IN (SELECT place FROM automarket_ended
                    WHERE tenant = ?1 AND state = '{name}' ORDER BY place DESC LIMIT ?2)
                 ORDER BY j.place DESC"
            );
            query(db, &ended, params![tenant.as_str(), limit])
        }
        None => {
            let stands = match state {
                JobState::Leased => "automarket_leases WHERE",
                _ => "automarket_waiting WHERE leased = 0 AND",
            };
            let live = format!(
                "WHERE j.place IN (SELECT place FROM {stands} tenant = ?1 ORDER BY place DESC LIMIT ?2)
                 ORDER BY j.place DESC"
            );
            query(db, &live, params![tenant.as_str(), limit])
        }
    }
}

pub(super) fn stats(db: &Connection, now: DateTime<Utc>) -> Outcome<QueueStats> {
    let counts = db
        .prepare_cached(
            "SELECT line.jobs + due.jobs + expired.jobs AS ready, later.jobs AS waiting, leased.jobs AS leased,
                    line.oldest AS in_line, due.oldest AS due, expired.oldest AS expired,
                    (SELECT count(*) FROM automarket_ended WHERE state = 'dead') AS dead
             FROM (SELECT count(*) AS jobs, CAST(min(run_at) AS INTEGER) AS oldest
                   FROM automarket_waiting WHERE later = 0) AS line,
                  (SELECT count(*) AS jobs, CAST(min(run_at) AS INTEGER) AS oldest
                   FROM automarket_waiting WHERE later = 1 AND run_at <= ?1) AS due,
                  (SELECT count(*) AS jobs, CAST(min(j.run_at) AS INTEGER) AS oldest
                   FROM automarket_leases l JOIN automarket_jobs j USING (place)
                   WHERE l.in_line = 0 AND l.ends_at <= ?1) AS expired,
                  (SELECT count(*) AS jobs FROM automarket_waiting WHERE later = 1 AND run_at > ?1) AS later,
                  (SELECT count(*) AS jobs FROM automarket_leases WHERE in_line = 0 AND ends_at > ?1) AS leased",
        )?
        .query_row([micros(now)], |row| {
            let oldest: [Option<i64>; 3] = [row.get("in_line")?, row.get("due")?, row.get("expired")?];
            let stats = QueueStats {
                ready: count(row, "ready")?,
                later: count(row, "waiting")?,
                leased: count(row, "leased")?,
                dead: count(row, "dead")?,
                dead_by_input: 0,
                oldest_due: None,
            };
            Ok((stats, oldest.into_iter().flatten().min()))
        })?;
    let (stats, oldest) = counts;
    let last_failures = db
        .prepare_cached(
            "SELECT f.error FROM (SELECT place FROM automarket_ended WHERE state = 'dead' LIMIT 1000) e
             JOIN automarket_failures f ON f.place = e.place
                AND f.number = (SELECT max(number) FROM automarket_failures WHERE place = e.place)",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(QueueStats {
        dead_by_input: of_input(&last_failures),
        oldest_due: near::due(oldest),
        ..stats
    })
}

fn count(row: &Row<'_>, name: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(name)?.unsigned_abs())
}

pub(super) fn live_kinds(db: &Connection) -> Outcome<BTreeMap<String, u64>> {
    let mut live = db.prepare_cached(
        "SELECT j.kind, count(*) AS jobs FROM (
            SELECT place FROM automarket_waiting UNION SELECT place FROM automarket_leases
         ) live CROSS JOIN automarket_jobs j ON j.place = live.place GROUP BY j.kind",
    )?;
    let kinds = live.query_map([], |row| Ok((row.get("kind")?, count(row, "jobs")?)))?;
    Ok(kinds.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn next_ready(db: &Connection, kinds: &[String]) -> Outcome<Option<DateTime<Utc>>> {
    let ready = line::pick(db, kinds, 1, &mut BTreeMap::new())?;
    let ready = ready.first().and_then(|stretch| stretch.jobs.first());
    if let Some(job) = ready {
        return Ok(near::due(Some(job.run_at_micros().unwrap_or(0))));
    }
    // What is no number is never due.
    let at: Option<i64> = db
        .prepare_cached(
            "SELECT min(at) FROM (
                SELECT * FROM (SELECT CAST(run_at AS INTEGER) AS at
                    FROM automarket_waiting INDEXED BY automarket_waiting_later
                    WHERE later = 1 AND automarket_waiting.run_at < ''
                        AND (?1 = '[]' OR kind IN (SELECT value FROM json_each(?1)))
                    ORDER BY automarket_waiting.run_at LIMIT 1)
                UNION ALL
                SELECT min(ends_at) FROM automarket_leases
                WHERE in_line = 0 AND (?1 = '[]' OR kind IN (SELECT value FROM json_each(?1))))",
        )?
        .query_row([crate::value::to_json(&kinds)?], |row| row.get(0))?;
    Ok(near::due(at))
}

pub(super) fn failures(db: &Connection, place: i64) -> Outcome<Vec<(u32, i64, String)>> {
    Ok(db
        .prepare_cached(
            "SELECT attempt, at, error FROM automarket_failures WHERE place = ?1 ORDER BY number",
        )?
        .query_map([place], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

fn decode(row: &Row<'_>, failures: Vec<(u32, i64, String)>) -> Outcome<Job> {
    let leased: Option<bool> = row.column("leased")?;
    let ended: Option<String> = row.column("state")?;
    let finished_at: Option<i64> = row.column("finished_at")?;
    let result: Option<String> = row.column("result")?;
    Ok(Job {
        id: near::id(row, "id")?,
        tenant: row.tenant()?,
        kind: near::text(row, "kind")?.unwrap_or_default(),
        payload: payload(&near::text(row, "payload")?.unwrap_or_default()),
        state: job_state(leased, ended.as_deref())?,
        run_at: near::instant(row, "run_at")?,
        priority: near::number(row, "priority", i16::MIN, i16::MAX)?,
        attempts: near::number(row, "attempts", 0, u32::MAX)?,
        crashes: near::number(row, "crashes", 0, u32::MAX)?,
        max_attempts: near::number(row, "max_attempts", 0, u32::MAX)?,
        unique_key: near::text(row, "unique_key")?,
        fence: row.column("fence")?,
        result: result.as_deref().map(payload),
        failures: decode_failures(failures)?,
        created_at: near::instant(row, "created_at")?,
        finished_at: finished_at.map(instant).transpose()?,
    })
}

pub(super) fn decode_failures(failures: Vec<(u32, i64, String)>) -> Result<Vec<Failure>> {
    let decode = |(attempt, at, error): (u32, i64, String)| {
        Ok::<_, Fault>(Failure {
            attempt,
            at: instant(at)?,
            error: failure(&error),
        })
    };
    let failures = failures.into_iter().map(decode);
    Ok(failures.collect::<Outcome<_>>()?)
}
