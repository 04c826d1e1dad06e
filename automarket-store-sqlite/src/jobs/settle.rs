//! Prolonging and ending leases; what else ends or revives a job.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use automarket_core::{
    ErrorRecord, JobId, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{FAILURES_KEPT, JobState, LeaseToken, Settled, Verdict, lease_end},
};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::read::ended_state;
use crate::{
    error::Outcome,
    value::{array, blob, instant, limit as sql_limit, micros, to_json},
    writer::Tx,
};

/// A verdict whose result is written out already, so that the writer need not.
pub(super) struct VerdictRow {
    token: LeaseToken,
    verdict: Verdict,
    result: Option<String>,
}

impl VerdictRow {
    pub(super) fn new((token, verdict): &(LeaseToken, Verdict)) -> Result<Self> {
        let (verdict, result) = match verdict {
            Verdict::Complete(result) => (
                Verdict::Complete(serde_json::Value::Null),
                Some(to_json(result)?),
            ),
            other => (other.clone(), None),
        };
        Ok(Self {
            token: *token,
            verdict,
            result,
        })
    }
}

pub(super) fn settle(tx: &Tx<'_>, rows: &[VerdictRow]) -> Outcome<Vec<Settled>> {
    let held = held_to_complete(tx, rows)?;
    let mut done = Vec::with_capacity(held.len());
    let mut answers = Vec::with_capacity(rows.len());
    // The first verdict of a lease ends it.
    let mut seen = HashSet::with_capacity(rows.len());
    for row in rows {
        if !seen.insert(row.token) {
            answers.push(Settled::LeaseLost);
        } else if let Some(result) = &row.result {
            answers.push(match held.get(&row.token) {
                Some(place) => {
                    done.push((*place, result.as_str()));
                    Settled::Now(JobState::Completed)
                }
                None => Settled::LeaseLost,
            });
        } else {
            answers.push(settle_one(tx, row)?);
        }
    }
    complete(tx, &done)?;
    Ok(answers)
}

/// Moves jobs with their results out of the queue. Most results are `null`, so those are written with the rest.
fn complete(tx: &Tx<'_>, done: &[(i64, &str)]) -> Outcome<()> {
    if done.is_empty() {
        return Ok(());
    }
    let places = array(done.iter().map(|(place, _)| *place));
    tx.db
        .prepare_cached(
            // Joined, since `IN` would build a table of the list; without FAIL SQLite would keep a copy of each page.
            "INSERT OR FAIL INTO automarket_ended
                (place, tenant, state, run_at, fence, attempts, crashes, result, finished_at)
             SELECT q.place, q.tenant, 'completed', q.run_at, q.fence, q.attempts, q.crashes, 'null', ?2
             FROM rarray(?1) t CROSS JOIN automarket_queue q ON q.place = t.value",
        )?
        .execute(params![places, tx.now])?;
    tx.db
        .prepare_cached("DELETE FROM automarket_queue WHERE place IN rarray(?1)")?
        .execute([places])?;
    let mut say = tx
        .db
        .prepare_cached("UPDATE automarket_ended SET result = ?2 WHERE place = ?1")?;
    for (place, result) in done.iter().filter(|(_, result)| *result != "null") {
        say.execute(params![place, result])?;
    }
    Ok(())
}

/// The places of those of the completed jobs whose lease is held.
fn held_to_complete(tx: &Tx<'_>, rows: &[VerdictRow]) -> Outcome<HashMap<LeaseToken, i64>> {
    let completed = rows.iter().filter(|row| row.result.is_some());
    let ids = array(completed.map(|row| blob(row.token.job).to_vec()));
    let mut read = tx.db.prepare_cached(
        "SELECT j.id, q.fence, q.place FROM rarray(?1) t
         CROSS JOIN automarket_jobs j ON j.id = t.value
         CROSS JOIN automarket_queue q ON q.place = j.place
         WHERE q.leased = 1",
    )?;
    let found = read.query_map([ids], |row| {
        let token = LeaseToken {
            job: Uuid::from_bytes(row.get(0)?).into(),
            fence: row.get(1)?,
        };
        Ok((token, row.get(2)?))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn settle_one(tx: &Tx<'_>, row: &VerdictRow) -> Outcome<Settled> {
    let held: Option<(i64, u32, u32, i64)> = tx
        .db
        .prepare_cached(
            "SELECT q.place, q.attempts, j.max_attempts, q.run_at
             FROM automarket_jobs j JOIN automarket_queue q USING (place)
             WHERE j.id = ?1 AND q.leased = 1 AND q.fence = ?2",
        )?
        .query_row(params![blob(row.token.job), row.token.fence], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((place, attempts, max_attempts, run_at)) = held else {
        return Ok(Settled::LeaseLost);
    };
    let next = row.verdict.clone().resolve(attempts, max_attempts);
    if let Some(error) = &next.failure {
        add_failure(tx, place, attempts, error)?;
    }
    if next.state == JobState::Waiting {
        let run_at = next.run_at.map_or(run_at, micros);
        tx.db
            .prepare_cached(
                "UPDATE automarket_queue SET leased = 0, run_at = ?2, due_at = ?2, ready = ?3,
                    attempts = ?4
                 WHERE place = ?1",
            )?
            .execute(params![place, run_at, run_at <= tx.now, next.attempts])?;
    } else {
        end(tx, place, next.state)?;
    }
    Ok(Settled::Now(next.state))
}

/// Moves a live job that has no result out of the queue.
pub(super) fn end(tx: &Tx<'_>, place: i64, state: JobState) -> Outcome<()> {
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_ended
                (place, tenant, state, run_at, fence, attempts, crashes, finished_at)
             SELECT place, tenant, ?2, run_at, fence, attempts, crashes, ?3
             FROM automarket_queue WHERE place = ?1",
        )?
        .execute(params![place, ended_state(state), tx.now])?;
    tx.db
        .prepare_cached("DELETE FROM automarket_queue WHERE place = ?1")?
        .execute([place])?;
    Ok(())
}

pub(super) fn set_crashes(tx: &Tx<'_>, place: i64, crashes: u32) -> Outcome<()> {
    tx.db
        .prepare_cached("UPDATE automarket_queue SET crashes = ?2 WHERE place = ?1")?
        .execute(params![place, crashes])?;
    Ok(())
}

pub(super) fn add_failure(
    tx: &Tx<'_>,
    place: i64,
    attempt: u32,
    error: &ErrorRecord,
) -> Outcome<()> {
    let number: i64 = tx
        .db
        .prepare_cached(
            "INSERT INTO automarket_failures (place, number, attempt, at, error)
             SELECT ?1, ifnull(max(number), 0) + 1, ?2, ?3, ?4
             FROM automarket_failures WHERE place = ?1
             RETURNING number",
        )?
        .query_row(params![place, attempt, tx.now, to_json(error)?], |row| {
            row.get(0)
        })?;
    tx.db
        .prepare_cached("DELETE FROM automarket_failures WHERE place = ?1 AND number <= ?2")?
        .execute(params![place, number - sql_limit(FAILURES_KEPT)])?;
    Ok(())
}

/// Prolongs leases; returns those that could not be.
pub(super) fn prolong(
    tx: &Tx<'_>,
    leases: &[LeaseToken],
    lease: Duration,
) -> Outcome<Vec<LeaseToken>> {
    let until = micros(lease_end(instant(tx.now)?, lease));
    let mut update = tx.db.prepare_cached(
        "UPDATE automarket_queue SET due_at = ?3, ready = 0
         WHERE place = (SELECT place FROM automarket_jobs WHERE id = ?1)
            AND leased = 1 AND fence = ?2",
    )?;
    let mut lost = Vec::new();
    for token in leases {
        if update.execute(params![blob(token.job), token.fence, until])? == 0 {
            lost.push(*token);
        }
    }
    Ok(lost)
}

pub(super) fn cancel(tx: &Tx<'_>, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    let waiting: Option<i64> = tx
        .db
        .prepare_cached(
            "SELECT q.place FROM automarket_jobs j JOIN automarket_queue q USING (place)
             WHERE j.id = ?1 AND j.tenant = ?2 AND q.leased = 0",
        )?
        .query_row(params![blob(id), tenant.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(place) = waiting {
        end(tx, place, JobState::Cancelled)?;
    }
    Ok(waiting.is_some())
}

pub(super) fn reschedule(
    tx: &Tx<'_>,
    tenant: &TenantId,
    id: JobId,
    at: DateTime<Utc>,
) -> Outcome<bool> {
    let at = micros(at);
    let moved = tx
        .db
        .prepare_cached(
            "UPDATE automarket_queue SET run_at = ?3, due_at = ?3, ready = ?4
             WHERE place = (SELECT place FROM automarket_jobs WHERE id = ?1)
                AND tenant = ?2 AND leased = 0",
        )?
        .execute(params![blob(id), tenant.as_str(), at, at <= tx.now])?;
    Ok(moved > 0)
}

pub(super) fn redrive(tx: &Tx<'_>, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    let place: Option<i64> = tx
        .db
        .prepare_cached("SELECT place FROM automarket_jobs WHERE id = ?1 AND tenant = ?2")?
        .query_row(params![blob(id), tenant.as_str()], |row| row.get(0))
        .optional()?;
    match place {
        Some(place) => revive(tx, place),
        None => Ok(false),
    }
}

/// Puts a dead job back in, unless a live one holds its unique key.
pub(crate) fn revive(tx: &Tx<'_>, place: i64) -> Outcome<bool> {
    let back = tx
        .db
        .prepare_cached(
            "INSERT INTO automarket_queue
                (place, tenant, kind, priority, run_at, due_at, ready, fence, unique_key)
             SELECT j.place, j.tenant, j.kind, j.priority, ?2, ?2, 1, e.fence, j.unique_key
             FROM automarket_jobs j JOIN automarket_ended e USING (place)
             WHERE j.place = ?1 AND e.state = 'dead' ON CONFLICT DO NOTHING",
        )?
        .execute(params![place, tx.now])?;
    if back > 0 {
        tx.db
            .prepare_cached("DELETE FROM automarket_ended WHERE place = ?1")?
            .execute([place])?;
    }
    Ok(back > 0)
}
