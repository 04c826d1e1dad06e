use automarket_core::{
    EventId, Result, TenantId, async_trait,
    store::{Event, EventStore, NewEvent},
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Tx, decode},
    error::Outcome,
    value::{Columns, limit as sql_limit, to_json},
};

const TELL: &str = "SELECT automarket.tell($1, $2, $3, $4, $5) FROM automarket.bounded()";

/// Events as columns.
#[derive(Default)]
pub(crate) struct EventRows<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<&'a str>,
    kinds: Vec<&'a str>,
    subjects: Vec<&'a str>,
    datas: Vec<String>,
}

impl<'a> EventRows<'a> {
    pub(crate) fn new(events: impl IntoIterator<Item = &'a NewEvent>) -> Result<Self> {
        let mut rows = Self::default();
        for event in events {
            rows.ids.push(EventId::new().uuid());
            rows.tenants.push(event.tenant.as_str());
            rows.kinds.push(&event.kind);
            rows.subjects.push(&event.subject);
            rows.datas.push(to_json(&event.data)?);
        }
        Ok(rows)
    }

    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 5] {
        [
            &self.ids,
            &self.tenants,
            &self.kinds,
            &self.subjects,
            &self.datas,
        ]
    }
}

pub(crate) async fn append(tx: &Tx<'_>, events: &[NewEvent]) -> Outcome<()> {
    if events.is_empty() {
        return Ok(());
    }
    tx.rows(TELL, &EventRows::new(events)?.params()).await?;
    Ok(())
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let events = EventRows::new(events)?;
        self.inner.db.append(TELL, &events.params()).await
    }

    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>> {
        let sql =
            "SELECT sequence, id, tenant, kind, subject, data::text, at FROM automarket.events
            WHERE tenant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
        let rows = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &after, &sql_limit(limit)])
            .await;
        decode(rows, event)
    }

    async fn last_event(&self, tenant: &TenantId) -> Result<i64> {
        let sql = "SELECT coalesce(max(sequence), 0) AS last FROM automarket.events
            WHERE tenant = $1";
        let rows = self.inner.db.rows(sql, &[&tenant.as_str()]).await;
        let last = decode(rows, |row| row.column("last"))?;
        Ok(last.first().copied().unwrap_or(0))
    }

    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        let sql =
            "SELECT sequence, id, tenant, kind, subject, data::text, at FROM automarket.events
            WHERE tenant = $1 AND subject = $2 ORDER BY sequence";
        decode(
            self.inner.db.rows(sql, &[&tenant.as_str(), &subject]).await,
            event,
        )
    }
}

fn event(row: &Row) -> Outcome<Event> {
    Ok(Event {
        id: row.id("id")?,
        event: NewEvent {
            tenant: row.tenant()?,
            kind: row.column("kind")?,
            subject: row.column("subject")?,
            data: row.json("data")?,
        },
        sequence: row.column("sequence")?,
        at: row.instant("at")?,
    })
}
