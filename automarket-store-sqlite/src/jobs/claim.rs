//! Leasing ready jobs.

use std::cmp::Reverse;

use automarket_core::{
    Error, ErrorRecord, Result,
    store::{Claim, Crash, Job, JobState, Lease, LeaseToken, lease_end},
};
use rusqlite::{OptionalExtension, Row, params, types::Value};
use uuid::Uuid;

use super::{line, read, settle};
use crate::{
    error::Outcome,
    value::{Instant, Tenant, Text, array, blob, damaged, instant, micros, payload},
    writer::Tx,
};

pub(super) fn claim(tx: &mut Tx<'_>, claim: &Claim) -> Outcome<Vec<Leased>> {
    let mut leases = Vec::new();
    if claim.limit == 0 {
        return Ok(leases);
    }
    if let Some(id) = claim.job {
        if let Some(place) = ready_place(tx, blob(id), &claim.kinds)? {
            leases.extend(take(tx, &[place], claim)?);
        }
        return Ok(leases);
    }
    line::admit_due(tx, claim.limit)?;
    while leases.len() < claim.limit {
        let room = claim.limit - leases.len();
        let places = line::pick(tx.db, &claim.kinds, room, tx.turns)?;
        if places.is_empty() {
            break;
        }
        leases.extend(take(tx, &places, claim)?);
    }
    leases.sort_by_key(|l| {
        let job = &l.lease.job;
        (Reverse(job.priority), job.run_at, l.place)
    });
    Ok(leases)
}

fn ready_place(tx: &Tx<'_>, id: [u8; 16], kinds: &[String]) -> Outcome<Option<i64>> {
    let found: Option<(i64, Value)> = tx
        .db
        .prepare_cached(
            "SELECT q.place, q.kind FROM automarket_jobs j JOIN automarket_queue q USING (place)
             WHERE j.id = ?1 AND q.due_at <= ?2",
        )?
        .query_row(params![id, tx.now], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let wanted = |kind: &Value| match kind {
        Value::Text(kind) => kinds.contains(kind),
        _ => false,
    };
    Ok(found
        .filter(|(_, kind)| kinds.is_empty() || wanted(kind))
        .map(|(place, _)| place))
}

/// A leased job, its records still as text: they are read only when it has left the writer.
pub(super) struct Leased {
    place: i64,
    lease: Lease,
    payload: String,
    failures: Vec<(u32, i64, String)>,
}

/// Leases the jobs at these places, but not those that are dead instead.
fn take(tx: &Tx<'_>, places: &[i64], claim: &Claim) -> Outcome<Vec<Leased>> {
    let expires_at = lease_end(instant(tx.now)?, claim.lease);
    let mut read = tx.db.prepare_cached(
        "SELECT j.id, j.tenant, j.kind, j.payload, j.priority, j.max_attempts, j.unique_key,
            j.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.leased, q.in_trust, q.place
         FROM rarray(?1) t
         CROSS JOIN automarket_queue q ON q.place = t.value
         LEFT JOIN automarket_jobs j ON j.place = q.place",
    )?;
    let found = read.query_map([array(places.iter().copied())], |row| {
        let found = Found::read(row).map_err(|error| unreadable(row, &error));
        Ok((row.get(14)?, found))
    })?;
    let found: Vec<(i64, Result<Found>)> = found.collect::<rusqlite::Result<_>>()?;
    let mut taken = Vec::with_capacity(found.len());
    for (place, found) in found {
        let Found {
            mut job,
            payload,
            leased,
            in_trust,
        } = match found {
            Ok(found) => found,
            Err(why) => {
                settle::add_failure(tx, place, 0, &ErrorRecord::from(&why))?;
                settle::end(tx, place, JobState::Dead)?;
                continue;
            }
        };
        let comes_back = leased && in_trust;
        if leased && !comes_back && !survives(tx, place, &mut job, claim)? {
            continue;
        }
        job.fence += 1;
        job.attempts = job.attempts.saturating_add(u32::from(!comes_back));
        taken.push(Leased {
            place,
            payload,
            // Only a job that was leased before has a history.
            failures: match job.fence {
                1 => Vec::new(),
                _ => read::failures(tx.db, place)?,
            },
            lease: Lease {
                token: LeaseToken {
                    job: job.id,
                    fence: job.fence,
                },
                in_trust: claim.lends(job.crashes),
                job,
                expires_at,
            },
        });
    }
    tx.db
        .prepare_cached(
            "UPDATE automarket_queue SET leased = 1, ready = 0, due_at = ?2, fence = fence + 1,
                attempts = min(attempts + NOT (leased AND in_trust), 4294967295), in_trust = 0
             WHERE place IN rarray(?1)",
        )?
        .execute(params![
            array(taken.iter().map(|l| l.place)),
            micros(expires_at)
        ])?;
    for lent in taken.iter().filter(|l| l.lease.in_trust) {
        tx.db
            .prepare_cached("UPDATE automarket_queue SET in_trust = 1 WHERE place = ?1")?
            .execute([lent.place])?;
    }
    Ok(taken)
}

/// A job in the line. Its payload and failures are not read into it yet.
struct Found {
    job: Job,
    payload: String,
    leased: bool,
    in_trust: bool,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let Tenant(tenant) = row.get(1)?;
        let Text(payload) = row.get(3)?;
        let Instant(created_at) = row.get(7)?;
        let Instant(run_at) = row.get(8)?;
        Ok(Self {
            job: Job {
                id: Uuid::from_bytes(row.get(0)?).into(),
                tenant,
                kind: row.get(2)?,
                payload: serde_json::Value::Null,
                state: JobState::Leased,
                run_at,
                priority: row.get(4)?,
                attempts: row.get(10)?,
                crashes: row.get(11)?,
                max_attempts: row.get(5)?,
                unique_key: row.get(6)?,
                fence: row.get(9)?,
                result: None,
                failures: Vec::new(),
                created_at,
                finished_at: None,
            },
            payload,
            leased: row.get(12)?,
            in_trust: row.get(13)?,
        })
    }
}

/// What a host's own statement put in and is no job: which column is wrong.
fn unreadable(row: &Row<'_>, error: &rusqlite::Error) -> Error {
    use rusqlite::Error as Sql;
    let column = match error {
        Sql::FromSqlConversionFailure(index, ..)
        | Sql::IntegralValueOutOfRange(index, ..)
        | Sql::InvalidColumnType(index, ..)
        | Sql::Utf8Error(index, ..) => row.as_ref().column_name(*index).ok(),
        _ => None,
    };
    damaged(&format!("the column {} of the job", column.unwrap_or("?")))
}

/// Counts the crash of a worker that is gone; `false` when the job is dead of it.
fn survives(tx: &Tx<'_>, place: i64, job: &mut Job, claim: &Claim) -> Outcome<bool> {
    job.crashes = job.crashes.saturating_add(1);
    let crash = Crash::new(
        job.crashes,
        claim.max_crashes,
        job.attempts,
        job.max_attempts,
    );
    settle::add_failure(tx, place, job.attempts, &crash.failure)?;
    settle::set_crashes(tx, place, job.crashes)?;
    if crash.dead {
        settle::end(tx, place, JobState::Dead)?;
    }
    Ok(!crash.dead)
}

impl Leased {
    pub(super) fn decode(self) -> Result<Lease> {
        let mut lease = self.lease;
        lease.job.payload = payload(&self.payload);
        lease.job.failures = read::decode_failures(self.failures)?;
        Ok(lease)
    }
}
