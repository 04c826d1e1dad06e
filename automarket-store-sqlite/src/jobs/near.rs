//! What a host's own statement put in, as near as a job can say it, so that people see what ended of it.

use automarket_core::{
    JobId,
    chrono::{DateTime, Utc},
};
use rusqlite::{Row, RowIndex, types::ValueRef};
use uuid::Uuid;

use crate::{error::Outcome, value};

pub(super) fn text(row: &Row<'_>, column: &str) -> Outcome<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null().unwrap_or_default();
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

pub(super) fn number<T: TryFrom<i64>>(
    row: &Row<'_>,
    column: impl RowIndex,
    least: T,
    most: T,
) -> rusqlite::Result<T> {
    let number = whole(row.get_ref(column)?);
    Ok(T::try_from(number).unwrap_or(if number < 0 { least } else { most }))
}

pub(super) fn instant(row: &Row<'_>, column: &str) -> Outcome<DateTime<Utc>> {
    Ok(value::instant(whole(row.get_ref(column)?)).unwrap_or_default())
}

/// What was due before 1970 is as due as in 1970; what is due after all time never is.
pub(super) fn due(micros: Option<i64>) -> Option<DateTime<Utc>> {
    value::instant(micros?.max(0)).ok()
}

pub(super) fn id(row: &Row<'_>, column: &str) -> Outcome<JobId> {
    let bytes = row.get_ref(column)?.as_bytes_or_null().unwrap_or_default();
    let bytes = bytes.unwrap_or_default();
    let id = Uuid::from_slice(bytes).or_else(|_| Uuid::try_parse_ascii(bytes));
    Ok(id.unwrap_or_default().into())
}

fn whole(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Integer(number) => number,
        ValueRef::Real(number) => number as i64,
        _ => 0,
    }
}
