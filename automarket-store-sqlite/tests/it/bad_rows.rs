//! A host's own statements can put in what no job is: it ends, and holds nobody up.

use std::time::Duration;

use automarket_core::{
    TenantId,
    chrono::DateTime,
    store::{Claim, JobState, JobStore, NewJob, Settled, UpkeepStore, Verdict},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::{Connection, params, types::Value};

/// Puts a job in with one column as it should not be.
fn put_bad(host: &Connection, number: u8, column: &str, value: &Value) {
    host.execute_batch(
        "INSERT INTO automarket_jobs (id, tenant, kind, payload, priority, max_attempts, created_at)
         VALUES (zeroblob(16), 'bad', 'work', '1', 0, 20, 0);
         INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
         VALUES (0, 0, 'work', 'bad', 0, last_insert_rowid());",
    )
    .unwrap();
    let place = host.last_insert_rowid();
    host.execute(
        "UPDATE automarket_jobs SET id = ?1 WHERE place = ?2",
        params![[number; 16], place],
    )
    .unwrap();
    let tables: &[&str] = match column {
        "tenant" | "kind" | "priority" | "run_at" => &["jobs", "waiting"],
        _ => &["jobs"],
    };
    for table in tables {
        let sql = format!("UPDATE automarket_{table} SET {column} = ?1 WHERE place = ?2");
        host.execute(&sql, params![value, place]).unwrap();
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_ends_and_says_why() {
    let text = |text: &str| Value::Text(text.to_owned());
    let bad = [
        ("max_attempts", Value::Integer(-1)),
        ("max_attempts", Value::Integer(1 << 32)),
        ("max_attempts", text("many")),
        ("priority", Value::Integer(40_000)),
        ("priority", Value::Integer(-40_000)),
        ("priority", Value::Real(-1.5)),
        ("run_at", Value::Real(1.5)),
        ("run_at", Value::Integer(i64::MIN)),
        ("payload", Value::Blob(vec![0xff])),
        ("unique_key", Value::Blob(vec![1])),
        ("created_at", text("yesterday")),
        ("id", text("018f0000-0000-7000-8000-000000000001")),
        ("tenant", text("")),
        ("tenant", text("two\nlines")),
    ];
    for (number, (column, value)) in (1..).zip(&bad) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = SqliteStore::open(&path).await.unwrap();
        put_bad(&Connection::open(&path).unwrap(), number, column, value);
        let good = NewJob::new(TenantId::new("good").unwrap(), "work", 1.into());
        store.enqueue(std::slice::from_ref(&good)).await.unwrap();
        let case = format!("{column} = {value:?}");

        store.next_ready(&[]).await.expect(&case);
        let leases = store.claim(&Claim::new("w", 10)).await.expect(&case);
        let claimed: Vec<_> = leases.iter().map(|lease| lease.job.id).collect();
        assert_eq!(claimed, [good.id], "{case}");
        assert_eq!(store.queue_stats().await.expect(&case).dead, 1, "{case}");
        if *column == "tenant" {
            continue; // Nobody's.
        }
        let tenant = TenantId::new("bad").unwrap();
        let dead = store.jobs(&tenant, JobState::Dead, 10).await.expect(&case);
        let message = &dead[0].failures[0].error.message;
        assert!(message.contains(column), "{case}: {message}");
    }
}

#[tokio::test]
async fn the_documented_statements_take_a_payload_of_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let host = Connection::open(&path).unwrap();
    let readme = include_str!("../../README.md");
    let (_, statements) = readme.split_once("```sql").unwrap();
    let statements: Vec<_> = statements.split(';').collect();
    let (id, json, none) = ([1_u8; 16], br#"{"n":1}"#.as_slice(), None::<&str>);
    let job = params![id, "acme", "work", json, 0, 20, none, 5, 5.5];
    assert_eq!(host.execute(statements[0], job), Ok(1));
    assert_eq!(host.execute(statements[1], [id]), Ok(1));
    assert_eq!(host.execute(statements[2], [id]), Ok(0));
    let lease = store.claim(&Claim::new("w", 10)).await.unwrap().remove(0);
    assert_eq!(lease.job.payload, serde_json::json!({"n": 1}));
    assert_eq!(lease.job.run_at.timestamp_micros(), 5);
}

#[tokio::test]
async fn a_payload_of_bytes_is_read_as_the_text_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let json = Value::Blob(br#"{"n":1}"#.to_vec());
    put_bad(&Connection::open(&path).unwrap(), 1, "payload", &json);
    let lease = store.claim(&Claim::new("w", 10)).await.unwrap().remove(0);
    assert_eq!(lease.job.payload, serde_json::json!({"n": 1}));
}

#[tokio::test]
async fn what_is_no_name_or_never_due_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let host = Connection::open(&path).unwrap();
    put_bad(&host, 1, "tenant", &Value::Blob(vec![1]));
    put_bad(&host, 2, "kind", &Value::Blob(vec![1]));
    put_bad(&host, 3, "id", &Value::Blob(vec![1]));
    let never = "UPDATE automarket_waiting SET run_at = 'never', later = 1 WHERE place = 3";
    host.execute(never, []).unwrap();
    for kinds in [vec![], vec!["work".to_owned()]] {
        assert_eq!(store.next_ready(&kinds).await.unwrap(), None);
    }
    let good = NewJob::new(TenantId::new("good").unwrap(), "work", 1.into());
    store.enqueue(&[good]).await.unwrap();
    assert_eq!(store.claim(&Claim::new("w", 10)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_waiting_row_that_is_not_as_we_write_it_holds_nobody_up() {
    let cases = [
        "UPDATE automarket_waiting SET attempts = -1, fence = 'x'",
        "UPDATE automarket_waiting SET fence = 1.5",
        "UPDATE automarket_waiting SET fence = 9223372036854775807",
        "UPDATE automarket_waiting SET crashes = 1 << 40",
        "UPDATE automarket_waiting SET leased = 1",
        "UPDATE automarket_waiting SET leased = 'x'",
        "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
            SELECT later, priority, kind, tenant, run_at - 1, place FROM automarket_waiting",
        "INSERT INTO automarket_leases VALUES (1, 'a', 'work', 9223372036854775807, 7, 1, 0, 0, 0)",
        "DELETE FROM automarket_jobs WHERE place = 1",
        "UPDATE automarket_jobs SET priority = 5",
        "INSERT INTO automarket_ended VALUES (1, 'a', 'completed', 1, 1, 0, NULL, 0)",
    ];
    for case in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let job = |tenant: &str| NewJob::new(TenantId::new(tenant).unwrap(), "work", 1.into());
        store.enqueue(&[job("a")]).await.unwrap();
        Connection::open(&path).unwrap().execute(case, []).unwrap();
        let good = job("good");
        store.enqueue(std::slice::from_ref(&good)).await.unwrap();
        let leases = store.claim(&Claim::new("w", 10)).await.expect(case);
        let mut ids = leases.iter().map(|lease| lease.job.id);
        assert!(ids.any(|id| id == good.id), "{case}");
        assert!(leases.len() <= 2, "{case}: no job twice");
        let verdicts = leases
            .iter()
            .map(|lease| (lease.token, Verdict::Complete(1.into())));
        let settled = store.settle(&verdicts.collect::<Vec<_>>()).await;
        let done = Settled::Now(JobState::Completed);
        assert!(
            settled.expect(case).iter().all(|one| *one == done),
            "{case}"
        );
        assert_eq!(store.claim(&Claim::new("w", 10)).await.expect(case), []);
    }
}

#[tokio::test]
async fn no_waiting_row_has_a_place_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let _store = SqliteStore::open(&path).await.unwrap();
    let host = Connection::open(&path).unwrap();
    let nowhere = "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
        VALUES (0, 0, 'work', 'a', 0, 'x')";
    assert!(host.execute(nowhere, []).is_err());
}

#[tokio::test]
async fn what_is_no_job_takes_no_place_among_the_overdue() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let host = Connection::open(&path).unwrap();
    let bytes = Value::Blob(vec![1]);
    for number in 1..=200 {
        let column = ["tenant", "kind"][usize::from(number) % 2];
        put_bad(&host, number, column, &bytes);
    }
    put_bad(&host, 201, "id", &bytes);
    let good = |micros| {
        let job = NewJob::new(TenantId::new("good").unwrap(), "work", 1.into());
        job.run_at(DateTime::from_timestamp_micros(micros).unwrap())
    };
    // Before, among and behind them.
    let good = [-1, 0, 1].map(good);
    store.enqueue(&good).await.unwrap();
    let page = async |after| store.overdue(Duration::ZERO, after, 2).await.unwrap();
    let first = page(None).await;
    let last = page(first.last()).await;
    assert_eq!((first.len(), last.len()), (2, 1));
    let found: Vec<_> = first.iter().chain(&last).map(|late| late.job).collect();
    assert_eq!(found, good.map(|job| job.id));
}

#[tokio::test]
async fn a_row_of_a_lease_that_has_not_run_out_takes_it_from_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let job = NewJob::new(TenantId::new("a").unwrap(), "work", 1.into());
    store.enqueue(&[job]).await.unwrap();
    let held = store.claim(&Claim::new("w", 1)).await.unwrap().remove(0);
    let ghost =
        "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place, leased)
        SELECT 0, priority, kind, tenant, run_at, place, 1 FROM automarket_jobs";
    Connection::open(&path).unwrap().execute(ghost, []).unwrap();
    assert_eq!(store.claim(&Claim::new("other", 10)).await.unwrap(), []);
    let done = Verdict::Complete(1.into());
    let settled = store.settle(&[(held.token, done)]).await.unwrap();
    assert_eq!(settled, [Settled::Now(JobState::Completed)]);
}
