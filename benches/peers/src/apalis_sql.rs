//! apalis on both databases, by its own worker: batches of 1,000, each job a task of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis::prelude::*;
use apalis_postgres::{PgPool, PostgresStorage};
use apalis_sqlite::{SqlitePool, SqliteStorage};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Peer, shapes::Put};

/// A peer on one database: the two crates have the same shape, but share no types.
macro_rules! on {
    ($name:ident, $pool:ty, $storage:ident, $config:path) => {
        pub struct $name($pool);

        #[async_trait]
        impl Put for $name {
            async fn put(&self, _: usize, mut payloads: Vec<Value>) -> crate::Result<()> {
                let mut storage = $storage::<Value>::new(&self.0);
                match payloads.len() {
                    1 => storage.push(payloads.remove(0)).await.map_err(|e| e.to_string())?,
                    _ => storage.push_bulk(payloads).await.map_err(|e| e.to_string())?,
                }
                Ok(())
            }
        }

        #[async_trait]
        impl Peer for $name {
            async fn drain(&self, jobs: usize) -> crate::Result<()> {
                let config = <$config>::default().batch_size(1_000);
                let storage = $storage::<Value>::new(&self.0).with_config(config);
                let done = Arc::new(AtomicUsize::new(0));
                let counted = done.clone();
                let worker = WorkerBuilder::new("bench")
                    .backend(storage)
                    .parallelize(tokio::spawn)
                    .build(move |_: Value| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        async { Ok::<(), BoxDynError>(()) }
                    });
                // Its future cannot be spawned, since the compiler does not see that it is Send.
                let runtime = tokio::runtime::Handle::current();
                let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
                let running = tokio::task::spawn_blocking(move || {
                    runtime.block_on(async move {
                        tokio::select! {
                            ended = worker.run() => ended.map_err(|e| e.to_string()),
                            _ = stopped => Ok(()),
                        }
                    })
                });
                while done.load(Ordering::Relaxed) < jobs {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                drop(stop);
                running.await??;
                Ok(())
            }
        }
    };
}

on!(OnSqlite, SqlitePool, SqliteStorage, apalis_sqlite::Config);
on!(OnPostgres, PgPool, PostgresStorage, apalis_postgres::Config);

impl OnSqlite {
    pub async fn new(file: &str) -> crate::Result<Self> {
        let pool = SqlitePool::connect(&format!("sqlite://{file}?mode=rwc")).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self(pool))
    }
}

impl OnPostgres {
    pub async fn new(url: &str, connections: usize) -> crate::Result<Self> {
        let (admin, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        admin
            .batch_execute("DROP SCHEMA IF EXISTS apalis CASCADE; DROP TABLE IF EXISTS _sqlx_migrations; CHECKPOINT")
            .await?;
        let connections = u32::try_from(connections)?;
        // By way of a pool, since its sqlx is not the one of this program.
        let options = PgPool::connect_lazy(url)?.options().clone();
        let pool = options.max_connections(connections).connect(url).await?;
        PostgresStorage::setup(&pool).await?;
        Ok(Self(pool))
    }
}
