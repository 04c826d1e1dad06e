//! Leasing ready jobs.

use automarket_core::{
    Result,
    store::{Claim, Crash, Job, JobState, Lease, LeaseToken, lease_end},
};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::{line, read, settle};
use crate::{
    error::{Fault, Outcome},
    value::{array, blob, damaged, instant, micros, payload},
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
    leases.sort_by_key(|l| (std::cmp::Reverse(l.row.priority), l.row.run_at, l.place));
    Ok(leases)
}

fn ready_place(tx: &Tx<'_>, id: [u8; 16], kinds: &[String]) -> Outcome<Option<i64>> {
    let found: Option<(i64, String)> = tx
        .db
        .prepare_cached(
            "SELECT q.place, q.kind FROM automarket_jobs j JOIN automarket_queue q USING (place)
             WHERE j.id = ?1 AND q.due_at <= ?2",
        )?
        .query_row(params![id, tx.now], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found
        .filter(|(_, kind)| kinds.is_empty() || kinds.contains(kind))
        .map(|(place, _)| place))
}

/// A leased job, decoded only when it has left the writer.
pub(super) struct Leased {
    place: i64,
    row: LiveRow,
    failures: Vec<(u32, i64, String)>,
    expires_at: i64,
}

struct LiveRow {
    id: [u8; 16],
    tenant: String,
    kind: String,
    payload: String,
    priority: i16,
    max_attempts: u32,
    unique_key: Option<String>,
    created_at: i64,
    leased: bool,
    in_trust: bool,
    run_at: i64,
    fence: i64,
    attempts: u32,
    crashes: u32,
}

impl LiveRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant: row.get(1)?,
            kind: row.get(2)?,
            payload: row.get(3)?,
            priority: row.get(4)?,
            max_attempts: row.get(5)?,
            unique_key: row.get(6)?,
            created_at: row.get(7)?,
            leased: row.get(8)?,
            run_at: row.get(9)?,
            fence: row.get(10)?,
            attempts: row.get(11)?,
            crashes: row.get(12)?,
            in_trust: row.get(13)?,
        })
    }
}

/// Leases the jobs at these places, but not those that are dead instead.
fn take(tx: &Tx<'_>, places: &[i64], claim: &Claim) -> Outcome<Vec<Leased>> {
    let expires_at = micros(lease_end(instant(tx.now)?, claim.lease));
    let mut taken = Vec::with_capacity(places.len());
    let mut read = tx.db.prepare_cached(
        "SELECT j.id, j.tenant, j.kind, j.payload, j.priority, j.max_attempts, j.unique_key,
            j.created_at, q.leased, q.run_at, q.fence, q.attempts, q.crashes, q.in_trust, q.place
         FROM rarray(?1) t
         CROSS JOIN automarket_queue q ON q.place = t.value
         CROSS JOIN automarket_jobs j ON j.place = q.place",
    )?;
    let rows = read.query_map([array(places.iter().copied())], |row| {
        Ok((row.get(14)?, LiveRow::read(row)?))
    })?;
    let rows: Vec<(i64, LiveRow)> = rows.collect::<rusqlite::Result<_>>()?;
    for (place, mut row) in rows {
        let comes_back = row.leased && row.in_trust;
        if row.leased && !comes_back && !survives(tx, place, &mut row, claim)? {
            continue;
        }
        row.leased = true;
        row.fence += 1;
        row.attempts = row.attempts.saturating_add(u32::from(!comes_back));
        row.in_trust = claim.lends(row.crashes);
        // Only a job that was leased before has a history.
        let failures = match row.fence {
            1 => Vec::new(),
            _ => read::failures(tx.db, place)?,
        };
        taken.push(Leased {
            place,
            row,
            failures,
            expires_at,
        });
    }
    tx.db
        .prepare_cached(
            "UPDATE automarket_queue SET leased = 1, ready = 0, due_at = ?2, fence = fence + 1,
                attempts = min(attempts + NOT (leased AND in_trust), 4294967295), in_trust = place IN rarray(?3)
             WHERE place IN rarray(?1)",
        )?
        .execute(params![
            array(taken.iter().map(|l| l.place)),
            expires_at,
            array(taken.iter().filter(|l| l.row.in_trust).map(|l| l.place)),
        ])?;
    Ok(taken)
}

/// Counts the crash of a worker that is gone; `false` when the job is dead of it.
fn survives(tx: &Tx<'_>, place: i64, row: &mut LiveRow, claim: &Claim) -> Outcome<bool> {
    row.crashes = row.crashes.saturating_add(1);
    let crash = Crash::new(
        row.crashes,
        claim.max_crashes,
        row.attempts,
        row.max_attempts,
    );
    settle::add_failure(tx, place, row.attempts, &crash.failure)?;
    settle::set_crashes(tx, place, row.crashes)?;
    if crash.dead {
        settle::end(tx, place, JobState::Dead)?;
    }
    Ok(!crash.dead)
}

impl Leased {
    pub(super) fn decode(self) -> Result<Lease> {
        let row = self.row;
        let job = || -> Outcome<Job> {
            Ok(Job {
                id: Uuid::from_bytes(row.id).into(),
                tenant: automarket_core::TenantId::new(row.tenant)
                    .map_err(|e| Fault::Ours(damaged("a tenant").with_source(e)))?,
                kind: row.kind,
                payload: payload(&row.payload),
                state: JobState::Leased,
                run_at: instant(row.run_at)?,
                priority: row.priority,
                attempts: row.attempts,
                crashes: row.crashes,
                max_attempts: row.max_attempts,
                unique_key: row.unique_key,
                fence: row.fence,
                result: None,
                failures: read::decode_failures(self.failures)?,
                created_at: instant(row.created_at)?,
                finished_at: None,
            })
        };
        let job = job()?;
        Ok(Lease {
            token: LeaseToken {
                job: job.id,
                fence: job.fence,
            },
            job,
            expires_at: instant(self.expires_at)?,
            in_trust: row.in_trust,
        })
    }
}
