use automarket_core::{
    PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Measurement, MeasurementStore},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::{Params, decode},
    error::Outcome,
    value::{Columns, limit as sql_limit, to_json},
};

#[async_trait]
impl MeasurementStore for PostgresStore {
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()> {
        let sql =
            "INSERT INTO automarket.measurements (tenant, publication, as_of, source, metrics)
            VALUES ($1, $2, $3, $4, $5::text::json) ON CONFLICT DO NOTHING";
        let params: Params<'_> = &[
            &measurement.tenant.as_str(),
            &measurement.publication.uuid(),
            &measurement.as_of,
            &measurement.source.as_str(),
            &to_json(&measurement.metrics)?,
        ];
        self.inner.db.execute(sql, params).await?;
        Ok(())
    }

    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>> {
        let sql =
            "SELECT tenant, publication, as_of, source, metrics::text FROM automarket.measurements
            WHERE tenant = $1 AND publication = $2 ORDER BY as_of";
        let params: Params<'_> = &[&tenant.as_str(), &publication.uuid()];
        decode(self.inner.db.rows(sql, params).await, read)
    }

    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        let sql =
            "SELECT tenant, publication, as_of, source, metrics::text FROM automarket.measurements
            WHERE tenant = $1 AND as_of >= $2 ORDER BY as_of, publication LIMIT $3";
        let params: Params<'_> = &[&tenant.as_str(), &since, &sql_limit(limit)];
        decode(self.inner.db.rows(sql, params).await, read)
    }

    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let sql = "DELETE FROM automarket.measurements WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM automarket.measurements WHERE as_of < $1
                ORDER BY as_of LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let params: Params<'_> = &[&before, &sql_limit(limit)];
        let removed = self.inner.db.execute(sql, params).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }
}

fn read(row: &Row) -> Outcome<Measurement> {
    Ok(Measurement {
        tenant: row.tenant()?,
        publication: row.id("publication")?,
        as_of: row.instant("as_of")?,
        source: row.column::<&str>("source")?.parse()?,
        metrics: row.json("metrics")?,
    })
}
