//! How values stand in columns: UUIDs, timestamptz, records as JSON text.

use std::fmt::Display;

pub(crate) use automarket_core::store::rows::{
    damaged, failure, from_json, limit, payload, to_json, to_plain_json,
};
use automarket_core::{
    Id, TenantId,
    chrono::{DateTime, Utc},
};
use tokio_postgres::{Row, row::RowIndex, types::FromSql};
use uuid::Uuid;

use crate::error::Outcome;

/// Where a column is: its name, or its place in the rows of which there are many.
pub(crate) trait At: RowIndex + Display {}

impl<T: RowIndex + Display> At for T {}

/// Typed columns of a row. Records are selected as text.
pub(crate) trait Columns {
    fn column<'a, T: FromSql<'a>>(&'a self, at: impl At) -> Outcome<T>;

    fn id<T>(&self, at: impl At) -> Outcome<Id<T>> {
        Ok(self.column::<Uuid>(at)?.into())
    }

    fn tenant(&self) -> Outcome<TenantId> {
        self.tenant_at("tenant")
    }

    fn tenant_at(&self, at: impl At) -> Outcome<TenantId> {
        Ok(TenantId::new(self.column::<String>(at)?)?)
    }

    fn instant(&self, at: impl At) -> Outcome<DateTime<Utc>> {
        self.column(at)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, at: impl At) -> Outcome<T> {
        Ok(from_json(self.column::<&str>(at)?)?)
    }

    /// A count that is kept as a signed number.
    fn count(&self, at: impl At) -> Outcome<u32> {
        let count: i32 = self.column(at)?;
        Ok(u32::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
    }

    fn long_count(&self, at: impl At) -> Outcome<u32> {
        let count: i64 = self.column(at)?;
        Ok(u32::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
    }
}

impl Columns for Row {
    fn column<'a, T: FromSql<'a>>(&'a self, at: impl At) -> Outcome<T> {
        Ok(self
            .try_get(at)
            .map_err(|error| damaged("a column").with_source(error))?)
    }
}
