use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EventId, Result, TenantId};

/// Something that is to be told to whoever subscribed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Whose it is.
    pub tenant: TenantId,
    /// What happened, such as `publication.published`.
    pub kind: String,
    /// What it is about: an id of ours as text.
    pub subject: String,
    /// The facts. Never a secret.
    pub data: Value,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Our id.
    pub id: EventId,
    /// What it says.
    #[serde(flatten)]
    pub event: NewEvent,
    /// Its place in the store's order: grows, with gaps; never given twice.
    pub sequence: i64,
    /// When, by the store's clock.
    pub at: DateTime<Utc>,
}

/// Events: appended, never changed.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends events, in order, all or none.
    async fn append_events(&self, events: &[NewEvent]) -> Result<()>;
    /// The tenant's events after a sequence number, oldest first, at most `limit`.
    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>>;
    /// The sequence number of the tenant's newest event; 0 without any.
    async fn last_event(&self, tenant: &TenantId) -> Result<i64>;
    /// The tenant's events about one subject, oldest first.
    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>>;
}
