//! A store that was opened by a relative path, in a process that goes to another directory.

use std::process::Command;

use automarket_core::{
    TenantId,
    store::{JobStore, NewJob},
};
use automarket_store_sqlite::SqliteStore;

const ELSEWHERE: &str = "AUTOMARKET_ELSEWHERE_TEST";

/// The directory is the whole process's, so it has one of its own. Does nothing unless the test below starts it.
#[tokio::test]
async fn process_that_moves() {
    let Ok(elsewhere) = std::env::var(ELSEWHERE) else {
        return;
    };
    let store = SqliteStore::open("a.db").await.unwrap();
    let acme = TenantId::new("acme").unwrap();
    let job = NewJob::new(acme.clone(), "work", 1.into());
    store.enqueue(std::slice::from_ref(&job)).await.unwrap();
    std::env::set_current_dir(elsewhere).unwrap();
    let found = store.job(&acme, job.id).await.unwrap();
    assert_eq!(found.unwrap().kind, "work");
}

#[tokio::test]
async fn a_process_that_changes_its_directory_keeps_its_file() {
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Another store of the same name.
    SqliteStore::open(elsewhere.path().join("a.db"))
        .await
        .unwrap();
    let moves = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "elsewhere::process_that_moves", "--nocapture"])
        .current_dir(here.path())
        .env(ELSEWHERE, elsewhere.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&moves.stderr);
    assert!(moves.status.success(), "{said}");
}
