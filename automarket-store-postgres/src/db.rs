//! One connection of the pool, or a transaction on it, speaking to our schema.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
    time::Instant,
};

use automarket_core::{Error, Result, Retry};
use deadpool_postgres::{GenericClient, Object, Pool, Transaction};
use tokio::{
    sync::{Mutex, Notify, futures::Notified},
    time::timeout,
};
use tokio_postgres::{
    Row,
    error::{DbError, SqlState},
    types::ToSql,
};

use crate::{
    connect::WAIT,
    error::{Fault, Outcome, is_stale, no_connection},
    lent::{Left, Lent},
};

pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The usual name of our schema, as it stands in every statement.
pub(crate) const SCHEMA: &str = "automarket";

/// What is locked by a client that stands still, or that the network has lost, is free again after so long: the server
/// would wait for it for hours.
pub(crate) const STANDS_STILL: &str = "SET LOCAL idle_in_transaction_session_timeout = '3s'";

/// The pool, and what our schema is called in this database.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) schema: String,
    glances: Glances,
    /// Connections that were made before are not used again.
    trusted_from: StdMutex<Option<Instant>>,
    distrusted: Notify,
}

/// One more connection, which all short reads share: they are pipelined on it, so that many at once cost few round trips.
/// Its pool has spare ones, for readers that still wait on one that was given up.
struct Glances {
    pool: Pool,
    now: Mutex<Option<Arc<Lent>>>,
}

impl Database {
    /// `pool` for all statements but short reads, which have one of `glances`.
    pub(crate) fn new(pool: Pool, glances: Pool, schema: String) -> Self {
        Self {
            pool,
            schema,
            glances: Glances {
                pool: glances,
                now: Mutex::default(),
            },
            trusted_from: StdMutex::default(),
            distrusted: Notify::new(),
        }
    }

    /// The rows of a read that takes no time and waits for nobody.
    pub(crate) async fn glance(&self, sql: &'static str, params: Params<'_>) -> Outcome<Vec<Row>> {
        let lent = self.glancing().await?;
        let (client, left) = lent.parts();
        left.behind(rows(client, self, sql, params)).await
    }

    async fn glancing(&self) -> Outcome<Arc<Lent>> {
        // Whoever waits for somebody else's connecting waits no longer than for its own.
        let Ok(mut now) = timeout(WAIT, self.glances.now.lock()).await else {
            return Err(no_connection().into());
        };
        if let Some(open) = &*now
            && open.is_good()
            && self.trusts(open.parts().0)
        {
            return Ok(open.clone());
        }
        // Those who still wait for it keep it; its pool has another.
        *now = None;
        let new = self.lend(&self.glances.pool).await?;
        Ok(now.insert(Arc::new(new)).clone())
    }

    /// One connection of each pool's.
    pub(crate) async fn two_connections(&self) -> Outcome<(Object, Object)> {
        Ok((self.pool.get().await?, self.glances.pool.get().await?))
    }

    /// A connection; each statement on it is a transaction.
    pub(crate) async fn connection(&self) -> Outcome<Connection<'_>> {
        Ok(Connection {
            lent: self.lend(&self.pool).await?,
            db: self,
        })
    }

    async fn lend(&self, pool: &Pool) -> Outcome<Lent> {
        loop {
            let client = pool.get().await?;
            if self.trusts(&client) {
                return Ok(Lent::new(client));
            }
            drop(Object::take(client));
        }
    }

    /// Stops the use of connections that were opened before now: after a failover they still reach the old, read-only
    /// primary, and what was prepared on them before a table changed is stale.
    fn distrust(&self) {
        *self.trusted_from() = Some(Instant::now());
        self.distrusted.notify_waiters();
    }

    /// Ends when connections that were made before this call are not used again.
    pub(crate) fn distrusted(&self) -> Notified<'_> {
        self.distrusted.notified()
    }

    fn trusts(&self, client: &Object) -> bool {
        let made = Object::metrics(client).created;
        self.trusted_from().is_none_or(|from| made >= from)
    }

    fn trusted_from(&self) -> MutexGuard<'_, Option<Instant>> {
        let from = self.trusted_from.lock();
        from.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn rows(&self, sql: &'static str, params: Params<'_>) -> Outcome<Vec<Row>> {
        self.connection().await?.rows(sql, params).await
    }

    pub(crate) async fn row(&self, sql: &'static str, params: Params<'_>) -> Outcome<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// How many rows it wrote.
    pub(crate) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Outcome<u64> {
        let connection = self.connection().await?;
        let (client, left) = connection.lent.parts();
        left.behind(execute(client, self, sql, params)).await
    }

    /// Runs a statement of which nothing says, once its connection is lost, whether it ran: a repeat would write
    /// all of it again, and the error says so.
    pub(crate) async fn append(&self, sql: &'static str, params: Params<'_>) -> Result<()> {
        let connection = self.connection().await?;
        let appended = connection.rows(sql, params).await;
        appended.map(drop).map_err(|fault| {
            let cut = fault.is_cut();
            let error = Error::from(fault);
            if cut {
                error.with_retry(Retry::Reconcile)
            } else {
                error
            }
        })
    }
}

pub(crate) struct Connection<'a> {
    lent: Lent,
    db: &'a Database,
}

impl Connection<'_> {
    pub(crate) async fn rows(&self, sql: &'static str, params: Params<'_>) -> Outcome<Vec<Row>> {
        let (client, left) = self.lent.parts();
        left.behind(rows(client, self.db, sql, params)).await
    }

    pub(crate) async fn begin(&mut self) -> Outcome<Tx<'_>> {
        let (client, left) = self.lent.parts_mut();
        let begun = left.behind(async {
            let transaction = client.transaction().await?;
            transaction.batch_execute(STANDS_STILL).await?;
            Ok(transaction)
        });
        Ok(Tx {
            transaction: begun.await?,
            left,
            db: self.db,
        })
    }
}

/// A transaction; rolled back unless committed.
pub(crate) struct Tx<'a> {
    transaction: Transaction<'a>,
    left: &'a Left,
    db: &'a Database,
}

impl Tx<'_> {
    pub(crate) async fn rows(&self, sql: &'static str, params: Params<'_>) -> Outcome<Vec<Row>> {
        let rows = rows(&self.transaction, self.db, sql, params);
        self.left.behind(rows).await
    }

    pub(crate) async fn row(&self, sql: &'static str, params: Params<'_>) -> Outcome<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    pub(crate) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Outcome<u64> {
        let executed = execute(&self.transaction, self.db, sql, params);
        self.left.behind(executed).await
    }

    pub(crate) async fn commit(self) -> Outcome<()> {
        let commit = async { Ok(self.transaction.commit().await?) };
        self.left.behind(commit).await
    }
}

async fn rows(
    client: &impl GenericClient,
    db: &Database,
    sql: &'static str,
    params: Params<'_>,
) -> Outcome<Vec<Row>> {
    let statement = client.prepare_cached(&in_schema(&db.schema, sql)).await?;
    let done = client.query(&statement, params).await;
    noted(db, done)
}

async fn execute(
    client: &impl GenericClient,
    db: &Database,
    sql: &'static str,
    params: Params<'_>,
) -> Outcome<u64> {
    let statement = client.prepare_cached(&in_schema(&db.schema, sql)).await?;
    let done = client.execute(&statement, params).await;
    noted(db, done)
}

fn noted<T>(db: &Database, done: Result<T, tokio_postgres::Error>) -> Outcome<T> {
    done.map_err(|error| {
        let distrusts = |refused: &DbError| {
            refused.code() == &SqlState::READ_ONLY_SQL_TRANSACTION || is_stale(refused)
        };
        if error.as_db_error().is_some_and(distrusts) {
            db.distrust();
        }
        error.into()
    })
}

/// Statements name our schema `automarket`; it may have another name in this database.
pub(crate) fn in_schema<'a>(schema: &str, sql: &'a str) -> Cow<'a, str> {
    if schema == SCHEMA {
        Cow::Borrowed(sql)
    } else {
        Cow::Owned(sql.replace("automarket.", &format!("{schema}.")))
    }
}

/// The rows decoded, or core's error.
pub(crate) fn decode<T>(
    rows: Outcome<Vec<Row>>,
    decode: impl Fn(&Row) -> Outcome<T>,
) -> Result<Vec<T>> {
    let decoded: Outcome<Vec<T>> = rows.and_then(|rows| rows.iter().map(decode).collect());
    decoded.map_err(Fault::into)
}
