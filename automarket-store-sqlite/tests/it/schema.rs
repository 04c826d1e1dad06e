//! The schema: ours alone, made once, never older than the binary's.

use automarket_core::{
    AccountId, ErrorKind, TenantId, Timetable,
    chrono::DateTime,
    store::{
        AuditAction, AuditStore, JobStore, NewAudit, NewJob, Schedule, ScheduleStore, UpkeepStore,
    },
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

fn job() -> NewJob {
    NewJob::new(TenantId::new("acme").unwrap(), "work", 1.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_openers_at_once_make_one_schema() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let openers = (0..8).map(|_| {
        let path = path.clone();
        tokio::spawn(async move {
            let store = SqliteStore::open(path).await.unwrap();
            store.enqueue(&[job()]).await.unwrap();
        })
    });
    for opener in openers.collect::<Vec<_>>() {
        opener.await.unwrap();
    }
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(again.queue_stats().await.unwrap().ready, 8);
    let version = again.schema_version().await.unwrap();
    drop(again);
    let db = Connection::open(path).unwrap();
    let sql = "SELECT count(*) FROM automarket_migrations";
    let rows: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, i64::from(version));
}

#[tokio::test]
async fn the_audit_trail_is_never_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let entry = NewAudit {
        tenant: job().tenant,
        account: AccountId::derived("1"),
        action: AuditAction::Reveal,
        who: "ada".into(),
        why: "a look".into(),
        outcome: "done".into(),
    };
    store.append_audit(&[entry]).await.unwrap();
    let host = Connection::open(&path).unwrap();
    let refused = host.execute("UPDATE automarket_audit SET who = 'eve'", []);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("never changed"), "{refused}");
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_keeps_no_other_from_running() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for name in ["damaged", "whole"] {
        let new = Schedule {
            tenant: job().tenant,
            name: name.to_owned(),
            timetable: Timetable::parse("30 2 * * *", "Europe/Berlin").unwrap(),
            job: job(),
            paused: false,
            next_at: Some(DateTime::UNIX_EPOCH),
            last_at: None,
            revision: 0,
        };
        store.put_schedule(&new).await.unwrap();
    }
    let damage = "UPDATE automarket_schedules SET zone = 'Mars/Base' WHERE name = 'damaged'";
    Connection::open(&path)
        .unwrap()
        .execute(damage, [])
        .unwrap();
    let next = store.next_schedules(9).await.unwrap();
    let (read, failed): (Vec<_>, Vec<_>) = next.into_iter().partition(Result::is_ok);
    assert_eq!((read.len(), failed.len()), (1, 1));
    assert_eq!(read[0].as_ref().unwrap().name, "whole");
}

#[tokio::test]
async fn the_hosts_tables_in_the_same_file_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host.db");
    let host = Connection::open(&path).unwrap();
    host.execute_batch(
        "PRAGMA user_version = 7;
         CREATE TABLE jobs (id INTEGER PRIMARY KEY);
         CREATE TABLE migrations (version TEXT);
         CREATE TABLE _sqlx_migrations (version TEXT);
         INSERT INTO jobs VALUES (1), (2);
         INSERT INTO migrations VALUES ('host'); INSERT INTO _sqlx_migrations VALUES ('host');",
    )
    .unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
    host.execute("INSERT INTO jobs VALUES (3)", []).unwrap();
    store.enqueue(&[job()]).await.unwrap();
    let number = |sql: &str| host.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM jobs"), 3);
    assert_eq!(number("SELECT count(*) FROM migrations"), 1);
    assert_eq!(number("SELECT count(*) FROM _sqlx_migrations"), 1);
    assert_eq!(number("PRAGMA user_version"), 7);
    let foreign =
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'automarket\\_%' ESCAPE '\\'
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    assert_eq!(number(foreign), 3, "every object of ours has our prefix");
}

#[tokio::test]
async fn an_old_binary_refuses_a_newer_schema() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    drop(SqliteStore::open(&path).await.unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute("INSERT INTO automarket_migrations VALUES (99, 'x', 0)", [])
        .unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert_eq!(refused.rule(), Some("sqlite.newer_schema"));
    assert!(refused.message().contains("99"), "{refused}");
    db.execute("DELETE FROM automarket_migrations WHERE number = 99", [])
        .unwrap();
    SqliteStore::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_migration_cut_in_the_middle_leaves_nothing_half_done() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    // A name of ours is taken, so the fifth file fails after four ran.
    let host = Connection::open(&path).unwrap();
    host.execute_batch("CREATE TABLE automarket_flows (id TEXT)")
        .unwrap();
    SqliteStore::open(&path).await.unwrap_err();
    let tables = "SELECT group_concat(name) FROM sqlite_schema";
    let tables: String = host.query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, "automarket_flows");
    host.execute_batch("DROP TABLE automarket_flows").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    drop(SqliteStore::open(&path).await.unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE automarket_migrations SET checksum = 'x'", [])
        .unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert_eq!(refused.rule(), Some("sqlite.changed_migration"));
}

#[tokio::test]
async fn a_path_that_is_no_file_is_a_configuration_error() {
    for path in ["", ":memory:", "/no/such/directory/a.db"] {
        let refused = SqliteStore::open(path).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{path}");
    }
    let directory = tempfile::tempdir().unwrap();
    let refused = SqliteStore::open(directory.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let other = store.clone();
    store.enqueue(&[job()]).await.unwrap();
    drop(store);
    assert_eq!(other.queue_stats().await.unwrap().ready, 1);
    drop(other);
    let names = std::fs::read_dir(directory.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.db"], "the write-ahead log is folded back");
}
