//! Does what the queue holds: claims, runs, keeps leases alive, writes verdicts.

mod backoff;
mod dead;
mod duties;
mod gate;
mod heart;
mod held;
mod inline;
mod jobs;
mod order;
mod overdue;
mod run;
mod schedules;
mod settle;
mod size;
mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use automarket_core::{
    Error, ErrorKind, JobId, Result,
    chrono::{DateTime, Utc},
    store::{Claim, Lease, rules::last_chance},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, OptionFuture},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use crate::{Automarket, report::metrics};
use duties::{BEAT, Duties};
use heart::Heart;
use held::Held;
use order::{Next, Order, Taken};
use settle::Ended;
use write::{Written, write};

pub use backoff::backoff;
pub use duties::Retention;
pub(crate) use gate::{CLOSED, Owner, closed_until, spread};
pub(crate) use jobs::{Handler, OURS};
pub(crate) use settle::End;

/// What all runs of jobs share.
pub(crate) type SharedEngine = Arc<crate::market::Engine>;

/// No lease is shorter: its heartbeats have to come in time.
const SHORTEST: Duration = Duration::from_secs(1);
/// The least pause between two looks at an empty queue.
const PAUSE: Duration = Duration::from_millis(1);
/// What is longer is as good as for ever; unlike that, it can be added to an instant.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// How often a worker looks for jobs of kinds that it does not know. The others it leaves to those that know them.
const STRANGERS: Duration = Duration::from_secs(60);
/// How soon a store that refused is asked again, and verdicts that it did not take are written again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long work that was told to stop has to reach its next await.
const DROP: Duration = Duration::from_secs(1);
/// How long the store then has to take what is handed back.
const LAST: Duration = Duration::from_secs(5);

/// A worker in this process. Any number may run, here and elsewhere, on one store.
#[derive(Clone, Debug)]
pub struct Worker {
    market: Automarket,
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
    /// least and a year at the most. Heartbeats go out three times as often, one for all jobs of the worker.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(SHORTEST, LONGEST);
        self
    }

    /// How often the queue is looked at when nothing wakes the worker; 5 s unless said otherwise, 1 ms at the
    /// least and a year at the most.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll.clamp(PAUSE, LONGEST);
        self
    }

    /// How long running jobs have to end after the shutdown began; 30 s unless said otherwise, a year at the
    /// most. What still runs then is dropped at its next await and handed back: the next worker has it at once,
    /// the attempt is not counted. What a store that does not answer has not taken 5 s later is left to the leases.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace.min(LONGEST);
        self
    }

    /// After how many crashes of its workers a job is dead; 3 unless said otherwise, 1 at the least. Whoever
    /// finds the last one decides. A job that has one crash left runs alone: it waits until nothing else runs in
    /// its worker, and nothing is taken while it runs, but others wait for that no longer than a lease each time.
    /// An [unending](crate::store::NewJob::unending) job is never dead of crashes: its handler ends it.
    #[must_use]
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.max_crashes = crashes.max(1);
        self
    }

    /// Works until `shutdown` is done; then nothing new is taken, and what runs has its [grace](Self::grace).
    /// When the returned future is dropped instead, all work is dropped with it, and its jobs are taken up by
    /// others once their leases have run out.
    ///
    /// Heartbeats have a thread of their own: jobs that block the host's runtime for longer than a lease keep
    /// theirs (but everything else waits, so blocking work belongs in `spawn_blocking`).
    ///
    /// # Errors
    /// `Config` when encryption keys are given that do not open what is stored, or refused by their provider for good
    /// (see [`Automarket::check_keyring`]), and `Internal` when the system gives no thread for heartbeats; nothing
    /// was done then. A store that is away is asked again after half a second, or the poll interval where that is
    /// shorter, and a key provider when a key is needed.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            biased;
            fit = self.market.engine.accounts.fit_for_work() => fit?,
            () = &mut shutdown => return Ok(()),
        }
        let engine = self.market.engine.clone();
        let held = Arc::new(Held::new(self.lease));
        // Of each run: a clone is another worker.
        let name = format!("worker-{}", JobId::new());
        // Both end with this future.
        let _heart = Heart::start(held.clone(), engine.store.clone())?;
        let mut duties = JoinSet::new();
        let work = Duties {
            engine: engine.clone(),
            held: held.clone(),
            name: name.clone(),
            kinds: engine.kinds().map(str::to_owned).collect(),
            poll: self.poll,
        };
        duties.spawn(work.run());
        let mut shift = Shift {
            worker: self,
            name: name.clone(),
            held,
            running: JoinSet::new(),
            ended: Vec::new(),
            suspects: VecDeque::new(),
            empty_until: None,
            strangers_at: Instant::now(),
        };
        shift.work(shutdown).await;
        duties.shutdown().await;
        if let Ok(gone) = timeout(DROP, engine.store.remove_worker(&name)).await {
            metrics::store_result("remove_worker", gone.map(drop));
        }
        // What was handed back is there for the other workers of this process.
        engine.wake.notify_waiters();
        Ok(())
    }
}

/// A worker at work.
struct Shift {
    worker: Worker,
    name: String,
    held: Arc<Held>,
    running: JoinSet<Ended>,
    /// Jobs whose verdicts are not written yet.
    ended: Vec<Ended>,
    /// Jobs that may have killed their workers, and their kinds: lent and handed back, to be taken one by one.
    suspects: VecDeque<(JobId, String)>,
    /// One of them is there or runs: until this instant nothing is taken while anything runs.
    empty_until: Option<Instant>,
    /// When to look for jobs of any kind again.
    strangers_at: Instant,
}

impl Shift {
    async fn work(&mut self, mut shutdown: impl Future<Output = ()> + Unpin) {
        let engine = self.worker.market.engine.clone();
        // Armed again only when it went off, and then the queue is looked at: nothing put in is missed.
        let mut wake = pin!(engine.wake.notified());
        let mut woken = engine.store.woken();
        // The store is asked and told at the same time, one call each.
        let mut taking: OptionFuture<BoxFuture<'static, Taken>> = None.into();
        let mut writing: OptionFuture<BoxFuture<'static, Written>> = None.into();
        let (mut is_taking, mut is_writing) = (false, 0);
        let (mut look, mut look_at, mut write_at) = (true, Instant::now(), Instant::now());
        // The last look had no answer, and is still to be had.
        let mut refused = false;
        loop {
            while let Some(joined) = self.running.try_join_next() {
                self.ended.extend(joined);
            }
            if is_writing == 0 && !self.ended.is_empty() && write_at <= Instant::now() {
                is_writing = self.ended.len();
                let ended = std::mem::take(&mut self.ended);
                let written = write(engine.clone(), ended, self.worker.lease);
                writing = Some(written.boxed()).into();
            }
            let unwritten = self.ended.len() + is_writing;
            if !is_taking && look {
                if let Some(order) = self.order(unwritten) {
                    (is_taking, look) = (true, false);
                    taking = Some(order.take(engine.clone(), self.held.clone()).boxed()).into();
                } else {
                    refused = false;
                }
            }
            if !is_taking && !refused && unwritten == 0 {
                // No look is due, or there is no room: nothing is wrong.
                self.held.polled_at(Instant::now());
            }
            let later = !self.ended.is_empty() && is_writing == 0;
            let kept_empty = self.kept_empty();
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(joined) = self.running.join_next() => self.ended.extend(joined),
                Some(written) = &mut writing, if is_writing > 0 => {
                    is_writing = 0;
                    // What was put off may be due soon, and a kind that was full has room again.
                    look |= !self.worker.limits.is_empty()
                        || written.gone.iter().any(|ended| !matches!(ended.end, Ok(End::Done(_))));
                    if !self.written(written) {
                        write_at = Instant::now() + AGAIN;
                    }
                }
                Some(taken) = &mut taking, if is_taking => {
                    is_taking = false;
                    refused = matches!(taken.next, Next::Again(_));
                    match taken.next {
                        Next::Now => look = true,
                        Next::At(at) | Next::Again(at) => look_at = at,
                    }
                    self.start(taken);
                    look |= self.empty_until.is_some() || !self.suspects.is_empty();
                }
                () = &mut wake => {
                    wake.set(engine.wake.notified());
                    look = true;
                }
                () = &mut woken => {
                    woken = engine.store.woken();
                    look = true;
                }
                () = sleep_until(look_at.min(self.strangers_at)), if !look && !is_taking => look = true,
                () = sleep_until(write_at), if later => {}
                () = sleep_until(kept_empty.unwrap_or(write_at)), if kept_empty.is_some() => {}
                // So that it is known to be at its post.
                () = sleep(BEAT) => {}
            }
        }
        let end = Instant::now() + self.worker.grace;
        // What the store was asked and told before has its time, though there be no grace.
        let answered = end.max(Instant::now() + LAST);
        if is_writing > 0
            && let Ok(Some(written)) = timeout_at(answered, writing).await
        {
            self.written(written);
        }
        if is_taking && let Ok(Some(taken)) = timeout_at(answered, taking).await {
            // Taken as the shutdown came.
            self.hand_back(taken.leases);
            self.hand_back(taken.others);
        }
        self.stop(end).await;
    }

    /// Gives jobs back as they are.
    fn hand_back(&mut self, leases: Vec<Lease>) {
        let back = |lease| Ended::new(lease, Ok(End::Release), Duration::ZERO);
        self.ended.extend(leases.into_iter().map(back));
    }

    /// Lets running jobs end, and hands back what does not.
    async fn stop(&mut self, end: Instant) {
        let last = end + DROP + LAST;
        self.write(last).await;
        while !self.running.is_empty() {
            let Ok(joined) = timeout_at(end, self.running.join_next()).await else {
                break;
            };
            self.ended.extend(joined.and_then(|ended| ended.ok()));
            self.write(last).await;
        }
        self.held.stop_all();
        let dropped = Instant::now() + DROP;
        while let Ok(Some(joined)) = timeout_at(dropped, self.running.join_next()).await {
            self.ended.extend(joined);
        }
        // While the store is away it is asked again, then the leases run out by themselves.
        let last = Instant::now() + LAST;
        while !self.write(last).await && Instant::now() + AGAIN < last {
            sleep(AGAIN).await;
        }
    }

    /// Writes the verdicts of all jobs that have ended by now. What is not answered by `end` is left to the leases.
    async fn write(&mut self, end: Instant) -> bool {
        while let Some(joined) = self.running.try_join_next() {
            self.ended.extend(joined);
        }
        let engine = self.worker.market.engine.clone();
        let ended = std::mem::take(&mut self.ended);
        match timeout_at(end, write(engine, ended, self.worker.lease)).await {
            Ok(written) => self.written(written),
            Err(_) => true,
        }
    }

    /// Lets written leases go. `false` when the store did not take the verdicts: they are kept, and so are
    /// their leases, but those that it took all the same.
    fn written(&mut self, mut written: Written) -> bool {
        let is_over = |ended: &mut Ended| self.held.is_over(&ended.lease.token);
        let over = written.kept.extract_if(.., is_over);
        written.gone.extend(over);
        let gone = written.gone.iter().map(|ended| ended.lease.token);
        self.held.let_go(gone);
        let all = written.kept.is_empty();
        written.kept.append(&mut self.ended);
        self.ended = written.kept;
        all
    }

    /// What to ask the queue for; `None` while there is no room. Verdicts that are not written yet take no
    /// room until they are as many as jobs may run.
    fn order(&mut self, unwritten: usize) -> Option<Order> {
        if self.kept_empty().is_some() && (unwritten > 0 || !self.running.is_empty()) {
            return None;
        }
        let most = self.worker.concurrency;
        // By halves, where there are many: while one half is taken, the other runs.
        let half = most.div_ceil(2).max(100);
        let free = most.saturating_sub(self.running.len()).min(half);
        let full = self.full();
        let kinds = self.known(|kind| !full.contains(&kind));
        if free == 0 || unwritten >= most || kinds.is_empty() {
            return None;
        }
        // However many of one kind come, there is room for them.
        let room = self.rooms().map(|(_, room)| room).filter(|room| *room > 0);
        let first = room.min().unwrap_or(free).min(free);
        let unlimited = match first < free {
            true => self.known(|kind| !self.worker.limits.contains_key(kind)),
            false => Vec::new(),
        };
        let claim = |kinds, limit| Claim {
            kinds,
            max_crashes: self.worker.max_crashes,
            among_others: true,
            ..Claim::new(self.name.clone(), limit).lease(self.worker.lease)
        };
        // By its id, so that it waits for no tenant's turn.
        let mut suspects = self.suspects.iter();
        if let Some((job, _)) = suspects.find(|(_, kind)| !full.contains(&kind.as_str())) {
            let alone = Claim {
                among_others: false,
                ..claim(Vec::new(), 1).only(*job)
            };
            // What is handed back is there once that is written.
            return (unwritten == 0).then_some(Order {
                first: alone,
                then: None,
                poll: self.worker.poll,
            });
        }
        let turn = self.strangers_at <= Instant::now();
        let any = turn && full.is_empty();
        let order = Order {
            first: claim(if any { Vec::new() } else { kinds }, first),
            then: (!unlimited.is_empty()).then(|| claim(unlimited, free - first)),
            poll: self.worker.poll,
        };
        if turn {
            // Where a kind is full, soon again.
            let soon = self.worker.poll.min(STRANGERS);
            self.strangers_at = Instant::now() + if any { STRANGERS } else { soon };
        }
        Some(order)
    }

    /// Until when nothing is taken while anything runs.
    fn kept_empty(&self) -> Option<Instant> {
        self.empty_until.filter(|until| *until > Instant::now())
    }

    /// Sets the jobs running. One whose next crash is its last runs alone, so that a job which kills its workers
    /// takes none with it: it was lent, is handed back, and taken by itself once nothing runs. A job that kills does
    /// so soon, so a long one in its company, or of its sort, holds the others up no longer than a lease.
    fn start(&mut self, mut taken: Taken) {
        let last = last_chance(self.worker.max_crashes);
        let is_there = taken.leases.iter().any(|lease| lease.job.crashes >= last);
        self.empty_until = is_there.then(|| Instant::now() + self.worker.lease);
        self.suspects.retain(|(job, _)| Some(*job) != taken.only);
        self.hand_back(taken.others);
        let (lent, own): (Vec<Lease>, _) =
            taken.leases.into_iter().partition(|lease| lease.in_trust);
        taken.leases = own;
        let suspects = lent.iter().map(|lease| &lease.job);
        self.suspects
            .extend(suspects.map(|job| (job.id, job.kind.clone())));
        self.hand_back(lent);
        let engine = &self.worker.market.engine;
        metrics::claimed(taken.leases.iter().map(|lease| {
            let waited = (lease.expires_at - lease.job.run_at).to_std();
            let waited = waited.unwrap_or_default().saturating_sub(self.worker.lease);
            (engine.kind_label(&lease.job.kind), waited)
        }));
        for lease in taken.leases {
            let stop = self.held.hold(&lease, taken.since);
            let (engine, time) = (engine.clone(), self.worker.lease);
            self.running
                .spawn(async move { run::run(&engine, lease, time, stop).await });
        }
    }

    /// How much room each limited kind has.
    fn rooms(&self) -> impl Iterator<Item = (&str, usize)> {
        let limits = self.worker.limits.iter();
        limits.map(|(kind, limit)| {
            let room = limit.saturating_sub(self.held.of_kind(kind));
            (kind.as_str(), room)
        })
    }

    /// The kinds that have no room.
    fn full(&self) -> Vec<&str> {
        let full = self.rooms().filter(|(_, room)| *room == 0);
        full.map(|(kind, _)| kind).collect()
    }

    /// The known kinds that are wanted.
    fn known(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let engine = &self.worker.market.engine;
        let kinds = engine.kinds().filter(|kind| wanted(kind));
        kinds.map(str::to_owned).collect()
    }
}

/// The store's answer, or that there was none in time: whoever asks again may get another connection.
async fn in_time<T>(patience: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(patience, call).await.unwrap_or_else(|_| {
        let message = format!("the store gave no answer in {} s", patience.as_secs());
        Err(Error::new(ErrorKind::Storage, message))
    })
}

pub(crate) fn retry_at(now: DateTime<Utc>, attempt: u32) -> DateTime<Utc> {
    now + automarket_core::chrono::Duration::from_std(backoff(attempt, fastrand::f64()))
        .unwrap_or_default()
}
