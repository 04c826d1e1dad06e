//! How values stand in columns: UUIDs, timestamptz, records as JSON text.

pub(crate) use automarket_core::store::rows::{damaged, from_json, limit, to_json};
use automarket_core::{
    Id, TenantId,
    chrono::{DateTime, Utc},
};
use serde_json::Value;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use crate::error::Outcome;

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
        Ok(from_json(self.column::<&str>(name)?)?)
    }

    fn value(&self, name: &str) -> Outcome<Option<Value>> {
        let text: Option<&str> = self.column(name)?;
        Ok(text.map(from_json).transpose()?)
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
