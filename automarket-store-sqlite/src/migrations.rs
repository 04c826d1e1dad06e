//! Our own tables and the ledger of what made them.

use automarket_core::{
    chrono::{DateTime, Utc},
    store::rows::pending,
};
use rusqlite::{Connection, params};

use crate::{error::Outcome, lock::Lock, value::micros};

/// Every migration, in order. A file that was released never changes.
const MIGRATIONS: [&str; 11] = [
    include_str!("../migrations/0001_init.sql"),
    include_str!("../migrations/0002_operations.sql"),
    include_str!("../migrations/0003_publishing.sql"),
    include_str!("../migrations/0004_credentials.sql"),
    include_str!("../migrations/0005_flows.sql"),
    include_str!("../migrations/0006_narrower.sql"),
    include_str!("../migrations/0007_measurements.sql"),
    include_str!("../migrations/0008_in_trust.sql"),
    include_str!("../migrations/0009_line.sql"),
    include_str!("../migrations/0010_standing.sql"),
    include_str!("../migrations/0011_sent.sql"),
];

/// Brings the schema up to date, in one transaction that waits for other processes at the same work.
pub(crate) fn run(db: &Connection, lock: &Lock, now: DateTime<Utc>) -> Outcome<()> {
    // Mostly nothing is to be done, and then nobody who writes is waited for.
    if let Ok(applied) = ledger(db)
        && pending("sqlite", &MIGRATIONS, &applied)?.is_empty()
    {
        return Ok(());
    }
    lock.begin(db)?;
    let result = migrate(db, now).and_then(|()| Ok(db.execute_batch("COMMIT")?));
    if result.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    result
}

fn migrate(db: &Connection, now: DateTime<Utc>) -> Outcome<()> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS automarket_migrations (
            number     INTEGER PRIMARY KEY,
            checksum   TEXT NOT NULL,
            applied_at INTEGER NOT NULL
        )",
    )?;
    for (number, sql, checksum) in pending("sqlite", &MIGRATIONS, &ledger(db)?)? {
        db.execute_batch(sql)?;
        db.execute(
            "INSERT INTO automarket_migrations (number, checksum, applied_at) VALUES (?1, ?2, ?3)",
            params![number, checksum, micros(now)],
        )?;
    }
    Ok(())
}

/// Number and checksum of what ran.
fn ledger(db: &Connection) -> rusqlite::Result<Vec<(i32, String)>> {
    db.prepare("SELECT number, checksum FROM automarket_migrations")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use automarket_core::{
        JobId, TenantId,
        hash::sha256,
        store::{Claim, Job, JobState, JobStore, Lease, LeaseToken, NewJob, Settled, Verdict},
    };

    use super::*;
    use crate::SqliteStore;

    const FIRST: &str = "018f0000-0000-7000-8000-00000000000";

    fn id(number: u8) -> JobId {
        format!("{FIRST}{number}").parse().unwrap()
    }

    /// A file as it was left by the first so many migrations, up to nine, with a job in each standing.
    fn as_of(path: &std::path::Path, migrations: usize) {
        let db = Connection::open(path).unwrap();
        db.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE automarket_migrations (number INTEGER PRIMARY KEY, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)").unwrap();
        for (number, sql) in (1_u32..).zip(&MIGRATIONS[..migrations]) {
            db.execute_batch(sql).unwrap();
            let ledger = "INSERT INTO automarket_migrations VALUES (?1, ?2, 0)";
            db.execute(ledger, params![number, sha256(sql)]).unwrap();
        }
        let far = "9000000000000000";
        let put = |number: u8, key: &str, row: &str| {
            let hex = id(number).to_string().replace('-', "");
            db.execute_batch(&format!(
                "INSERT INTO automarket_jobs VALUES ({number}, x'{hex}', 'acme', 'work', '{number}', 0, 20, {key}, 1);
                 {row}"
            ))
            .unwrap();
        };
        let queue = |number: u8, key: &str, run_at: &str, rest: &str| {
            let row = format!(
                "INSERT INTO automarket_queue (place, tenant, kind, priority, run_at, unique_key,
                    due_at, ready, leased, fence, attempts, crashes)
                 VALUES ({number}, 'acme', 'work', 0, {run_at}, {key}, {rest})"
            );
            put(number, key, &row);
        };
        queue(1, "'one'", "10", "10, 1, 0, 0, 0, 0");
        queue(2, "NULL", far, &format!("{far}, 0, 0, 2, 2, 1"));
        queue(3, "'three'", "30", &format!("{far}, 0, 1, 4, 3, 0"));
        // Its lease ran out: in the line, and not taken yet.
        queue(4, "NULL", "5", "50, 1, 1, 1, 1, 0");
        put(
            5,
            "'one'",
            "INSERT INTO automarket_ended VALUES (5, 'acme', 'dead', 40, 1, 20, 0, NULL, 41)",
        );
        put(
            6,
            "NULL",
            "INSERT INTO automarket_ended VALUES (6, 'acme', 'completed', 60, 1, 1, 0, '\"done\"', 61)",
        );
    }

    #[tokio::test]
    async fn jobs_put_in_before_the_tenth_stand_where_they_stood() {
        for migrations in 1..=9 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.db");
            as_of(&path, migrations);
            they_stand_where_they_stood(&path).await;
        }
    }

    async fn they_stand_where_they_stood(path: &std::path::Path) {
        let store = SqliteStore::open(path).await.unwrap();
        let acme = TenantId::new("acme").unwrap();
        let job = async |number| store.job(&acme, id(number)).await.unwrap().unwrap();
        let stands = |job: &Job| {
            let run_at = job.run_at.timestamp_micros();
            (job.state, run_at, job.fence, job.attempts, job.crashes)
        };
        use JobState::{Completed, Dead, Leased, Waiting};
        assert_eq!(stands(&job(1).await), (Waiting, 10, 0, 0, 0));
        assert_eq!(
            stands(&job(2).await),
            (Waiting, 9_000_000_000_000_000, 2, 2, 1)
        );
        assert_eq!(stands(&job(3).await), (Leased, 30, 4, 3, 0));
        assert_eq!(stands(&job(5).await), (Dead, 40, 1, 20, 0));
        assert_eq!(stands(&job(6).await), (Completed, 60, 1, 1, 0));
        assert_eq!(job(6).await.result, Some("done".into()));

        // Keys are held as before, and by nobody twice.
        let again = NewJob::new(acme.clone(), "work", 0.into()).unique("three");
        assert_eq!(store.enqueue(&[again]).await.unwrap()[0].id(), id(3));
        assert!(!store.redrive(&acme, id(5)).await.unwrap());
        // The line is as it was: first the one whose worker is gone.
        let claim = Claim::new("w", 10).lease(Duration::from_secs(60));
        let leases: Vec<Lease> = store.claim(&claim).await.unwrap();
        let claimed = leases.iter().map(|lease| lease.job.id);
        assert_eq!(claimed.collect::<Vec<_>>(), [id(4), id(1)]);
        assert_eq!((leases[0].job.crashes, leases[0].job.fence), (1, 2));
        let token = LeaseToken {
            job: id(3),
            fence: 4,
        };
        let done = Verdict::Complete(1.into());
        let settled = store.settle(&[(token, done)]).await.unwrap();
        assert_eq!(settled, [Settled::Now(Completed)]);
        assert!(store.cancel_job(&acme, id(2)).await.unwrap());
    }
}
