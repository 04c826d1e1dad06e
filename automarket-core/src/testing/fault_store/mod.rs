//! A store whose calls fail, hang or end the process when told, and that remembers what was called.

mod forward;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::fault::Turns;
use crate::{Error, ErrorKind, Result, Store};

/// What goes wrong with a call to the store.
#[derive(Clone, Debug)]
pub enum StoreFault {
    /// Nothing is done, and the answer is `Storage`.
    FailBefore,
    /// Nothing is done, and the answer is of this kind: `Config` of a database that is read-only for now.
    Refuse(ErrorKind),
    /// It is done, and the answer is `Storage` all the same: a commit whose answer was lost.
    FailAfter,
    /// It is done after this time.
    Delay(Duration),
    /// It is done once this is notified.
    Held(Arc<Notify>),
    /// Nothing is done, and no answer comes.
    Hang,
    /// This process ends, hard, before it is done.
    AbortBefore,
    /// It is done, and this process ends, hard, before it hears of it.
    AbortAfter,
}

/// Which calls a fault hits.
#[derive(Clone, Debug)]
pub struct StoreRule {
    method: Option<&'static str>,
    turns: Turns,
    fault: StoreFault,
}

impl StoreRule {
    /// Hits the next call, of whatever method.
    #[must_use]
    pub fn new(fault: StoreFault) -> Self {
        Self {
            method: None,
            turns: Turns::NEXT,
            fault,
        }
    }

    /// Hits the next call of this method.
    #[must_use]
    pub fn on(method: &'static str, fault: StoreFault) -> Self {
        Self {
            method: Some(method),
            ..Self::new(fault)
        }
    }

    /// Lets that many such calls pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.turns.skip = skip;
        self
    }

    /// Hits that many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.turns.times = times;
        self
    }
}

/// The faults of one store, each used up as it hits, and what was called.
#[derive(Debug, Default)]
pub struct StoreFaults {
    rules: Mutex<Vec<StoreRule>>,
    calls: AtomicU32,
    hits: AtomicU32,
    answered: watch::Sender<BTreeMap<&'static str, Vec<usize>>>,
}

impl StoreFaults {
    /// Adds a fault.
    pub fn add(&self, rule: StoreRule) {
        self.lock().push(rule);
    }

    /// Takes the faults back that have not hit yet.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many calls came so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many calls were hit so far: a test whose faults hit nothing proves nothing.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::SeqCst)
    }

    /// Every answered call of this method, failed ones too: how many things it was about (verdicts, leases, at
    /// most so many rows), 1 for a call about one.
    #[must_use]
    pub fn answered(&self, method: &str) -> Vec<usize> {
        let all = self.answered.borrow();
        all.get(method).cloned().unwrap_or_default()
    }

    /// Waits until so many calls of this method are answered.
    pub async fn until(&self, method: &str, calls: usize) {
        let enough =
            |all: &BTreeMap<&str, Vec<usize>>| all.get(method).map_or(0, Vec::len) >= calls;
        // The sender is ours: it cannot be gone.
        let _ = self.answered.subscribe().wait_for(enough).await;
    }

    fn answer(&self, method: &'static str, size: usize) {
        self.answered
            .send_modify(|all| all.entry(method).or_default().push(size));
    }

    fn take(&self, method: &'static str) -> Option<StoreFault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut rules = self.lock();
        let rule = rules.iter_mut().find_map(|rule| {
            let fits = rule.method.is_none_or(|wanted| wanted == method);
            (fits && rule.turns.hit()).then_some(rule)
        })?;
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(rule.fault.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<StoreRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store whose calls meet faults on their way to another.
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::store::{AccountStore, Account, MemoryStore};
/// use automarket_core::testing::{FaultStore, StoreFault, StoreRule};
/// # use automarket_core::{Platform, TenantId};
/// # #[tokio::main]
/// # async fn main() -> automarket_core::Result<()> {
/// let store = FaultStore::new(Arc::new(MemoryStore::new()));
/// store.faults().add(StoreRule::on("put_account", StoreFault::FailAfter));
/// let account = Account::new(TenantId::new("acme")?, Platform::X, "1");
/// assert!(store.put_account(&account).await.is_err());
/// assert!(store.account(&account.tenant, account.id).await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FaultStore {
    inner: Arc<dyn Store>,
    faults: Arc<StoreFaults>,
    word: Arc<Notify>,
}

impl FaultStore {
    /// Before this store, without faults yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            faults: Arc::default(),
            word: Arc::default(),
        }
    }

    /// The faults to come.
    #[must_use]
    pub fn faults(&self) -> &StoreFaults {
        &self.faults
    }

    async fn pass<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.pass_many(method, 1, call).await
    }

    async fn pass_many<T>(
        &self,
        method: &'static str,
        size: usize,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let answer = self.fault(method, call).await;
        self.faults.answer(method, size);
        answer
    }

    async fn fault<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let refused = |kind| Err(Error::new(kind, "the database is away"));
        match self.faults.take(method) {
            None => call.await,
            Some(StoreFault::FailBefore) => refused(ErrorKind::Storage),
            Some(StoreFault::Refuse(kind)) => refused(kind),
            Some(StoreFault::FailAfter) => {
                call.await?;
                refused(ErrorKind::Storage)
            }
            Some(StoreFault::Delay(time)) => {
                tokio::time::sleep(time).await;
                call.await
            }
            Some(StoreFault::Held(until)) => {
                until.notified().await;
                call.await
            }
            Some(StoreFault::Hang) => std::future::pending().await,
            Some(StoreFault::AbortBefore) => std::process::abort(),
            Some(StoreFault::AbortAfter) => {
                let _ = call.await;
                std::process::abort()
            }
        }
    }
}
