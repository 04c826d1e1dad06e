//! Puts of different callers that are in one group go in as one: rows in long statements cost half of single ones.

use automarket_core::{
    Error, Result,
    store::{Enqueued, rows::NewRow},
};
use tokio::sync::oneshot;

use crate::{
    error::Outcome,
    jobs,
    writer::{After, Tx, Work, reply},
};

/// A call that does nothing but put jobs in.
pub(crate) struct Puts {
    rows: Vec<NewRow>,
    result: Option<Outcome<Vec<Enqueued>>>,
    reply: oneshot::Sender<Result<Vec<Enqueued>>>,
}

impl Puts {
    pub(crate) fn new(rows: Vec<NewRow>, reply: oneshot::Sender<Result<Vec<Enqueued>>>) -> Self {
        Self {
            rows,
            result: None,
            reply,
        }
    }
}

impl Work for Puts {
    fn after(&self) -> After {
        After::Flush
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result.insert(jobs::enqueue(tx, &self.rows)).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        reply(self.reply, self.result, failure);
    }

    fn puts(&self) -> Option<&[NewRow]> {
        Some(&self.rows)
    }

    fn was_put(&mut self, answers: Vec<Enqueued>) {
        self.result = Some(Ok(answers));
    }
}

/// Runs calls one after the other, and puts that follow each other as one; whether all of it is to be kept.
pub(crate) fn run_all(tx: &mut Tx<'_>, group: &mut [Box<dyn Work>]) -> bool {
    group
        .chunk_by_mut(|a, b| a.puts().is_some() && b.puts().is_some())
        .all(|calls| match calls {
            [call] => call.run(tx),
            calls => put(tx, calls),
        })
}

fn put(tx: &Tx<'_>, calls: &mut [Box<dyn Work>]) -> bool {
    let rows = calls.iter().filter_map(|call| call.puts()).flatten();
    // Whose error it is shows when each runs by itself.
    let Ok(answers) = jobs::enqueue_all(tx, &rows.collect::<Vec<_>>()) else {
        return false;
    };
    let mut answers = answers.into_iter();
    for call in calls {
        let own = answers.by_ref().take(call.puts().map_or(0, <[_]>::len));
        call.was_put(own.collect());
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use automarket_core::{
        ErrorKind, SystemClock, TenantId,
        store::{JobStore, NewJob},
    };
    use rusqlite::Connection;

    use super::*;
    use crate::{SqliteStore, Synchronous, lock::Lock, place::Place, writer::Writer};

    fn job(tenant: &str) -> NewJob {
        NewJob::new(TenantId::new(tenant).unwrap(), "work", 1.into())
    }

    /// Puts each job in by a call of its own, all of them waiting while the writer is held up.
    async fn put_at_once(store: &SqliteStore, jobs: &[NewJob]) -> Vec<Result<Vec<Enqueued>>> {
        let (go, wait) = mpsc::channel::<()>();
        let holder = store.clone();
        let held = tokio::spawn(async move {
            // Done twice when one of the group fails; the second time nobody holds it.
            let hold = holder.inner.writer.call(move |_| {
                let _ = wait.recv();
                Ok(())
            });
            hold.await
        });
        let puts = jobs.iter().cloned().map(|job| {
            let store = store.clone();
            tokio::spawn(async move { store.enqueue(&[job]).await })
        });
        let puts: Vec<_> = puts.collect();
        // One thread: all of them have been polled once when this goes on.
        tokio::task::yield_now().await;
        drop(go);
        held.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for put in puts {
            answers.push(put.await.unwrap());
        }
        answers
    }

    #[tokio::test]
    async fn puts_that_meet_are_answered_each_by_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"));
        let store = store.await.unwrap();
        let mut jobs: Vec<NewJob> = (0..40).map(|_| job("a")).collect();
        jobs[13] = job("b").unique("key");
        jobs[14] = job("b").unique("key");
        jobs[37].id = jobs[2].id;
        let answers = put_at_once(&store, &jobs).await;
        for (number, answer) in answers.into_iter().enumerate() {
            let expected = match number {
                14 => Enqueued::Existing(jobs[13].id),
                37 => Enqueued::Existing(jobs[2].id),
                _ => Enqueued::New(jobs[number].id),
            };
            assert_eq!(answer.unwrap(), [expected], "{number}");
        }
        assert_eq!(store.queue_stats().await.unwrap().ready, 38);
    }

    #[tokio::test]
    async fn a_put_that_fails_takes_no_other_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"));
        let store = store.await.unwrap();
        let mut jobs: Vec<NewJob> = (0..40).map(|_| job("a")).collect();
        jobs[20] = job("b");
        jobs[20].id = jobs[2].id;
        let answers = put_at_once(&store, &jobs).await;
        for (number, answer) in answers.into_iter().enumerate() {
            match number {
                20 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Conflict),
                _ => assert_eq!(answer.unwrap(), [Enqueued::New(jobs[number].id)]),
            }
        }
        assert_eq!(store.queue_stats().await.unwrap().ready, 39);
    }

    /// What several callers ask for at once, the second of them bad, the writer held up until all wait.
    async fn at_once(writer: &Writer, bad: &'static str) -> [Result<()>; 3] {
        let (go, wait) = mpsc::channel::<()>();
        let hold = writer.call(move |_| {
            let _ = wait.recv();
            Ok(())
        });
        let does =
            |sql: &'static str| writer.call(move |tx| Ok(tx.db.execute(sql, []).map(drop)?));
        let good = "INSERT INTO kept VALUES (1)";
        let (held, one, failed, two, ()) =
            tokio::join!(hold, does(good), does(bad), does(good), async { drop(go) });
        held.unwrap();
        [one, failed, two]
    }

    #[tokio::test]
    async fn what_one_call_does_to_a_commit_or_a_transaction_fails_no_other() {
        let bad = [
            ("INSERT INTO child VALUES (7)", "sqlite.other"), // Shows at COMMIT.
            (
                "INSERT INTO kept VALUES (zeroblob(10000000))",
                "sqlite.full",
            ), // Ends the transaction.
        ];
        for (bad, rule) in bad {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.db");
            let db = Connection::open(&path).unwrap();
            db.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA max_page_count = 100;
                 CREATE TABLE kept (value); CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
            )
            .unwrap();
            let lock = Lock::new(&db, Duration::ZERO).map_err(Error::from).unwrap();
            let clock = Arc::new(SystemClock);
            let place = Place::of(&db, &path).map_err(Error::from).unwrap();
            let writer = Writer::start(db, lock, place, clock, Synchronous::Full).unwrap();
            let [one, failed, two] = at_once(&writer, bad).await;
            assert_eq!((one.is_ok(), two.is_ok()), (true, true), "{bad}");
            assert_eq!(failed.unwrap_err().rule(), Some(rule));
            drop(writer);
            let kept = "SELECT count(*) FROM kept";
            let host = Connection::open(&path).unwrap();
            let kept: i64 = host.query_row(kept, [], |row| row.get(0)).unwrap();
            assert_eq!(kept, 2, "once each");
        }
    }
}
