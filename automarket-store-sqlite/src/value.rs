//! How values stand in columns: UUIDs as 16 bytes, instants as microseconds, records as JSON text.

use automarket_core::{
    Error, ErrorKind, Id, TenantId,
    chrono::{DateTime, Utc},
};
use rusqlite::{Row, types::FromSql};
use serde_json::Value;
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

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> automarket_core::Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::invalid("json", "the record cannot be written as JSON").with_source(error)
    })
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Outcome<T> {
    Ok(serde_json::from_str(text).map_err(|error| damaged("a record").with_source(error))?)
}

/// Limits come as `usize`; SQLite counts in `i64`.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{what} in the database cannot be read"),
    )
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
        from_json(&self.column::<String>(name)?)
    }

    fn value(&self, name: &str) -> Outcome<Option<Value>> {
        let text: Option<String> = self.column(name)?;
        text.map(|text| from_json(&text)).transpose()
    }
}

impl Columns for Row<'_> {
    fn column<T: FromSql>(&self, name: &str) -> Outcome<T> {
        Ok(self.get(name)?)
    }
}
