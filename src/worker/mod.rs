//! Does what the queue holds: claims, runs, keeps leases alive, writes verdicts.

mod backoff;
mod held;
mod inline;
mod jobs;
mod run;
mod settle;

use std::{
    collections::BTreeMap,
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use automarket_core::{
    JobId, Result, Retry,
    chrono::{DateTime, Utc},
    store::Claim,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::Automarket;
use held::Held;
use settle::{Ended, settle};

pub use backoff::backoff;
pub(crate) use jobs::{Handler, OURS, erase};
pub(crate) use settle::End;

/// What all runs of jobs share.
pub(crate) type SharedEngine = Arc<crate::market::Engine>;

/// How soon verdicts are written again that the store did not take.
const AGAIN: Duration = Duration::from_millis(500);
/// How long work that was told to stop has to reach its next await.
const DROP: Duration = Duration::from_secs(1);

/// A worker in this process. Any number may run, here and elsewhere, on one store.
#[derive(Clone, Debug)]
pub struct Worker {
    market: Automarket,
    name: String,
    concurrency: usize,
    limits: BTreeMap<String, usize>,
    lease: Duration,
    poll: Duration,
    grace: Duration,
    max_crashes: u32,
}

impl Worker {
    pub(crate) fn new(market: Automarket) -> Self {
        Self {
            market,
            name: format!("worker-{}", JobId::new()),
            concurrency: 16,
            limits: BTreeMap::new(),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            max_crashes: 3,
        }
    }

    /// How many jobs run at once; 16 unless said otherwise.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// How many jobs of one kind run at once in this worker, 1 at the least; as many as there is room for
    /// unless said otherwise. The others wait in the queue and keep nobody from running.
    #[must_use]
    pub fn limit(mut self, kind: impl Into<String>, jobs: usize) -> Self {
        self.limits.insert(kind.into(), jobs.max(1));
        self
    }

    /// How long a job belongs to a worker that is heard of no more; 30 s unless said otherwise, 1 s at the
    /// least. Heartbeats go out three times as often, one for all jobs of the worker.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// How often the queue is looked at when nothing wakes the worker; 5 s unless said otherwise.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// How long running jobs have to end after the shutdown began; 30 s unless said otherwise. What still runs
    /// then is dropped at its next await and handed back: the next worker has it at once, the attempt is not
    /// counted.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// After how many crashes of its workers a job is dead; 3 unless said otherwise, 1 at the least. Whoever
    /// finds the last one decides.
    #[must_use]
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.max_crashes = crashes.max(1);
        self
    }

    /// Works until `shutdown` is done; then nothing new is taken, and what runs has its [grace](Self::grace).
    /// When the returned future is dropped instead, all work is dropped with it, and its jobs are taken up by
    /// others once their leases have run out.
    ///
    /// # Errors
    /// `Config` when encryption keys are given that do not open what is stored (see
    /// [`Automarket::check_keyring`]); nothing was done then. Later none: a store that is away is asked again
    /// after the poll interval.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        self.market.engine.accounts.fit_for_work().await?;
        let engine = self.market.engine.clone();
        let held = Arc::new(Held::new(self.lease));
        // A task of its own, so that no slow claim or verdict is between a job and its heartbeat; dropped, and
        // so ended, with this future.
        let mut heart = JoinSet::new();
        heart.spawn({
            let (held, store) = (held.clone(), engine.store.clone());
            async move { held.beat(&*store).await }
        });
        let mut shift = Shift {
            worker: self,
            held,
            running: JoinSet::new(),
            ended: Vec::new(),
        };
        shift.work(shutdown).await;
        shift.stop().await;
        // What was handed back is there for the other workers of this process.
        engine.wake.notify_waiters();
        Ok(())
    }
}

/// A worker at work.
struct Shift {
    worker: Worker,
    held: Arc<Held>,
    running: JoinSet<Ended>,
    /// Jobs whose verdicts are not written yet.
    ended: Vec<Ended>,
}

/// What came of a look at the queue.
enum Took {
    /// All there is for now.
    All,
    /// As much as was asked for: there may be more.
    More,
    /// Nothing: there is no room.
    NoRoom,
}

impl Shift {
    async fn work(&mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let market = self.worker.market.clone();
        loop {
            // Armed before the queue is looked at, so that nothing put in meanwhile is missed.
            let wake = market.engine.wake.notified();
            let took = if self.write().await {
                self.take().await
            } else {
                Took::NoRoom
            };
            let kinds = self.with_room();
            let pause = async {
                match took {
                    Took::More => ready(()).await,
                    Took::All => sleep(self.worker.until_next(&kinds).await).await,
                    Took::NoRoom if self.ended.is_empty() => sleep(self.worker.poll).await,
                    Took::NoRoom => sleep(AGAIN).await,
                }
            };
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(Ok(ended)) = self.running.join_next() => self.ended.push(ended),
                () = wake => {}
                () = pause => {}
            }
        }
    }

    /// Lets running jobs end, and hands back what does not.
    async fn stop(&mut self) {
        let end = Instant::now() + self.worker.grace;
        while !self.running.is_empty() {
            let Ok(joined) = timeout_at(end, self.running.join_next()).await else {
                break;
            };
            self.ended.extend(joined.and_then(|ended| ended.ok()));
            self.write().await;
        }
        self.held.stop_all();
        let end = Instant::now() + DROP;
        while let Ok(Some(joined)) = timeout_at(end, self.running.join_next()).await {
            self.ended.extend(joined);
        }
        if !self.write().await {
            // The store was away just now. Once more, then the leases run out by themselves.
            sleep(AGAIN).await;
            self.write().await;
        }
    }

    /// Writes the verdicts of all jobs that have ended by now. `false` when the store does not take them now;
    /// they are kept, and so are their leases.
    async fn write(&mut self) -> bool {
        while let Some(joined) = self.running.try_join_next() {
            self.ended.extend(joined);
        }
        if self.ended.is_empty() {
            return true;
        }
        let engine = &self.worker.market.engine;
        if let Err(error) = settle(engine, &self.ended).await {
            tracing::warn!(error = %error.report(), "verdicts could not be written");
            if error.retry() != Retry::Never {
                return false;
            }
            // One of them cannot be written at all; the others can.
            for ended in &self.ended {
                if let Err(error) = settle(engine, std::slice::from_ref(ended)).await {
                    let job = ended.lease.token.job;
                    tracing::error!(%job, error = %error.report(), "a verdict is lost");
                }
            }
        }
        for ended in self.ended.drain(..) {
            self.held.let_go(ended.lease.token);
        }
        true
    }

    async fn take(&mut self) -> Took {
        let free = self.worker.concurrency.saturating_sub(self.held.len());
        let kinds = self.with_room();
        if free == 0 || kinds.as_ref().is_some_and(Vec::is_empty) {
            return Took::NoRoom;
        }
        // However many of one kind come, there is room for them.
        let room = self.rooms().map(|(_, room)| room).filter(|room| *room > 0);
        let first = room.min().unwrap_or(free).min(free);
        let took = self.claim(kinds.unwrap_or_default(), first).await;
        if took < first {
            return Took::All;
        }
        if first < free {
            let unlimited = self.known(|kind| !self.worker.limits.contains_key(kind));
            if !unlimited.is_empty() {
                self.claim(unlimited, free - first).await;
            }
        }
        Took::More
    }

    /// Claims jobs and sets them running.
    async fn claim(&mut self, kinds: Vec<String>, limit: usize) -> usize {
        let mut claim = Claim::new(self.worker.name.clone(), limit).lease(self.worker.lease);
        claim.kinds = kinds;
        claim.max_crashes = self.worker.max_crashes;
        let since = Instant::now();
        let engine = &self.worker.market.engine;
        let leases = match engine.store.claim(&claim).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(error = %error.report(), "the queue cannot be read");
                return 0;
            }
        };
        let took = leases.len();
        for lease in leases {
            let stop = self.held.hold(&lease, since);
            let engine = engine.clone();
            self.running
                .spawn(async move { run::run(&engine, lease, stop).await });
        }
        took
    }

    /// How much room each limited kind has.
    fn rooms(&self) -> impl Iterator<Item = (&str, usize)> {
        let limits = self.worker.limits.iter();
        limits.map(|(kind, limit)| {
            let room = limit.saturating_sub(self.held.of_kind(kind));
            (kind.as_str(), room)
        })
    }

    /// The kinds that have room; `None` when all have. A kind that is not known here waits until then.
    fn with_room(&self) -> Option<Vec<String>> {
        let full: Vec<&str> = self
            .rooms()
            .filter_map(|(kind, room)| (room == 0).then_some(kind))
            .collect();
        (!full.is_empty()).then(|| self.known(|kind| !full.contains(&kind)))
    }

    /// The known kinds that are wanted.
    fn known(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let engine = &self.worker.market.engine;
        let hosts = engine.jobs.keys().map(String::as_str);
        let pipelines = engine.pipelines.keys().copied();
        OURS.into_iter()
            .chain(hosts)
            .chain(pipelines)
            .filter(|kind| wanted(kind))
            .map(str::to_owned)
            .collect()
    }
}

impl Worker {
    /// How long there is surely nothing to do.
    async fn until_next(&self, kinds: &Option<Vec<String>>) -> Duration {
        let store = &self.market.engine.store;
        let kinds = kinds.as_deref().unwrap_or_default();
        let (Ok(Some(next)), Ok(now)) = (store.next_ready(kinds).await, store.now().await) else {
            return self.poll;
        };
        (next - now)
            .to_std()
            .unwrap_or_default()
            .clamp(Duration::from_millis(1).min(self.poll), self.poll)
    }
}

pub(crate) fn retry_at(now: DateTime<Utc>, attempt: u32) -> DateTime<Utc> {
    now + automarket_core::chrono::Duration::from_std(backoff(attempt, fastrand::f64()))
        .unwrap_or_default()
}
