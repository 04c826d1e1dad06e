use automarket_core::{
    CampaignId, Result, TenantId, async_trait, content::Campaign, store::CampaignStore,
};

use crate::{
    PostgresStore,
    db::decode,
    value::{Columns, limit as sql_limit, to_json},
};

#[async_trait]
impl CampaignStore for PostgresStore {
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()> {
        let sql =
            "INSERT INTO automarket.campaigns (tenant, id, body) VALUES ($1, $2, $3::text::json)
            ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body";
        let params: crate::db::Params<'_> =
            &[&tenant.as_str(), &campaign.id.uuid(), &to_json(campaign)?];
        self.inner.db.execute(sql, params).await?;
        Ok(())
    }

    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>> {
        let sql = "SELECT body::text FROM automarket.campaigns WHERE tenant = $1 AND id = $2";
        let rows = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(decode(rows, |row| row.json("body"))?.pop())
    }

    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>> {
        let sql = "SELECT body::text FROM automarket.campaigns WHERE tenant = $1
            ORDER BY id DESC LIMIT $2";
        let rows = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &sql_limit(limit)])
            .await;
        decode(rows, |row| row.json("body"))
    }
}
