//! What is erased is in no file any more, whoever reads meanwhile.

use std::{path::Path, time::Duration};

use automarket_core::{
    AccountId, Platform, TenantId,
    chrono::{DateTime, Utc},
    store::{Account, AccountStore, AuditAction, AuditStore, JobStore, NewAudit, NewJob},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

const CANARY: &str = "canary-7c1e";

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn account(number: usize) -> Account {
    let platform = Platform::from_static("wall");
    Account::new(acme(), platform, format!("{number}"))
}

/// Whether it stands in any file of the folder.
fn found(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let mut windows = bytes.windows(CANARY.len());
        windows.any(|window| window == CANARY.as_bytes())
    })
}

/// Waits until it stands in none; the minute only ends a test that fails.
async fn until_gone(folder: &Path) {
    let gone = async {
        while found(folder) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let minute = Duration::from_secs(60);
    tokio::time::timeout(minute, gone).await.unwrap();
}

async fn look(store: &SqliteStore, account: AccountId, why: String) {
    let entry = NewAudit {
        tenant: acme(),
        account,
        action: AuditAction::Reveal,
        who: CANARY.to_owned(),
        why,
        outcome: "done".to_owned(),
    };
    store.append_audit(&[entry]).await.unwrap();
}

#[tokio::test]
async fn what_is_erased_is_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let store = SqliteStore::open(folder.join("a.db")).await.unwrap();
    // Renamed, since the name before stands in the page beside the new one; and why it was seen fills pages of its own.
    let names = |number: usize, name: &str| Account {
        name: name.repeat(1 + number % 20),
        ..account(number)
    };
    for (name, size) in [(CANARY, 1), ("another", 300), ("x", 1_000)] {
        for number in 0..60 {
            let account = store.put_account(&names(number, name)).await.unwrap();
            look(&store, account.id, CANARY.repeat(number % 7 * size)).await;
        }
    }
    assert!(found(folder));
    for number in 0..60 {
        let id = account(number).id;
        assert!(store.remove_account(&acme(), id).await.unwrap());
        assert_eq!(store.erase_audit_of(&acme(), id).await.unwrap(), 3);
    }
    assert!(!found(folder));
}

#[tokio::test]
async fn what_retention_removes_is_wiped_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let store = SqliteStore::open(folder.join("a.db")).await.unwrap();
    look(&store, account(1).id, "a look".into()).await;
    assert!(found(folder));
    let all = DateTime::<Utc>::MAX_UTC;
    assert_eq!(store.remove_audit(all, 100).await.unwrap(), 1);
    until_gone(folder).await;
}

#[tokio::test]
async fn a_reader_in_the_way_fails_no_erasure_and_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let path = folder.join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let id = account(1).id;
    look(&store, id, "a look".into()).await;
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let seen = |db: &Connection| -> i64 {
        let count = "SELECT count(*) FROM automarket_audit";
        db.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(seen(&reader), 1);
    assert_eq!(store.erase_audit_of(&acme(), id).await.unwrap(), 1);
    assert!(store.audit(&acme(), 0, 9).await.unwrap().is_empty());
    let job = NewJob::new(acme(), "work", 1.into());
    store.enqueue(&[job]).await.unwrap();
    assert_eq!(seen(&reader), 1);
    assert!(found(folder), "the reader sees it");
    // A process that is killed now leaves these files.
    let left = tempfile::tempdir().unwrap();
    for name in ["a.db", "a.db-wal"] {
        std::fs::copy(folder.join(name), left.path().join(name)).unwrap();
    }
    reader.execute_batch("COMMIT").unwrap();
    until_gone(folder).await;

    assert!(found(left.path()));
    let next = SqliteStore::open(left.path().join("a.db")).await.unwrap();
    until_gone(left.path()).await;
    assert_eq!(next.queue_stats().await.unwrap().ready, 1);
}
