//! Leasing ready jobs.

use automarket_core::{
    Result,
    store::{Claim, Crash, Job, JobState, Lease, LeaseToken, lease_end},
};
use rusqlite::{CachedStatement, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{line, read, settle};
use crate::{
    error::{Fault, Outcome},
    value::{blob, damaged, from_json, instant, micros},
    writer::Tx,
};

pub(super) fn claim(tx: &mut Tx<'_>, claim: &Claim) -> Outcome<Vec<Leased>> {
    let mut leases = Vec::new();
    if claim.limit == 0 {
        return Ok(leases);
    }
    if let Some(id) = claim.job {
        if let Some(place) = ready_place(tx, blob(id), &claim.kinds)? {
            leases.extend(Take::new(tx, claim)?.one(place)?);
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
        let mut take = Take::new(tx, claim)?;
        for place in places {
            leases.extend(take.one(place)?);
        }
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
        })
    }
}

/// The statements of leasing a job.
struct Take<'a> {
    tx: &'a Tx<'a>,
    claim: &'a Claim,
    expires_at: i64,
    read: CachedStatement<'a>,
    lease: CachedStatement<'a>,
}

impl<'a> Take<'a> {
    fn new(tx: &'a Tx<'a>, claim: &'a Claim) -> Outcome<Self> {
        Ok(Self {
            tx,
            claim,
            expires_at: micros(lease_end(instant(tx.now)?, claim.lease)),
            read: tx.db.prepare_cached(
                "SELECT j.id, j.tenant, j.kind, j.payload, j.priority, j.max_attempts, j.unique_key,
                    j.created_at, q.leased, q.run_at, q.fence, q.attempts, q.crashes
                 FROM automarket_queue q JOIN automarket_jobs j USING (place) WHERE q.place = ?1",
            )?,
            lease: tx.db.prepare_cached(
                "UPDATE automarket_queue SET leased = 1, ready = 0, due_at = ?2, fence = ?3,
                    attempts = ?4, crashes = ?5
                 WHERE place = ?1",
            )?,
        })
    }

    /// Leases one job of the line; `None` when it is dead instead.
    fn one(&mut self, place: i64) -> Outcome<Option<Leased>> {
        let tx = self.tx;
        let mut row = self.read.query_row([place], LiveRow::read)?;
        if row.leased {
            row.crashes = row.crashes.saturating_add(1);
            let crash = Crash::new(
                row.crashes,
                self.claim.max_crashes,
                row.attempts,
                row.max_attempts,
            );
            settle::add_failure(tx, place, row.attempts, &crash.failure)?;
            if crash.dead {
                settle::set_attempts(tx, place, row.attempts, row.crashes)?;
                settle::end(tx, place, JobState::Dead)?;
                return Ok(None);
            }
        }
        row.leased = true;
        row.fence += 1;
        row.attempts = row.attempts.saturating_add(1);
        self.lease.execute(params![
            place,
            self.expires_at,
            row.fence,
            row.attempts,
            row.crashes
        ])?;
        // Only a job that was leased before has a history.
        let failures = match row.fence {
            1 => Vec::new(),
            _ => read::failures(tx.db, place)?,
        };
        Ok(Some(Leased {
            place,
            row,
            failures,
            expires_at: self.expires_at,
        }))
    }
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
                payload: from_json(&row.payload)?,
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
        })
    }
}
