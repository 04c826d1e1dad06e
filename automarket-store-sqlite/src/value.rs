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
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
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
/// count, when it is SQLite's, is let go without what it holds (0.39).
pub(crate) struct Array(Vec<rusqlite::types::Value>);

impl ToSql for Array {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::new_boxed(self.0.clone(), c"rarray"))
    }
}

pub(crate) fn array<T: Into<rusqlite::types::Value>>(values: impl IntoIterator<Item = T>) -> Array {
    Array(values.into_iter().map(Into::into).collect())
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rusqlite::{Connection, vtab::array::load_module};

    use super::*;

    fn resident_pages() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn a_list_is_let_go_of_once_its_statement_is_done_with_it() {
        let db = Connection::open_in_memory().unwrap();
        load_module(&db).unwrap();
        let count = |values: Array| {
            db.prepare_cached("SELECT count(*) FROM rarray(?1)")
                .unwrap()
                .query_row([values], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(count(array(0..1_000)), 1_000);
        let before = resident_pages();
        // 240 MB of values in all.
        for _ in 0..10_000 {
            count(array(0..1_000));
        }
        let pages = resident_pages().saturating_sub(before);
        assert!(pages < 15_000, "{pages} pages more");
    }
}
