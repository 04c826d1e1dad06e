use std::sync::LazyLock;

use automarket_core::{
    JobId, Result,
    store::{Enqueued, NewJob},
};
use rusqlite::{CachedStatement, OptionalExtension, params};
use serde_json::Value;

use crate::{
    error::Outcome,
    value::{Columns, blob, micros, to_json},
    writer::Tx,
};

/// A job whose payload is written out already, so that the writer need not; in `job` it is null.
pub(crate) struct NewRow {
    job: NewJob,
    payload: String,
}

impl NewRow {
    pub(crate) fn new(job: &NewJob) -> Result<Self> {
        Ok(Self {
            payload: to_json(&job.payload)?,
            job: NewJob {
                id: job.id,
                tenant: job.tenant.clone(),
                kind: job.kind.clone(),
                payload: Value::Null,
                run_at: job.run_at,
                priority: job.priority,
                max_attempts: job.max_attempts,
                unique_key: job.unique_key.clone(),
            },
        })
    }

    pub(crate) fn all(jobs: &[NewJob]) -> Result<Vec<Self>> {
        jobs.iter().map(Self::new).collect()
    }
}

pub(crate) fn enqueue(tx: &Tx<'_>, rows: &[NewRow]) -> Outcome<Vec<Enqueued>> {
    let mut put = Put::new(tx)?;
    let mut answers = Vec::with_capacity(rows.len());
    let mut left = rows;
    while !left.is_empty() {
        let many = MANY.iter().find(|many| many.rows <= left.len());
        let (rows, rest) = left.split_at(many.map_or(1, |many| many.rows));
        left = rest;
        if let Some(many) = many
            && many.put(tx, rows)?
        {
            answers.extend(rows.iter().map(|row| Enqueued::New(row.job.id)));
            continue;
        }
        for row in rows {
            answers.push(put.one(row)?);
        }
    }
    Ok(answers)
}

/// Many jobs in one statement, which costs less than one for each.
struct Many {
    rows: usize,
    what: String,
    place: String,
}

static MANY: LazyLock<[Many; 2]> = LazyLock::new(|| [Many::new(100), Many::new(10)]);

impl Many {
    fn new(rows: usize) -> Self {
        let values = |columns: &str| {
            let row = columns.split(',').map(|_| "?").collect::<Vec<_>>();
            let row = format!("({})", row.join(","));
            format!("({columns}) VALUES {}", vec![row; rows].join(","))
        };
        let what = values("place, id, tenant, kind, payload, priority, max_attempts, created_at");
        let place = values("place, tenant, kind, priority, run_at, due_at, ready");
        Self {
            rows,
            // The usual way keeps a copy of each page, for the case that one of the rows fails.
            what: format!("INSERT OR IGNORE INTO automarket_jobs {what}"),
            place: format!("INSERT OR FAIL INTO automarket_queue {place}"),
        }
    }

    /// Puts jobs in that are all new and have no keys; `false`, and nothing was written, when they are not.
    fn put(&self, tx: &Tx<'_>, rows: &[NewRow]) -> Outcome<bool> {
        if rows.iter().any(|row| row.job.unique_key.is_some()) {
            return Ok(false);
        }
        let first: i64 = tx
            .db
            .prepare_cached("SELECT ifnull(max(place), 0) + 1 FROM automarket_jobs")?
            .query_row([], |row| row.get(0))?;
        let mut what = tx.db.prepare_cached(&self.what)?;
        let mut place = tx.db.prepare_cached(&self.place)?;
        for ((n, NewRow { job, payload }), at) in (0..).zip(rows).zip(first..) {
            let (n, tenant) = (n * 8, job.tenant.as_str());
            what.raw_bind_parameter(n + 1, at)?;
            what.raw_bind_parameter(n + 2, blob(job.id))?;
            what.raw_bind_parameter(n + 3, tenant)?;
            what.raw_bind_parameter(n + 4, &job.kind)?;
            what.raw_bind_parameter(n + 5, payload)?;
            what.raw_bind_parameter(n + 6, job.priority)?;
            what.raw_bind_parameter(n + 7, job.max_attempts)?;
            what.raw_bind_parameter(n + 8, tx.now)?;
            let (n, run_at) = (n / 8 * 7, job.run_at.map_or(tx.now, micros));
            place.raw_bind_parameter(n + 1, at)?;
            place.raw_bind_parameter(n + 2, tenant)?;
            place.raw_bind_parameter(n + 3, &job.kind)?;
            place.raw_bind_parameter(n + 4, job.priority)?;
            place.raw_bind_parameter(n + 5, run_at)?;
            place.raw_bind_parameter(n + 6, run_at)?;
            place.raw_bind_parameter(n + 7, run_at <= tx.now)?;
        }
        if what.raw_execute()? < rows.len() {
            // One of the ids is there.
            tx.db
                .prepare_cached("DELETE FROM automarket_jobs WHERE place >= ?1")?
                .execute([first])?;
            return Ok(false);
        }
        place.raw_execute()?;
        Ok(true)
    }
}

pub(crate) fn enqueue_one(tx: &Tx<'_>, row: &NewRow) -> Outcome<Enqueued> {
    Put::new(tx)?.one(row)
}

/// The statements of putting a job in: what it is, and its place in the queue.
struct Put<'a> {
    tx: &'a Tx<'a>,
    what: CachedStatement<'a>,
    place: CachedStatement<'a>,
}

impl<'a> Put<'a> {
    fn new(tx: &'a Tx<'a>) -> Outcome<Self> {
        Ok(Self {
            tx,
            what: tx.db.prepare_cached(
                "INSERT INTO automarket_jobs
                    (id, tenant, kind, payload, priority, max_attempts, unique_key, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
            )?,
            place: tx.db.prepare_cached(
                "INSERT INTO automarket_queue
                    (place, tenant, kind, priority, run_at, due_at, ready, unique_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)",
            )?,
        })
    }

    fn one(&mut self, NewRow { job, payload }: &NewRow) -> Outcome<Enqueued> {
        let tx = self.tx;
        let id = blob(job.id);
        let tenant = job.tenant.as_str();
        let inserted = self.what.execute(params![
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
        self.place.execute(params![
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
