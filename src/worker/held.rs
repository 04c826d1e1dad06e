//! The leases that a worker holds, and the heartbeats that keep them.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use automarket_core::{
    Store,
    store::{Lease, LeaseToken, Verdict},
};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

use crate::report::metrics;

/// So soon a heartbeat that failed is tried again at the soonest.
const AGAIN: Duration = Duration::from_millis(100);

/// The leases held, each until it is let go or lost.
pub(super) struct Held {
    lease: Duration,
    leases: Mutex<HashMap<LeaseToken, Holding>>,
    /// Those that the store says are over, until they are let go: a verdict has no power over them any more.
    over: Mutex<HashSet<LeaseToken>>,
    /// When the queue was last looked at with success, or needed no look.
    polled: Mutex<Instant>,
    /// A lease is there that is not to wait for its turn.
    soon: Notify,
}

struct Holding {
    kind: String,
    /// When the lease was last known to be ours.
    known: Instant,
    tie: Arc<Tie>,
}

/// What a lease and the work under it have in common.
struct Tie {
    stop: Notify,
    /// From when and how long the lease is surely ours, by the machine's clock whatever a runtime's is in a test.
    ours: Mutex<(std::time::Instant, Duration)>,
}

impl Tie {
    fn new(left: Duration) -> Self {
        Self {
            stop: Notify::new(),
            ours: Mutex::new((std::time::Instant::now(), left)),
        }
    }

    fn lasts(&self, left: Duration) {
        *self.ours() = (std::time::Instant::now(), left);
    }

    fn is_over(&self) -> bool {
        let (from, left) = *self.ours();
        from.elapsed() >= left
    }

    fn ours(&self) -> MutexGuard<'_, (std::time::Instant, Duration)> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the work on one job when it is to stop.
pub(super) struct Stop(Arc<Tie>);

impl Stop {
    /// The end of `work`; `None` when it was stopped, dropped at its next await. Work whose lease may be another's by
    /// now does not go on, though nobody has noticed yet: a process that stood still wakes at any point.
    pub(super) async fn or<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let held = poll_fn(|cx| match self.0.is_over() {
            true => Poll::Ready(None),
            false => work.as_mut().poll(cx).map(Some),
        });
        tokio::select! {
            biased;
            () = self.0.stop.notified() => None,
            end = held => end,
        }
    }
}

impl Held {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            leases: Mutex::default(),
            over: Mutex::default(),
            polled: Mutex::new(Instant::now()),
            soon: Notify::new(),
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
        let tie = Arc::new(Tie::new(self.lease.saturating_sub(since.elapsed())));
        let holding = Holding {
            kind: lease.job.kind.clone(),
            known: since,
            tie: tie.clone(),
        };
        self.lock().insert(lease.token, holding);
        if since.elapsed() > self.lease / 3 {
            self.soon.notify_one();
        }
        Stop(tie)
    }

    pub(super) fn let_go(&self, tokens: impl IntoIterator<Item = LeaseToken>) {
        let (mut leases, mut over) = (self.lock(), self.over());
        for token in tokens {
            leases.remove(&token);
            over.remove(&token);
        }
    }

    /// Whether the store says that it is over: it passed on, or a verdict ended it.
    pub(super) fn is_over(&self, token: &LeaseToken) -> bool {
        self.over().contains(token)
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
            holding.tie.stop.notify_one();
        }
    }

    /// Prolongs all leases, in one call each third of a lease, and behind one that failed each third of what is left.
    /// Work whose lease passed on, or of which nothing was heard for as long as the lease, is stopped.
    pub(super) async fn beat(&self, store: &dyn Store) -> Infallible {
        let every = self.lease / 3;
        let mut failed = false;
        loop {
            let left = self.left();
            let pause = if failed { AGAIN.max(left / 3) } else { every };
            tokio::select! {
                () = tokio::time::sleep(pause.min(every).min(left)) => {}
                () = self.soon.notified() => {}
            }
            let tokens: Vec<LeaseToken> = self.lock().keys().copied().collect();
            if tokens.is_empty() {
                continue;
            }
            let asked = Instant::now();
            let answer = store.heartbeat(&tokens, self.lease);
            let answer = tokio::time::timeout(every.min(self.left()), answer).await;
            failed = !matches!(answer, Ok(Ok(_)));
            match answer {
                Ok(Ok(lost)) => {
                    let kept = tokens.iter().filter(|token| !lost.contains(token));
                    let mut leases = self.lock();
                    for token in kept {
                        if let Some(holding) = leases.get_mut(token) {
                            holding.known = asked;
                            let left = self.lease.saturating_sub(asked.elapsed());
                            holding.tie.lasts(left);
                        }
                    }
                    // What was let go meanwhile is nobody's any more.
                    let there = lost.iter().filter(|token| leases.contains_key(*token));
                    self.over().extend(there);
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

    /// How long the lease of which was heard least is surely ours.
    fn left(&self) -> Duration {
        let leases = self.lock();
        let left = leases
            .values()
            .map(|holding| self.lease.saturating_sub(holding.known.elapsed()));
        left.min().unwrap_or(self.lease)
    }

    fn over(&self) -> MutexGuard<'_, HashSet<LeaseToken>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseToken, Holding>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what nobody holds when it is dropped: a lease that is left behind would count as a crash.
pub(super) struct HandBack {
    pub(super) store: Arc<dyn Store>,
    pub(super) tokens: Vec<LeaseToken>,
}

impl Drop for HandBack {
    fn drop(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        let Some(runtime) = Handle::try_current().ok().filter(|_| !tokens.is_empty()) else {
            return;
        };
        let store = self.store.clone();
        runtime.spawn(async move {
            let back = tokens.into_iter().map(|token| (token, Verdict::Release));
            let back: Vec<_> = back.collect();
            metrics::store_result("settle", store.settle(&back).await.map(drop));
        });
    }
}

fn lose(leases: &mut HashMap<LeaseToken, Holding>, token: LeaseToken, why: &str) {
    if let Some(holding) = leases.remove(&token) {
        // Its work has ended, and its verdict may be what ended the lease.
        if Arc::strong_count(&holding.tie) == 1 {
            return;
        }
        tracing::warn!(job = %token.job, kind = %holding.kind, why, "a lease was lost");
        metrics::lease_lost(&holding.kind);
        holding.tie.stop.notify_one();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::future::pending;

    use automarket_core::{
        TenantId,
        store::{Claim, JobStore as _, MemoryStore, NewJob},
        testing::{FaultStore, StoreFault, StoreRule},
    };
    use metrics_util::debugging::DebuggingRecorder;

    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    pub(in crate::worker) async fn leased() -> (FaultStore, Lease) {
        let store = FaultStore::new(Arc::new(MemoryStore::new()));
        let tenant = TenantId::new("acme").unwrap();
        let job = NewJob::new(tenant, "work", 1.into());
        store.enqueue(&[job]).await.unwrap();
        let lease = store
            .claim(&Claim::new("worker", 1))
            .await
            .unwrap()
            .remove(0);
        (store, lease)
    }

    #[tokio::test(start_paused = true)]
    async fn work_of_whose_lease_nothing_is_heard_ends_with_it() {
        for fault in [StoreFault::Hang, StoreFault::FailBefore] {
            let (store, lease) = leased().await;
            store
                .faults()
                .add(StoreRule::on("heartbeat", fault).times(u32::MAX));
            let held = Held::new(LEASE);
            let since = Instant::now();
            let stop = held.hold(&lease, since);
            let end = tokio::select! {
                _ = held.beat(&store) => unreachable!("it beats for ever"),
                end = stop.or(pending::<()>()) => end,
            };
            assert_eq!((end, since.elapsed()), (None, LEASE));
        }
    }

    /// The process stood still, and nobody has beaten yet.
    #[tokio::test]
    async fn work_does_not_go_on_once_its_lease_may_be_anothers() {
        let (_, lease) = leased().await;
        for (time, goes_on) in [(LEASE, true), (Duration::ZERO, false)] {
            let held = Held::new(time);
            let stop = held.hold(&lease, Instant::now());
            let end = stop.or(async { "sent" }).await;
            assert_eq!(end.is_some(), goes_on, "{time:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_came_late_is_prolonged_at_once() {
        let (store, lease) = leased().await;
        let slow = StoreFault::Delay(Duration::from_millis(100));
        let slow = StoreRule::on("heartbeat", slow).times(u32::MAX);
        store.faults().add(slow);
        let held = Held::new(LEASE);
        let late = async {
            let asked = Instant::now();
            tokio::time::sleep(LEASE - Duration::from_millis(500)).await;
            let stop = held.hold(&lease, asked);
            tokio::time::timeout(LEASE, stop.or(pending::<()>())).await
        };
        let end = tokio::select! {
            _ = held.beat(&store) => unreachable!("it beats for ever"),
            end = late => end,
        };
        assert!(end.is_err(), "it was lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_back_before_the_lease_is_over_prolongs_it() {
        for (fault, times) in [(StoreFault::Hang, 1), (StoreFault::FailBefore, 2)] {
            let (store, lease) = leased().await;
            let slow = StoreFault::Delay(Duration::from_millis(100));
            let away = StoreRule::on("heartbeat", fault).times(times);
            store.faults().add(away);
            store
                .faults()
                .add(StoreRule::on("heartbeat", slow).times(u32::MAX));
            let held = Held::new(LEASE);
            let stop = held.hold(&lease, Instant::now());
            let end = tokio::select! {
                _ = held.beat(&store) => unreachable!("it beats for ever"),
                end = tokio::time::timeout(3 * LEASE, stop.or(pending::<()>())) => end,
            };
            assert!(end.is_err(), "it was lost");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_let_go_during_a_heartbeat_is_not_remembered() {
        let (store, lease) = leased().await;
        let slow = StoreFault::Delay(LEASE / 6);
        store.faults().add(StoreRule::on("heartbeat", slow));
        let held = Held::new(LEASE);
        let _stop = held.hold(&lease, Instant::now());
        let worked = async {
            // The heartbeat has begun.
            tokio::time::sleep(LEASE / 3 + LEASE / 12).await;
            let done = (lease.token, Verdict::Complete(1.into()));
            store.settle(&[done]).await.unwrap();
            held.let_go([lease.token]);
            store.faults().until("heartbeat", 1).await;
            tokio::task::yield_now().await;
        };
        tokio::select! {
            _ = held.beat(&store) => unreachable!("it beats for ever"),
            () = worked => {}
        }
        assert!(!held.is_over(&lease.token));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_its_own_verdict_ended_is_not_told_of_as_lost() {
        let recorder = DebuggingRecorder::new();
        let _local = ::metrics::set_default_local_recorder(&recorder);
        for (works, told) in [(false, 0), (true, 1)] {
            let (store, lease) = leased().await;
            let held = Held::new(LEASE);
            let stop = held.hold(&lease, Instant::now());
            let stop = works.then_some(stop);
            let done = (lease.token, Verdict::Complete(1.into()));
            store.settle(&[done]).await.unwrap();
            let one_beat = tokio::time::timeout(LEASE / 2, held.beat(&store));
            one_beat.await.unwrap_err();
            drop(stop);
            assert!(held.is_over(&lease.token));
            held.let_go([lease.token]);
            assert!(!held.is_over(&lease.token));
            let seen = recorder.snapshotter().snapshot().into_vec();
            assert_eq!(seen.len(), told);
            for (key, ..) in seen {
                let key = key.key();
                assert_eq!(key.name(), "automarket_leases_lost_total");
                let labels: Vec<_> = key.labels().map(|l| (l.key(), l.value())).collect();
                assert_eq!(labels, [("kind", "work")]);
            }
        }
    }
}
