//! Calls that are about very many rows take the one writer in turns with others, and end anywhere.

use std::future::Future;

use automarket_core::{
    AccountId, Error, ErrorKind, ErrorRecord, PublicationId, Result, TenantId,
    store::{AttemptStore, Claim, JobState, JobStore, NewJob, UpkeepStore, Verdict},
};
use automarket_store_sqlite::{SqliteStore, Synchronous};
use rusqlite::{Connection, params};
use tempfile::TempDir;

const MANY: usize = 3_000;

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn job(kind: &str) -> NewJob {
    NewJob::new(acme(), kind, 1.into())
}

async fn open() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(directory.path().join("a.db"));
    let store = store.synchronous(Synchronous::Normal).build();
    (directory, store.await.unwrap())
}

async fn bury(store: &SqliteStore, jobs: &[NewJob]) {
    store.enqueue(jobs).await.unwrap();
    let leases = store.claim(&Claim::new("w", jobs.len())).await.unwrap();
    let error = ErrorRecord::from(&Error::new(ErrorKind::Internal, "no"));
    let buried = |token| (token, Verdict::Bury(error.clone()));
    let verdicts: Vec<_> = leases.iter().map(|lease| buried(lease.token)).collect();
    assert_eq!(store.settle(&verdicts).await.unwrap().len(), jobs.len());
}

async fn dead(store: &SqliteStore) -> usize {
    let dead = store.jobs(&acme(), JobState::Dead, 2 * MANY).await;
    dead.unwrap().len()
}

/// A write that others make.
async fn write(store: &SqliteStore) {
    store.remove_worker("nobody").await.unwrap();
}

/// Goes on with a call only until another's write is done, which was made after it.
async fn for_one_turn<T>(store: &SqliteStore, call: impl Future<Output = Result<T>>) {
    tokio::select! {
        biased;
        _ = call => panic!("nobody else had a turn"),
        () = write(store) => {}
    }
    // Behind what the call has handed over.
    write(store).await;
}

#[tokio::test]
async fn very_many_dead_jobs_are_removed_in_turns_with_others() {
    let (_directory, store) = open().await;
    let acme = acme();
    let kinds = ["one", "two"].into_iter().cycle();
    let jobs: Vec<NewJob> = kinds.take(MANY).map(job).collect();
    bury(&store, &jobs).await;
    let remove = |kind, limit| store.remove_dead(&acme, kind, limit);
    for_one_turn(&store, remove(None, MANY)).await;
    let left = dead(&store).await;
    assert!(0 < left && left < MANY, "{left} are left");
    assert_eq!(remove(None, 701).await.unwrap(), 701);
    let oldest = store.jobs(&acme, JobState::Dead, MANY).await.unwrap();
    let oldest = oldest.last().unwrap().id;
    assert_eq!(oldest, jobs[MANY - left + 701].id);
    let ones = remove(Some("one"), MANY).await.unwrap();
    let twos = remove(None, MANY).await.unwrap();
    assert_eq!(ones + twos, left - 701);
    assert!(ones.abs_diff(twos) <= 1);
    assert_eq!(dead(&store).await, 0);
}

#[tokio::test]
async fn very_many_dead_jobs_are_redriven_in_turns_with_others() {
    let (_directory, store) = open().await;
    let acme = acme();
    bury(&store, &[job("work").unique("key")]).await;
    let mut jobs: Vec<NewJob> = (2..MANY).map(|_| job("work")).collect();
    jobs.push(job("work").unique("key"));
    bury(&store, &jobs).await;
    let redrive = |limit| store.redrive_dead(&acme, None, limit);
    for_one_turn(&store, redrive(MANY)).await;
    let left = dead(&store).await;
    assert!(0 < left && left < MANY, "{left} are left");
    assert_eq!(redrive(701).await.unwrap(), 701);
    let back = redrive(MANY).await.unwrap();
    assert_eq!(back, left - 702, "the first of the key's is back");
    assert_eq!(redrive(MANY).await.unwrap(), 0);
    let ready = store.queue_stats().await.unwrap().ready;
    assert_eq!((ready, dead(&store).await), (MANY as u64 - 1, 1));
}

#[tokio::test]
async fn very_many_attempts_are_erased_in_turns_with_others() {
    let (directory, store) = open().await;
    let acme = acme();
    let [gone, stays] = ["gone", "stays"].map(AccountId::derived);
    let publications = [PublicationId::new(), PublicationId::new()];
    let host = Connection::open(directory.path().join("a.db")).unwrap();
    for (tenant, account, count) in [
        ("acme", stays, 2),
        ("acme", gone, MANY),
        ("acme", stays, 2),
        ("other", gone, 2),
    ] {
        // By turns of either publication.
        let put = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?5)
            INSERT INTO automarket_attempts
                (tenant, publication, ended_at, latency, body, platform, operation, outcome)
            SELECT ?1, iif(n % 2, ?3, ?4), 0, 0, json_object('route', json_object('account', ?2)),
                'x', 'publish', 'done' FROM n";
        let [one, two] = publications.map(|id| id.uuid().into_bytes());
        let values = params![tenant, account.to_string(), one, two, count as i64];
        host.execute(put, values).unwrap();
    }
    let left = || {
        let sql = "SELECT count(*) FROM automarket_attempts";
        let left = host.query_row(sql, [], |row| row.get::<_, u32>(0));
        left.unwrap() as usize - 6
    };
    for_one_turn(&store, store.erase_attempts_of(&acme, gone)).await;
    let between = left();
    assert!(0 < between && between < MANY, "{between} are left");
    let erased = store.erase_attempts_of(&acme, gone).await.unwrap();
    assert_eq!((erased, left()), (between as u64, 0));
    let erased = store.erase_attempts_of(&acme, gone).await.unwrap();
    assert_eq!((erased, left()), (0, 0));
}
