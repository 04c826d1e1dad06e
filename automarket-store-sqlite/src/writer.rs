//! The one writer: a thread that owns the writing connection and commits what waits for it in groups.

use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{JoinHandle, yield_now},
    time::{Duration, Instant},
};

use automarket_core::{
    Clock, Error, ErrorKind, ErrorRecord, Result,
    store::{Enqueued, rows::NewRow},
};
use rusqlite::{Connection, config::DbConfig};
use tokio::sync::oneshot;

use crate::{
    Synchronous,
    error::{Fault, Outcome, is_of_file, transaction_gone},
    jobs::Looks,
    lock::Lock,
    place::Place,
    together::{Puts, run_all},
    value::micros,
    wiping::Wiping,
};

/// So many calls share a transaction at the most, so that the first does not wait for ever.
const GROUP: usize = 512;
/// Of very many rows one call looks at so many, and the next one goes on behind them: others have their turn between.
pub(crate) const BATCH: usize = 500;
/// A group is held open for those who were just answered, as long as they come back one soon after the other, at most so
/// long. Else callers fall into two parts, each waiting for the other's commit.
const GAP: Duration = Duration::from_micros(50);
const HELD_OPEN: Duration = Duration::from_micros(500);

/// What a call works with inside the transaction.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    /// The store's time in microseconds, the same for the whole transaction.
    pub(crate) now: i64,
    pub(crate) lines: &'a mut Lines,
    /// Whether something was erased.
    pub(crate) erased: &'a Cell<bool>,
}

impl Tx<'_> {
    /// So many rows were erased: what they were is wiped from the log soon after the commit.
    pub(crate) fn erased(&self, rows: usize) -> usize {
        if rows > 0 {
            self.erased.set(true);
        }
        rows
    }
}

/// What is known of the lines. Only fairness and pauses hang on it, so it is not stored. It is as if what is not kept had
/// not been.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// Which tenant's turn was last, by priority.
    pub(crate) turns: BTreeMap<i16, String>,
    pub(crate) looks: Looks,
}

pub(crate) struct Writer {
    calls: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on a connection that is ready to write.
    pub(crate) fn start(
        db: Connection,
        lock: Lock,
        place: Place,
        clock: Arc<dyn Clock>,
        synchronous: Synchronous,
    ) -> Result<Self> {
        let (calls, waiting) = mpsc::channel();
        let mut flushing = Flushing {
            wanted: synchronous == Synchronous::Full,
            on: synchronous == Synchronous::Full,
        };
        let thread = std::thread::Builder::new()
            .name("automarket-sqlite".to_owned())
            .spawn(move || {
                let file = File {
                    db: &db,
                    lock: &lock,
                    place: &place,
                    clock: &*clock,
                };
                write(&file, &mut flushing, &waiting);
            })
            .map_err(|e| {
                Error::new(ErrorKind::Internal, "no thread for the writer").with_source(e)
            })?;
        Ok(Self {
            calls: Some(calls),
            thread: Some(thread),
        })
    }

    /// Does this work in a transaction shared with other calls, wholly or not at all, and returns once
    /// it is committed. The work may be done twice, what the first time wrote rolled back. Also done when the
    /// returned future is dropped after its first poll.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.send(work, After::Flush).await
    }

    /// As [`call`](Self::call), for what means nothing once the machine is down: it does not wait for the disk.
    /// Whatever is flushed later takes it along, since the log is written in order.
    pub(crate) async fn call_unflushed<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.send(work, After::Nothing).await
    }

    /// As [`call`](Self::call), and what it erased is wiped before it returns, unless somebody reads older pages: then
    /// soon after they have gone.
    pub(crate) async fn call_wiped<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.send(work, After::Wipe).await
    }

    async fn send<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
        after: After,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.hand_over(Box::new(Call {
            work,
            after,
            result: None,
            reply,
        }))?;
        answer.await.map_err(|_| stopped())?
    }

    /// Puts jobs in, as a [`call`](Self::call) would.
    pub(crate) async fn put(&self, rows: Vec<NewRow>) -> Result<Vec<Enqueued>> {
        let (reply, answer) = oneshot::channel();
        self.hand_over(Box::new(Puts::new(rows, reply)))?;
        answer.await.map_err(|_| stopped())?
    }

    fn hand_over(&self, call: Box<dyn Work>) -> Result<()> {
        let calls = self.calls.as_ref().ok_or_else(stopped)?;
        calls.send(call).map_err(|_| stopped())
    }
}

impl Drop for Writer {
    /// Waits until what was handed over is written and the connection is closed.
    fn drop(&mut self) {
        drop(self.calls.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Internal, "the store's writer has stopped")
}

/// What has to be done before a call is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It is committed.
    Nothing,
    /// It is on the disk, too.
    Flush,
    /// What was erased is wiped, too.
    Wipe,
}

/// A call waiting for the writer, whatever it returns.
pub(crate) trait Work: Send {
    /// What has to be done before it is answered.
    fn after(&self) -> After;
    /// Does it; whether it is to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller; with the group's failure if it was not committed.
    fn answer(self: Box<Self>, failure: Option<&Error>);
    /// The jobs that it puts in, if it does nothing else.
    fn puts(&self) -> Option<&[NewRow]> {
        None
    }
    /// They were put in together with others'.
    fn was_put(&mut self, _answers: Vec<Enqueued>) {}
}

struct Call<F, T> {
    work: F,
    after: After,
    result: Option<Outcome<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: Fn(&mut Tx<'_>) -> Outcome<T> + Send> Work for Call<F, T> {
    fn after(&self) -> After {
        self.after
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result.insert((self.work)(tx)).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        reply(self.reply, self.result, failure);
    }
}

/// Answers a caller with its own result, or with the group's failure if it was not committed.
pub(crate) fn reply<T>(
    to: oneshot::Sender<Result<T>>,
    result: Option<Outcome<T>>,
    failure: Option<&Error>,
) {
    let result = match (result, failure) {
        (Some(Err(own)), _) => Err(own.into()),
        (Some(Ok(_)) | None, Some(failure)) => Err(ErrorRecord::from(failure).into()),
        (Some(Ok(value)), None) => Ok(value),
        (None, None) => Err(stopped()),
    };
    // A caller that has gone does not want the answer.
    let _ = to.send(result);
}

/// What is written to.
struct File<'a> {
    db: &'a Connection,
    lock: &'a Lock,
    place: &'a Place,
    clock: &'a dyn Clock,
}

impl File<'_> {
    /// Begins a transaction, in the file that was opened: another may have taken its place while its lock was waited for.
    fn begin(&self) -> Outcome<()> {
        self.lock.begin(self.db)?;
        self.place.check()
    }
}

fn write(file: &File<'_>, flushing: &mut Flushing, waiting: &mpsc::Receiver<Box<dyn Work>>) {
    let File { db, place, .. } = *file;
    let mut lines = Lines::default();
    let mut group = Vec::new();
    // How many may be there in a moment.
    let mut crowd = 0;
    let mut wiping = Wiping::new(place.clone());
    loop {
        if group.is_empty() {
            let Some(first) = wiping.next(db, waiting) else {
                break;
            };
            group.push(first);
        }
        gather(&mut group, waiting);
        if group.len() < crowd.min(GROUP) {
            hold_open(&mut group, waiting, crowd.min(GROUP));
        }
        let mut failure = transact(file, flushing, &mut lines, &wiping.due, &mut group);
        if group.len() > 1 && failure.as_ref().is_some_and(|error| !is_of_file(error)) {
            // Such as a full disk, which COMMIT shows. It may be one call's doing: each gets a transaction of its own.
            for mut call in group.drain(..) {
                // Once it is the file's, such as its lock, nobody waits for it again.
                if !failure.as_ref().is_some_and(is_of_file) {
                    let one = std::slice::from_mut(&mut call);
                    failure = transact(file, flushing, &mut lines, &wiping.due, one);
                }
                if call.after() == After::Wipe {
                    wiping.now(db);
                }
                call.answer(failure.as_ref());
            }
        }
        if group.iter().any(|call| call.after() == After::Wipe) {
            wiping.now(db);
        }
        let mut next = Vec::new();
        gather(&mut next, waiting);
        crowd = next.len() + group.len();
        for call in group {
            call.answer(failure.as_ref());
        }
        group = next;
        wiping.in_time(db);
    }
    wiping.now(db);
    if place.has_another_log() {
        // To fold ours into the file would take with it what others have written since. Nothing is left to do if this fails.
        let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

fn panicked() -> Fault {
    let message = "the store's writer panicked, and nothing was written";
    let remedy = "look for the panic in what the process wrote to stderr (a clock of your own may be its cause); the next call is tried as ever";
    let error = Error::new(ErrorKind::Storage, message).with_rule("sqlite.panicked");
    Fault::Ours(error.with_remedy(remedy))
}

/// Takes in who comes, until there are so many or nobody comes any more.
fn hold_open(
    group: &mut Vec<Box<dyn Work>>,
    waiting: &mpsc::Receiver<Box<dyn Work>>,
    crowd: usize,
) {
    let begun = Instant::now();
    let mut last = begun;
    while group.len() < crowd {
        yield_now();
        let before = group.len();
        gather(group, waiting);
        let now = Instant::now();
        if group.len() > before {
            last = now;
        } else if now - last > GAP {
            break;
        }
        if now - begun > HELD_OPEN {
            break;
        }
    }
}

/// Takes in who waits, as far as there is room.
fn gather(group: &mut Vec<Box<dyn Work>>, waiting: &mpsc::Receiver<Box<dyn Work>>) {
    while group.len() < GROUP
        && let Ok(next) = waiting.try_recv()
    {
        group.push(next);
    }
}

/// Whether commits wait for the disk.
struct Flushing {
    /// Never, unless the store is set to.
    wanted: bool,
    on: bool,
}

impl Flushing {
    fn set(&mut self, db: &Connection, on: bool) -> Outcome<()> {
        let on = on && self.wanted;
        if on != self.on {
            db.pragma_update(None, "synchronous", if on { "FULL" } else { "NORMAL" })?;
            self.on = on;
        }
        Ok(())
    }
}

/// Commits these calls, or leaves all as it was and says why.
fn transact(
    file: &File<'_>,
    flushing: &mut Flushing,
    lines: &mut Lines,
    erased: &Cell<bool>,
    calls: &mut [Box<dyn Work>],
) -> Option<Error> {
    let db = file.db;
    let before = lines.clone();
    // The clock is the host's. What a panic leaves half done is rolled back below, as after any failure.
    let committed = catch_unwind(AssertUnwindSafe(|| {
        flushing.set(db, calls.iter().any(|call| call.after() != After::Nothing))?;
        commit(file, lines, erased, calls)
    }));
    let failure = committed.unwrap_or_else(|_| Err(panicked())).err()?;
    *lines = before;
    if !db.is_autocommit() {
        // Nothing is left to do if this fails too: the next BEGIN will say so.
        let _ = db.execute_batch("ROLLBACK");
    }
    Some(failure.into())
}

fn commit(
    file: &File<'_>,
    lines: &mut Lines,
    erased: &Cell<bool>,
    group: &mut [Box<dyn Work>],
) -> Outcome<()> {
    // A savepoint for each call costs copies of the pages that it writes, so they are for groups in which one
    // fails.
    let mut before = lines.clone();
    let db = file.db;
    file.begin()?;
    let now = micros(file.clock.now());
    if run_all(
        &mut Tx {
            db,
            now,
            lines,
            erased,
        },
        group,
    ) {
        return run(db, "COMMIT");
    }
    if !db.is_autocommit() {
        run(db, "ROLLBACK")?;
    }
    *lines = before.clone();
    if group.len() == 1 {
        return Ok(()); // Its own error is its answer.
    }
    file.begin()?;
    for call in group {
        run(db, "SAVEPOINT call")?;
        let keep = call.run(&mut Tx {
            db,
            now,
            lines,
            erased,
        });
        if db.is_autocommit() {
            // Out of space, I/O and memory errors may end the whole transaction. Nobody is told so: each call is
            // done by itself then, and has its own answer.
            return Err(Fault::Ours(transaction_gone(Error::new(
                ErrorKind::Storage,
                "the database gave it up",
            ))));
        }
        if keep {
            before = lines.clone();
        } else {
            run(db, "ROLLBACK TO call")?;
            *lines = before.clone();
        }
        run(db, "RELEASE call")?;
    }
    run(db, "COMMIT")
}

fn run(db: &Connection, sql: &str) -> Outcome<()> {
    Ok(db.prepare_cached(sql)?.raw_execute().map(drop)?)
}

#[cfg(test)]
mod tests {
    //! Faults that only the writing connection can be brought into.

    use automarket_core::{
        Retry, SystemClock, TenantId,
        store::{JobStore, NewJob},
    };
    use rusqlite::OpenFlags;

    use super::*;
    use crate::{SqliteStore, jobs::enqueue};

    fn jobs(count: usize) -> Vec<NewJob> {
        let tenant = TenantId::new("acme").unwrap();
        let job = |_| NewJob::new(tenant.clone(), "work", "x".repeat(1_000).into());
        (0..count).map(job).collect()
    }

    async fn max_pages(store: &SqliteStore, pages: i64) {
        let set = store.inner.writer.call(move |tx| {
            Ok(tx
                .db
                .pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0))?)
        });
        let _: i64 = set.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_database_is_tried_again_and_work_resumes() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"))
            .await
            .unwrap();
        store.enqueue(&jobs(10)).await.unwrap();
        max_pages(&store, 1).await; // As many as it has.
        let refused = store.enqueue(&jobs(1_000)).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.retry()),
            (ErrorKind::Storage, Retry::After(None))
        );
        assert_eq!(refused.rule(), Some("sqlite.full"));
        assert_eq!(store.queue_stats().await.unwrap().ready, 10);
        max_pages(&store, 1_000_000).await;
        store.enqueue(&jobs(1_000)).await.unwrap();
        assert_eq!(store.queue_stats().await.unwrap().ready, 1_010);
    }

    #[tokio::test]
    async fn only_what_outlives_the_machine_waits_for_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"));
        let writer = &store.await.unwrap().inner.writer;
        let synchronous = |tx: &mut Tx<'_>| {
            let level = tx
                .db
                .pragma_query_value(None, "synchronous", |row| row.get::<_, i32>(0));
            Ok(level?)
        };
        let (normal, full) = (1, 2);
        for _ in 0..2 {
            assert_eq!(writer.call(synchronous).await.unwrap(), full);
            assert_eq!(writer.call_unflushed(synchronous).await.unwrap(), normal);
        }
        let normally = SqliteStore::builder(directory.path().join("b.db"));
        let store = normally.synchronous(Synchronous::Normal).build();
        let writer = &store.await.unwrap().inner.writer;
        assert_eq!(writer.call(synchronous).await.unwrap(), normal);
    }

    #[tokio::test]
    async fn macs_too_write_to_the_disk_what_outlives_the_machine() {
        for (synchronous, flushes) in [(Synchronous::Full, 1), (Synchronous::Normal, 0)] {
            let directory = tempfile::tempdir().unwrap();
            let store = SqliteStore::builder(directory.path().join("a.db"));
            let store = store.synchronous(synchronous).build().await.unwrap();
            for pragma in ["fullfsync", "checkpoint_fullfsync"] {
                let read = move |tx: &mut Tx<'_>| {
                    let set = tx
                        .db
                        .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
                    Ok(set?)
                };
                let set = store.inner.writer.call(read).await.unwrap();
                assert_eq!(set, flushes, "{pragma}");
            }
        }
    }

    /// Fails, alone or beside one that does not, after it has changed what is known of the lines.
    #[tokio::test]
    async fn what_a_call_that_failed_knew_of_the_lines_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("a.db"));
        let writer = &store.await.unwrap().inner.writer;
        let turn = |priority: i16, fails: bool| {
            move |tx: &mut Tx<'_>| {
                tx.lines.turns.insert(priority, "acme".to_owned());
                match fails {
                    true => Err(Fault::Ours(Error::new(ErrorKind::Conflict, "no"))),
                    false => Ok(()),
                }
            }
        };
        writer.call(turn(1, true)).await.unwrap_err();
        // They wait together while the writer is held up.
        let (go, wait) = mpsc::channel::<()>();
        let hold = writer.call(move |_| {
            let _ = wait.recv();
            Ok(())
        });
        let (held, failed, kept, ()) = tokio::join!(
            hold,
            writer.call(turn(2, true)),
            writer.call(turn(3, false)),
            async { drop(go) }
        );
        held.unwrap();
        failed.unwrap_err();
        kept.unwrap();
        let known = writer.call(|tx| Ok(tx.lines.turns.keys().copied().collect::<Vec<_>>()));
        assert_eq!(known.await.unwrap(), [3]);
    }

    #[tokio::test]
    async fn a_read_only_database_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let read_only =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let lock = Lock::new(&read_only, Duration::ZERO);
        let clock = Arc::new(SystemClock);
        let lock = lock.map_err(Error::from).unwrap();
        let place = Place::of(&read_only, &path).map_err(Error::from).unwrap();
        let writer = Writer::start(read_only, lock, place, clock, Synchronous::Full).unwrap();
        let rows = NewRow::all(&jobs(1)).unwrap();
        let call = writer.call(move |tx| enqueue(tx, &rows));
        let refused = call.await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.retry()),
            (ErrorKind::Storage, Retry::After(None))
        );
        assert_eq!(refused.rule(), Some("sqlite.readonly"));
        store.enqueue(&jobs(1)).await.unwrap();
    }
}
