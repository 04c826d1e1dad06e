use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    AccountId, CampaignId, Result, TenantId,
    content::Campaign,
    store::{Account, AccountStore, CampaignStore, Event, EventStore, NewEvent},
};

#[async_trait]
impl AccountStore for MemoryStore {
    async fn put_account(&self, account: &Account) -> Result<Account> {
        let (mut state, now) = self.lock();
        let key = (account.tenant.clone(), account.id);
        let created_at = state.accounts.get(&key).map_or(now, |old| old.created_at);
        let account = Account {
            created_at,
            ..account.clone()
        };
        state.accounts.insert(key, account.clone());
        Ok(account)
    }

    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>> {
        let (state, _) = self.lock();
        Ok(state.accounts.get(&(tenant.clone(), id)).cloned())
    }

    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>> {
        let (state, _) = self.lock();
        let mut accounts: Vec<Account> = state
            .accounts
            .values()
            .filter(|account| account.tenant == *tenant)
            .cloned()
            .collect();
        accounts.sort_by(|a, b| {
            (&a.platform, &a.network, &a.name, a.id).cmp(&(&b.platform, &b.network, &b.name, b.id))
        });
        Ok(accounts)
    }

    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool> {
        let (mut state, _) = self.lock();
        Ok(state.accounts.remove(&(tenant.clone(), id)).is_some())
    }
}

#[async_trait]
impl CampaignStore for MemoryStore {
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()> {
        let (mut state, _) = self.lock();
        let key = (tenant.clone(), campaign.id);
        state.campaigns.insert(key, campaign.clone());
        Ok(())
    }

    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>> {
        let (state, _) = self.lock();
        Ok(state.campaigns.get(&(tenant.clone(), id)).cloned())
    }

    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>> {
        let (state, _) = self.lock();
        let newest_first = state.campaigns.iter().rev();
        Ok(newest_first
            .filter(|((owner, _), _)| owner == tenant)
            .take(limit)
            .map(|(_, campaign)| campaign.clone())
            .collect())
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        let (mut state, now) = self.lock();
        state.append(events, now);
        Ok(())
    }

    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>> {
        let (state, _) = self.lock();
        let first = state.events.partition_point(|e| e.sequence <= after);
        Ok(state
            .events
            .iter()
            .skip(first)
            .filter(|e| e.event.tenant == *tenant)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn last_event(&self, tenant: &TenantId) -> Result<i64> {
        let (state, _) = self.lock();
        let mut newest_first = state.events.iter().rev();
        let last = newest_first.find(|e| e.event.tenant == *tenant);
        Ok(last.map_or(0, |e| e.sequence))
    }

    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        let (state, _) = self.lock();
        let about = |e: &&Event| e.event.tenant == *tenant && e.event.subject == subject;
        Ok(state.events.iter().filter(about).cloned().collect())
    }
}
