//! Putting jobs and publications in inside a transaction of the host's, on rusqlite: they commit and roll back
//! with the host's own rows. Call `Automarket::wake` after the commit; without it a worker sees them at its next
//! poll.

use std::cell::Cell;

use automarket_core::{
    Result,
    chrono::Utc,
    store::{Enqueued, NewJob, NewPublishing, rows::NewRow},
};
use rusqlite::Connection;

use crate::{
    error::{Outcome, transaction_gone},
    jobs,
    publications::NewRows,
    value::micros,
    writer::{Lines, Tx},
};

/// Puts a job in on the host's connection or transaction (`&tx`), to whose file a store has been opened before.
/// Outside a transaction it is one of its own. After an error nothing of it is there, and the transaction goes
/// on, but after `sqlite.transaction_gone`. Call `Automarket::wake` after the commit.
///
/// # Errors
/// As [`JobStore::enqueue`](automarket_core::store::JobStore::enqueue). `Storage` by the rule `sqlite.transaction_gone`
/// when a full disk or the like made SQLite roll the host's transaction back: what is written on it afterwards would
/// be committed by itself.
/// `Config` (`sqlite.no_store`) on a file that no store has opened.
///
/// ```
/// use automarket_core::{TenantId, store::NewJob};
/// use automarket_store_sqlite::{SqliteStore, with_rusqlite::enqueue_in};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let store = SqliteStore::open(&path).await?;
/// let mut host = rusqlite::Connection::open(&path)?;
/// host.execute("CREATE TABLE users (name TEXT)", [])?;
///
/// let tx = host.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
/// tx.execute("INSERT INTO users VALUES ('Ada')", [])?;
/// enqueue_in(&tx, &NewJob::new(TenantId::new("acme")?, "welcome", "Ada".into()))?;
/// tx.commit()?; // Both, or none.
/// # Ok(())
/// # }
/// ```
pub fn enqueue_in(db: &Connection, job: &NewJob) -> Result<Enqueued> {
    let row = NewRow::new(job)?;
    Ok(wholly(db, |tx| jobs::enqueue_one(tx, &row))?)
}

/// Writes what `Tenant::prepare` gave, on the host's connection or transaction, as [`enqueue_in`] does. `false`
/// when all of it was there already.
///
/// # Errors
/// As [`PublicationStore::put_publishing`](automarket_core::store::PublicationStore::put_publishing).
pub fn publish_in(db: &Connection, publishing: &NewPublishing) -> Result<bool> {
    let rows = NewRows::new(publishing)?;
    Ok(wholly(db, |tx| rows.put(tx))?)
}

/// All of the work or nothing, inside or outside of a transaction. One of its own is for writing from its beginning:
/// one that has read may not wait for its turn to write.
fn wholly<T>(db: &Connection, work: impl FnOnce(&Tx<'_>) -> Outcome<T>) -> Outcome<T> {
    let alone = db.is_autocommit();
    let (begin, back, end) = match alone {
        true => ("BEGIN IMMEDIATE", "ROLLBACK", "COMMIT"),
        false => (
            "SAVEPOINT automarket",
            "ROLLBACK TO automarket; RELEASE automarket",
            "RELEASE automarket",
        ),
    };
    db.execute_batch(begin)?;
    let tx = Tx {
        db,
        now: micros(Utc::now()),
        lines: &mut Lines::default(),
        erased: &Cell::new(false),
    };
    let done = work(&tx).and_then(|done| {
        db.execute_batch(end)?;
        Ok(done)
    });
    match done {
        Err(fault) if db.is_autocommit() && !alone => Err(transaction_gone(fault.into()).into()),
        Err(fault) => {
            if !db.is_autocommit() {
                db.execute_batch(back)?;
            }
            Err(fault)
        }
        done => done,
    }
}
