//! How values stand in columns: UUIDs, timestamptz, records as JSON text.

use automarket_core::{
    Error, ErrorKind, Id, TenantId,
    chrono::{DateTime, Utc},
};
use serde_json::Value;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use crate::error::Outcome;

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> automarket_core::Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::invalid("json", "the record cannot be written as JSON").with_source(error)
    })
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Outcome<T> {
    Ok(serde_json::from_str(text).map_err(|error| damaged("a record").with_source(error))?)
}

/// Limits come as `usize`; PostgreSQL counts in `i64`.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{what} in the database cannot be read"),
    )
}

/// Typed columns of a row. Records are selected as text.
pub(crate) trait Columns {
    fn column<'a, T: FromSql<'a>>(&'a self, name: &str) -> Outcome<T>;

    fn id<T>(&self, name: &str) -> Outcome<Id<T>> {
        Ok(self.column::<Uuid>(name)?.into())
    }

    fn tenant(&self) -> Outcome<TenantId> {
        Ok(TenantId::new(self.column::<String>("tenant")?)?)
    }

    fn instant(&self, name: &str) -> Outcome<DateTime<Utc>> {
        self.column(name)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Outcome<T> {
        from_json(self.column::<&str>(name)?)
    }

    fn value(&self, name: &str) -> Outcome<Option<Value>> {
        self.column::<Option<&str>>(name)?
            .map(from_json)
            .transpose()
    }

    /// A count that is kept as a signed number.
    fn count(&self, name: &str) -> Outcome<u32> {
        let count: i32 = self.column(name)?;
        Ok(u32::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
    }

    fn long_count(&self, name: &str) -> Outcome<u32> {
        let count: i64 = self.column(name)?;
        Ok(u32::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
    }
}

impl Columns for Row {
    fn column<'a, T: FromSql<'a>>(&'a self, name: &str) -> Outcome<T> {
        Ok(self
            .try_get(name)
            .map_err(|error| damaged("a column").with_source(error))?)
    }
}
