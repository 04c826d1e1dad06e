use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    Result, TenantId,
    store::{Flow, FlowStore},
};

#[async_trait]
impl FlowStore for MemoryStore {
    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        let (mut state, now) = self.lock();
        state.flows.retain(|_, flow| flow.expires_at > now);
        let key = (flow.tenant.clone(), flow.id.clone());
        state.flows.insert(key, flow.clone());
        Ok(())
    }

    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>> {
        let (mut state, now) = self.lock();
        let taken = state.flows.remove(&(tenant.clone(), id.to_owned()));
        Ok(taken.filter(|flow| flow.expires_at > now))
    }

    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>> {
        let (state, now) = self.lock();
        let waiting = |(place, flow): &(&(TenantId, String), &Flow)| {
            after.is_none_or(|after| *place > after) && flow.expires_at > now
        };
        let flows = state.flows.iter().filter(waiting);
        Ok(flows.take(limit).map(|(_, flow)| flow.clone()).collect())
    }

    async fn remove_flows(&self, limit: usize) -> Result<usize> {
        let (mut state, now) = self.lock();
        let over = state.flows.iter().filter(|(_, f)| f.expires_at <= now);
        let mut over: Vec<_> = over.map(|(key, f)| (f.expires_at, key.clone())).collect();
        over.sort_unstable();
        over.truncate(limit);
        for (_, key) in &over {
            state.flows.remove(key);
        }
        Ok(over.len())
    }

    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool> {
        let (mut state, _) = self.lock();
        let place = (flow.tenant.clone(), flow.id.clone());
        let same = state.flows.get_mut(&place);
        let same = same.filter(|stored| stored.sealed == flow.sealed);
        Ok(same.map(|stored| stored.sealed = sealed.to_vec()).is_some())
    }
}
