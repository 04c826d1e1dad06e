use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    PublicationId, Result, TenantId,
    store::{Measurement, MeasurementStore},
};

#[async_trait]
impl MeasurementStore for MemoryStore {
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()> {
        let (mut state, _) = self.lock();
        let key = (measurement.as_of, measurement.publication);
        let own = state.measurements.entry(measurement.tenant.clone());
        own.or_default()
            .entry(key)
            .or_insert_with(|| measurement.clone());
        Ok(())
    }

    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>> {
        let (state, _) = self.lock();
        let own = state.measurements.get(tenant);
        let own = own.into_iter().flat_map(|own| own.values());
        Ok(own
            .filter(|m| m.publication == publication)
            .cloned()
            .collect())
    }

    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        let (state, _) = self.lock();
        let own = state.measurements.get(tenant);
        let own = own.into_iter().flat_map(|own| own.values());
        let own = own.filter(|m| m.as_of >= since).take(limit);
        Ok(own.cloned().collect())
    }

    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let (mut state, _) = self.lock();
        let all = state.measurements.iter();
        let mut old: Vec<_> = all
            .flat_map(|(tenant, own)| own.keys().map(move |key| (*key, tenant.clone())))
            .filter(|((as_of, _), _)| *as_of < before)
            .collect();
        old.sort();
        old.truncate(limit);
        for (key, tenant) in &old {
            if let Some(own) = state.measurements.get_mut(tenant) {
                own.remove(key);
            }
        }
        Ok(old.len())
    }
}
