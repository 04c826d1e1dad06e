//! The least that a durable queue on PostgreSQL does, on the driver that our store uses: a bare `INSERT` per
//! job or one `UNNEST` per batch, a `SKIP LOCKED` claim and a completion, each a statement of its own.

use automarket::core::async_trait;
use serde_json::Value;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::{
    Result,
    place::connect,
    shapes::{Put, Queue},
};

pub(crate) struct FloorPostgres {
    /// One connection for each producer or consumer.
    connections: Vec<Connection>,
}

struct Connection {
    client: Client,
    put_one: Statement,
    put_many: Statement,
    claim: Statement,
    complete: Statement,
}

impl FloorPostgres {
    /// `kept`: a completed job stays in the table as done; else it is deleted, which is less work.
    pub(crate) async fn open(
        url: &str,
        admin: &Client,
        schema: &str,
        connections: usize,
        kept: bool,
    ) -> Result<Self> {
        admin
            .batch_execute(&format!(
                "CREATE SCHEMA {schema};
                CREATE TABLE {schema}.jobs (
                    id uuid PRIMARY KEY, kind text NOT NULL, payload json NOT NULL,
                    run_at timestamptz NOT NULL DEFAULT now(), state smallint NOT NULL DEFAULT 0,
                    attempts integer NOT NULL DEFAULT 0, leased_at timestamptz, finished_at timestamptz
                ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
                    autovacuum_vacuum_cost_delay = 0);
                CREATE INDEX jobs_ready ON {schema}.jobs (run_at) WHERE state = 0;"
            ))
            .await?;
        let complete = match kept {
            true => format!(
                "UPDATE {schema}.jobs SET state = 2, finished_at = now() WHERE id = ANY ($1) AND state = 1"
            ),
            false => format!("DELETE FROM {schema}.jobs WHERE id = ANY ($1) AND state = 1"),
        };
        let mut all = Vec::new();
        for _ in 0..connections.max(1) {
            let client = connect(url).await?;
            // Whatever the statistics say of a table that was empty a moment ago.
            client
                .batch_execute(
                    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off",
                )
                .await?;
            all.push(Connection {
                put_one: client
                    .prepare(&format!("INSERT INTO {schema}.jobs (id, kind, payload) VALUES ($1, 'work', $2::text::json)"))
                    .await?,
                put_many: client
                    .prepare(&format!(
                        "INSERT INTO {schema}.jobs (id, kind, payload)
                         SELECT id, 'work', payload::json FROM unnest($1::uuid[], $2::text[]) AS t (id, payload)"
                    ))
                    .await?,
                claim: client
                    .prepare(&format!(
                        "UPDATE {schema}.jobs SET state = 1, attempts = attempts + 1, leased_at = now()
                         WHERE id = ANY (ARRAY(
                            SELECT id FROM {schema}.jobs WHERE state = 0 AND run_at <= now()
                            ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED))
                         RETURNING id, payload::text"
                    ))
                    .await?,
                complete: client.prepare(&complete).await?,
                client,
            });
        }
        Ok(Self { connections: all })
    }

    fn connection(&self, number: usize) -> &Connection {
        &self.connections[number % self.connections.len()]
    }
}

#[async_trait]
impl Put for FloorPostgres {
    async fn put(&self, producer: usize, payloads: Vec<Value>) -> Result<()> {
        let connection = self.connection(producer);
        if let [payload] = &payloads[..] {
            let id = Uuid::now_v7();
            connection
                .client
                .execute(&connection.put_one, &[&id, &payload.to_string()])
                .await?;
            return Ok(());
        }
        let ids: Vec<Uuid> = payloads.iter().map(|_| Uuid::now_v7()).collect();
        let payloads: Vec<String> = payloads.iter().map(Value::to_string).collect();
        connection
            .client
            .execute(&connection.put_many, &[&ids, &payloads])
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Queue for FloorPostgres {
    async fn turn(&self, consumer: usize, limit: usize) -> Result<usize> {
        let connection = self.connection(consumer);
        let rows = connection
            .client
            .query(&connection.claim, &[&(limit as i64)])
            .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut ids: Vec<Uuid> = Vec::with_capacity(rows.len());
        for row in &rows {
            let _: Value = serde_json::from_str(row.get(1))?;
            ids.push(row.get(0));
        }
        connection
            .client
            .execute(&connection.complete, &[&ids])
            .await?;
        Ok(rows.len())
    }
}
