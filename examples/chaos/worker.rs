//! The worker process: the library as a host runs it, with a kind of jobs whose effect is at the fake.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use automarket::{
    Automarket, Builder, Error, ErrorKind, JobId, Keyring, Result as Outcome, Retry, Store, Tenant,
    core::{
        Bytes, Context, async_trait,
        http_types::{Request, Response},
        pipeline::Run,
    },
    http::{Body, Call, Guard, ReqwestTransport, Transport, TransportError},
    store::JobState,
    testing::{
        Fault, FaultPlan, FaultRule, FaultStore, FaultTransport, Recorder, StoreFault, StoreRule,
    },
};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Result, connectors, place::Place, scenarios};

/// The tenant of most scenarios.
pub(crate) const TENANT: &str = "acme";
/// The kind of the jobs that carry [`Work`].
pub(crate) const WORK: &str = "work";

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WorkerConfig {
    pub(crate) name: String,
    pub(crate) scenario: String,
    pub(crate) place: Place,
    /// Where the fake is.
    pub(crate) fake: String,
    pub(crate) connector: Option<String>,
    pub(crate) concurrency: usize,
    pub(crate) lease: Duration,
    pub(crate) grace: Duration,
    pub(crate) max_crashes: u32,
    /// As workers poll unless told otherwise where it is `None`.
    pub(crate) poll: Option<Duration>,
    /// How long an answer is waited for.
    pub(crate) answer_within: Duration,
    /// No heartbeat gets through.
    pub(crate) no_heartbeats: bool,
    pub(crate) crash: Option<Crash>,
    /// Ends once this job has ended. At its end a worker says how many calls to the store and how many requests
    /// it made, and for how many milliseconds its runtime stood still.
    pub(crate) until: Option<JobId>,
}

/// Where the process ends itself, if it comes that far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Crash {
    /// Around its nth call to the store.
    Store { nth: u32, after: bool },
    /// Around its nth request.
    Request { nth: u32, after: bool },
    /// At a named point, through the environment.
    Point(String),
}

impl Crash {
    /// The one after it, where they are counted.
    pub(crate) fn next(&self) -> Option<Self> {
        match *self {
            Self::Store { nth, after } => Some(Self::Store {
                nth: nth + 1,
                after,
            }),
            Self::Request { nth, after } => Some(Self::Request {
                nth: nth + 1,
                after,
            }),
            Self::Point(_) => None,
        }
    }
}

/// What a job of the kind [`WORK`] does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Tells the fake that it starts.
    pub(crate) told: bool,
    /// Ends the process.
    pub(crate) abort: bool,
    /// Takes so many milliseconds before the effect.
    pub(crate) hold: u64,
    /// Takes them three times in four, at random.
    pub(crate) sometimes: bool,
    /// The first one on each worker blocks all threads of the runtime for so many milliseconds.
    pub(crate) block: u64,
    /// The first one on each worker of the first generation (`w0`, `w1`, ...) takes so many milliseconds instead.
    pub(crate) long: u64,
}

pub(crate) async fn main(config: &str) -> Result<()> {
    let config: WorkerConfig = serde_json::from_str(config)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let plain = config.place.open().await?;
    let store = FaultStore::new(plain.clone());
    let requests = Arc::new(FaultPlan::new());
    let wire = Recorder::new(FaultTransport::new(
        Arc::new(Impatient::new(config.answer_within)?),
        requests.clone(),
    ));
    let market = builder(&config, Arc::new(store.clone()), wire.clone())?.build()?;
    // A connector's accounts are a tenant's of their own.
    let tenant = market.tenant(config.connector.as_deref().unwrap_or(TENANT))?;
    if let Some(name) = &config.connector {
        let connector = connectors::find(name)?;
        let account = (connector.account)(tenant.id().clone());
        tenant
            .add_account(account, (connector.credential)())
            .await?;
    }
    arm(&config, &store, &requests);
    let standstill = longest_standstill();
    // Said when it is ready, so that nobody is killed before there is anything to kill.
    println!("ready");
    let before = store.faults().calls();
    let worker = market
        .worker()
        .concurrency(config.concurrency)
        .lease(config.lease)
        .grace(config.grace)
        .max_crashes(config.max_crashes);
    let worker = match config.poll {
        Some(poll) => worker.poll(poll),
        None => worker,
    };
    let until = async {
        tokio::select! {
            _ = terminate.recv() => {}
            () = ended(&*plain, &tenant, config.until) => {}
        }
    };
    worker.run_until(until).await?;
    let calls = store.faults().calls() - before;
    let standstill = standstill.load(Ordering::Relaxed);
    println!("{calls} {} {standstill}", wire.requests().len());
    Ok(())
}

/// For how many milliseconds no task was run although one was ready, at the most.
fn longest_standstill() -> Arc<AtomicU64> {
    const TICK: Duration = Duration::from_millis(20);
    let longest = Arc::new(AtomicU64::new(0));
    let seen = longest.clone();
    tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            tokio::time::sleep(TICK).await;
            let late = begun.elapsed().saturating_sub(TICK).as_millis();
            seen.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    });
    longest
}

/// The key that all processes of a world share.
pub(crate) fn keyring() -> Keyring {
    let key = "chaos:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    Keyring::from_base64(key).expect("a key")
}

fn builder(config: &WorkerConfig, store: Arc<dyn Store>, wire: Recorder) -> Result<Builder> {
    let outside = Outside {
        cx: Context::new(wire.clone()).with_clock(config.place.clock()),
        base: config.fake.clone(),
        name: config.name.clone(),
        run: 0,
        begun: Arc::default(),
    };
    let base = Automarket::shared(store)
        .clock(config.place.clock())
        // What is measured weeks later would keep the queue from coming to rest.
        .measure_after([])
        // The fakes are done with what they do before they answer.
        .look_after(Duration::ZERO)
        .keyring(keyring());
    let mut builder = base.transport(wire).job(WORK, {
        let outside = outside.clone();
        move |work: Work, run: Run| perform(work, run, outside.clone())
    });
    if let Some(name) = &config.connector {
        builder = (connectors::find(name)?.register)(builder, &config.fake)?;
    }
    match scenarios::find(&config.scenario).and_then(|scenario| scenario.equip) {
        Some(equip) => Ok(equip(builder, &outside)),
        None => Ok(builder),
    }
}

fn arm(config: &WorkerConfig, store: &FaultStore, requests: &FaultPlan) {
    if config.no_heartbeats {
        let rule = StoreRule::on("heartbeat", StoreFault::FailBefore);
        store.faults().add(rule.times(u32::MAX));
    }
    match config.crash {
        Some(Crash::Store { nth, after }) => {
            let fault = if after {
                StoreFault::AbortAfter
            } else {
                StoreFault::AbortBefore
            };
            store.faults().add(StoreRule::new(fault).after(nth - 1));
        }
        Some(Crash::Request { nth, after }) => {
            let fault = if after {
                Fault::AbortAfter
            } else {
                Fault::AbortBefore
            };
            requests.add(FaultRule::on("", fault).after(nth - 1));
        }
        Some(Crash::Point(_)) | None => {}
    }
}

/// Waits until the job has ended, as the rows say; for ever when there is none.
async fn ended(store: &dyn Store, tenant: &Tenant, job: Option<JobId>) {
    let Some(id) = job else {
        return std::future::pending().await;
    };
    loop {
        let job = store.job(tenant.id(), id).await;
        let live = [JobState::Waiting, JobState::Leased];
        if job.is_ok_and(|job| job.is_some_and(|job| !live.contains(&job.state))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn perform(work: Work, run: Run, mut outside: Outside) -> Outcome<String> {
    outside.run = fastrand::u64(..);
    let id = run.id.to_string();
    if work.told {
        outside.tell("starts", &id).await?;
    }
    if work.abort {
        std::process::abort();
    }
    let first = !outside.begun.swap(true, Ordering::Relaxed);
    if work.block > 0 && first {
        block_the_runtime(Duration::from_millis(work.block));
    }
    let hold = if work.long > 0 && first && outside.name.starts_with('w') {
        work.long
    } else if work.sometimes && fastrand::u8(..4) == 0 {
        0
    } else {
        work.hold
    };
    tokio::time::sleep(Duration::from_millis(hold)).await;
    run.once(
        "effect",
        || outside.find(&id),
        || outside.tell("effects", &id),
    )
    .await?;
    // Whose verdict counted can be seen in the row.
    Ok(format!("{} {}", outside.name, run.attempt))
}

fn block_the_runtime(time: Duration) {
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        tokio::spawn(async move { std::thread::sleep(time) });
    }
}

/// The ledger, as jobs see it.
#[derive(Clone)]
pub(crate) struct Outside {
    cx: Context,
    base: String,
    name: String,
    /// Tells one run of a job from the next.
    run: u64,
    /// Whether a job has begun in this process.
    begun: Arc<AtomicBool>,
}

impl Outside {
    /// Has the ledger write it down.
    pub(crate) async fn tell(&self, list: &str, id: &str) -> Outcome<()> {
        let call = Call::post(
            "tell",
            &format!("{}/{list}/{id}/{}/{}", self.base, self.name, self.run),
        )?;
        let reply = self.cx.call(call).await?;
        match reply.status.as_u16() {
            201 => Ok(()),
            // Another run has looked meanwhile, perhaps one that lost its lease since: whoever holds it looks again.
            409 => Err(
                Error::new(ErrorKind::Internal, "another run has looked since")
                    .with_retry(Retry::Reconcile),
            ),
            status => Err(Error::new(
                ErrorKind::Internal,
                format!("the ledger said {status}"),
            )),
        }
    }

    /// Whether the ledger has this effect. If not, it takes it from this run alone.
    pub(crate) async fn find(&self, id: &str) -> Outcome<Option<()>> {
        let reply = self
            .cx
            .call(Call::get(
                "find",
                &format!("{}/effects/{id}/{}", self.base, self.run),
            )?)
            .await?;
        match reply.status.as_u16() {
            200 => Ok(Some(())),
            404 => Ok(None),
            status => Err(Error::new(
                ErrorKind::Internal,
                format!("the ledger said {status}"),
            )),
        }
    }
}

/// The real transport to this machine, which waits for no answer longer than this.
struct Impatient(ReqwestTransport, Duration);

impl Impatient {
    fn new(within: Duration) -> Result<Self> {
        let guard = Guard::default()
            .allow("127.0.0.1/32".parse()?)
            .allow_http(true);
        let inner = ReqwestTransport::builder().guard(guard).build()?;
        Ok(Self(inner, within))
    }
}

#[async_trait]
impl Transport for Impatient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let answer = tokio::time::timeout(self.1, self.0.send(request)).await;
        answer.unwrap_or_else(|_| {
            Err(TransportError::new(
                ErrorKind::Timeout,
                true,
                "no answer came in time",
            ))
        })
    }
}
