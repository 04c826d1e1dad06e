//! Queues that are read and archived in batches by hand: 16 consumers, 100 messages each.

use std::sync::Arc;

use async_trait::async_trait;
use pgmq::PGMQueueExt;
use pgqrs::{Config, Consumer, Producer};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;

use crate::{
    Peer, Result,
    shapes::{self, Put, Queue},
};

const CONSUMERS: usize = 16;
const BATCH: usize = 100;

async fn drain(queue: Arc<dyn Queue>, jobs: usize) -> Result<()> {
    match shapes::drain(queue, CONSUMERS, BATCH).await?.jobs {
        done if done == jobs => Ok(()),
        done => Err(format!("{done} of {jobs} came out").into()),
    }
}

/// Completes by deleting, which is its fastest way.
#[derive(Clone)]
pub struct Pgmq(PGMQueueExt);

impl Pgmq {
    pub async fn new(url: &str, connections: usize) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(connections as u32).connect(url).await?;
        sqlx::query("DROP SCHEMA IF EXISTS pgmq CASCADE").execute(&pool).await?;
        let queue = PGMQueueExt::new_with_pool(pool.clone()).await;
        queue.install_sql_from_embedded().await?;
        queue.create("work").await?;
        sqlx::query("CHECKPOINT").execute(&pool).await?;
        Ok(Self(queue))
    }
}

#[async_trait]
impl Put for Pgmq {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        match &payloads[..] {
            [one] => drop(self.0.send("work", one).await?),
            many => drop(self.0.send_batch("work", many).await?),
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for Pgmq {
    async fn turn(&self, _: usize, limit: usize) -> Result<usize> {
        let read = self.0.read_batch::<Value>("work", 30, limit as i32).await?;
        if read.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = read.iter().map(|message| message.msg_id).collect();
        self.0.delete_batch("work", &ids).await?;
        Ok(ids.len())
    }
}

#[async_trait]
impl Peer for Pgmq {
    async fn drain(&self, jobs: usize) -> Result<()> {
        drain(Arc::new(self.clone()), jobs).await
    }
}

/// Completes by deleting. On SQLite it opens its connections itself, in WAL mode and with SQLite's default,
/// `synchronous=FULL`.
#[derive(Clone)]
pub struct Pgqrs {
    producer: Arc<Producer>,
    consumers: Arc<Vec<Consumer>>,
}

impl Pgqrs {
    pub async fn sqlite(file: &str) -> Result<Self> {
        Self::open(Config::from_dsn(format!("sqlite://{file}?mode=rwc"))).await
    }

    pub async fn postgres(url: &str, connections: usize) -> Result<Self> {
        let (admin, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        admin
            .batch_execute("DROP SCHEMA IF EXISTS pgqrs CASCADE; CREATE SCHEMA pgqrs; CHECKPOINT")
            .await?;
        let config = Config::from_dsn_with_schema(url, "pgqrs")?;
        Self::open(config.with_max_connections(connections as u32)).await
    }

    async fn open(mut config: Config) -> Result<Self> {
        // It lets a thousand in each second unless told otherwise.
        config.validation_config.max_enqueue_per_second = None;
        let store = pgqrs::connect_with_config(&config).await?;
        pgqrs::admin(&store).install().await?;
        pgqrs::admin(&store).create_queue("work").await?;
        let producer = Arc::new(pgqrs::producer("producer", "work").create(&store).await?);
        let mut consumers = Vec::new();
        for number in 0..CONSUMERS {
            let name = format!("consumer {number}");
            consumers.push(pgqrs::consumer(&name, "work").create(&store).await?);
        }
        Ok(Self { producer, consumers: Arc::new(consumers) })
    }
}

#[async_trait]
impl Put for Pgqrs {
    async fn put(&self, _: usize, payloads: Vec<Value>) -> Result<()> {
        match &payloads[..] {
            [one] => drop(self.producer.enqueue(one).await?),
            // Its largest batch is 100.
            many => {
                for part in many.chunks(100) {
                    self.producer.batch_enqueue(part).await?;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for Pgqrs {
    async fn turn(&self, consumer: usize, limit: usize) -> Result<usize> {
        let consumer = &self.consumers[consumer % CONSUMERS];
        let read = consumer.dequeue_many(limit).await?;
        if read.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = read.iter().map(|message| message.id).collect();
        let done = ids.len();
        consumer.delete_many(ids).await?;
        Ok(done)
    }
}

#[async_trait]
impl Peer for Pgqrs {
    async fn drain(&self, jobs: usize) -> Result<()> {
        drain(Arc::new(self.clone()), jobs).await
    }
}
