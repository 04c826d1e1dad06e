use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    AccountId, CampaignId, Error, ErrorKind, PostId, PublicationId, Result, TenantId,
    content::{Campaign, Post},
    store::{
        Account, AccountStore, CampaignStore, Event, EventStore, NewEvent, NewPublishing,
        Publication, PublicationStore,
    },
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

    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        let (state, _) = self.lock();
        let about = |e: &&Event| e.event.tenant == *tenant && e.event.subject == subject;
        Ok(state.events.iter().filter(about).cloned().collect())
    }
}

#[async_trait]
impl PublicationStore for MemoryStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        publishing.check()?;
        let (mut state, now) = self.lock();
        let tenant = &publishing.tenant;
        let post = (tenant.clone(), publishing.post.id);
        let known = |p: &Publication| state.publications.contains_key(&(tenant.clone(), p.id));
        if state.posts.contains_key(&post) && publishing.publications.iter().all(known) {
            return Ok(());
        }
        state.queue.enqueue(&publishing.jobs, now)?;
        let new_post = || publishing.post.clone();
        state.posts.entry(post).or_insert_with(new_post);
        for publication in &publishing.publications {
            let key = (tenant.clone(), publication.id);
            let new = || publication.clone();
            state.publications.entry(key).or_insert_with(new);
        }
        state.append(&publishing.events, now);
        Ok(())
    }

    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        let (state, _) = self.lock();
        Ok(state.posts.get(&(tenant.clone(), id)).cloned())
    }

    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        let (state, _) = self.lock();
        Ok(state.publications.get(&(tenant.clone(), id)).cloned())
    }

    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        let (state, _) = self.lock();
        let of_post = |p: &&Publication| p.tenant == *tenant && p.post == post;
        Ok(state
            .publications
            .values()
            .filter(of_post)
            .cloned()
            .collect())
    }

    async fn update_publication(
        &self,
        publication: &Publication,
        events: &[NewEvent],
    ) -> Result<Publication> {
        publication.check_events(events)?;
        let (mut state, now) = self.lock();
        let key = (publication.tenant.clone(), publication.id);
        let stored = state
            .publications
            .get_mut(&key)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such publication"))?;
        let changed = stored.replaced_by(publication, now)?;
        *stored = changed.clone();
        state.append(events, now);
        Ok(changed)
    }
}
