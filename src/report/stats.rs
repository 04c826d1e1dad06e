use std::collections::BTreeMap;

use automarket_core::{
    Platform, Result,
    chrono::TimeDelta,
    store::{AttemptOutcome, AttemptStats, Latency, QueueRates, QueueStats},
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
    /// What came of the attempts at publications in the last hour, over all tenants and processes, from rows.
    pub platforms: BTreeMap<Platform, PlatformStats>,
    /// How runs ended, by kind: counted in this process, since it started. For all processes together,
    /// collect [`metrics`](super::metrics).
    pub runs: BTreeMap<String, RunCounts>,
}

/// What came of attempts at publications on one platform: sendings, look-ups, polls and deletions.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PlatformStats {
    /// How many there were.
    pub attempts: u64,
    /// It was done.
    pub done: u64,
    /// The platform took it.
    pub accepted: u64,
    /// It surely did not happen.
    pub rejected: u64,
    /// It may have happened.
    pub unknown: u64,
    /// Which share was done or taken, `0.0..=1.0`.
    pub success_rate: f64,
    /// So many milliseconds half of them took at the most, a fifth too long at worst.
    pub median_ms: u64,
    /// The same of 95 in a hundred.
    pub p95_ms: u64,
}

fn by_platform(stats: Vec<AttemptStats>) -> BTreeMap<Platform, PlatformStats> {
    let mut platforms: BTreeMap<Platform, (PlatformStats, Latency)> = BTreeMap::new();
    for sort in stats {
        let (platform, latency) = platforms.entry(sort.platform).or_default();
        latency.merge(&sort.latency);
        platform.attempts += sort.count;
        *match sort.outcome {
            AttemptOutcome::Done => &mut platform.done,
            AttemptOutcome::Accepted => &mut platform.accepted,
            AttemptOutcome::Rejected => &mut platform.rejected,
            AttemptOutcome::Unknown => &mut platform.unknown,
        } += sort.count;
    }
    let ended = platforms.into_iter().map(|(name, (stats, latency))| {
        let at_most = |share| {
            let millis = latency.at_most(share).unwrap_or_default().as_millis();
            u64::try_from(millis).unwrap_or(u64::MAX)
        };
        let good = (stats.done + stats.accepted) as f64;
        let stats = PlatformStats {
            success_rate: good / (stats.attempts.max(1) as f64),
            median_ms: at_most(0.5),
            p95_ms: at_most(0.95),
            ..stats
        };
        (name, stats)
    });
    ended.collect()
}

impl Automarket {
    /// How full the queue is, how fast it goes, and what the platforms make of it. Reads the whole queue and the
    /// attempts of an hour, so its cost grows with both: for a look now and then, not for each request.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stats(&self) -> Result<Stats> {
        let store = &self.engine.store;
        let since = store.now().await? - TimeDelta::hours(1);
        Ok(Stats {
            queue: store.queue_stats().await?,
            last_minute: store.queue_rates().await?,
            platforms: by_platform(store.attempt_stats(None, since).await?),
            runs: self.engine.counts.read(),
        })
    }
}
