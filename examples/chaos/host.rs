//! The host's own transactions: its row and our job commit together or not at all.

use automarket::{
    JobId, TenantId,
    store::{
        NewJob,
        postgres::{self, PostgresStore},
        sqlite,
    },
};
use rusqlite::{ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::OnceCell;

use crate::{
    Result,
    place::Place,
    worker::{TENANT, WORK},
};

const README: &str = include_str!("../../automarket-store-sqlite/README.md");

/// A host, on a connection of its own.
pub(crate) struct Host {
    connection: Connection,
    /// How the last job went in.
    by_call: bool,
}

enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client, String, PostgresStore),
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
        let connection = match place {
            Place::Sqlite { .. } => Connection::Sqlite(place.sqlite()?),
            Place::Postgres { .. } => {
                let (client, schema) = place.postgres().await?;
                let store = postgres_store(place).await?;
                Connection::Postgres(client, schema.to_owned(), store)
            }
        };
        Ok(Self {
            connection,
            by_call: false,
        })
    }

    /// Creates the host's own table.
    pub(crate) async fn create(&self) -> Result<()> {
        match &self.connection {
            Connection::Sqlite(db) => {
                db.execute_batch("CREATE TABLE users (name TEXT, job TEXT)")?
            }
            Connection::Postgres(db, schema, _) => {
                let sql = format!("CREATE TABLE {schema}.users (name text, job text)");
                db.batch_execute(&sql).await?;
            }
        }
        Ok(())
    }

    /// The host's rows: names, and the jobs that were to come with them.
    pub(crate) async fn users(&self) -> Result<Vec<(String, String)>> {
        Ok(match &self.connection {
            Connection::Sqlite(db) => {
                let mut statement = db.prepare("SELECT name, job FROM users")?;
                let users = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                users.collect::<Result<_, _>>()?
            }
            Connection::Postgres(db, schema, _) => {
                let sql = format!("SELECT name, job FROM {schema}.users");
                let rows = db.query(&sql, &[]).await?;
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        })
    }

    /// One transaction: the id of the job that will run, if it committed. In turn the job goes in by the library's
    /// call and by the statements that other drivers send.
    pub(crate) async fn sign_up(&mut self, new: &SignUp<'_>) -> Result<Option<String>> {
        let payload = serde_json::to_value(crate::worker::Work::default())?;
        let mut job = NewJob::new(TenantId::new(TENANT)?, WORK, payload);
        job.max_attempts = 1000;
        job.unique_key = new.key.map(str::to_owned);
        self.by_call = !self.by_call;
        let id = match &mut self.connection {
            // The file's lock is waited for by the thread, however long others have it.
            Connection::Sqlite(db) => tokio::task::block_in_place(|| {
                let tx = loop {
                    match Transaction::new_unchecked(db, TransactionBehavior::Immediate) {
                        Err(error)
                            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                        begun => break begun?,
                    }
                };
                let id = match self.by_call {
                    true => sqlite::with_rusqlite::enqueue_in(&tx, &job)?.id(),
                    false => with_statements(&tx, &job)?,
                };
                let id = id.to_string();
                tx.execute("INSERT INTO users VALUES (?1, ?2)", [new.user, &id])?;
                if new.commit {
                    tx.commit()?;
                } else {
                    tx.rollback()?;
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(id)
            })?,
            Connection::Postgres(db, schema, store) => {
                let tx = db.transaction().await?;
                let id = if self.by_call {
                    let put = postgres::with_tokio_postgres::enqueue_in(store, &tx, &job);
                    put.await?.id().to_string()
                } else {
                    let sql = format!(
                        "SELECT {schema}.enqueue($1, $2, $3::text::jsonb, unique_key => $4, max_attempts => 1000)::text"
                    );
                    let payload = job.payload.to_string();
                    let row = tx
                        .query_one(&sql, &[&TENANT, &WORK, &payload, &new.key])
                        .await?;
                    row.get(0)
                };
                let sql = format!("INSERT INTO {schema}.users VALUES ($1, $2)");
                tx.execute(&sql, &[&new.user, &id]).await?;
                if new.commit {
                    tx.commit().await?;
                } else {
                    tx.rollback().await?;
                }
                id
            }
        };
        Ok(new.commit.then_some(id))
    }
}

/// The statements of the store's README, as hosts with other drivers send them.
fn with_statements(tx: &Transaction<'_>, job: &NewJob) -> Result<JobId> {
    let sql = README.split("```sql\n").nth(1).unwrap_or_default();
    let sql = sql.split("```").next().unwrap_or_default();
    let statements = sql.split(';').map(|one| tx.prepare(one));
    let statements = statements.take(4).collect::<rusqlite::Result<Vec<_>>>()?;
    let [mut put, mut waiting, mut key, mut holder] =
        <[_; 4]>::try_from(statements).map_err(|_| "the README has four statements")?;
    let id = job.id.uuid().into_bytes();
    let (tenant, kind, unique) = (job.tenant.as_str(), &job.kind, &job.unique_key);
    let now = automarket::core::chrono::Utc::now().timestamp_micros();
    let (payload, attempts) = (job.payload.to_string(), job.max_attempts);
    let priority = job.priority;
    put.execute((
        id, tenant, kind, payload, priority, attempts, unique, now, now,
    ))?;
    let is_new = waiting.execute([id])? > 0;
    key.execute([id])?;
    if is_new {
        return Ok(job.id);
    }
    let held: [u8; 16] = holder.query_row((id, tenant, kind, unique), |row| row.get(0))?;
    Ok(uuid::Uuid::from_bytes(held).to_string().parse()?)
}

/// One for all of a process: a store has connections of its own.
async fn postgres_store(place: &Place) -> Result<PostgresStore> {
    static STORE: OnceCell<PostgresStore> = OnceCell::const_new();
    let Place::Postgres { url, schema, .. } = place else {
        return Err("the store is not PostgreSQL".into());
    };
    let open = || PostgresStore::builder(url).schema(schema).build();
    Ok(STORE.get_or_try_init(open).await?.clone())
}
