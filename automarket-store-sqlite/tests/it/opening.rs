//! What a store may be opened with, and beside what.

use std::time::Duration;

use automarket_core::{
    ErrorKind, Retry, TenantId,
    store::{JobStore, NewJob},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

#[tokio::test]
async fn who_waits_for_ever_for_others_may_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(directory.path().join("a.db")).busy_timeout(Duration::MAX);
    let store = store.build().await.unwrap();
    let job = NewJob::new(TenantId::new("a").unwrap(), "work", 1.into());
    store.enqueue(&[job]).await.unwrap();
}

#[tokio::test]
async fn an_address_is_no_path() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("file:{}/a.db", directory.path().display());
    for path in [address.as_str(), "file:a.db", "file::memory:"] {
        let refused = SqliteStore::open(path).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.retry()),
            (ErrorKind::Config, Retry::Never)
        );
        assert!(refused.to_string().contains("names no file"), "{refused}");
        assert!(refused.remedy().unwrap().contains("without `file:`"));
    }
}

#[tokio::test]
async fn a_file_that_is_up_to_date_is_opened_while_somebody_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let opened = async || {
        let store = SqliteStore::builder(&path).busy_timeout(Duration::from_millis(20));
        store.build().await
    };
    let import = Connection::open(&path).unwrap();
    import.pragma_update(None, "journal_mode", "WAL").unwrap();
    import.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The tables are to be made yet.
    let refused = opened().await.unwrap_err();
    assert_eq!(refused.rule(), Some("sqlite.locked"));
    import.execute_batch("COMMIT").unwrap();
    opened().await.unwrap();
    import.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = opened().await.unwrap();
    assert_eq!(store.queue_stats().await.unwrap().ready, 0);
}
