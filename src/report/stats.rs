use std::collections::BTreeMap;

use automarket_core::{
    Result,
    store::{QueueRates, QueueStats},
};
use serde::Serialize;

use super::RunCounts;
use crate::Automarket;

/// How full the queue is and how fast it goes.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// How full, over all tenants and processes, from rows.
    pub queue: QueueStats,
    /// What went through in the last minute, over all tenants and processes, from rows.
    pub last_minute: QueueRates,
    /// How runs ended, by kind: counted in this process, since it started. For all processes together,
    /// collect [`metrics`](super::metrics).
    pub runs: BTreeMap<String, RunCounts>,
}

impl Automarket {
    /// How full the queue is and how fast it goes. Reads the whole queue: some milliseconds for each 10,000
    /// live jobs.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self) -> Result<Stats> {
        let store = &self.engine.store;
        Ok(Stats {
            queue: store.queue_stats().await?,
            last_minute: store.queue_rates().await?,
            runs: self.engine.counts.read(),
        })
    }
}
