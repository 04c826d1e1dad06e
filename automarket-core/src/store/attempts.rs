use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Target;
use crate::{
    AccountId, ErrorRecord, JobId, Platform, PublicationId, Result, TenantId, http::Exchange,
};

/// One try at a publication: what was asked of the platform, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which publication.
    pub publication: PublicationId,
    /// Which revision of it this attempt made.
    pub revision: i64,
    /// By which job.
    pub job: JobId,
    /// Which attempt of the job.
    pub number: u32,
    /// Which way it went.
    pub route: Target,
    /// What was to be done.
    pub operation: Operation,
    /// When it began, by the store's clock.
    pub began: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// What it ended in.
    pub outcome: AttemptOutcome,
    /// Why it was not done.
    pub error: Option<ErrorRecord>,
    /// The platform's id of what it took or published.
    pub remote_id: Option<String>,
    /// What was decided upon that.
    pub decision: Decision,
    /// What went over the wire, masked and bounded.
    pub exchanges: Vec<Exchange>,
    /// How many more exchanges there were in the middle.
    pub left_out: u32,
}

/// What an attempt was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Send it.
    Publish,
    /// Find out what became of an earlier sending, and send what surely is not there.
    Reconcile,
    /// Ask for something accepted.
    Poll,
    /// Take it down.
    Delete,
}

/// What an attempt ended in: the four ends of an outside write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It is done.
    Done,
    /// The platform took it.
    Accepted,
    /// It surely did not happen.
    Rejected,
    /// It may have happened.
    Unknown,
}

/// What was decided upon an attempt, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The rule.
    pub rule: String,
    /// Until when that waits, where an instant is known.
    pub until: Option<DateTime<Utc>>,
}

impl Operation {
    /// The stable spelling used in rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Reconcile => "reconcile",
            Self::Poll => "poll",
            Self::Delete => "delete",
        }
    }
}

impl AttemptOutcome {
    /// The stable spelling used in rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

/// How often attempts of one sort were made, and how long they took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptStats {
    /// On which platform.
    pub platform: Platform,
    /// What they were to do.
    pub operation: Operation,
    /// What they ended in.
    pub outcome: AttemptOutcome,
    /// How many.
    pub count: u64,
    /// How long they took.
    pub latency: Latency,
}

/// How often each length of time was seen: four steps to the doubling, from 1 ms to about an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency(BTreeMap<u16, u64>);

/// Above this all is one: 2^(88/4) ms.
const LONGEST: u16 = 88;

impl Latency {
    /// The step of a length of time.
    #[must_use]
    pub fn step(took: Duration) -> u16 {
        (0..LONGEST)
            .find(|step| took <= Self::upper(*step))
            .unwrap_or(LONGEST)
    }

    fn upper(step: u16) -> Duration {
        Duration::from_secs_f64(2_f64.powf(f64::from(step) / 4.0) / 1000.0)
    }

    /// Counts so many of one step.
    pub fn add(&mut self, step: u16, count: u64) {
        *self.0.entry(step).or_default() += count;
    }

    /// Counts those of another too.
    pub fn merge(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            self.add(*step, *count);
        }
    }

    /// So long took this share (`0.0..=1.0`) of them at the most, a fifth too long at worst; `None` when
    /// there are none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use automarket_core::store::Latency;
    /// let mut latency = Latency::default();
    /// for ms in [10, 20, 30, 2_000] {
    ///     latency.add(Latency::step(Duration::from_millis(ms)), 1);
    /// }
    /// let median = latency.at_most(0.5).unwrap().as_millis();
    /// assert!((20..24).contains(&median));
    /// assert!(latency.at_most(0.95).unwrap() >= Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn at_most(&self, share: f64) -> Option<Duration> {
        let all: u64 = self.0.values().sum();
        let wanted = share.clamp(0.0, 1.0) * all as f64;
        let mut seen = 0;
        for (step, count) in &self.0 {
            seen += count;
            if seen as f64 >= wanted {
                return Some(Self::upper(*step));
            }
        }
        None
    }
}

impl Attempt {
    /// The step of how long it took.
    #[must_use]
    pub fn latency_step(&self) -> u16 {
        Latency::step((self.ended - self.began).to_std().unwrap_or_default())
    }
}

/// What attempts are counted by.
pub type AttemptSort = (Platform, Operation, AttemptOutcome);

impl AttemptStats {
    /// Puts counts by sort and step together, by platform, operation and outcome; stores call this.
    #[must_use]
    pub fn of(counts: impl IntoIterator<Item = (AttemptSort, u16, u64)>) -> Vec<Self> {
        let mut sorts: BTreeMap<AttemptSort, Latency> = BTreeMap::new();
        for (sort, step, count) in counts {
            sorts.entry(sort).or_default().add(step, count);
        }
        let stats = |((platform, operation, outcome), latency): (AttemptSort, Latency)| Self {
            platform,
            operation,
            outcome,
            count: latency.0.values().sum(),
            latency,
        };
        sorts.into_iter().map(stats).collect()
    }
}

/// Attempts: written with the change they made ([`PublishingChange`](super::PublishingChange)), never changed.
#[async_trait]
pub trait AttemptStore: Send + Sync {
    /// The attempts of a publication, oldest first.
    async fn attempts(&self, tenant: &TenantId, publication: PublicationId)
    -> Result<Vec<Attempt>>;
    /// What came of the attempts that ended at or after an instant, of one tenant or of all.
    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>>;
    /// Takes out the tenant's attempts by way of one account, with what went over the wire; how many. Reads all
    /// attempts of the tenant, maybe in several transactions: another call goes on where one failed.
    async fn erase_attempts_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64>;
}
