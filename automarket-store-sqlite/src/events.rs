use automarket_core::{
    EventId, Result, TenantId, async_trait,
    store::{Event, EventStore, NewEvent},
};
use rusqlite::{Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    value::{Columns, blob, limit as sql_limit, to_json},
    writer::Tx,
};

/// An event whose data is written out already, so that the writer need not.
pub(crate) struct EventRow {
    event: NewEvent,
    data: String,
}

impl EventRow {
    pub(crate) fn all(events: &[NewEvent]) -> Result<Vec<Self>> {
        let row = |event: &NewEvent| {
            Ok(Self {
                data: to_json(&event.data)?,
                event: event.clone(),
            })
        };
        events.iter().map(row).collect()
    }
}

pub(crate) const APPEND: &str =
    "INSERT INTO automarket_events (id, tenant, kind, subject, data, at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(crate) fn append(tx: &Tx<'_>, events: &[EventRow]) -> Outcome<()> {
    let mut insert = tx.db.prepare_cached(APPEND)?;
    for EventRow { event, data } in events {
        insert.execute(params![
            blob(EventId::new()),
            event.tenant.as_str(),
            event.kind,
            event.subject,
            data,
            tx.now
        ])?;
    }
    Ok(())
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        let rows = EventRow::all(events)?;
        self.inner.writer.call(move |tx| append(tx, &rows)).await
    }

    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_events WHERE tenant = ?1 AND sequence > ?2
                 ORDER BY sequence LIMIT ?3",
            )?
            .query_and_then(params![tenant.as_str(), after, sql_limit(limit)], event)?
            .collect()
        });
        read.await
    }

    async fn last_event(&self, tenant: &TenantId) -> Result<i64> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            Ok(db
                .prepare_cached(
                    "SELECT coalesce(max(sequence), 0) FROM automarket_events WHERE tenant = ?1",
                )?
                .query_row([tenant.as_str()], |row| row.get(0))?)
        });
        read.await
    }

    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        let (tenant, subject) = (tenant.clone(), subject.to_owned());
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_events WHERE tenant = ?1 AND subject = ?2
                 ORDER BY sequence",
            )?
            .query_and_then(params![tenant.as_str(), subject], event)?
            .collect()
        });
        read.await
    }
}

fn event(row: &Row<'_>) -> Outcome<Event> {
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
