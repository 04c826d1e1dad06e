use automarket_core::{
    PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Measurement, MeasurementStore},
};
use rusqlite::{Row, params};

use crate::{
    SqliteStore,
    error::{Fault, Outcome},
    value::{Columns, blob, limit as sql_limit, micros, to_json},
};

#[async_trait]
impl MeasurementStore for SqliteStore {
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()> {
        let (measurement, metrics) = (measurement.clone(), to_json(&measurement.metrics)?);
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "INSERT INTO automarket_measurements VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    measurement.tenant.as_str(),
                    blob(measurement.publication),
                    micros(measurement.as_of),
                    measurement.source.as_str(),
                    metrics
                ])?;
            Ok(())
        });
        call.await
    }

    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_measurements WHERE tenant = ?1 AND publication = ?2
                 ORDER BY as_of",
            )?
            .query_and_then(params![tenant.as_str(), blob(publication)], decode)?
            .collect()
        });
        read.await
    }

    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_measurements WHERE tenant = ?1 AND as_of >= ?2
                 ORDER BY as_of, publication LIMIT ?3",
            )?
            .query_and_then(
                params![tenant.as_str(), micros(since), sql_limit(limit)],
                decode,
            )?
            .collect()
        });
        read.await
    }

    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_measurements WHERE (tenant, publication, as_of) IN (
                        SELECT tenant, publication, as_of FROM automarket_measurements
                        WHERE as_of < ?1 ORDER BY as_of LIMIT ?2)",
                )?
                .execute(params![micros(before), sql_limit(limit)])?;
            Ok(tx.erased(removed))
        });
        call.await
    }
}

fn decode(row: &Row<'_>) -> Outcome<Measurement> {
    let source: String = row.column("source")?;
    Ok(Measurement {
        tenant: row.tenant()?,
        publication: row.id("publication")?,
        as_of: row.instant("as_of")?,
        source: source.parse().map_err(Fault::Ours)?,
        metrics: row.json("metrics")?,
    })
}
