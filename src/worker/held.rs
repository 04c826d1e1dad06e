//! The leases that a worker holds, and the heartbeats that keep them.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use automarket_core::{
    Store,
    store::{Lease, LeaseToken},
};
use tokio::{sync::Notify, time::Instant};

use crate::report::metrics;

/// The leases held, each until it is let go or lost.
pub(super) struct Held {
    lease: Duration,
    leases: Mutex<HashMap<LeaseToken, Holding>>,
    /// When the queue was last looked at with success.
    polled: Mutex<Instant>,
}

struct Holding {
    kind: String,
    /// When the lease was last known to be ours.
    known: Instant,
    stop: Arc<Notify>,
}

/// Ends the work on one job when it is to stop.
pub(super) struct Stop(Arc<Notify>);

impl Stop {
    /// The end of `work`; `None` when it was stopped, dropped at its next await.
    pub(super) async fn or<T>(self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.0.notified() => None,
            end = work => Some(end),
        }
    }
}

impl Held {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            leases: Mutex::default(),
            polled: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn polled_at(&self, at: Instant) {
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    pub(super) fn polled(&self) -> Instant {
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a lease that was claimed at or after `since`.
    pub(super) fn hold(&self, lease: &Lease, since: Instant) -> Stop {
        let stop = Arc::new(Notify::new());
        let holding = Holding {
            kind: lease.job.kind.clone(),
            known: since,
            stop: stop.clone(),
        };
        self.lock().insert(lease.token, holding);
        Stop(stop)
    }

    pub(super) fn let_go(&self, tokens: impl IntoIterator<Item = LeaseToken>) {
        let mut leases = self.lock();
        for token in tokens {
            leases.remove(&token);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many are of this kind.
    pub(super) fn of_kind(&self, kind: &str) -> usize {
        self.lock().values().filter(|h| h.kind == kind).count()
    }

    /// Stops all work; the leases are still held.
    pub(super) fn stop_all(&self) {
        for holding in self.lock().values() {
            holding.stop.notify_one();
        }
    }

    /// Prolongs all leases, in one call each third of a lease. Work whose lease passed on, or of which nothing
    /// was heard for as long as the lease, is stopped.
    pub(super) async fn beat(&self, store: &dyn Store) -> Infallible {
        let every = self.lease / 3;
        loop {
            tokio::time::sleep(every).await;
            let tokens: Vec<LeaseToken> = self.lock().keys().copied().collect();
            if tokens.is_empty() {
                continue;
            }
            let asked = Instant::now();
            let answer = tokio::time::timeout(every, store.heartbeat(&tokens, self.lease)).await;
            match answer {
                Ok(Ok(lost)) => {
                    let kept = tokens.iter().filter(|token| !lost.contains(token));
                    let mut leases = self.lock();
                    for token in kept {
                        if let Some(holding) = leases.get_mut(token) {
                            holding.known = asked;
                        }
                    }
                    lost.iter()
                        .for_each(|token| lose(&mut leases, *token, "it passed on"));
                    continue;
                }
                Ok(Err(error)) => metrics::store_error("heartbeat", &error),
                Err(_) => tracing::warn!("a heartbeat was not answered in time"),
            }
            let mut leases = self.lock();
            for token in tokens {
                let known = leases.get(&token).map(|holding| holding.known);
                if known.is_some_and(|known| known.elapsed() >= self.lease) {
                    lose(&mut leases, token, "the store was away for longer than it");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseToken, Holding>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lose(leases: &mut HashMap<LeaseToken, Holding>, token: LeaseToken, why: &str) {
    if let Some(holding) = leases.remove(&token) {
        tracing::warn!(job = %token.job, kind = %holding.kind, why, "a lease was lost");
        metrics::lease_lost(&holding.kind);
        holding.stop.notify_one();
    }
}
