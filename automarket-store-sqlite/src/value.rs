//! How values stand in columns: UUIDs as 16 bytes, instants as microseconds, records as JSON text.

pub(crate) use automarket_core::store::rows::{
    damaged, failure, from_json, limit, payload, to_json,
};
use automarket_core::{
    Id, TenantId,
    chrono::{DateTime, Utc},
};
use rusqlite::{
    Row, ToSql,
    types::{FromSql, ToSqlOutput},
};
use uuid::Uuid;

use crate::error::Outcome;

pub(crate) fn blob<T>(id: Id<T>) -> [u8; 16] {
    id.uuid().into_bytes()
}

pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

pub(crate) fn instant(micros: i64) -> Outcome<DateTime<Utc>> {
    Ok(DateTime::from_timestamp_micros(micros).ok_or_else(|| damaged("an instant"))?)
}

/// A list for `rarray`: one statement for all costs less than one for each. Not rusqlite's own `Array`, whose last
/// count, when it is SQLite's, is let go without what it holds (0.39: 24 bytes for each value, for ever).
pub(crate) struct Array(Vec<rusqlite::types::Value>);

impl ToSql for Array {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::new_boxed(self.0.clone(), c"rarray"))
    }
}

pub(crate) fn array<T: Into<rusqlite::types::Value>>(values: impl IntoIterator<Item = T>) -> Array {
    Array(values.into_iter().map(Into::into).collect())
}

/// Typed columns of a row.
pub(crate) trait Columns {
    fn column<T: FromSql>(&self, name: &str) -> Outcome<T>;

    fn id<T>(&self, name: &str) -> Outcome<Id<T>> {
        let bytes: Vec<u8> = self.column(name)?;
        let uuid = Uuid::from_slice(&bytes).map_err(|e| damaged("an id").with_source(e))?;
        Ok(uuid.into())
    }

    fn tenant(&self) -> Outcome<TenantId> {
        Ok(TenantId::new(self.column::<String>("tenant")?)?)
    }

    fn instant(&self, name: &str) -> Outcome<DateTime<Utc>> {
        instant(self.column(name)?)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Outcome<T> {
        Ok(from_json(&self.column::<String>(name)?)?)
    }
}

impl Columns for Row<'_> {
    fn column<T: FromSql>(&self, name: &str) -> Outcome<T> {
        Ok(self.get(name)?)
    }
}
