//! The store's time: what all processes agree on, however wrong their own clocks are.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{
    Clock, Result, Store,
    chrono::{DateTime, TimeDelta, Utc},
};
use tokio::time::{Duration, Instant};

/// The store is asked anew after this time.
const FRESH: Duration = Duration::from_secs(30);
/// A clock of ours that went further or less far than the time that passed was set meanwhile.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// Knows how far the store is ahead of this process's clock.
pub(crate) struct StoreTime {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Ahead>>,
}

#[derive(Clone, Copy)]
struct Ahead {
    by: TimeDelta,
    /// When that was found, and what our clock showed.
    found: Instant,
    ours: DateTime<Utc>,
}

/// A clock that is so far behind, set right.
struct SetRight(Arc<dyn Clock>, TimeDelta);

impl Clock for SetRight {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }
}

impl StoreTime {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            known: Mutex::default(),
        }
    }

    /// A clock that shows the store's time. The store is asked at most every 30 s, and when ours was set.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn clock(&self) -> Result<Arc<dyn Clock>> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = match known.filter(|known| known.holds(self.clock.now())) {
            Some(known) => known,
            None => {
                let now = self.store.now().await?;
                let (found, ours) = (Instant::now(), self.clock.now());
                let by = now - ours;
                let ahead = Ahead { by, found, ours };
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
                ahead
            }
        };
        Ok(Arc::new(SetRight(self.clock.clone(), ahead.by)))
    }
}

impl Ahead {
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let passed = self.found.elapsed();
        let went = TimeDelta::from_std(passed).map(|passed| now - self.ours - passed);
        passed < FRESH && went.is_ok_and(|off| off.abs() < SLACK)
    }
}
