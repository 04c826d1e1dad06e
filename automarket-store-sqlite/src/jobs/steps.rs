use automarket_core::{JobId, TenantId, store::LeaseToken};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::{
    error::Outcome,
    value::{Columns, blob},
    writer::Tx,
};

pub(super) fn put(tx: &Tx<'_>, lease: LeaseToken, name: &str, value: &str) -> Outcome<()> {
    let place: Option<i64> = tx
        .db
        .prepare_cached(
            "SELECT l.place FROM automarket_jobs j JOIN automarket_leases l USING (place)
             WHERE j.id = ?1 AND l.fence = ?2",
        )?
        .query_row(params![blob(lease.job), lease.fence], |row| row.get(0))
        .optional()?;
    let place = place.ok_or_else(|| lease.lost())?;
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_steps (place, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (place, name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![place, name, value])?;
    Ok(())
}

pub(super) fn one(
    db: &Connection,
    tenant: &TenantId,
    job: JobId,
    name: &str,
) -> Outcome<Option<Value>> {
    db.prepare_cached(
        "SELECT s.value FROM automarket_jobs j JOIN automarket_steps s USING (place)
         WHERE j.id = ?1 AND j.tenant = ?2 AND s.name = ?3",
    )?
    .query_row(params![blob(job), tenant.as_str(), name], |row| {
        Ok(row.json("value"))
    })
    .optional()?
    .transpose()
}

pub(super) fn all(db: &Connection, tenant: &TenantId, job: JobId) -> Outcome<Vec<(String, Value)>> {
    db.prepare_cached(
        "SELECT s.name, s.value FROM automarket_jobs j JOIN automarket_steps s USING (place)
         WHERE j.id = ?1 AND j.tenant = ?2 ORDER BY s.number",
    )?
    .query_and_then(params![blob(job), tenant.as_str()], |row| {
        Ok((row.column("name")?, row.json("value")?))
    })?
    .collect()
}
