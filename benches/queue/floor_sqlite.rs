//! The least that a durable queue on SQLite does: one table, one writer that groups commits and works by sets.

use std::{path::Path, sync::mpsc, thread::JoinHandle};

use automarket::core::async_trait;
use rusqlite::{Connection, params};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    Result,
    shapes::{Put, Queue},
};

const TABLE: &str = "
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, run_at INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, finished_at INTEGER
    );
    CREATE INDEX ready ON jobs (run_at, id) WHERE state = 0;";
const PUT: &str = "INSERT INTO jobs (run_at, kind, payload) VALUES ";
const CLAIM: &str = "
    UPDATE jobs SET state = 1, attempts = attempts + 1 WHERE id IN (
        SELECT id FROM jobs WHERE state = 0 AND run_at <= ?1 ORDER BY run_at, id LIMIT ?2)
    RETURNING id, payload";
const DELETE: &str = "DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND state = 1";
const KEEP: &str = "
    UPDATE jobs SET state = 2, finished_at = unixepoch()
    WHERE id IN (SELECT value FROM json_each(?1)) AND state = 1";

/// So many calls share a commit at the most, as in our store.
const GROUP: usize = 512;
/// So many jobs go in with one statement, as many as possible.
const MANY: [usize; 4] = [100, 32, 8, 1];

enum Call {
    Put(Vec<String>, oneshot::Sender<()>),
    Claim(usize, oneshot::Sender<Vec<(i64, String)>>),
    Complete(Vec<i64>, oneshot::Sender<()>),
}

pub(crate) struct FloorSqlite {
    calls: Option<mpsc::Sender<Call>>,
    writer: Option<JoinHandle<()>>,
}

impl FloorSqlite {
    /// `kept`: a completed job stays in the table as done; else it is deleted, which is less work.
    pub(crate) fn open(path: impl AsRef<Path>, kept: bool) -> Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "cache_size", -65_536)?;
        // As rarely as our store: a checkpoint is a part of what a job costs.
        db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        db.execute_batch(TABLE)?;
        let (calls, waiting) = mpsc::channel();
        let writer = std::thread::spawn(move || {
            if let Err(error) = write(&db, &waiting, if kept { KEEP } else { DELETE }) {
                eprintln!("the floor has ended: {error}");
            }
        });
        Ok(Self {
            calls: Some(calls),
            writer: Some(writer),
        })
    }

    async fn call<T>(&self, call: impl FnOnce(oneshot::Sender<T>) -> Call) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or("closed")?;
        calls.send(call(reply))?;
        Ok(answer.await?)
    }
}

impl Drop for FloorSqlite {
    fn drop(&mut self) {
        drop(self.calls.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(db: &Connection, waiting: &mpsc::Receiver<Call>, complete: &str) -> Result<()> {
    let mut flushed = true;
    while let Ok(first) = waiting.recv() {
        let group = std::iter::once(first).chain(waiting.try_iter().take(GROUP - 1));
        let group: Vec<Call> = group.collect();
        // A claim means nothing once the machine is down, so here, too, it alone does not wait for the disk.
        let flush = !group.iter().all(|call| matches!(call, Call::Claim(..)));
        if flush != flushed {
            db.pragma_update(None, "synchronous", if flush { "FULL" } else { "NORMAL" })?;
            flushed = flush;
        }
        let mut answers: Vec<Box<dyn FnOnce()>> = Vec::new();
        let mut payloads = Vec::new();
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for call in group {
            answers.push(run(db, call, &mut payloads, complete)?);
        }
        put(db, &payloads)?;
        db.prepare_cached("COMMIT")?.execute([])?;
        answers.into_iter().for_each(|answer| answer());
    }
    Ok(())
}

/// Does it, but leaves what is put in to be put in with the others'; how to answer once it is committed.
fn run(
    db: &Connection,
    call: Call,
    put: &mut Vec<String>,
    complete: &str,
) -> Result<Box<dyn FnOnce()>> {
    Ok(match call {
        Call::Put(payloads, reply) => {
            put.extend(payloads);
            Box::new(move || _ = reply.send(()))
        }
        Call::Claim(limit, reply) => {
            let mut claim = db.prepare_cached(CLAIM)?;
            let rows = claim.query_map(params![now()?, limit as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            let rows = rows.collect::<rusqlite::Result<_>>()?;
            Box::new(move || _ = reply.send(rows))
        }
        Call::Complete(ids, reply) => {
            let ids = serde_json::to_string(&ids)?;
            db.prepare_cached(complete)?.execute([ids])?;
            Box::new(move || _ = reply.send(()))
        }
    })
}

fn put(db: &Connection, mut payloads: &[String]) -> Result<()> {
    let now = now()?;
    while !payloads.is_empty() {
        let many = MANY.into_iter().find(|many| *many <= payloads.len());
        let (some, rest) = payloads.split_at(many.unwrap_or(1));
        let rows = (0..some.len()).map(|n| format!("(?1, 'work', ?{})", n + 2));
        let rows = rows.collect::<Vec<_>>().join(",");
        let mut put = db.prepare_cached(&format!("{PUT}{rows}"))?;
        put.raw_bind_parameter(1, now)?;
        for (n, payload) in some.iter().enumerate() {
            put.raw_bind_parameter(n + 2, payload)?;
        }
        put.raw_execute()?;
        payloads = rest;
    }
    Ok(())
}

fn now() -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(now.as_micros() as i64)
}

#[async_trait]
impl Put for FloorSqlite {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        let payloads = payloads.iter().map(Value::to_string).collect();
        self.call(|reply| Call::Put(payloads, reply)).await
    }
}

#[async_trait]
impl Queue for FloorSqlite {
    async fn turn(&self, _: usize, limit: usize) -> Result<usize> {
        let rows = self.call(|reply| Call::Claim(limit, reply)).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut ids = Vec::with_capacity(rows.len());
        for (id, payload) in rows {
            let _: Value = serde_json::from_str(&payload)?;
            ids.push(id);
        }
        let done = ids.len();
        self.call(|reply| Call::Complete(ids, reply)).await?;
        Ok(done)
    }
}
