//! A store in memory that counts calls, and fails or hangs when told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use automarket::{
    AccountId, CampaignId, Clock, Error, ErrorKind, JobId, Post, PostId, PublicationId, Result,
    TenantId,
    content::Campaign,
    core::{
        async_trait,
        chrono::{DateTime, Utc},
    },
    store::{
        Account, AccountStore, Attempt, AttemptStats, AttemptStore, Audit, AuditStore,
        CampaignStore, Claim, CredentialStore, Enqueued, Event, EventStore, Flow, FlowStore, Gate,
        GateStore, Job, JobState, JobStore, KeyUse, Lease, LeaseToken, Measurement,
        MeasurementStore, MemoryStore, NewAudit, NewCredential, NewEvent, NewJob, NewPublishing,
        Overdue, Pass, Publication, PublicationStore, PublishingChange, QueueRates, QueueStats,
        Routing, Schedule, ScheduleStore, SealedCredential, Settled, Signal, UpkeepStore, Verdict,
        Woken, WorkerBeat, WorkerRecord,
    },
};
use serde_json::Value;
use tokio::sync::{Notify, watch};

#[derive(Default)]
pub(super) struct Calls {
    pub(super) claims: usize,
    pub(super) looks: usize,
    /// How many verdicts each call had.
    pub(super) settles: Vec<usize>,
    /// How many leases each call had.
    pub(super) beats: Vec<usize>,
    /// Looks at the schedules.
    pub(super) schedules: usize,
    /// Reads of steps.
    pub(super) steps: usize,
    /// Words of workers.
    pub(super) workers: usize,
    /// How many ended jobs each call removed.
    pub(super) removed: Vec<usize>,
}

pub(super) struct Watched {
    inner: MemoryStore,
    pub(super) calls: watch::Sender<Calls>,
    /// What another process says.
    word: Notify,
    /// How many of the next calls fail.
    pub(super) settle_fails: AtomicU32,
    pub(super) heartbeat_fails: AtomicU32,
    pub(super) change_fails: AtomicU32,
    pub(super) reads_fail: AtomicU32,
    /// Whether remembering a step never ends.
    pub(super) hangs: AtomicBool,
}

impl Watched {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::with_clock(clock),
            calls: watch::Sender::new(Calls::default()),
            word: Notify::new(),
            settle_fails: AtomicU32::new(0),
            heartbeat_fails: AtomicU32::new(0),
            change_fails: AtomicU32::new(0),
            reads_fail: AtomicU32::new(0),
            hangs: AtomicBool::new(false),
        })
    }

    /// Waits until the calls so far are as wanted.
    pub(super) async fn until(&self, wanted: impl FnMut(&Calls) -> bool) {
        self.calls.subscribe().wait_for(wanted).await.unwrap();
    }
}

fn fault(left: &AtomicU32) -> Result<()> {
    let took = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    match took {
        Ok(_) => Err(Error::new(ErrorKind::Storage, "the database is away")),
        Err(_) => Ok(()),
    }
}

#[async_trait]
impl AccountStore for Watched {
    async fn put_account(&self, account: &Account) -> Result<Account> {
        self.inner.put_account(account).await
    }
    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>> {
        self.inner.account(tenant, id).await
    }
    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>> {
        self.inner.accounts(tenant).await
    }
    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool> {
        self.inner.remove_account(tenant, id).await
    }
}

#[async_trait]
impl CampaignStore for Watched {
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()> {
        self.inner.put_campaign(tenant, campaign).await
    }
    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>> {
        self.inner.campaign(tenant, id).await
    }
    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>> {
        self.inner.campaigns(tenant, limit).await
    }
}

#[async_trait]
impl EventStore for Watched {
    async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        self.inner.append_events(events).await
    }
    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.inner.events(tenant, after, limit).await
    }
    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        self.inner.events_about(tenant, subject).await
    }
}

#[async_trait]
impl PublicationStore for Watched {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        self.inner.put_publishing(publishing).await
    }
    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        self.inner.post(tenant, id).await
    }
    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        self.inner.publication(tenant, id).await
    }
    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        self.inner.publications(tenant, post).await
    }
    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        fault(&self.change_fails)?;
        self.inner.change_publishing(change).await
    }
    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        limit: usize,
    ) -> Result<Vec<Publication>> {
        self.inner.live_publications(tenant, account, limit).await
    }
    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        routing: &Routing,
    ) -> Result<()> {
        self.inner.put_routing(tenant, account, routing).await
    }
    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing> {
        self.inner.routing(tenant, account).await
    }
}

#[async_trait]
impl AttemptStore for Watched {
    async fn attempts(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Attempt>> {
        self.inner.attempts(tenant, publication).await
    }
    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>> {
        self.inner.attempt_stats(tenant, since).await
    }
}

#[async_trait]
impl MeasurementStore for Watched {
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()> {
        self.inner.put_measurement(measurement).await
    }
    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>> {
        self.inner.measurements(tenant, publication).await
    }
    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        self.inner.measurements_since(tenant, since, limit).await
    }
    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.inner.remove_measurements(before, limit).await
    }
}

#[async_trait]
impl JobStore for Watched {
    async fn now(&self) -> Result<DateTime<Utc>> {
        self.inner.now().await
    }
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        self.inner.enqueue(jobs).await
    }
    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>> {
        self.calls.send_modify(|calls| calls.claims += 1);
        self.inner.claim(claim).await
    }
    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>> {
        self.calls
            .send_modify(|calls| calls.beats.push(leases.len()));
        fault(&self.heartbeat_fails)?;
        self.inner.heartbeat(leases, lease).await
    }
    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>> {
        self.calls
            .send_modify(|calls| calls.settles.push(verdicts.len()));
        fault(&self.settle_fails)?;
        self.inner.settle(verdicts).await
    }
    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        self.inner.job(tenant, id).await
    }
    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>> {
        self.inner.job_by_key(tenant, kind, key).await
    }
    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>> {
        self.inner.jobs(tenant, state, limit).await
    }
    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        self.inner.cancel_job(tenant, id).await
    }
    async fn reschedule_job(
        &self,
        tenant: &TenantId,
        id: JobId,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        self.inner.reschedule_job(tenant, id, at).await
    }
    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        self.inner.redrive(tenant, id).await
    }
    async fn queue_stats(&self) -> Result<QueueStats> {
        self.inner.queue_stats().await
    }
    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>> {
        self.calls.send_modify(|calls| calls.looks += 1);
        self.inner.next_ready(kinds).await
    }
    fn wake(&self) {
        self.word.notify_waiters();
    }
    fn woken(&self) -> Woken<'_> {
        Box::pin(self.word.notified())
    }
    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>> {
        self.calls.send_modify(|calls| calls.steps += 1);
        self.inner.step(tenant, job, name).await
    }
    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.put_step(lease, name, value).await
    }
    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>> {
        self.calls.send_modify(|calls| calls.steps += 1);
        self.inner.steps(tenant, job).await
    }
}

#[async_trait]
impl CredentialStore for Watched {
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential> {
        self.inner.put_credential(credential, over).await
    }
    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>> {
        self.inner.credential(tenant, account).await
    }
    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>> {
        self.inner.credentials(tenant).await
    }
    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>> {
        self.inner
            .lease_credential(tenant, account, version, lease)
            .await
    }
    async fn release_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        leased_until: DateTime<Utc>,
        wait: Duration,
    ) -> Result<()> {
        self.inner
            .release_credential(tenant, account, version, leased_until, wait)
            .await
    }
    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        self.inner
            .credential_needs_reauth(tenant, account, version, event)
            .await
    }
    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()> {
        self.inner.credential_used(tenant, account).await
    }
    async fn remove_credential(&self, tenant: &TenantId, account: AccountId) -> Result<bool> {
        self.inner.remove_credential(tenant, account).await
    }
    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>> {
        self.inner.credentials_not_under(key_id, after, limit).await
    }
    async fn credential_under(&self, key_id: &str) -> Result<Option<SealedCredential>> {
        self.inner.credential_under(key_id).await
    }
    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        self.inner
            .reseal_credential(tenant, account, version, key_id, sealed)
            .await
    }
    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        self.inner.key_uses().await
    }
}

#[async_trait]
impl AuditStore for Watched {
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()> {
        self.inner.append_audit(entries).await
    }
    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>> {
        self.inner.audit(tenant, after, limit).await
    }
    async fn drop_audit_before(&self, tenant: &TenantId, before: DateTime<Utc>) -> Result<u64> {
        self.inner.drop_audit_before(tenant, before).await
    }
    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        self.inner.erase_audit_of(tenant, account).await
    }
}

#[async_trait]
impl FlowStore for Watched {
    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        self.inner.put_flow(flow).await
    }
    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>> {
        self.inner.take_flow(tenant, id).await
    }
    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>> {
        self.inner.flows(after, limit).await
    }
    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool> {
        self.inner.reseal_flow(flow, sealed).await
    }
}

#[async_trait]
impl ScheduleStore for Watched {
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule> {
        self.inner.put_schedule(schedule).await
    }
    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>> {
        self.inner.schedule(tenant, name).await
    }
    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Schedule>> {
        self.inner.schedules(tenant).await
    }
    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        self.inner.remove_schedule(tenant, name).await
    }
    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>> {
        self.calls.send_modify(|calls| calls.schedules += 1);
        self.inner.next_schedules(limit).await
    }
    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        self.inner.run_schedule(schedule, next_at).await
    }
}

#[async_trait]
impl GateStore for Watched {
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass> {
        self.inner.pass_gates(tenant, account, bucket).await
    }
    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
    ) -> Result<Gate> {
        self.inner.tell_gate(tenant, account, name, signal).await
    }
    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        self.inner.gates(tenant).await
    }
}

#[async_trait]
impl UpkeepStore for Watched {
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()> {
        self.inner.put_worker(beat).await?;
        self.calls.send_modify(|calls| calls.workers += 1);
        Ok(())
    }
    async fn remove_worker(&self, name: &str) -> Result<bool> {
        self.inner.remove_worker(name).await
    }
    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        fault(&self.reads_fail)?;
        self.inner.workers().await
    }
    async fn overdue(&self, grace: Duration, limit: usize) -> Result<Vec<Overdue>> {
        self.inner.overdue(grace, limit).await
    }
    async fn queue_rates(&self) -> Result<QueueRates> {
        self.inner.queue_rates().await
    }
    async fn schema_version(&self) -> Result<u32> {
        self.inner.schema_version().await
    }
    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let removed = self.inner.remove_ended(before, limit).await?;
        self.calls.send_modify(|calls| calls.removed.push(removed));
        Ok(removed)
    }
    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.inner.remove_events(before, limit).await
    }
    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.inner.remove_attempts(before, limit).await
    }
    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        self.inner.remove_dead(tenant, kind, limit).await
    }
    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        self.inner.redrive_dead(tenant, kind, limit).await
    }
}
