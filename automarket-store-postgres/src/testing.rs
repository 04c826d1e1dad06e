//! A PostgreSQL of one's own for tests, and a store in it whose time can be moved.

mod cluster;

use std::sync::atomic::{AtomicI64, Ordering};

use automarket_core::{Result, async_trait, chrono::TimeDelta, testing::StoreClock};
use uuid::Uuid;

use crate::{PostgresStore, db::in_schema};
pub use cluster::Cluster;

impl Cluster {
    /// A store in a new schema of this cluster, which [`TestStore::remove`] drops again.
    ///
    /// # Errors
    /// As `PostgresStoreBuilder::build`.
    pub async fn store(&self) -> Result<TestStore> {
        let schema = format!("automarket_test_{}", Uuid::now_v7().simple());
        let store = PostgresStore::builder(self.url()).schema(schema);
        Ok(TestStore {
            store: store.build().await?,
        })
    }
}

/// A store in a schema of its own.
#[derive(Clone, Debug)]
pub struct TestStore {
    /// The store.
    pub store: PostgresStore,
}

impl TestStore {
    /// The name of its schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.store.inner.db.schema
    }

    /// What moves its time.
    #[must_use]
    pub fn clock(&self) -> TestClock {
        TestClock {
            store: self.store.clone(),
            ahead: AtomicI64::new(0),
        }
    }

    /// Runs statements (as `psql` would) that call our schema `automarket`.
    ///
    /// # Errors
    /// By what the database says.
    pub async fn run(&self, sql: &str) -> Result<()> {
        run(&self.store, sql).await
    }

    /// Drops the schema.
    ///
    /// # Errors
    /// By what the database says.
    pub async fn remove(self) -> Result<()> {
        let sql = format!("DROP SCHEMA {} CASCADE", self.schema());
        run(&self.store, &sql).await
    }
}

/// Moves a store's time by putting another body into the function `automarket.clock`. For tests alone: time
/// never stands still, and it moves for every store on the schema.
#[derive(Debug)]
pub struct TestClock {
    store: PostgresStore,
    ahead: AtomicI64,
}

#[async_trait]
#[expect(clippy::expect_used, reason = "this is test code")]
impl StoreClock for TestClock {
    async fn advance(&self, by: TimeDelta) {
        let by = by
            .num_microseconds()
            .expect("a step of less than 292,000 years");
        let ahead = self.ahead.fetch_add(by, Ordering::SeqCst) + by;
        let sql = format!(
            "CREATE OR REPLACE FUNCTION automarket.clock() RETURNS timestamptz LANGUAGE sql STABLE
             AS 'SELECT now() + {ahead} * interval ''1 microsecond'''"
        );
        run(&self.store, &sql).await.expect("the clock was moved");
    }
}

async fn run(store: &PostgresStore, sql: &str) -> Result<()> {
    let db = &store.inner.db;
    let client = db.pool.get().await.map_err(crate::error::Fault::from)?;
    let done = client.batch_execute(&in_schema(&db.schema, sql)).await;
    Ok(done.map_err(crate::error::Fault::from)?)
}
