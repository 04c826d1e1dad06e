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
}
