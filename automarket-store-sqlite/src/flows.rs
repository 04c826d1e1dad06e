use automarket_core::{
    Result, TenantId, async_trait,
    store::{Flow, FlowStore},
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    value::{Columns, limit as sql_limit, micros},
};

#[async_trait]
impl FlowStore for SqliteStore {
    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        let flow = flow.clone();
        let call = self.inner.writer.call(move |tx| {
            let over = tx
                .db
                .prepare_cached("DELETE FROM automarket_flows WHERE expires_at <= ?1")?
                .execute([tx.now])?;
            tx.erased(over);
            tx.db
                .prepare_cached(
                    "INSERT OR REPLACE INTO automarket_flows (tenant, id, sealed, expires_at)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    flow.tenant.as_str(),
                    flow.id,
                    flow.sealed,
                    micros(flow.expires_at)
                ])?;
            Ok(())
        });
        call.await
    }

    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "DELETE FROM automarket_flows WHERE tenant = ?1 AND id = ?2 AND expires_at > ?3
                     RETURNING *",
                )?
                .query_row(params![tenant.as_str(), id, tx.now], |row| Ok(flow(row)))
                .optional()?
                .transpose()
        });
        call.await
    }

    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>> {
        // No tenant's name is empty.
        let (tenant, id) = match after {
            Some((tenant, id)) => (tenant.to_string(), id.clone()),
            None => Default::default(),
        };
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "SELECT * FROM automarket_flows
                     WHERE (tenant, id) > (?1, ?2) AND expires_at > ?3
                     ORDER BY tenant, id LIMIT ?4",
                )?
                .query_and_then(params![tenant, id, tx.now, sql_limit(limit)], flow)?
                .collect()
        });
        call.await
    }

    async fn remove_flows(&self, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_flows WHERE (tenant, id) IN (
                        SELECT tenant, id FROM automarket_flows WHERE expires_at <= ?1
                        ORDER BY expires_at LIMIT ?2)",
                )?
                .execute(params![tx.now, sql_limit(limit)])?;
            Ok(tx.erased(removed))
        });
        call.await
    }

    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool> {
        let (flow, sealed) = (flow.clone(), sealed.to_vec());
        let call = self.inner.writer.call(move |tx| {
            let changed = tx
                .db
                .prepare_cached(
                    "UPDATE automarket_flows SET sealed = ?4
                     WHERE tenant = ?1 AND id = ?2 AND sealed = ?3",
                )?
                .execute(params![flow.tenant.as_str(), flow.id, flow.sealed, sealed])?;
            Ok(changed > 0)
        });
        call.await
    }
}

fn flow(row: &Row<'_>) -> Outcome<Flow> {
    Ok(Flow {
        tenant: row.tenant()?,
        id: row.column("id")?,
        sealed: row.column("sealed")?,
        expires_at: row.instant("expires_at")?,
    })
}
