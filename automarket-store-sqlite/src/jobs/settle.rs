//! Prolonging and ending leases; what else ends or revives a job.

use std::{collections::HashMap, time::Duration};

use automarket_core::{
    ErrorRecord, JobId, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{
        JobState, LeaseToken, Settled, Verdict,
        rules::{FAILURES_KEPT, lease_end},
    },
};
use rusqlite::params;

use super::{
    near,
    read::one,
    standing::{Past, end, end_lease, stop_waiting, stretches, wait, waiting},
    taken::Taken,
};
use crate::{
    error::Outcome,
    value::{blob, instant, limit as sql_limit, micros, to_json},
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
    let mut held = held(tx, rows.iter().map(|row| row.token))?;
    let mut done = Vec::with_capacity(rows.len());
    let mut answers = Vec::with_capacity(rows.len());
    for row in rows {
        // The first verdict of a lease ends it.
        answers.push(match (held.remove(&row.token), &row.result) {
            (None, _) => Settled::LeaseLost,
            (Some(held), Some(result)) => {
                done.push((held, result.as_str()));
                Settled::Now(JobState::Completed)
            }
            (Some(held), None) => Settled::Now(settle_one(tx, held, &row.verdict)?),
        });
    }
    complete(tx, &done)?;
    Ok(answers)
}

/// Ends leases with their results. Most results are `null`, so those are written with the rest.
fn complete(tx: &Tx<'_>, done: &[(Held, &str)]) -> Outcome<()> {
    if done.is_empty() {
        return Ok(());
    }
    for (held, _) in done.iter().filter(|(held, _)| held.in_line) {
        stop_waiting(tx, held.place)?;
    }
    let mut end = tx.db.prepare_cached(
        // As in claims: without a word on conflicts it costs more.
        "INSERT OR IGNORE INTO automarket_ended
            (place, tenant, state, fence, attempts, crashes, result, finished_at)
         SELECT place, tenant, 'completed', fence, attempts, crashes, 'null', ?3
         FROM automarket_leases WHERE place BETWEEN ?1 AND ?2",
    )?;
    let mut leases = tx
        .db
        .prepare_cached("DELETE FROM automarket_leases WHERE place BETWEEN ?1 AND ?2")?;
    let mut keys = tx
        .db
        .prepare_cached("DELETE FROM automarket_unique_keys WHERE place BETWEEN ?1 AND ?2")?;
    for (from, to) in stretches(done.iter().map(|(held, _)| held.place).collect()) {
        end.execute([from, to, tx.now])?;
        leases.execute([from, to])?;
        keys.execute([from, to])?;
    }
    let mut say = tx
        .db
        .prepare_cached("UPDATE automarket_ended SET result = ?2 WHERE place = ?1")?;
    for (held, result) in done.iter().filter(|(_, result)| *result != "null") {
        say.execute(params![held.place, result])?;
    }
    Ok(())
}

/// A lease that is held.
#[derive(Clone, Copy)]
struct Held {
    place: i64,
    past: Past,
    /// It ran out, and its job is in the line again, not taken yet.
    in_line: bool,
}

/// Those of these leases that are held. Jobs that were put in one after the other have ids and places in the same
/// order, so the job of the next token is looked for in the next place first: that costs a third of a search by its id.
fn held(
    tx: &Tx<'_>,
    tokens: impl Iterator<Item = LeaseToken>,
) -> Outcome<HashMap<LeaseToken, Held>> {
    let mut tokens: Vec<LeaseToken> = tokens.collect();
    tokens.sort_unstable_by_key(|token| token.job);
    let mut held = HashMap::with_capacity(tokens.len());
    let mut from = tx.db.prepare_cached(
        "SELECT j.id, l.place, l.in_line, l.fence, l.attempts, l.crashes
         FROM automarket_leases l CROSS JOIN automarket_jobs j ON j.place = l.place
         WHERE l.place >= (SELECT place FROM automarket_jobs WHERE id = ?1) ORDER BY l.place",
    )?;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(first) = tokens.peek() {
        let mut rows = from.query([blob(first.job)])?;
        let mut any = false;
        while let Some(token) = tokens.peek().copied()
            && let Some(row) = rows.next()?
            && row.get_ref(0)?.as_blob().ok() == Some(&blob(token.job))
        {
            any = true;
            tokens.next();
            let one = Held {
                place: row.get(1)?,
                in_line: row.get(2)?,
                past: Past::read(row, 3)?,
            };
            if one.past.fence == token.fence {
                held.insert(token, one);
            }
        }
        if !any {
            tokens.next();
        }
    }
    Ok(held)
}

fn settle_one(tx: &Tx<'_>, held: Held, verdict: &Verdict) -> Outcome<JobState> {
    let Held { place, past, .. } = held;
    let max_attempts: Option<u32> = one(
        tx.db,
        "SELECT max_attempts FROM automarket_jobs WHERE place = ?1",
        [place],
        |row| near::number(row, 0, 0, u32::MAX),
    )?;
    let next = verdict
        .clone()
        .resolve(past.attempts, max_attempts.unwrap_or(0));
    if let Some(error) = &next.failure {
        add_failure(tx, place, past.attempts, error)?;
    }
    if next.state == JobState::Waiting {
        let past = Past {
            attempts: next.attempts,
            ..past
        };
        end_lease(tx, place)?;
        wait(tx, place, next.run_at.map(micros), past)?;
    } else {
        end(tx, place, next.state)?;
    }
    Ok(next.state)
}

/// Ends leases that nobody came to hold, as if they had not been.
pub(super) fn give_back(tx: &Tx<'_>, taken: &[Taken]) -> Outcome<()> {
    for taken in taken {
        if taken.is_held(tx.db)? {
            let held = Held {
                place: taken.place,
                past: taken.past,
                in_line: false,
            };
            settle_one(tx, held, &Verdict::Release)?;
        }
    }
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
    tx: &mut Tx<'_>,
    leases: &[LeaseToken],
    lease: Duration,
) -> Outcome<Vec<LeaseToken>> {
    let until = micros(lease_end(instant(tx.now)?, lease));
    tx.lines.looks.lease_ends(until);
    let mut update = tx.db.prepare_cached(
        "UPDATE automarket_leases SET ends_at = ?2, in_line = 0 WHERE place = ?1",
    )?;
    let held = held(tx, leases.iter().copied())?;
    let mut lost = Vec::new();
    for token in leases {
        let Some(held) = held.get(token) else {
            lost.push(*token);
            continue;
        };
        if held.in_line {
            stop_waiting(tx, held.place)?;
        }
        update.execute([held.place, until])?;
    }
    Ok(lost)
}

pub(super) fn cancel(tx: &Tx<'_>, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    let Some(place) = place(tx, tenant, id)? else {
        return Ok(false);
    };
    let waits = waiting(tx, place)?.is_some();
    if waits {
        end(tx, place, JobState::Cancelled)?;
    }
    Ok(waits)
}

pub(super) fn reschedule(
    tx: &Tx<'_>,
    tenant: &TenantId,
    id: JobId,
    at: DateTime<Utc>,
) -> Outcome<bool> {
    let Some(place) = place(tx, tenant, id)? else {
        return Ok(false);
    };
    let Some(past) = waiting(tx, place)? else {
        return Ok(false);
    };
    stop_waiting(tx, place)?;
    wait(tx, place, Some(micros(at)), past)?;
    Ok(true)
}

fn place(tx: &Tx<'_>, tenant: &TenantId, id: JobId) -> Outcome<Option<i64>> {
    one(
        tx.db,
        "SELECT place FROM automarket_jobs WHERE id = ?1 AND tenant = ?2",
        params![blob(id), tenant.as_str()],
        |row| row.get(0),
    )
}

pub(super) fn redrive(tx: &Tx<'_>, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    match place(tx, tenant, id)? {
        Some(place) => revive(tx, place),
        None => Ok(false),
    }
}

/// Puts a dead job back in, unless a live one holds its unique key.
pub(crate) fn revive(tx: &Tx<'_>, place: i64) -> Outcome<bool> {
    let dead = one(
        tx.db,
        "SELECT e.fence, k.place IS NOT NULL
         FROM automarket_ended e JOIN automarket_jobs j USING (place)
         LEFT JOIN automarket_unique_keys k
            ON k.tenant = j.tenant AND k.kind = j.kind AND k.unique_key = j.unique_key
         WHERE e.place = ?1 AND e.state = 'dead'",
        [place],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((fence, false)) = dead else {
        return Ok(false);
    };
    tx.db
        .prepare_cached("DELETE FROM automarket_ended WHERE place = ?1")?
        .execute([place])?;
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_unique_keys (place, tenant, kind, unique_key)
             SELECT place, tenant, kind, unique_key FROM automarket_jobs
             WHERE place = ?1 AND unique_key IS NOT NULL",
        )?
        .execute([place])?;
    let past = Past {
        fence,
        attempts: 0,
        crashes: 0,
    };
    wait(tx, place, Some(tx.now), past)?;
    Ok(true)
}
