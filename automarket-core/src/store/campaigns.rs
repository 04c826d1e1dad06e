use async_trait::async_trait;

use crate::{CampaignId, Result, TenantId, content::Campaign};

/// Campaigns.
#[async_trait]
pub trait CampaignStore: Send + Sync {
    /// Creates or replaces the campaign with its id.
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()>;
    /// The campaign with this id.
    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>>;
    /// The tenant's campaigns, newest first, at most `limit`: by id, so give them such as sort by time
    /// ([`Id::new`](crate::Id::new), [`Id::derived_at`](crate::Id::derived_at)).
    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>>;
}
