//! How values stand in columns: UUIDs as 16 bytes, instants as microseconds, records as JSON text.

pub(crate) use automarket_core::store::rows::{
    damaged, failure, from_json, limit, payload, to_json,
};
use automarket_core::{
    Id, TenantId,
    chrono::{DateTime, Utc},
};
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ValueRef},
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

/// A tenant that keeps its rule.
pub(crate) struct Tenant(pub(crate) TenantId);

impl FromSql for Tenant {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let tenant = TenantId::new(value.as_str()?);
        tenant.map(Self).map_err(FromSqlError::other)
    }
}

/// Microseconds that are an instant.
pub(crate) struct Instant(pub(crate) DateTime<Utc>);

impl FromSql for Instant {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        let at = DateTime::from_timestamp_micros(micros);
        at.map(Self).ok_or(FromSqlError::OutOfRange(micros))
    }
}

/// Text, which a host's driver may have put in as bytes.
pub(crate) struct Text(pub(crate) String);

impl FromSql for Text {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = str::from_utf8(value.as_bytes()?).map_err(FromSqlError::Utf8Error)?;
        Ok(Self(text.to_owned()))
    }
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
