use std::sync::LazyLock;

use automarket_core::{
    JobId,
    store::{
        Enqueued,
        rows::{NewRow, are_alike},
        rules::id_taken,
    },
};
use rusqlite::{CachedStatement, OptionalExtension, params};

use super::read::one;
use crate::{
    error::Outcome,
    value::{Columns, blob, damaged, micros},
    writer::Tx,
};

pub(crate) fn enqueue(tx: &Tx<'_>, rows: &[NewRow]) -> Outcome<Vec<Enqueued>> {
    enqueue_all(tx, &rows.iter().collect::<Vec<_>>())
}

pub(crate) fn enqueue_all(tx: &Tx<'_>, rows: &[&NewRow]) -> Outcome<Vec<Enqueued>> {
    let mut put = Put::new(tx)?;
    let mut answers = Vec::with_capacity(rows.len());
    for mut alike in rows.chunk_by(|a, b| are_alike(&a.job, &b.job)) {
        while !alike.is_empty() {
            let many = MANY.iter().find(|many| many.rows <= alike.len());
            let (rows, rest) = alike.split_at(many.map_or(1, |many| many.rows));
            alike = rest;
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
    }
    Ok(answers)
}

/// Jobs that differ in id and payload only, in one statement, which costs less than one for each.
struct Many {
    rows: usize,
    what: String,
}

static MANY: LazyLock<[Many; 4]> = LazyLock::new(|| [100, 32, 8, 3].map(Many::new));

impl Many {
    fn new(rows: usize) -> Self {
        let row = |n| format!("(?{}, ?{}, ?1, ?2, ?3, ?4, ?5, ?6)", n * 2 + 7, n * 2 + 8);
        let values = (0..rows).map(row).collect::<Vec<_>>().join(",");
        Self {
            rows,
            // Without IGNORE SQLite would keep a copy of each page, for the case that one of the rows fails.
            what: format!(
                "INSERT OR IGNORE INTO automarket_jobs
                    (id, payload, tenant, kind, priority, max_attempts, created_at, run_at) VALUES {values}"
            ),
        }
    }

    /// Puts the jobs in when all of them are new; `false`, and nothing was written, when they are not.
    fn put(&self, tx: &Tx<'_>, rows: &[&NewRow]) -> Outcome<bool> {
        let Some(&NewRow { job, .. }) = rows.first() else {
            return Ok(true);
        };
        let (tenant, run_at) = (job.tenant.as_str(), job.run_at.map_or(tx.now, micros));
        let last: i64 = tx
            .db
            .prepare_cached("SELECT ifnull(max(place), 0) FROM automarket_jobs")?
            .query_row([], |row| row.get(0))?;
        let mut what = tx.db.prepare_cached(&self.what)?;
        what.raw_bind_parameter(1, tenant)?;
        what.raw_bind_parameter(2, &job.kind)?;
        what.raw_bind_parameter(3, job.priority)?;
        what.raw_bind_parameter(4, job.max_attempts)?;
        what.raw_bind_parameter(5, tx.now)?;
        what.raw_bind_parameter(6, run_at)?;
        for (n, row) in rows.iter().enumerate() {
            what.raw_bind_parameter(n * 2 + 7, blob(row.job.id))?;
            what.raw_bind_parameter(n * 2 + 8, &row.payload)?;
        }
        if what.raw_execute()? < rows.len() {
            tx.db
                .prepare_cached("DELETE FROM automarket_jobs WHERE place > ?1")?
                .execute([last])?;
            return Ok(false);
        }
        let waiting = tx
            .db
            .prepare_cached(
                // FAIL, since SQLite would keep copies here too.
                "INSERT OR FAIL INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
                 SELECT ?2, ?3, ?4, ?5, ?6, place FROM automarket_jobs WHERE place > ?1",
            )?
            .execute(params![
                last,
                run_at > tx.now,
                job.priority,
                job.kind,
                tenant,
                run_at,
            ])?;
        if waiting < rows.len() {
            // Somebody's own row has the last place that there is.
            return Err(damaged("the order of the jobs").into());
        }
        Ok(true)
    }
}

pub(crate) fn enqueue_one(tx: &Tx<'_>, row: &NewRow) -> Outcome<Enqueued> {
    Put::new(tx)?.one(row)
}

/// The statements of putting a job in: what it is, and that it waits.
struct Put<'a> {
    tx: &'a Tx<'a>,
    what: CachedStatement<'a>,
    waiting: CachedStatement<'a>,
}

impl<'a> Put<'a> {
    fn new(tx: &'a Tx<'a>) -> Outcome<Self> {
        Ok(Self {
            tx,
            what: tx.db.prepare_cached(
                "INSERT INTO automarket_jobs
                    (id, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
            )?,
            waiting: tx.db.prepare_cached(
                "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
        })
    }

    fn one(&mut self, NewRow { job, payload }: &NewRow) -> Outcome<Enqueued> {
        let tx = self.tx;
        let id = blob(job.id);
        let tenant = job.tenant.as_str();
        let run_at = job.run_at.map_or(tx.now, micros);
        if let Some(key) = &job.unique_key
            && let Some(holder) = holder(tx, tenant, &job.kind, key)?
            && !is_known(tx, id)?
        {
            return Ok(Enqueued::Existing(holder));
        }
        let inserted = self.what.execute(params![
            id,
            tenant,
            job.kind,
            payload,
            job.priority,
            job.max_attempts,
            job.unique_key,
            tx.now,
            run_at
        ])?;
        if inserted == 0 {
            let owner: String = tx
                .db
                .prepare_cached("SELECT tenant FROM automarket_jobs WHERE id = ?1")?
                .query_row([id], |row| row.get(0))?;
            return if owner == tenant {
                Ok(Enqueued::Existing(job.id))
            } else {
                Err(id_taken(job.id).into())
            };
        }
        let place = tx.db.last_insert_rowid();
        if let Some(key) = &job.unique_key {
            tx.db
                .prepare_cached("INSERT INTO automarket_unique_keys VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![place, tenant, job.kind, key])?;
        }
        self.waiting.execute(params![
            run_at > tx.now,
            job.priority,
            job.kind,
            tenant,
            run_at,
            place
        ])?;
        Ok(Enqueued::New(job.id))
    }
}

fn is_known(tx: &Tx<'_>, id: [u8; 16]) -> Outcome<bool> {
    let known = "SELECT 1 FROM automarket_jobs WHERE id = ?1";
    Ok(one(tx.db, known, [id], |_| Ok(()))?.is_some())
}

/// The live job that holds this key.
fn holder(tx: &Tx<'_>, tenant: &str, kind: &str, key: &str) -> Outcome<Option<JobId>> {
    tx.db
        .prepare_cached(
            "SELECT j.id FROM automarket_unique_keys k JOIN automarket_jobs j USING (place)
             WHERE k.tenant = ?1 AND k.kind = ?2 AND k.unique_key = ?3",
        )?
        .query_row(params![tenant, kind, key], |row| Ok(row.id("id")))
        .optional()?
        .transpose()
}
