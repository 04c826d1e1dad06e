//! A file that is taken away under a running store: nothing is acknowledged that is not in the file at its place.

use std::{fs, path::Path};

use automarket_core::{
    Error, ErrorKind, Retry, TenantId,
    store::{Claim, JobStore, NewJob},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

fn job() -> NewJob {
    NewJob::new(TenantId::new("a").unwrap(), "work", 1.into())
}

fn moved(refused: &Error) {
    let said = (refused.kind(), refused.retry(), refused.rule());
    let moved = Some("sqlite.moved");
    assert_eq!(said, (ErrorKind::Storage, Retry::After(None), moved));
    assert!(refused.remedy().unwrap().contains("stop every process"));
}

async fn all_is_refused(store: &SqliteStore) {
    moved(&store.enqueue(&[job()]).await.unwrap_err());
    moved(&store.claim(&Claim::new("w", 9)).await.unwrap_err());
    moved(&store.queue_stats().await.unwrap_err());
}

/// With one job in it, and nothing read yet.
async fn store(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
    store
}

#[tokio::test]
async fn a_file_that_is_replaced_takes_no_more_writes() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let old = store(&path).await;
    let host = Connection::open(&path).unwrap();
    host.execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    drop(host);
    fs::rename(&copy, &path).unwrap();
    all_is_refused(&old).await;
}

#[tokio::test]
async fn what_is_removed_or_moved_takes_no_writes_until_it_is_back() {
    for file in ["a.db", "a.db-wal"] {
        let directory = tempfile::tempdir().unwrap();
        let (path, away) = (directory.path().join(file), directory.path().join("away"));
        let store = store(&directory.path().join("a.db")).await;
        fs::rename(&path, &away).unwrap();
        all_is_refused(&store).await;
        fs::rename(&away, &path).unwrap();
        store.enqueue(&[job()]).await.unwrap();
        assert_eq!(store.queue_stats().await.unwrap().ready, 2);
        fs::remove_file(&path).unwrap();
        all_is_refused(&store).await;
    }
}

#[tokio::test]
async fn a_link_that_is_turned_leads_no_read_to_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    drop(SqliteStore::open(at("b.db")).await.unwrap());
    for (name, is_there) in [("a.db", true), ("c.db", false)] {
        if is_there {
            drop(SqliteStore::open(at(name)).await.unwrap());
        }
        std::os::unix::fs::symlink(at(name), at("link")).unwrap();
        let store = store(&at("link")).await;
        fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink(at("b.db"), at("link")).unwrap();
        assert_eq!(store.queue_stats().await.unwrap().ready, 1);
        fs::remove_file(at("link")).unwrap();
    }
}

#[tokio::test]
async fn what_another_process_has_begun_to_write_outlives_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("a.db-wal");
    let store = store(&directory.path().join("a.db")).await;
    fs::remove_file(&log).unwrap();
    fs::write(&log, "of another").unwrap();
    drop(store);
    assert_eq!(fs::read(&log).unwrap(), b"of another");
}
