//! What was leased just now, read outside of the writer, which goes on meanwhile.

use std::collections::HashMap;

use automarket_core::{
    Error, Result,
    chrono::{DateTime, Utc},
    store::{Job, JobState, Lease, LeaseToken},
};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{
    read,
    standing::{Past, stretches},
};
use crate::{
    error::Outcome,
    value::{Instant, Tenant, Text, damaged, payload},
};

/// A job that was leased just now. What it is has not been read yet.
pub(super) struct Taken {
    pub(super) place: i64,
    pub(super) past: Past,
    pub(super) in_trust: bool,
    pub(super) expires_at: DateTime<Utc>,
}

/// What was taken, with its place; the error says why it is no job.
pub(super) fn read(db: &Connection, taken: Vec<Taken>) -> Outcome<Vec<(i64, Result<Lease>)>> {
    let places = taken.iter().map(|taken| taken.place).collect();
    let mut taken: HashMap<i64, Taken> = taken.into_iter().map(|t| (t.place, t)).collect();
    let mut found = Vec::with_capacity(taken.len());
    let mut read = db.prepare_cached(
        "SELECT id, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at, place
         FROM automarket_jobs WHERE place BETWEEN ?1 AND ?2",
    )?;
    for (from, to) in stretches(places) {
        let mut rows = read.query([from, to])?;
        while let Some(row) = rows.next()? {
            let place = row.get(9)?;
            let Some(taken) = taken.remove(&place) else {
                continue;
            };
            let lease = match job(row) {
                Ok(job) => Ok(lease(db, taken, job)?),
                Err(error) => Err(unreadable(row, &error)),
            };
            found.push((place, lease));
        }
    }
    let lost = taken.into_keys();
    found.extend(lost.map(|place| (place, Err(damaged("a job that is not there")))));
    Ok(found)
}

fn lease(db: &Connection, taken: Taken, mut job: Job) -> Outcome<Lease> {
    let Taken { past, in_trust, .. } = taken;
    job.fence = past.fence;
    job.attempts = past.attempts;
    job.crashes = past.crashes;
    // Only a job that was leased before has a history.
    if past.fence > 1 {
        job.failures = read::decode_failures(read::failures(db, taken.place)?)?;
    }
    Ok(Lease {
        token: LeaseToken {
            job: job.id,
            fence: job.fence,
        },
        in_trust,
        job,
        expires_at: taken.expires_at,
    })
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
