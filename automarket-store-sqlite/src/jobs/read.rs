//! Jobs as they stand.

use automarket_core::{
    JobId, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{Failure, Job, JobState, QueueStats, rows::job_state},
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
        j.created_at, q.leased, e.state, e.result, e.finished_at,
        ifnull(q.run_at, e.run_at) AS run_at, ifnull(q.fence, e.fence) AS fence,
        ifnull(q.attempts, e.attempts) AS attempts, ifnull(q.crashes, e.crashes) AS crashes
    FROM automarket_jobs j
    LEFT JOIN automarket_queue q ON q.place = j.place
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
        // The queue is read from its newest row back.
        None => query(
            db,
            "WHERE j.place IN (SELECT place FROM automarket_queue
                WHERE tenant = ?1 AND leased = ?2 ORDER BY place DESC LIMIT ?3)
             ORDER BY j.place DESC",
            params![tenant.as_str(), state == JobState::Leased, limit],
        ),
    }
}

pub(super) fn stats(db: &Connection, now: DateTime<Utc>) -> Outcome<QueueStats> {
    let counts = db
        .prepare_cached(
            "SELECT line.ready + due.ready AS ready,
                    min(ifnull(line.oldest, due.oldest), ifnull(due.oldest, line.oldest)) AS oldest,
                    later.waiting, later.leased,
                    (SELECT count(*) FROM automarket_ended WHERE state = 'dead') AS dead
             FROM (SELECT count(*) AS ready, CAST(min(run_at) AS INTEGER) AS oldest
                   FROM automarket_queue WHERE ready = 1) AS line,
                  (SELECT count(*) AS ready, CAST(min(run_at) AS INTEGER) AS oldest
                   FROM automarket_queue WHERE ready = 0 AND leased IN (0, 1) AND due_at <= ?1) AS due,
                  (SELECT count(*) FILTER (WHERE leased = 0) AS waiting,
                          count(*) FILTER (WHERE leased = 1) AS leased
                   FROM automarket_queue WHERE ready = 0 AND due_at > ?1) AS later",
        )?
        .query_row([micros(now)], |row| {
            let oldest: Option<i64> = row.get("oldest")?;
            let stats = QueueStats {
                ready: count(row, "ready")?,
                later: count(row, "waiting")?,
                leased: count(row, "leased")?,
                dead: count(row, "dead")?,
                oldest_due: None,
            };
            Ok((stats, oldest))
        })?;
    let (stats, oldest) = counts;
    Ok(QueueStats {
        oldest_due: near::due(oldest),
        ..stats
    })
}

fn count(row: &Row<'_>, name: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(name)?.unsigned_abs())
}

pub(super) fn next_ready(db: &Connection, kinds: &[String]) -> Outcome<Option<DateTime<Utc>>> {
    let ready = line::pick(db, kinds, 1, &mut BTreeMap::new())?;
    let at: Option<i64> = if let Some(place) = ready.first() {
        db.prepare_cached("SELECT CAST(run_at AS INTEGER) FROM automarket_queue WHERE place = ?1")?
            .query_row([place], |row| row.get(0))
            .optional()?
    } else {
        // Each half ends at its first row. What is no number is never due.
        let half = |leased| {
            format!(
                "SELECT * FROM (SELECT CAST(due_at AS INTEGER) AS due_at FROM automarket_queue
                 WHERE ready = 0 AND leased = {leased} AND automarket_queue.due_at < ''
                    AND (?1 = '[]' OR kind IN (SELECT value FROM json_each(?1)))
                 ORDER BY automarket_queue.due_at LIMIT 1)"
            )
        };
        db.prepare_cached(&format!(
            "SELECT min(due_at) FROM ({} UNION ALL {})",
            half(0),
            half(1)
        ))?
        .query_row([crate::value::to_json(&kinds)?], |row| row.get(0))?
    };
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

/// How an ended state is spelled in its row.
pub(super) fn ended_state(state: JobState) -> Option<&'static str> {
    match state {
        JobState::Completed => Some("completed"),
        JobState::Dead => Some("dead"),
        JobState::Cancelled => Some("cancelled"),
        JobState::Waiting | JobState::Leased => None,
    }
}
