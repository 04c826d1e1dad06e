use automarket_core::{
    Result, TenantId, async_trait,
    store::{Flow, FlowStore},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::{Params, decode},
    error::Outcome,
    value::{Columns, limit as sql_limit},
};

#[async_trait]
impl FlowStore for PostgresStore {
    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        // Others may be sweeping as well; nobody waits for anybody.
        let sql = "WITH old AS (SELECT tenant, id FROM automarket.flows
                WHERE expires_at <= automarket.clock() AND (tenant, id) <> ($1, $2)
                ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED),
            swept AS (DELETE FROM automarket.flows f USING old
                WHERE f.tenant = old.tenant AND f.id = old.id)
            INSERT INTO automarket.flows (tenant, id, sealed, expires_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (tenant, id) DO UPDATE SET
                sealed = excluded.sealed, expires_at = excluded.expires_at";
        let put = self
            .inner
            .db
            .execute(
                sql,
                &[
                    &flow.tenant.as_str(),
                    &flow.id,
                    &flow.sealed,
                    &flow.expires_at,
                ],
            )
            .await;
        put?;
        Ok(())
    }

    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>> {
        let sql = "DELETE FROM automarket.flows
            WHERE tenant = $1 AND id = $2 AND expires_at > automarket.clock()
            RETURNING tenant, id, sealed, expires_at";
        let rows = self.inner.db.rows(sql, &[&tenant.as_str(), &id]).await;
        Ok(decode(rows, flow)?.pop())
    }

    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>> {
        // No tenant's name is empty.
        let (tenant, id) = after.map_or(("", ""), |(tenant, id)| (tenant.as_str(), id));
        let sql = "SELECT tenant, id, sealed, expires_at FROM automarket.flows
            WHERE (tenant, id) > ($1, $2) AND expires_at > automarket.clock()
            ORDER BY tenant, id LIMIT $3";
        let values: Params<'_> = &[&tenant, &id, &sql_limit(limit)];
        let rows = self.inner.db.rows(sql, values).await;
        decode(rows, flow)
    }

    async fn remove_flows(&self, limit: usize) -> Result<usize> {
        let sql = "WITH old AS (SELECT tenant, id FROM automarket.flows
                WHERE expires_at <= automarket.clock()
                ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
            DELETE FROM automarket.flows f USING old WHERE f.tenant = old.tenant AND f.id = old.id";
        let removed = self.inner.db.execute(sql, &[&sql_limit(limit)]).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool> {
        let sql = "UPDATE automarket.flows SET sealed = $4
            WHERE tenant = $1 AND id = $2 AND sealed = $3";
        let values: Params<'_> = &[&flow.tenant.as_str(), &flow.id, &flow.sealed, &sealed];
        Ok(self.inner.db.execute(sql, values).await? > 0)
    }
}

fn flow(row: &Row) -> Outcome<Flow> {
    Ok(Flow {
        tenant: row.tenant()?,
        id: row.column("id")?,
        sealed: row.column("sealed")?,
        expires_at: row.instant("expires_at")?,
    })
}
