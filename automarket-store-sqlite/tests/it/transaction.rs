//! A host puts jobs and publications in inside its own transaction, with whatever driver it has.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use automarket_core::{
    AccountId, ErrorKind, JobId, Platform, Post, TenantId,
    chrono::{DateTime, Utc},
    store::{
        Approval, Enqueued, JobState, JobStore, Lateness, NewEvent, NewJob, NewPublishing,
        Publication, PublicationState, PublicationStore, REVISION, SLOT, Target,
    },
};
use automarket_store_sqlite::{SqliteStore, with_rusqlite, with_sqlx};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

const DATABASE: &str = "AUTOMARKET_TX_TEST_DATABASE";

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn job(name: &str) -> NewJob {
    NewJob::new(acme(), "welcome", json!({"user": name}))
}

#[tokio::test]
async fn a_file_that_no_store_has_opened_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong.db");
    let host = Connection::open(&path).unwrap();
    let mut sqlx = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    for refused in [
        with_rusqlite::enqueue_in(&host, &job("ada")).unwrap_err(),
        with_rusqlite::publish_in(&host, &publishing()).unwrap_err(),
        with_sqlx::enqueue_in(&mut sqlx, &job("ada"))
            .await
            .unwrap_err(),
        with_sqlx::publish_in(&mut sqlx, &publishing())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Config, "{}", refused.report());
        assert_eq!(refused.rule(), Some("sqlite.no_store"));
        assert!(refused.remedy().unwrap().contains("open a SqliteStore"));
    }
}

fn publishing() -> NewPublishing {
    let at: DateTime<Utc> = "2027-01-11T09:00:00Z".parse().unwrap();
    let post = Post::text("We shipped!");
    let publication = Publication {
        id: automarket_core::PublicationId::new(),
        tenant: acme(),
        post: post.id,
        target: Target {
            account: AccountId::new(),
            platform: Platform::X,
            network: Platform::X,
        },
        state: PublicationState::Scheduled,
        key: "k".into(),
        content_hash: "h".into(),
        due: at,
        lateness: Lateness::default(),
        public_at: None,
        approval: Approval::default(),
        slot: None,
        job: JobId::new(),
        via: None,
        sent_at: None,
        receipt: None,
        handle: None,
        error: None,
        revision: 1,
        created_at: at,
        updated_at: at,
    };
    let event = NewEvent {
        tenant: acme(),
        kind: "publication.scheduled".into(),
        subject: publication.id.to_string(),
        data: json!({}),
    };
    NewPublishing {
        tenant: acme(),
        post,
        publications: vec![publication],
        jobs: vec![job("publish")],
        events: vec![event],
    }
}

/// A store and the host's table in one file.
async fn world(directory: &Path) -> (SqliteStore, Connection, SqliteConnection) {
    let path = directory.join("app.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute("CREATE TABLE users (name TEXT)", []).unwrap();
    let address = format!("sqlite://{}", path.display());
    let sqlx = SqliteConnection::connect(&address).await.unwrap();
    (store, host, sqlx)
}

async fn users(host: &Connection) -> BTreeSet<String> {
    let mut query = host.prepare("SELECT name FROM users").unwrap();
    let names = query.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_job_commits_and_rolls_back_with_the_hosts_row() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut host, mut sqlx) = world(directory.path()).await;
    for (name, commits) in [("ada", true), ("bob", false)] {
        let job = job(name);
        let tx = host.transaction().unwrap();
        tx.execute("INSERT INTO users VALUES (?1)", [name]).unwrap();
        let put = with_rusqlite::enqueue_in(&tx, &job).unwrap();
        assert_eq!(put, Enqueued::New(job.id));
        assert_eq!(
            store.job(&acme(), job.id).await.unwrap(),
            None,
            "not before the commit"
        );
        if commits {
            tx.commit().unwrap();
        } else {
            tx.rollback().unwrap();
        }
        let found = store.job(&acme(), job.id).await.unwrap();
        assert_eq!(found.map(|j| j.payload), commits.then_some(job.payload));
    }
    for (name, commits) in [("cy", true), ("dan", false)] {
        let job = job(name);
        let mut tx = sqlx.begin().await.unwrap();
        sqlx::query("INSERT INTO users VALUES (?1)")
            .bind(name)
            .execute(&mut *tx)
            .await
            .unwrap();
        let put = with_sqlx::enqueue_in(&mut tx, &job).await.unwrap();
        assert_eq!(put, Enqueued::New(job.id));
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        let found = store.job(&acme(), job.id).await.unwrap();
        assert_eq!(found.map(|j| j.payload), commits.then_some(job.payload));
    }
    assert_eq!(
        users(&host).await,
        BTreeSet::from(["ada".into(), "cy".into()])
    );
    assert_eq!(
        store
            .jobs(&acme(), JobState::Waiting, 10)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn all_doors_put_the_same_row_and_hold_the_same_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (store, host, mut sqlx) = world(directory.path()).await;
    let full = |key: &str| {
        let mut job = job("ada")
            .unique(key)
            .run_at("2099-01-01T00:00:00Z".parse().unwrap());
        (job.priority, job.max_attempts) = (7, 3);
        job
    };
    let (ours, by_rusqlite, by_sqlx) = (full("a"), full("b"), full("c"));
    store.enqueue(std::slice::from_ref(&ours)).await.unwrap();
    with_rusqlite::enqueue_in(&host, &by_rusqlite).unwrap();
    with_sqlx::enqueue_in(&mut sqlx, &by_sqlx).await.unwrap();
    let stored = async |job: &NewJob| store.job(&acme(), job.id).await.unwrap().unwrap();
    let expected = stored(&ours).await;
    for job in [&by_rusqlite, &by_sqlx] {
        let mut found = stored(job).await;
        found.created_at = expected.created_at;
        (found.id, found.unique_key) = (expected.id, expected.unique_key.clone());
        assert_eq!(found, expected);
        // By whichever door, its key is taken, and so is its id.
        let again = full(job.unique_key.as_deref().unwrap());
        let held = Enqueued::Existing(job.id);
        assert_eq!(
            store.enqueue(std::slice::from_ref(&again)).await.unwrap()[0],
            held
        );
        for again in [&again, job] {
            assert_eq!(with_rusqlite::enqueue_in(&host, again).unwrap(), held);
            assert_eq!(with_sqlx::enqueue_in(&mut sqlx, again).await.unwrap(), held);
        }
    }
    let mut theirs = full("d");
    (theirs.id, theirs.tenant) = (ours.id, TenantId::new("other").unwrap());
    let refused = with_rusqlite::enqueue_in(&host, &theirs).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let refused = with_sqlx::enqueue_in(&mut sqlx, &theirs).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let long = job("e").unique("k".repeat(1_001));
    let refused = with_rusqlite::enqueue_in(&host, &long).unwrap_err();
    assert_eq!(refused.field(), Some("unique_key"));
    let refused = with_sqlx::enqueue_in(&mut sqlx, &long).await.unwrap_err();
    assert_eq!(refused.field(), Some("unique_key"));
    assert_eq!(store.queue_stats().await.unwrap().later, 3);
}

#[tokio::test]
async fn a_publication_is_wholly_there_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut host, mut sqlx) = world(directory.path()).await;
    let (kept, dropped, by_sqlx) = (publishing(), publishing(), publishing());
    let tx = host.transaction().unwrap();
    assert!(with_rusqlite::publish_in(&tx, &kept).unwrap());
    assert!(
        !with_rusqlite::publish_in(&tx, &kept).unwrap(),
        "it was there"
    );
    tx.commit().unwrap();
    let tx = host.transaction().unwrap();
    with_rusqlite::publish_in(&tx, &dropped).unwrap();
    tx.rollback().unwrap();
    assert!(with_sqlx::publish_in(&mut sqlx, &by_sqlx).await.unwrap());
    assert!(!with_sqlx::publish_in(&mut sqlx, &by_sqlx).await.unwrap());
    for (written, there) in [(&kept, true), (&dropped, false), (&by_sqlx, true)] {
        let publications = store.publications(&acme(), written.post.id).await.unwrap();
        assert_eq!(publications == written.publications, there);
        let job = store.job(&acme(), written.jobs[0].id).await.unwrap();
        let subject = &written.events[0].subject;
        use automarket_core::store::EventStore as _;
        let events = store.events_about(&acme(), subject).await.unwrap();
        assert_eq!((job.is_some(), events.len()), (there, usize::from(there)));
    }
    // What fails changes nothing, and the host's transaction goes on.
    let mut taken = publishing();
    taken.jobs[0].id = kept.jobs[0].id;
    taken.tenant = TenantId::new("other").unwrap();
    taken.publications[0].tenant = taken.tenant.clone();
    taken.jobs[0].tenant = taken.tenant.clone();
    taken.events[0].tenant = taken.tenant.clone();
    let tx = host.transaction().unwrap();
    tx.execute("INSERT INTO users VALUES ('eve')", []).unwrap();
    let refused = with_rusqlite::publish_in(&tx, &taken).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    tx.commit().unwrap();
    assert!(with_sqlx::publish_in(&mut sqlx, &taken).await.is_err());
    assert_eq!(users(&host).await, BTreeSet::from(["eve".into()]));
    assert_eq!(
        store.post(&taken.tenant, taken.post.id).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_taken_slot_and_a_post_that_moved_are_told_at_every_door() {
    let directory = tempfile::tempdir().unwrap();
    let (store, host, mut sqlx) = world(directory.path()).await;
    let holding = || {
        let mut new = publishing();
        new.publications[0].target.account = AccountId::derived("one");
        new.publications[0].slot = Some("2027-01-04T09:00:00Z".parse().unwrap());
        new
    };
    let first = holding();
    store.put_publishing(&first).await.unwrap();
    let elsewhere = publishing().publications.remove(0);
    let mut moved = first.clone();
    moved.post.base.text = Some("other words".to_owned());
    moved.publications = vec![Publication {
        post: moved.post.id,
        ..elsewhere
    }];
    for (new, rule) in [(holding(), SLOT), (moved, REVISION)] {
        for refused in [
            with_rusqlite::publish_in(&host, &new).map(drop),
            with_sqlx::publish_in(&mut sqlx, &new).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.rule()),
                (ErrorKind::Conflict, Some(rule))
            );
        }
    }
    assert!(!with_rusqlite::publish_in(&host, &first).unwrap());
    assert!(!with_sqlx::publish_in(&mut sqlx, &first).await.unwrap());
}

/// The life of the host that is killed: half of its transactions commit. Does nothing unless the test below
/// starts it.
#[test]
fn host_process() {
    let Ok(path) = std::env::var(DATABASE) else {
        return;
    };
    let mut host = Connection::open(path).unwrap();
    host.busy_timeout(std::time::Duration::from_secs(5))
        .unwrap();
    loop {
        let job = job("ada");
        let tx = host
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .unwrap();
        let add_user = "INSERT INTO users VALUES (?1)";
        let commits = job.id.uuid().as_bytes()[15].is_multiple_of(2);
        let put = || with_rusqlite::enqueue_in(&tx, &job).unwrap();
        if commits {
            put();
        }
        tx.execute(add_user, [job.id.to_string()]).unwrap();
        if !commits {
            put();
            drop(tx);
            continue;
        }
        tx.commit().unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\ncommitted {}", job.id).unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn a_killed_host_has_its_row_and_the_job_or_neither() {
    let directory = tempfile::tempdir().unwrap();
    let (store, host, _) = world(directory.path()).await;
    let mut committed = BTreeSet::new();
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "transaction::host_process", "--nocapture"])
            .env(DATABASE, directory.path().join("app.db"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ids =
            lines.filter_map(|line| line.unwrap().strip_prefix("committed ").map(str::to_owned));
        committed.extend(ids.take(5 + kill * 3));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let users = users(&host).await;
    assert!(
        users.is_superset(&committed),
        "what was acknowledged is there"
    );
    let waiting = store
        .jobs(&acme(), JobState::Waiting, 1_000_000)
        .await
        .unwrap();
    let jobs: BTreeSet<String> = waiting.iter().map(|job| job.id.to_string()).collect();
    assert_eq!(jobs, users);
    let parsed: Vec<JobId> = committed.iter().map(|id| id.parse().unwrap()).collect();
    assert!(parsed.len() >= 6 * 5);
}

#[tokio::test]
async fn a_host_without_a_transaction_waits_for_its_turn_to_write() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let _store = SqliteStore::open(&path).await.unwrap();
    let (writer, host) = (
        Connection::open(&path).unwrap(),
        Connection::open(&path).unwrap(),
    );
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    // As long as the host's own handler has patience.
    let patience = |_| {
        ASKED.store(true, Ordering::SeqCst);
        false
    };
    host.busy_handler(Some(patience)).unwrap();
    let keyed = job("Ada").unique("k");
    let refused = with_rusqlite::enqueue_in(&host, &keyed).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Storage);
    assert!(ASKED.load(Ordering::SeqCst) && host.is_autocommit());
    writer.execute_batch("COMMIT").unwrap();
    let put = with_rusqlite::enqueue_in(&host, &keyed).unwrap();
    assert_eq!(put, Enqueued::New(keyed.id));
    assert!(host.is_autocommit());
}

#[tokio::test]
async fn a_host_is_told_that_a_full_disk_ended_its_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut host, mut sqlx) = world(directory.path()).await;
    let pages: i64 = host
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let full = format!("PRAGMA max_page_count = {pages}");
    let large = NewJob::new(acme(), "welcome", "x".repeat(100_000).into());
    let mut post = publishing();
    post.post = Post {
        id: post.post.id,
        ..Post::text("x".repeat(100_000))
    };

    let limit: i64 = host.query_row(&full, [], |row| row.get(0)).unwrap();
    assert_eq!(limit, pages);
    let tx = host
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    tx.execute("INSERT INTO users VALUES ('ada')", []).unwrap();
    let refused = with_rusqlite::enqueue_in(&tx, &large).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Storage);
    assert_eq!(refused.rule(), Some("sqlite.transaction_gone"));
    drop(tx);
    // One of its own is nobody else's.
    let refused = with_rusqlite::enqueue_in(&host, &large).unwrap_err();
    assert_eq!(refused.rule(), Some("sqlite.full"));

    let full = sqlx::query(AssertSqlSafe(full));
    full.execute(&mut sqlx).await.unwrap();
    let refused = with_sqlx::publish_in(&mut sqlx, &post).await.unwrap_err();
    assert_eq!(refused.rule(), Some("sqlite.full"));
    let mut tx = sqlx.begin().await.unwrap();
    let ada = "INSERT INTO users VALUES ('ada')";
    sqlx::query(ada).execute(&mut *tx).await.unwrap();
    let refused = with_sqlx::publish_in(&mut tx, &post).await.unwrap_err();
    assert_eq!(refused.rule(), Some("sqlite.transaction_gone"));
    drop(tx);
    assert_eq!(users(&host).await, BTreeSet::new());
    assert_eq!(store.queue_stats().await.unwrap().ready, 0);
}
