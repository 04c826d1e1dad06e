//! What was leased just now, read beside the writer unless it is little.

use std::collections::HashMap;

use automarket_core::{
    Error, Result,
    chrono::{DateTime, Utc},
    store::{Job, JobState, Lease, LeaseToken},
};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{
    near, read,
    standing::{Past, stretches},
};
use crate::{
    error::Outcome,
    value::{Instant, Tenant, Text, damaged, micros, payload},
};

/// A job that was leased just now. What it is has not been read yet.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) place: i64,
    pub(super) past: Past,
    /// It was never leased before.
    pub(super) first: bool,
    pub(super) in_trust: bool,
    pub(super) expires_at: DateTime<Utc>,
}

impl Taken {
    /// Whether the lease is still this one. The end tells it from a lease of another job that was given the place since.
    pub(super) fn is_held(&self, db: &Connection) -> Outcome<bool> {
        let sql =
            "SELECT 1 FROM automarket_leases WHERE place = ?1 AND fence = ?2 AND ends_at = ?3";
        let params = [self.place, self.past.fence, micros(self.expires_at)];
        Ok(read::one(db, sql, params, |_| Ok(()))?.is_some())
    }
}

/// Those of them that are still held; the error says why one is no job.
pub(super) fn read(db: &Connection, taken: Vec<Taken>) -> Outcome<Vec<(Taken, Result<Lease>)>> {
    let places = taken.iter().map(|taken| taken.place).collect();
    let mut taken: HashMap<i64, Taken> = taken.into_iter().map(|t| (t.place, t)).collect();
    let mut found = Vec::with_capacity(taken.len());
    let mut read = db.prepare_cached(
        "SELECT j.id, j.tenant, j.kind, j.payload, j.priority, j.max_attempts, j.unique_key, j.created_at, j.run_at,
            l.place, l.fence, l.ends_at
         FROM automarket_leases l CROSS JOIN automarket_jobs j USING (place) WHERE l.place BETWEEN ?1 AND ?2",
    )?;
    for (from, to) in stretches(places) {
        let mut rows = read.query([from, to])?;
        while let Some(row) = rows.next()? {
            let (place, ends_at): (i64, i64) = (row.get(9)?, row.get(11)?);
            let fence = near::number(row, 10, i64::MIN, i64::MAX)?;
            let Some(taken) = taken.remove(&place) else {
                continue;
            };
            if (fence, ends_at) != (taken.past.fence, micros(taken.expires_at)) {
                continue;
            }
            let lease = match job(row) {
                Ok(job) => lease(db, &taken, job)?,
                Err(error) => Err(unreadable(row, &error)),
            };
            found.push((taken, lease));
        }
    }
    Ok(found)
}

fn lease(db: &Connection, taken: &Taken, mut job: Job) -> Outcome<Result<Lease>> {
    job.fence = taken.past.fence;
    job.attempts = taken.past.attempts;
    job.crashes = taken.past.crashes;
    // Only a job that was leased before has a history.
    if !taken.first {
        job.failures = match read::decode_failures(read::failures(db, taken.place)?) {
            Ok(failures) => failures,
            Err(error) => return Ok(Err(error)),
        };
    }
    Ok(Ok(Lease {
        token: LeaseToken {
            job: job.id,
            fence: job.fence,
        },
        in_trust: taken.in_trust,
        job,
        expires_at: taken.expires_at,
    }))
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let Tenant(tenant) = row.get(1)?;
    let Text(text) = row.get(3)?;
    let Instant(created_at) = row.get(7)?;
    let Instant(run_at) = row.get(8)?;
    Ok(Job {
        id: Uuid::from_bytes(row.get(0)?).into(),
        tenant,
        kind: row.get(2)?,
        payload: payload(&text),
        state: JobState::Leased,
        run_at,
        priority: row.get(4)?,
        attempts: 0,
        crashes: 0,
        max_attempts: row.get(5)?,
        unique_key: row.get(6)?,
        fence: 0,
        result: None,
        failures: Vec::new(),
        created_at,
        finished_at: None,
    })
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
