mod credentials;
mod flows;
mod measurements;
mod publications;
mod queue;
mod records;
mod upkeep;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SubsecRound, Utc};

use super::{
    Account, Attempt, Audit, Event, Flow, Measurement, NewEvent, Publication, Routing,
    SealedCredential,
};
use crate::{
    AccountId, CampaignId, Clock, EventId, PostId, PublicationId, SystemClock, TenantId,
    content::{Campaign, Post},
};
use queue::Queue;
use upkeep::Upkeep;

/// The store in memory: for tests, examples and trying things out. It keeps the whole contract of
/// [`Store`](super::Store) but one thing: nothing outlives the value.
///
/// ```
/// use automarket_core::{TenantId, store::{Claim, JobStore, MemoryStore, NewJob, Verdict}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> automarket_core::Result<()> {
/// let store = MemoryStore::new();
/// store.enqueue(&[NewJob::new(TenantId::new("acme")?, "greet", "Ada".into())]).await?;
/// for lease in store.claim(&Claim::new("worker", 10)).await? {
///     store.settle(&[(lease.token, Verdict::Complete("done".into()))]).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<(TenantId, AccountId), Account>,
    campaigns: BTreeMap<(TenantId, CampaignId), Campaign>,
    posts: BTreeMap<(TenantId, PostId), Post>,
    publications: BTreeMap<(TenantId, PublicationId), Publication>,
    routings: BTreeMap<(TenantId, AccountId), Routing>,
    attempts: Vec<Attempt>,
    measurements: BTreeMap<TenantId, BTreeMap<(DateTime<Utc>, PublicationId), Measurement>>,
    events: Vec<Event>,
    /// The number of the newest event: never given twice.
    sequence: i64,
    queue: Queue,
    credentials: BTreeMap<(TenantId, AccountId), SealedCredential>,
    /// How often each key has sealed.
    seals: BTreeMap<String, u64>,
    flows: BTreeMap<(TenantId, String), Flow>,
    audit: Vec<Audit>,
    /// How many there have ever been.
    audits: i64,
    upkeep: Upkeep,
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// The state, and the time at which it was locked.
    fn lock(&self) -> (MutexGuard<'_, State>, DateTime<Utc>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.time();
        (state, now)
    }

    fn time(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }
}

impl State {
    fn of_version(
        &mut self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
    ) -> Option<&mut SealedCredential> {
        let row = self.credentials.get_mut(&(tenant.clone(), account));
        row.filter(|row| row.version == version)
    }

    fn append(&mut self, events: &[NewEvent], now: DateTime<Utc>) {
        for event in events {
            self.sequence += 1;
            self.events.push(Event {
                id: EventId::new(),
                event: event.clone(),
                sequence: self.sequence,
                at: now,
            });
        }
    }
}

/// Takes out of the oldest `limit` rows those from before an instant; how many. What a wrong clock dated ahead is passed
/// by.
fn take_out<T>(
    rows: &mut Vec<T>,
    at: impl Fn(&T) -> DateTime<Utc>,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: usize,
) -> usize {
    let (mut looked, had) = (0, rows.len());
    rows.retain(|row| {
        let old = at(row) < before && looked < limit;
        looked += usize::from(at(row) < before || at(row) <= now);
        !old
    });
    had - rows.len()
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
