use automarket_core::{
    JobId, Result,
    store::{Enqueued, NewJob},
};
use rusqlite::{OptionalExtension, params};

use crate::{
    error::Outcome,
    value::{Columns, blob, micros, to_json},
    writer::Tx,
};

/// A job whose payload is written out already, so that the writer need not.
pub(crate) struct NewRow {
    job: NewJob,
    payload: String,
}

impl NewRow {
    pub(crate) fn all(jobs: &[NewJob]) -> Result<Vec<Self>> {
        let row = |job: &NewJob| {
            Ok(Self {
                payload: to_json(&job.payload)?,
                job: job.clone(),
            })
        };
        jobs.iter().map(row).collect()
    }
}

pub(crate) fn enqueue(tx: &Tx<'_>, rows: &[NewRow]) -> Outcome<Vec<Enqueued>> {
    rows.iter().map(|row| put(tx, row)).collect()
}

fn put(tx: &Tx<'_>, NewRow { job, payload }: &NewRow) -> Outcome<Enqueued> {
    let id = blob(job.id);
    let tenant = job.tenant.as_str();
    let inserted = tx
        .db
        .prepare_cached(
            "INSERT INTO automarket_jobs
                (id, tenant, kind, payload, priority, max_attempts, unique_key, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            id,
            tenant,
            job.kind,
            payload,
            job.priority,
            job.max_attempts,
            job.unique_key,
            tx.now
        ])?;
    if inserted == 0 {
        let owner: String = tx
            .db
            .prepare_cached("SELECT tenant FROM automarket_jobs WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        return if owner == tenant {
            Ok(Enqueued::Existing(job.id))
        } else {
            Err(job.id_taken().into())
        };
    }
    let place = tx.db.last_insert_rowid();
    if let Some(key) = &job.unique_key
        && let Some(holder) = holder(tx, tenant, &job.kind, key)?
    {
        tx.db
            .prepare_cached("DELETE FROM automarket_jobs WHERE place = ?1")?
            .execute([place])?;
        return Ok(Enqueued::Existing(holder));
    }
    let run_at = job.run_at.map_or(tx.now, micros);
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_queue
                (place, tenant, kind, priority, run_at, due_at, ready, unique_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)",
        )?
        .execute(params![
            place,
            tenant,
            job.kind,
            job.priority,
            run_at,
            run_at <= tx.now,
            job.unique_key
        ])?;
    Ok(Enqueued::New(job.id))
}

/// The live job that holds this key.
fn holder(tx: &Tx<'_>, tenant: &str, kind: &str, key: &str) -> Outcome<Option<JobId>> {
    tx.db
        .prepare_cached(
            "SELECT j.id FROM automarket_queue q JOIN automarket_jobs j USING (place)
             WHERE q.tenant = ?1 AND q.kind = ?2 AND q.unique_key = ?3",
        )?
        .query_row(params![tenant, kind, key], |row| Ok(row.id("id")))
        .optional()?
        .transpose()
}
