//! What a worker does beside jobs: says that it lives, puts in what timetables want, says what is overdue, removes
//! what is old.

use std::{convert::Infallible, sync::Arc, time::Duration};

use automarket_core::{
    Result,
    chrono::{self, DateTime, Utc},
    store::WorkerBeat,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    AGAIN, SharedEngine,
    held::Held,
    in_time,
    overdue::{self, Told},
};
use crate::report::metrics;

/// How often a worker says that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(10);
/// How often old and overdue rows are looked for.
const USUAL: Duration = Duration::from_secs(300);
/// How soon what is overdue is looked for again while there is more than a page.
const SOON: Duration = Duration::from_secs(1);
/// Each look for what is overdue reads the whole queue: after it this many times as long without one.
const REST: u32 = 9;
/// How long the store has for one of its duties.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many rows go at once at the most: a transaction of some milliseconds.
const BATCH: usize = 500;

/// How long ended things are kept. `None` is for ever.
///
/// Dead jobs are no part of it: they stay until they are redriven or removed by call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Completed and cancelled jobs, with their steps, failures and results; 30 days unless said otherwise.
    /// While a job is kept, one with its id is not put in again.
    pub ended: Option<Duration>,
    /// Events; a year unless said otherwise.
    pub events: Option<Duration>,
    /// Measurements of publications; two years unless said otherwise.
    pub measurements: Option<Duration>,
    /// Attempts at publications, with what went over the wire; 90 days unless said otherwise.
    pub attempts: Option<Duration>,
    /// The audit trail; for ever unless said otherwise.
    pub audit: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
        Self {
            ended: days(30),
            events: days(365),
            measurements: days(730),
            attempts: days(90),
            audit: None,
        }
    }
}

impl Retention {
    /// How long completed and cancelled jobs are kept.
    #[must_use]
    pub fn ended(mut self, kept: Option<Duration>) -> Self {
        self.ended = kept;
        self
    }

    /// How long events are kept.
    #[must_use]
    pub fn events(mut self, kept: Option<Duration>) -> Self {
        self.events = kept;
        self
    }

    /// How long measurements are kept.
    #[must_use]
    pub fn measurements(mut self, kept: Option<Duration>) -> Self {
        self.measurements = kept;
        self
    }

    /// How long attempts are kept.
    #[must_use]
    pub fn attempts(mut self, kept: Option<Duration>) -> Self {
        self.attempts = kept;
        self
    }

    /// How long the audit trail is kept.
    #[must_use]
    pub fn audit(mut self, kept: Option<Duration>) -> Self {
        self.audit = kept;
        self
    }
}

/// The duties of one worker.
pub(super) struct Duties {
    pub(super) engine: SharedEngine,
    pub(super) held: Arc<Held>,
    pub(super) name: String,
    pub(super) kinds: Vec<String>,
    pub(super) poll: Duration,
}

impl Duties {
    /// Each of them at its own pace, so that none waits for another.
    pub(super) async fn run(self) -> Infallible {
        let (never, ..) = tokio::join!(self.live(), self.keep_time(), self.keep_order());
        never
    }

    async fn live(&self) -> Infallible {
        loop {
            if let Err(error) = in_time(PATIENCE, self.beat()).await {
                metrics::store_error("put_worker", &error);
            }
            sleep(BEAT).await;
        }
    }

    async fn keep_time(&self) -> Infallible {
        loop {
            // Armed before the schedules are read, so that none put in meanwhile is missed.
            let scheduled = self.engine.scheduled.notified();
            let wait = self.until_next_run().await;
            tokio::select! {
                () = scheduled => {}
                () = sleep(wait) => {}
            }
        }
    }

    async fn keep_order(&self) -> Infallible {
        let (mut tell_at, mut clean_at) = (Instant::now(), Instant::now());
        let mut told = Told::nothing();
        loop {
            if tell_at <= Instant::now() {
                let wait = self.tell(&mut told).await;
                tell_at = Instant::now() + wait;
            }
            if clean_at <= Instant::now() {
                let wait = self.clean().await;
                clean_at = Instant::now() + wait;
            }
            sleep_until(tell_at.min(clean_at)).await;
        }
    }

    async fn beat(&self) -> Result<()> {
        let beat = WorkerBeat {
            name: self.name.clone(),
            kinds: self.kinds.clone(),
            in_flight: u32::try_from(self.held.len()).unwrap_or(u32::MAX),
            polled: self.held.polled().elapsed(),
        };
        self.engine.store.put_worker(&beat).await
    }

    /// Puts in what is due, and says how long there is surely nothing: at most the poll interval.
    async fn until_next_run(&self) -> Duration {
        match in_time(PATIENCE, self.engine.run_schedules()).await {
            Ok(wait) => wait.map_or(self.poll, |wait| wait.min(self.poll)),
            Err(error) => {
                metrics::store_error("schedules", &error);
                self.poll.min(AGAIN)
            }
        }
    }

    /// Tells of a page of what is overdue, and says how long not to look again.
    async fn tell(&self, told: &mut Told) -> Duration {
        let began = Instant::now();
        match in_time(PATIENCE, overdue::tell(&self.engine, told)).await {
            Ok(true) => SOON.max(began.elapsed() * REST),
            Ok(false) => usual(),
            Err(error) => {
                metrics::store_error("overdue", &error);
                usual()
            }
        }
    }

    /// Removes a batch of what is old, and says how long not to look again: while there is more, half of the time.
    async fn clean(&self) -> Duration {
        let began = Instant::now();
        match clean(&self.engine).await {
            removed if removed >= BATCH => began.elapsed(),
            _ => usual(),
        }
    }
}

/// Spread, so that the workers of a fleet do not come together.
fn usual() -> Duration {
    USUAL.mul_f64(0.5 + fastrand::f64())
}

/// Removes at most a batch of each, whatever becomes of the others; the largest number removed.
async fn clean(engine: &crate::market::Engine) -> usize {
    let (store, keep) = (&engine.store, &engine.retention);
    let now = match in_time(PATIENCE, store.now()).await {
        Ok(now) => now,
        Err(error) => {
            metrics::store_error("retention", &error);
            return 0;
        }
    };
    let before = |kept: Duration| -> Option<DateTime<Utc>> {
        now.checked_sub_signed(chrono::Duration::from_std(kept).ok()?)
    };
    let mut removals = Vec::new();
    if let Some(before) = keep.ended.and_then(before) {
        removals.push(store.remove_ended(before, BATCH));
    }
    if let Some(before) = keep.events.and_then(before) {
        removals.push(store.remove_events(before, BATCH));
    }
    if let Some(before) = keep.measurements.and_then(before) {
        removals.push(store.remove_measurements(before, BATCH));
    }
    if let Some(before) = keep.attempts.and_then(before) {
        removals.push(store.remove_attempts(before, BATCH));
    }
    if let Some(before) = keep.audit.and_then(before) {
        removals.push(store.remove_audit(before, BATCH));
    }
    // They say themselves when they are over, and hold tokens.
    removals.push(store.remove_flows(BATCH));
    let mut most = 0;
    for removal in removals {
        match in_time(PATIENCE, removal).await {
            Ok(removed) => most = most.max(removed),
            Err(error) => metrics::store_error("retention", &error),
        }
    }
    most
}
