//! The host's own transactions: its row and our job commit together or not at all.

use automarket::JobId;
use rusqlite::{ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::{
    Result,
    place::Place,
    worker::{TENANT, WORK},
};

/// A connection of the host's.
pub(crate) enum Host {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client, String),
}

/// What the host writes in one transaction.
pub(crate) struct SignUp<'a> {
    /// Its own row.
    pub(crate) user: &'a str,
    /// The unique key of the job.
    pub(crate) key: Option<&'a str>,
    /// Whether it commits; it rolls back otherwise.
    pub(crate) commit: bool,
}

impl Host {
    pub(crate) async fn connect(place: &Place) -> Result<Self> {
        Ok(match place {
            Place::Sqlite { .. } => Self::Sqlite(place.sqlite()?),
            Place::Postgres { .. } => {
                let (client, schema) = place.postgres().await?;
                Self::Postgres(client, schema.to_owned())
            }
        })
    }

    /// Creates the host's own table.
    pub(crate) async fn create(&self) -> Result<()> {
        match self {
            Self::Sqlite(db) => db.execute_batch("CREATE TABLE users (name TEXT, job TEXT)")?,
            Self::Postgres(db, schema) => {
                let sql = format!("CREATE TABLE {schema}.users (name text, job text)");
                db.batch_execute(&sql).await?;
            }
        }
        Ok(())
    }

    /// The host's rows: names, and the jobs that were to come with them.
    pub(crate) async fn users(&self) -> Result<Vec<(String, String)>> {
        Ok(match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare("SELECT name, job FROM users")?;
                let users = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                users.collect::<Result<_, _>>()?
            }
            Self::Postgres(db, schema) => {
                let sql = format!("SELECT name, job FROM {schema}.users");
                let rows = db.query(&sql, &[]).await?;
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        })
    }

    /// One transaction: the id of the job that will run, if it committed.
    pub(crate) async fn sign_up(&mut self, new: &SignUp<'_>) -> Result<Option<String>> {
        let payload = serde_json::to_value(crate::worker::Work::default())?;
        let job = match self {
            // The file's lock is waited for by the thread, however long others have it.
            Self::Sqlite(db) => tokio::task::block_in_place(|| {
                let tx = loop {
                    match Transaction::new_unchecked(db, TransactionBehavior::Immediate) {
                        Err(error)
                            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                        begun => break begun?,
                    }
                };
                let job = sqlite_enqueue(&tx, &payload.to_string(), new.key)?;
                tx.execute("INSERT INTO users VALUES (?1, ?2)", [new.user, &job])?;
                if new.commit {
                    tx.commit()?;
                } else {
                    tx.rollback()?;
                }
                Ok::<_, rusqlite::Error>(job)
            })?,
            Self::Postgres(db, schema) => {
                let tx = db.transaction().await?;
                let sql = format!(
                    "SELECT {schema}.enqueue($1, $2, $3::text::jsonb, unique_key => $4, max_attempts => 1000)::text"
                );
                let row = tx
                    .query_one(&sql, &[&TENANT, &WORK, &payload.to_string(), &new.key])
                    .await?;
                let job: String = row.get(0);
                let sql = format!("INSERT INTO {schema}.users VALUES ($1, $2)");
                tx.execute(&sql, &[&new.user, &job]).await?;
                if new.commit {
                    tx.commit().await?;
                } else {
                    tx.rollback().await?;
                }
                job
            }
        };
        Ok(new.commit.then_some(job))
    }
}

/// Puts a job in with statements of the host's own.
fn sqlite_enqueue(
    tx: &Transaction<'_>,
    payload: &str,
    key: Option<&str>,
) -> rusqlite::Result<String> {
    let holder = "SELECT j.id FROM automarket_unique_keys k JOIN automarket_jobs j USING (place)
        WHERE k.tenant = ?1 AND k.kind = ?2 AND k.unique_key = ?3";
    let id = |bytes: [u8; 16]| uuid::Uuid::from_bytes(bytes).to_string();
    let held = tx
        .query_row(holder, (TENANT, WORK, key), |row| row.get(0))
        .optional()?;
    if let Some(held) = held {
        return Ok(id(held));
    }
    let new = JobId::new().uuid().into_bytes();
    let now = automarket::core::chrono::Utc::now().timestamp_micros();
    tx.execute(
        "INSERT INTO automarket_jobs
            (id, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at)
         VALUES (?1, ?2, ?3, ?4, 0, 1000, ?5, ?6, ?6)",
        (new, TENANT, WORK, payload, key, now),
    )?;
    let place = tx.last_insert_rowid();
    tx.execute(
        "INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
         VALUES (0, 0, ?2, ?1, ?3, ?4)",
        (TENANT, WORK, now, place),
    )?;
    if let Some(key) = key {
        tx.execute(
            "INSERT INTO automarket_unique_keys VALUES (?1, ?2, ?3, ?4)",
            (place, TENANT, WORK, key),
        )?;
    }
    Ok(id(new))
}
