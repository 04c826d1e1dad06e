//! Our own tables and the ledger of what made them.

use automarket_core::{
    Error, ErrorKind,
    chrono::{DateTime, Utc},
};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::{
    error::{Fault, Outcome},
    value::micros,
};

/// Every migration, in order. A file that was released never changes.
const MIGRATIONS: [&str; 9] = [
    include_str!("../migrations/0001_init.sql"),
    include_str!("../migrations/0002_operations.sql"),
    include_str!("../migrations/0003_publishing.sql"),
    include_str!("../migrations/0004_credentials.sql"),
    include_str!("../migrations/0005_flows.sql"),
    include_str!("../migrations/0006_narrower.sql"),
    include_str!("../migrations/0007_measurements.sql"),
    include_str!("../migrations/0008_in_trust.sql"),
    include_str!("../migrations/0009_line.sql"),
];

/// Brings the schema up to date, in one transaction that waits for other processes at the same work.
pub(crate) fn run(db: &Connection, now: DateTime<Utc>) -> Outcome<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
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
    let applied = db
        .prepare("SELECT number, checksum FROM automarket_migrations ORDER BY number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(u32, String)>>>()?;
    if let Some((number, _)) = applied.iter().find(|(number, _)| *number > newest()) {
        return Err(newer_schema(*number));
    }
    for (number, sql) in (1_u32..).zip(MIGRATIONS) {
        match applied.iter().find(|(applied, _)| *applied == number) {
            Some((_, checksum)) if *checksum == checksum_of(sql) => continue,
            Some(_) => return Err(changed(number)),
            None => db.execute_batch(sql)?,
        }
        db.execute(
            "INSERT INTO automarket_migrations (number, checksum, applied_at) VALUES (?1, ?2, ?3)",
            params![number, checksum_of(sql), micros(now)],
        )?;
    }
    Ok(())
}

fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn checksum_of(sql: &str) -> String {
    let digest = Sha256::digest(sql.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn newer_schema(number: u32) -> Fault {
    let message = format!(
        "the database has migration {number}, this version of automarket knows {}",
        newest()
    );
    let error = Error::new(ErrorKind::Config, message)
        .with_rule("sqlite.newer_schema")
        .with_remedy("run the newer version of automarket that made it");
    Fault::Ours(error)
}

fn changed(number: u32) -> Fault {
    let message = format!("migration {number} of the database is not the one this version knows");
    let error = Error::new(ErrorKind::Config, message)
        .with_rule("sqlite.changed_migration")
        .with_remedy("run a released version of automarket on this database");
    Fault::Ours(error)
}
