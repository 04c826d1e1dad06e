use std::{collections::BTreeMap, future::Future, pin::Pin, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules::last_chance;
use crate::{Error, ErrorRecord, JobId, Result, TenantId};

/// A job to be put into the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Our id: one in the store, whosever the job is. One that follows from a name
    /// ([`JobId::derived`](crate::JobId::derived)) has the tenant in that name.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is to be done: the name of a registered handler. At most 200 bytes.
    pub kind: String,
    /// With what.
    pub payload: Value,
    /// Not before this instant; `None` is at once.
    pub run_at: Option<DateTime<Utc>>,
    /// Higher goes first; 0 is usual.
    pub priority: i16,
    /// How often it may fail before it is dead.
    pub max_attempts: u32,
    /// While a job of this tenant, kind and key is waiting or running, no second one is put in. At most 1,000 bytes.
    pub unique_key: Option<String>,
}

impl NewJob {
    /// A job for now, priority 0, 20 attempts.
    #[must_use]
    pub fn new(tenant: TenantId, kind: impl Into<String>, payload: Value) -> Self {
        Self {
            id: JobId::new(),
            tenant,
            kind: kind.into(),
            payload,
            run_at: None,
            priority: 0,
            max_attempts: 20,
            unique_key: None,
        }
    }

    /// Not before this instant.
    #[must_use]
    pub fn run_at(mut self, at: DateTime<Utc>) -> Self {
        self.run_at = Some(at);
        self
    }

    /// Never given up by the queue, whatever failed and however often its worker was gone: its handler sees how
    /// often ([`Run::attempt`](crate::pipeline::Run::attempt), [`Run::crashes`](crate::pipeline::Run::crashes)), and
    /// ends it with an error whose retry is `Never` once it has settled what hangs on it (but of the kinds `Config`
    /// and `Storage`, which somebody may mend). It has to look at them before it does
    /// anything else: nothing else ends such a job, nor one whose payload its handler cannot take.
    #[must_use]
    pub fn unending(mut self) -> Self {
        self.max_attempts = u32::MAX;
        self
    }

    /// Only one of this tenant, kind and key, of at most 1,000 bytes, at a time.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Whether every store can hold it, and end it: an index of PostgreSQL's has an end, and its texts have no U+0000.
    /// Stores ask it of all that is put in.
    ///
    /// # Errors
    /// `InvalidInput` for a kind of more than 200 bytes (`kind`) and a key of more than 1,000 (`unique_key`), and for
    /// U+0000 in either.
    pub fn check(&self) -> Result<()> {
        Self::check_kind(&self.kind)?;
        if !self.unique_key.as_ref().is_none_or(|key| fits(key, 1_000)) {
            let rule = "a unique key has at most 1,000 bytes, and no U+0000";
            return Err(Error::invalid("unique_key", rule));
        }
        Ok(())
    }

    /// Whether every store can hold jobs of this kind.
    ///
    /// # Errors
    /// `InvalidInput` (`kind`) as [`check`](Self::check).
    pub fn check_kind(kind: &str) -> Result<()> {
        if fits(kind, 200) {
            return Ok(());
        }
        let rule = "a kind has at most 200 bytes, and no U+0000";
        Err(Error::invalid("kind", rule))
    }
}

fn fits(text: &str, most: usize) -> bool {
    text.len() <= most && !text.contains('\0')
}

/// What became of a job handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue.
    New(JobId),
    /// A job with its unique key is waiting or running: this one. Also when the tenant has a job with the
    /// id itself, ended or not.
    Existing(JobId),
}

impl Enqueued {
    /// The id of the job that will run.
    #[must_use]
    pub fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Our id.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is to be done.
    pub kind: String,
    /// With what.
    pub payload: Value,
    /// Where it stands.
    pub state: JobState,
    /// Not before this instant.
    pub run_at: DateTime<Utc>,
    /// Higher goes first.
    pub priority: i16,
    /// Attempts that count: failures and crashes, and the one under way.
    pub attempts: u32,
    /// How often its worker was gone.
    pub crashes: u32,
    /// How often it may fail.
    pub max_attempts: u32,
    /// Its unique key.
    pub unique_key: Option<String>,
    /// The fencing token of the newest lease; 0 before the first.
    pub fence: i64,
    /// What it gave, once completed.
    pub result: Option<Value>,
    /// Why it failed, oldest first; the newest 20 are kept.
    pub failures: Vec<Failure>,
    /// When it was put in.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time or for a worker.
    Waiting,
    /// A worker holds it.
    Leased,
    /// Done.
    Completed,
    /// Given up; kept with its history until redriven.
    Dead,
    /// Called off.
    Cancelled,
}

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub error: ErrorRecord,
}

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The worker's name, for people.
    pub worker: String,
    /// Only these kinds; empty is any.
    pub kinds: Vec<String>,
    /// Only this job.
    pub job: Option<JobId>,
    /// How many at the most.
    pub limit: usize,
    /// For how long; a heartbeat prolongs it.
    pub lease: Duration,
    /// A job whose worker was gone this many times is dead instead of claimed.
    pub max_crashes: u32,
    /// Whether other jobs run in the same process: one that may be what kills its workers is then only lent
    /// (see [`Lease::in_trust`]).
    pub among_others: bool,
}

impl Claim {
    /// Up to `limit` jobs of any kind for 30 s, dead after 3 crashes.
    #[must_use]
    pub fn new(worker: impl Into<String>, limit: usize) -> Self {
        Self {
            worker: worker.into(),
            kinds: Vec::new(),
            job: None,
            limit,
            lease: Duration::from_secs(30),
            max_crashes: 3,
            among_others: false,
        }
    }

    /// Whether a job with so many crashes would only be lent.
    #[must_use]
    pub fn lends(&self, crashes: u32) -> bool {
        self.among_others && crashes >= last_chance(self.max_crashes)
    }

    /// Only this job.
    #[must_use]
    pub fn only(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// For this long.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }
}

/// Which lease of which job. An older fence than the row's has no power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseToken {
    /// The job.
    pub job: JobId,
    /// The fencing token: higher with every lease of the job, also when its id was removed and put in again; see
    /// [`next_fence`](super::rules::next_fence).
    pub fence: i64,
}

/// A claimed job.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// What proves the lease.
    pub token: LeaseToken,
    /// The job, its attempt counted.
    pub job: Job,
    /// Until when, by the store's clock.
    pub expires_at: DateTime<Utc>,
    /// Whether it is not to be run, but given back ([`Verdict::Release`]): the next crash is its last, and the
    /// claim was for work [among others](Claim::among_others), any of which may end the process. When such a lease
    /// runs out, neither crash nor attempt is counted.
    pub in_trust: bool,
}

impl Lease {
    /// Whether this, as it was claimed for so long, is surely its job's first lease: its fence is the time of the claim.
    #[must_use]
    pub fn is_first(&self, lease: Duration) -> bool {
        let lease = TimeDelta::from_std(lease).ok();
        let claimed_at = lease.and_then(|lease| self.expires_at.checked_sub_signed(lease));
        claimed_at.is_some() && claimed_at == DateTime::from_timestamp_micros(self.token.fence)
    }
}

/// What became of a claimed job.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Done, with this result.
    Complete(Value),
    /// Failed: again at this instant, unless its attempts are used up; then dead.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        error: ErrorRecord,
    },
    /// Not now, through no fault of the job: again at this instant; the attempt is not counted.
    Snooze {
        /// When.
        at: DateTime<Utc>,
    },
    /// Handed back unfinished: at once for the next worker, in its old place in the line; the attempt is
    /// not counted.
    Release,
    /// Failed for good.
    Bury(ErrorRecord),
}

/// Whether a verdict took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It did; this is the new state.
    Now(JobState),
    /// The lease had passed on or run out and been taken: nothing was changed.
    LeaseLost,
}

/// Why a job is dead: the `rule` of its last failure, where that error has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadReason {
    /// Its attempts were used up.
    Attempts,
    /// Its worker was gone too often.
    Crashes,
    /// It was buried.
    Buried,
}

impl DeadReason {
    /// The `rule` of a last failure that has none of its own.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Attempts => "queue.attempts",
            Self::Crashes => "queue.crashes",
            Self::Buried => "queue.buried",
        }
    }
}

/// Waits for [`JobStore::woken`].
pub type Woken<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// How full the queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStats {
    /// Jobs whose time has come and that nobody holds, also those whose lease ran out.
    pub ready: u64,
    /// Jobs whose time has not come.
    pub later: u64,
    /// Jobs that a worker holds.
    pub leased: u64,
    /// Jobs given up.
    pub dead: u64,
    /// Those of them that died of what somebody gave, by [`ErrorRecord::is_of_input`]; looked for among a thousand.
    #[serde(default)]
    pub dead_by_input: u64,
    /// Since when the oldest ready job is due: the earliest `run_at` of all that are ready.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// The queue: at least once, leased, fenced.
///
/// A job is *ready* when it waits and its time has come, or when its lease has run out. Ready jobs are
/// claimed by priority (higher first), then by `run_at`, then in the order they were put in, fairly between
/// tenants: within one priority the tenants take turns, so that no tenant's flood keeps another's jobs out
/// of a claim, nor out of the next ones when a claim is too small for all.
///
/// What a verdict or a crash makes of a job is the same everywhere: [`Verdict::resolve`],
/// [`Crash::new`](super::rules::Crash::new).
#[async_trait]
pub trait JobStore: Send + Sync {
    /// The store's clock.
    async fn now(&self) -> Result<DateTime<Utc>>;

    /// Puts jobs in, all or none; one answer per job, in order. Also within one call a unique key is
    /// taken once.
    ///
    /// # Errors
    /// Those of [`NewJob::check`]; `Conflict` when a job of another tenant has one of the ids.
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>>;

    /// Leases ready jobs: exclusive, each with a new fence and its attempt counted, in the order of the
    /// line. A job found with a lease that ran out counts a crash and a failure; at `max_crashes`, or with
    /// its attempts used up, it is dead instead, unless it is [unending](NewJob::unending).
    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>>;

    /// Prolongs leases from now on; returns those that could not be, because they passed on or ended. A
    /// lease that ran out but that nobody took is prolonged.
    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>>;

    /// Ends leases, each with its verdict; one answer per lease, in order. A lease that ran out but that
    /// nobody took still counts.
    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>>;

    /// The job with this id, ended or not.
    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>>;

    /// The job of this kind and unique key that was put in last, ended or not.
    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>>;

    /// The tenant's jobs in one state, the one put in last first, at most `limit`. A job whose lease ran out
    /// is `Leased` until it is claimed again.
    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>>;

    /// Calls a waiting job off, due or not. `false` when it is not waiting.
    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool>;

    /// Gives a waiting job, due or not, another time. `false` when it is not waiting.
    async fn reschedule_job(&self, tenant: &TenantId, id: JobId, at: DateTime<Utc>)
    -> Result<bool>;

    /// Puts a dead job back in for now, its attempts and crashes at zero, its history and steps kept.
    /// `false` when it is not dead, or a live job holds its unique key.
    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool>;

    /// How full the queue is, over all tenants.
    async fn queue_stats(&self) -> Result<QueueStats>;

    /// How many jobs of each kind have not ended, over all tenants.
    async fn live_kinds(&self) -> Result<BTreeMap<String, u64>>;

    /// When the earliest waiting job of these kinds (empty is any) becomes ready, or the earliest lease runs
    /// out; for a worker's sleep. Not after now when one is ready already; `None` when there is none.
    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>>;

    /// Tells the workers of all processes on this store that jobs may be there: at once, without waiting for
    /// it. Methods that put jobs in do it by themselves; call it after a transaction of the host's own. Does
    /// nothing on a store that cannot tell other processes.
    fn wake(&self);

    /// Done at the next word that jobs may be there, from this process or another; none is missed from the
    /// call on, whenever the future is polled. Words may come without need, and get lost: workers look at the
    /// queue from time to time all the same. Never done on a store that cannot tell other processes.
    fn woken(&self) -> Woken<'_>;

    /// The remembered value of one step of a job.
    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>>;

    /// Remembers a step of a leased job; a second value under the same name takes the place of the first.
    ///
    /// # Errors
    /// `LeaseLost` when the lease has passed on or ended. One that ran out but that nobody took still counts.
    /// `InvalidInput` (`step.nesting`) when the value nests more than 120 arrays and objects.
    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()>;

    /// The steps of a job with their values, in the order in which they were first remembered.
    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>>;
}
