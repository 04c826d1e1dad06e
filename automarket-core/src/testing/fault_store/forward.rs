//! Every method of the store, on its way through the faults.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::FaultStore;
use crate::{
    AccountId, CampaignId, JobId, PostId, PublicationId, Result, TenantId,
    content::{Campaign, Post},
    store::{
        Account, AccountStore, Attempt, AttemptStats, AttemptStore, Audit, AuditStore,
        CampaignStore, Claim, CredentialStore, Enqueued, Event, EventStore, Flow, FlowStore, Gate,
        GateStore, Job, JobState, JobStore, KeyUse, Lease, LeaseToken, Measurement,
        MeasurementStore, NewAudit, NewCredential, NewEvent, NewJob, NewPublishing, Overdue, Pass,
        Publication, PublicationState, PublicationStore, PublishingChange, QueueRates, QueueStats,
        Routing, RoutingPart, Schedule, ScheduleStore, SealedCredential, Settled, Signal,
        UpkeepStore, Verdict, Woken, WorkerBeat, WorkerRecord,
    },
};

// One line a method: a method that is not forwarded does not compile, or is denied.

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AccountStore for FaultStore {
    async fn put_account(&self, account: &Account) -> Result<Account> {
        self.pass("put_account", self.inner.put_account(account))
            .await
    }
    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>> {
        self.pass("account", self.inner.account(tenant, id)).await
    }
    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>> {
        self.pass("accounts", self.inner.accounts(tenant)).await
    }
    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool> {
        self.pass("remove_account", self.inner.remove_account(tenant, id))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CampaignStore for FaultStore {
    async fn put_campaign(&self, tenant: &TenantId, campaign: &Campaign) -> Result<()> {
        self.pass("put_campaign", self.inner.put_campaign(tenant, campaign))
            .await
    }
    async fn campaign(&self, tenant: &TenantId, id: CampaignId) -> Result<Option<Campaign>> {
        self.pass("campaign", self.inner.campaign(tenant, id)).await
    }
    async fn campaigns(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Campaign>> {
        self.pass("campaigns", self.inner.campaigns(tenant, limit))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EventStore for FaultStore {
    async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        self.pass("append_events", self.inner.append_events(events))
            .await
    }
    async fn events(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.pass("events", self.inner.events(tenant, after, limit))
            .await
    }
    async fn last_event(&self, tenant: &TenantId) -> Result<i64> {
        self.pass("last_event", self.inner.last_event(tenant)).await
    }
    async fn events_about(&self, tenant: &TenantId, subject: &str) -> Result<Vec<Event>> {
        self.pass("events_about", self.inner.events_about(tenant, subject))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl JobStore for FaultStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        self.pass("now", self.inner.now()).await
    }
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        self.pass_many("enqueue", jobs.len(), self.inner.enqueue(jobs))
            .await
    }
    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>> {
        self.pass("claim", self.inner.claim(claim)).await
    }
    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>> {
        let kept = self.inner.heartbeat(leases, lease);
        self.pass_many("heartbeat", leases.len(), kept).await
    }
    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>> {
        let settled = self.inner.settle(verdicts);
        self.pass_many("settle", verdicts.len(), settled).await
    }
    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        self.pass("job", self.inner.job(tenant, id)).await
    }
    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>> {
        self.pass("job_by_key", self.inner.job_by_key(tenant, kind, key))
            .await
    }
    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>> {
        self.pass("jobs", self.inner.jobs(tenant, state, limit))
            .await
    }
    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        self.pass("cancel_job", self.inner.cancel_job(tenant, id))
            .await
    }
    async fn reschedule_job(
        &self,
        tenant: &TenantId,
        id: JobId,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let moved = self.inner.reschedule_job(tenant, id, at);
        self.pass("reschedule_job", moved).await
    }
    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        self.pass("redrive", self.inner.redrive(tenant, id)).await
    }
    async fn queue_stats(&self) -> Result<QueueStats> {
        self.pass("queue_stats", self.inner.queue_stats()).await
    }
    async fn live_kinds(&self) -> Result<BTreeMap<String, u64>> {
        self.pass("live_kinds", self.inner.live_kinds()).await
    }
    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>> {
        self.pass("next_ready", self.inner.next_ready(kinds)).await
    }
    // Its word is heard here, also before a store that tells no other process.
    fn wake(&self) {
        self.inner.wake();
        self.word.notify_waiters();
    }
    fn woken(&self) -> Woken<'_> {
        let (inner, word) = (self.inner.woken(), self.word.notified());
        Box::pin(async move {
            tokio::select! {
                () = inner => {}
                () = word => {}
            }
        })
    }
    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>> {
        self.pass("step", self.inner.step(tenant, job, name)).await
    }
    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()> {
        self.pass("put_step", self.inner.put_step(lease, name, value))
            .await
    }
    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>> {
        self.pass("steps", self.inner.steps(tenant, job)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl PublicationStore for FaultStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<bool> {
        self.pass("put_publishing", self.inner.put_publishing(publishing))
            .await
    }
    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        self.pass("post", self.inner.post(tenant, id)).await
    }
    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        self.pass("publication", self.inner.publication(tenant, id))
            .await
    }
    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        self.pass("publications", self.inner.publications(tenant, post))
            .await
    }
    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        self.pass("change_publishing", self.inner.change_publishing(change))
            .await
    }
    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        states: &[PublicationState],
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let live = self.inner.live_publications(tenant, account, states, limit);
        self.pass("live_publications", live).await
    }
    async fn sent_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Publication>> {
        let sent = self.inner.sent_publications(tenant, account, since);
        self.pass("sent_publications", sent).await
    }
    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        part: &RoutingPart,
    ) -> Result<()> {
        let put = self.inner.put_routing(tenant, account, part);
        self.pass("put_routing", put).await
    }
    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing> {
        self.pass("routing", self.inner.routing(tenant, account))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AttemptStore for FaultStore {
    async fn attempts(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Attempt>> {
        self.pass("attempts", self.inner.attempts(tenant, publication))
            .await
    }
    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>> {
        self.pass("attempt_stats", self.inner.attempt_stats(tenant, since))
            .await
    }
    async fn erase_attempts_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let erased = self.inner.erase_attempts_of(tenant, account);
        self.pass("erase_attempts_of", erased).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MeasurementStore for FaultStore {
    async fn put_measurement(&self, measurement: &Measurement) -> Result<()> {
        self.pass("put_measurement", self.inner.put_measurement(measurement))
            .await
    }
    async fn measurements(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Measurement>> {
        self.pass("measurements", self.inner.measurements(tenant, publication))
            .await
    }
    async fn measurements_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        self.pass(
            "measurements_since",
            self.inner.measurements_since(tenant, since, limit),
        )
        .await
    }
    async fn remove_measurements(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.pass(
            "remove_measurements",
            self.inner.remove_measurements(before, limit),
        )
        .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl GateStore for FaultStore {
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass> {
        self.pass("pass_gates", self.inner.pass_gates(tenant, account, bucket))
            .await
    }
    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
        of_probe: bool,
    ) -> Result<Gate> {
        self.pass(
            "tell_gate",
            self.inner
                .tell_gate(tenant, account, name, signal, of_probe),
        )
        .await
    }
    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        self.pass("gates", self.inner.gates(tenant)).await
    }
    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>> {
        self.pass("closed_gates", self.inner.closed_gates(limit))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ScheduleStore for FaultStore {
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule> {
        self.pass("put_schedule", self.inner.put_schedule(schedule))
            .await
    }
    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>> {
        self.pass("schedule", self.inner.schedule(tenant, name))
            .await
    }
    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Result<Schedule>>> {
        self.pass("schedules", self.inner.schedules(tenant)).await
    }
    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        self.pass("remove_schedule", self.inner.remove_schedule(tenant, name))
            .await
    }
    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>> {
        self.pass("next_schedules", self.inner.next_schedules(limit))
            .await
    }
    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        self.pass("run_schedule", self.inner.run_schedule(schedule, next_at))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl UpkeepStore for FaultStore {
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()> {
        self.pass("put_worker", self.inner.put_worker(beat)).await
    }
    async fn remove_worker(&self, name: &str) -> Result<bool> {
        self.pass("remove_worker", self.inner.remove_worker(name))
            .await
    }
    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        self.pass("workers", self.inner.workers()).await
    }
    async fn overdue(
        &self,
        grace: Duration,
        after: Option<&Overdue>,
        limit: usize,
    ) -> Result<Vec<Overdue>> {
        let late = self.inner.overdue(grace, after, limit);
        self.pass("overdue", late).await
    }
    async fn queue_rates(&self) -> Result<QueueRates> {
        self.pass("queue_rates", self.inner.queue_rates()).await
    }
    async fn schema_version(&self) -> Result<u32> {
        self.pass("schema_version", self.inner.schema_version())
            .await
    }
    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let removed = self.inner.remove_ended(before, limit);
        self.pass_many("remove_ended", limit, removed).await
    }
    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.pass("remove_events", self.inner.remove_events(before, limit))
            .await
    }
    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.pass("remove_attempts", self.inner.remove_attempts(before, limit))
            .await
    }
    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        self.pass("remove_dead", self.inner.remove_dead(tenant, kind, limit))
            .await
    }
    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        self.pass("redrive_dead", self.inner.redrive_dead(tenant, kind, limit))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CredentialStore for FaultStore {
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential> {
        self.pass(
            "put_credential",
            self.inner.put_credential(credential, over),
        )
        .await
    }
    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>> {
        self.pass("credential", self.inner.credential(tenant, account))
            .await
    }
    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>> {
        self.pass("credentials", self.inner.credentials(tenant))
            .await
    }
    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>> {
        self.pass(
            "lease_credential",
            self.inner.lease_credential(tenant, account, version, lease),
        )
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
        self.pass(
            "release_credential",
            self.inner
                .release_credential(tenant, account, version, leased_until, wait),
        )
        .await
    }
    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        self.pass(
            "credential_needs_reauth",
            self.inner
                .credential_needs_reauth(tenant, account, version, event),
        )
        .await
    }
    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()> {
        self.pass(
            "credential_used",
            self.inner.credential_used(tenant, account),
        )
        .await
    }
    async fn remove_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: Option<i64>,
    ) -> Result<Option<i64>> {
        self.pass(
            "remove_credential",
            self.inner.remove_credential(tenant, account, version),
        )
        .await
    }
    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>> {
        self.pass(
            "credentials_not_under",
            self.inner.credentials_not_under(key_id, after, limit),
        )
        .await
    }
    async fn credentials_under(&self, key_id: &str, limit: usize) -> Result<Vec<SealedCredential>> {
        self.pass(
            "credentials_under",
            self.inner.credentials_under(key_id, limit),
        )
        .await
    }
    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        self.pass(
            "reseal_credential",
            self.inner
                .reseal_credential(tenant, account, version, key_id, sealed),
        )
        .await
    }
    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        self.pass("key_uses", self.inner.key_uses()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AuditStore for FaultStore {
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()> {
        self.pass("append_audit", self.inner.append_audit(entries))
            .await
    }
    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>> {
        self.pass("audit", self.inner.audit(tenant, after, limit))
            .await
    }
    async fn remove_audit(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.pass("remove_audit", self.inner.remove_audit(before, limit))
            .await
    }
    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        self.pass("erase_audit_of", self.inner.erase_audit_of(tenant, account))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl FlowStore for FaultStore {
    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        self.pass("put_flow", self.inner.put_flow(flow)).await
    }
    async fn flows(&self, after: Option<&(TenantId, String)>, limit: usize) -> Result<Vec<Flow>> {
        self.pass("flows", self.inner.flows(after, limit)).await
    }
    async fn remove_flows(&self, limit: usize) -> Result<usize> {
        self.pass("remove_flows", self.inner.remove_flows(limit))
            .await
    }
    async fn reseal_flow(&self, flow: &Flow, sealed: &[u8]) -> Result<bool> {
        self.pass("reseal_flow", self.inner.reseal_flow(flow, sealed))
            .await
    }
    async fn take_flow(&self, tenant: &TenantId, id: &str) -> Result<Option<Flow>> {
        self.pass("take_flow", self.inner.take_flow(tenant, id))
            .await
    }
}
