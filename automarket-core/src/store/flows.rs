use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{Result, TenantId};

/// Something that waits a few minutes for a browser to come back: the beginning of a connection, or accounts
/// that were offered. What it holds is sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Flow {
    /// Whose it is.
    pub tenant: TenantId,
    /// By what it is found: a hash of the secret that the browser brings, never the secret.
    pub id: String,
    /// What it holds, sealed for this place.
    pub sealed: Vec<u8>,
    /// From when on it is gone, by the store's clock.
    pub expires_at: DateTime<Utc>,
}

/// The envelope is left out.
impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("tenant", &self.tenant)
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Flows that wait for a browser.
#[async_trait]
pub trait FlowStore: Send + Sync {
    /// Keeps the flow; one that has its id already is replaced. Those of all tenants that are over are swept
    /// out by the way.
    async fn put_flow(&self, flow: &Flow) -> Result<()>;
    /// Takes the flow out: of any number of takers one gets it. `None` when there is none, or when it is over.
    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>>;
    /// For the operator: what waits, of all tenants, by tenant and id, after the place named, at most `limit`.
    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>>;
    /// Removes flows of all tenants that are over, those over for longest first, at most `limit`, as
    /// [`UpkeepStore`](super::UpkeepStore) removes what is old.
    async fn remove_flows(&self, limit: usize) -> Result<usize>;
    /// Puts another envelope of the same content in place of this flow's. `false`, and nothing done, when it
    /// was taken or replaced meanwhile.
    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool>;
}
