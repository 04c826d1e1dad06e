//! What every [`Store`](crate::Store) keeps: plain async functions, grouped by noun.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken promise is a panic: this is test code"
)]

mod accounts;
mod audit;
mod campaigns;
mod changes;
mod claims;
mod clock;
mod credentials;
mod events;
mod flows;
mod gates;
mod jobs;
mod leases;
mod measurements;
mod numbers;
mod publications;
mod samples;
mod schedules;
mod steps;
mod tenants;
mod upkeep;
mod verdicts;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use chrono::Duration;
use futures_util::future::BoxFuture;

pub use samples::publishing as sample_publishing;

use super::ManualClock;
use crate::Store;

/// A store under test, fresh for each case.
pub struct StoreUnderTest {
    /// Which store, for messages.
    pub name: &'static str,
    /// The store, empty.
    pub store: Arc<dyn Store>,
    /// What moves its time. It stands still otherwise, or moves by less than a second in a case.
    pub clock: Arc<dyn StoreClock>,
}

/// What moves a store's time: a [`ManualClock`], or a hook into a database.
#[async_trait]
pub trait StoreClock: Send + Sync {
    /// Moves it forward, or back.
    async fn advance(&self, by: Duration);
}

#[async_trait]
impl StoreClock for ManualClock {
    async fn advance(&self, by: Duration) {
        Self::advance(self, by);
    }
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One promise of the store.
pub struct StoreCase {
    /// What it promises, as a sentence.
    pub name: &'static str,
    check: fn(&StoreUnderTest) -> BoxFuture<'_, ()>,
}

impl StoreCase {
    fn new(name: &'static str, check: fn(&StoreUnderTest) -> BoxFuture<'_, ()>) -> Self {
        Self { name, check }
    }

    /// Checks it. Cases start tasks of their own: give them a runtime with several threads.
    ///
    /// # Panics
    /// When the promise is not kept; the name of the case is printed.
    pub async fn run(&self, store: &StoreUnderTest) {
        let _name = PrintedOnPanic(self.name, store.name);
        (self.check)(store).await;
    }
}

impl fmt::Debug for StoreCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

struct PrintedOnPanic(&'static str, &'static str);

impl Drop for PrintedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("store case failed on {}: {}", self.1, self.0);
        }
    }
}

/// All promises. Each wants a fresh store:
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::{store::MemoryStore, testing::{ManualClock, StoreUnderTest, store_cases}};
/// # #[tokio::main]
/// # async fn main() {
/// for case in store_cases() {
///     let clock = ManualClock::parse("2027-01-01T00:00:00Z");
///     let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
///     case.run(&StoreUnderTest { name: "memory", store, clock: Arc::new(clock) }).await;
/// }
/// # }
/// ```
#[must_use]
pub fn store_cases() -> Vec<StoreCase> {
    [
        accounts::cases(),
        audit::cases(),
        campaigns::cases(),
        changes::cases(),
        claims::cases(),
        clock::cases(),
        credentials::cases(),
        events::cases(),
        flows::cases(),
        gates::cases(),
        jobs::cases(),
        numbers::cases(),
        leases::cases(),
        measurements::cases(),
        publications::cases(),
        schedules::cases(),
        steps::cases(),
        tenants::cases(),
        upkeep::cases(),
        verdicts::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
