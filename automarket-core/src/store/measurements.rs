use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Metrics, Platform, PublicationId, Result, TenantId};

/// What came of a publication, as it was known at one instant: one point of its series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which publication.
    pub publication: PublicationId,
    /// When it was asked for, by the store's clock.
    pub as_of: DateTime<Utc>,
    /// Who said so: the platform, or the scheduler that spoke for it.
    pub source: Platform,
    /// The numbers; one that was not given is absent, never zero.
    pub metrics: Metrics,
}

/// Measurements: written once, never changed.
#[async_trait]
pub trait MeasurementStore: Send + Sync {
    /// Adds a point to a publication's series. One of the same publication and instant is left as it is.
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()>;
    /// The series of a publication, oldest first.
    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>>;
    /// The tenant's measurements at or after an instant, oldest first, by publication within an instant, at
    /// most `limit`.
    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>>;
    /// Removes at most `limit` measurements of all tenants from before an instant, the oldest first; how many
    /// went.
    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize>;
}
