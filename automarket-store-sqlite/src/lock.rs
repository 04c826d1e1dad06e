//! The file's lock, which processes that write take in turns.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use crate::error::{Fault, Outcome};

/// So soon it is asked for again. SQLite by itself asks ten times a second at last, and then mostly meets a busy process
/// that has it once more.
const AGAIN: Duration = Duration::from_micros(500);

pub(crate) struct Lock {
    /// How long others are waited for.
    patience: Duration,
}

impl Lock {
    /// For this connection, of which SQLite waits for nobody from now on.
    pub(crate) fn new(db: &Connection, patience: Duration) -> Outcome<Self> {
        db.busy_timeout(Duration::ZERO)?;
        Ok(Self { patience })
    }

    /// Begins a transaction for writing as soon as it is our turn.
    pub(crate) fn begin(&self, db: &Connection) -> Outcome<()> {
        let mut since = None;
        loop {
            let begun = db.prepare_cached("BEGIN IMMEDIATE")?.raw_execute();
            let Err(error) = begun else { return Ok(()) };
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || waited >= self.patience
            {
                return Err(Fault::Sqlite(error));
            }
            sleep(AGAIN);
        }
    }
}
