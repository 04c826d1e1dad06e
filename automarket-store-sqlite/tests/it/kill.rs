//! A process that writes is killed, for real, again and again: what it acknowledged is there.

#![cfg(target_os = "linux")]

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use automarket_core::{
    JobId, TenantId,
    hash::sha256,
    store::{Claim, JobState, JobStore, NewJob, UpkeepStore, Verdict},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

const DATABASE: &str = "AUTOMARKET_KILL_TEST_DATABASE";
const SEED: u64 = 20_270_101;
const KILLS: usize = 8;

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// The life of the process that is killed: puts jobs in and completes some, and says so once it is told.
/// Does nothing unless the test below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn writer_process() {
    let Ok(path) = std::env::var(DATABASE) else {
        return;
    };
    let store = SqliteStore::open(path).await.unwrap();
    for producer in 0..4 {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                let jobs: Vec<NewJob> = (0..=producer * 3)
                    .map(|_| NewJob::new(acme(), "work", "x".repeat(500).into()))
                    .collect();
                for answer in store.enqueue(&jobs).await.unwrap() {
                    say("put", answer.id());
                }
            }
        });
    }
    loop {
        let leases = store.claim(&Claim::new("worker", 5)).await.unwrap();
        for lease in leases {
            let done = (lease.token, Verdict::Complete("done".into()));
            store.settle(&[done]).await.unwrap();
            say("done", lease.job.id);
        }
    }
}

fn say(word: &str, id: JobId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {id}").unwrap();
    out.flush().unwrap();
}

/// What the process acknowledged.
#[derive(Default)]
struct Acknowledged {
    put: HashSet<JobId>,
    done: HashSet<JobId>,
}

impl Acknowledged {
    /// Takes a whole line in; whether it was an acknowledgement.
    fn read(&mut self, line: &str) -> bool {
        let Some((word, id)) = line.strip_suffix('\n').and_then(|l| l.split_once(' ')) else {
            return false;
        };
        match (word, id.parse()) {
            ("put", Ok(id)) => self.put.insert(id),
            ("done", Ok(id)) => self.done.insert(id),
            _ => false,
        }
    }

    async fn all_in(&self, path: &Path) {
        is_whole(path);
        let store = SqliteStore::open(path).await.unwrap();
        for id in &self.put {
            let job = store.job(&acme(), *id).await.unwrap();
            let state = job.expect("an acknowledged job is there").state;
            if self.done.contains(id) {
                assert_eq!(state, JobState::Completed);
            }
        }
        store
            .enqueue(&[NewJob::new(acme(), "after", 1.into())])
            .await
            .unwrap();
    }
}

fn is_whole(path: &Path) {
    let db = Connection::open(path).unwrap();
    let check: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let broken = db
        .prepare("PRAGMA foreign_key_check")
        .unwrap()
        .exists([])
        .unwrap();
    assert!(!broken, "every row has its job");
}

fn start(process: &str, path: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", process, "--nocapture"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads until so many acknowledgements came, or the process has ended.
fn listen(
    out: &mut BufReader<std::process::ChildStdout>,
    known: &mut Acknowledged,
    mut more: usize,
) {
    let mut line = String::new();
    while more > 0 && out.read_line(&mut line).unwrap() > 0 {
        more -= usize::from(known.read(&line));
        line.clear();
    }
    assert!(
        more == 0 || more > usize::MAX / 2,
        "the process ended by itself"
    );
}

/// Stops the process where it stands, so that its files can be copied as they are at that moment.
fn freeze(child: &Child) {
    let pid = child.id();
    let stopped = Command::new("kill")
        .args(["-STOP", &pid.to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    };
    while !std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .all(is_stopped)
    {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills_and_is_in_every_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let copy = directory.path().join("copy.db");
    let mut known = Acknowledged::default();
    let mut random = SEED;
    for kill in 0..KILLS {
        let (mut child, mut out) = start("kill::writer_process", &path);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        listen(&mut out, &mut known, 20 + (random >> 33) as usize % 400);
        if kill % 2 == 0 {
            freeze(&child);
            std::fs::copy(&path, &copy).unwrap();
            std::fs::copy(
                directory.path().join("a.db-wal"),
                directory.path().join("copy.db-wal"),
            )
            .unwrap();
            known.all_in(&copy).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        listen(&mut out, &mut known, usize::MAX);
        known.all_in(&path).await;
    }
    assert!(
        known.put.len() > KILLS * 20 && known.done.len() > KILLS,
        "too little happened"
    );
}

/// A process that opens the store. Does nothing unless the test below starts it.
#[tokio::test]
async fn opener_process() {
    if let Ok(path) = std::env::var(DATABASE) {
        SqliteStore::open(path).await.unwrap();
    }
}

/// A file as it was left by the ninth migration, with so many jobs: the tenth writes each of them anew.
fn as_of_the_ninth(path: &Path, jobs: i64) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE automarket_migrations
            (number INTEGER PRIMARY KEY, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)",
    )
    .unwrap();
    let migrations = [
        include_str!("../../migrations/0001_init.sql"),
        include_str!("../../migrations/0002_operations.sql"),
        include_str!("../../migrations/0003_publishing.sql"),
        include_str!("../../migrations/0004_credentials.sql"),
        include_str!("../../migrations/0005_flows.sql"),
        include_str!("../../migrations/0006_narrower.sql"),
        include_str!("../../migrations/0007_measurements.sql"),
        include_str!("../../migrations/0008_in_trust.sql"),
        include_str!("../../migrations/0009_line.sql"),
    ];
    for (number, sql) in (1..).zip(migrations) {
        db.execute_batch(sql).unwrap();
        let ledger = "INSERT INTO automarket_migrations VALUES (?1, ?2, 0)";
        db.execute(ledger, (number, sha256(sql))).unwrap();
    }
    db.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO automarket_jobs SELECT n, randomblob(16), 'acme', 'work', '1', 0, 20, NULL, 1 FROM n",
        [jobs],
    )
    .unwrap();
    db.execute_batch(
        "INSERT INTO automarket_queue (place, tenant, kind, priority, run_at, due_at, ready)
         SELECT place, tenant, kind, priority, 1, 1, 1 FROM automarket_jobs",
    )
    .unwrap();
}

#[tokio::test]
async fn two_processes_migrate_at_once_and_are_killed_in_the_middle() {
    let mut cut = 0;
    for round in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        as_of_the_ninth(&path, 10_000);
        let db = Connection::open(&path).unwrap();
        db.busy_timeout(std::time::Duration::ZERO).unwrap();
        let held = || db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err();
        // What they say is held open: a test that cannot speak ends before it begins.
        let mut children = [(); 2].map(|()| start("kill::opener_process", &path));
        // One of them is at it, and a little further in each round.
        let mut met = held();
        while !met && children[0].0.try_wait().unwrap().is_none() {
            met = held();
        }
        for _ in 0..round * 1_000 {
            held();
        }
        for (child, _out) in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let ran = "SELECT count(*) FROM automarket_migrations";
        let ran: i64 = db.query_row(ran, [], |row| row.get(0)).unwrap();
        cut += i32::from(met && ran == 9);
        is_whole(&path);
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), 11);
        assert_eq!(store.queue_stats().await.unwrap().ready, 10_000);
    }
    assert!(cut > 0, "no kill met the migration");
}
