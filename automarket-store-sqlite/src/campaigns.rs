use automarket_core::{
    CampaignId, Result, TenantId, async_trait, content::Campaign, store::CampaignStore,
};
use rusqlite::{OptionalExtension, params};

use crate::{
    SqliteStore,
    value::{Columns, blob, limit as sql_limit, to_json},
};

#[async_trait]
impl CampaignStore for SqliteStore {
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()> {
        let (tenant, id, body) = (tenant.clone(), campaign.id, to_json(campaign)?);
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "INSERT INTO automarket_campaigns (tenant, id, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body",
                )?
                .execute(params![tenant.as_str(), blob(id), body])?;
            Ok(())
        });
        call.await
    }

    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT body FROM automarket_campaigns WHERE tenant = ?1 AND id = ?2",
            )?
            .query_row(params![tenant.as_str(), blob(id)], |row| {
                Ok(row.json("body"))
            })
            .optional()?
            .transpose()
        });
        read.await
    }

    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>> {
        let tenant = tenant.clone();
        let read =
            self.inner.readers.read(move |db| {
                db.prepare_cached(
                "SELECT body FROM automarket_campaigns WHERE tenant = ?1 ORDER BY id DESC LIMIT ?2",
            )?
            .query_and_then(params![tenant.as_str(), sql_limit(limit)], |row| row.json("body"))?
            .collect()
            });
        read.await
    }
}
