use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::MemoryStore;
use crate::{
    ErrorRecord, JobId, Result, TenantId,
    store::{
        Claim, Enqueued, Failure, Job, JobState, JobStore, Lease, LeaseToken, NewJob, QueueStats,
        Settled, Verdict, Woken, rows,
        rules::{Crash, FAILURES_KEPT, id_taken, lease_end, next_fence},
    },
};

/// All jobs by the order in which they were put in.
#[derive(Default)]
pub(super) struct Queue {
    rows: BTreeMap<u64, Row>,
    ids: HashMap<JobId, u64>,
    /// The live job of each unique key.
    keys: HashMap<Key, u64>,
    /// The place that was given last: never given twice.
    last: u64,
    /// Whose turn was last, by priority.
    turns: BTreeMap<i16, TenantId>,
}

type Key = (TenantId, String, String);

struct Row {
    job: Job,
    lease_until: Option<DateTime<Utc>>,
    in_trust: bool,
    steps: Vec<(String, Value)>,
}

impl Row {
    /// Since or from when it is ready, if it is live.
    fn due(&self) -> Option<DateTime<Utc>> {
        match self.job.state {
            JobState::Waiting => Some(self.job.run_at),
            JobState::Leased => self.lease_until,
            _ => None,
        }
    }

    fn key(&self) -> Option<Key> {
        let key = self.job.unique_key.clone()?;
        Some((self.job.tenant.clone(), self.job.kind.clone(), key))
    }

    fn fail(&mut self, error: ErrorRecord, at: DateTime<Utc>) {
        let attempt = self.job.attempts;
        self.job.failures.push(Failure { attempt, at, error });
        let surplus = self.job.failures.len().saturating_sub(FAILURES_KEPT);
        self.job.failures.drain(..surplus);
    }
}

impl Queue {
    pub(super) fn enqueue(&mut self, jobs: &[NewJob], now: DateTime<Utc>) -> Result<Vec<Enqueued>> {
        let mut owners = HashMap::new();
        for new in jobs {
            new.check()?;
            let stored = self.ids.get(&new.id).and_then(|at| self.rows.get(at));
            let owner = stored.map_or(&new.tenant, |row| &row.job.tenant);
            if *owners.entry(new.id).or_insert(owner) != &new.tenant {
                return Err(id_taken(new.id));
            }
        }
        Ok(jobs.iter().map(|new| self.put(new, now)).collect())
    }

    fn put(&mut self, new: &NewJob, now: DateTime<Utc>) -> Enqueued {
        if self.ids.contains_key(&new.id) {
            return Enqueued::Existing(new.id);
        }
        let row = Row {
            job: Job {
                id: new.id,
                tenant: new.tenant.clone(),
                kind: new.kind.clone(),
                payload: new.payload.clone(),
                state: JobState::Waiting,
                run_at: new.run_at.unwrap_or(now).trunc_subsecs(6),
                priority: new.priority,
                attempts: 0,
                crashes: 0,
                max_attempts: new.max_attempts,
                unique_key: new.unique_key.clone(),
                fence: 0,
                result: None,
                failures: Vec::new(),
                created_at: now,
                finished_at: None,
            },
            lease_until: None,
            in_trust: false,
            steps: Vec::new(),
        };
        let place = self.last + 1;
        if let Some(key) = row.key() {
            if let Some(live) = self.keys.get(&key).and_then(|live| self.rows.get(live)) {
                return Enqueued::Existing(live.job.id);
            }
            self.keys.insert(key, place);
        }
        self.last = place;
        self.ids.insert(new.id, place);
        self.rows.insert(place, row);
        Enqueued::New(new.id)
    }

    fn of_tenant(&mut self, tenant: &TenantId, id: JobId) -> Option<&mut Row> {
        let row = self.rows.get_mut(self.ids.get(&id)?)?;
        (row.job.tenant == *tenant).then_some(row)
    }

    /// The row under this lease, unless the lease passed on or ended.
    fn leased(&mut self, token: LeaseToken) -> Option<&mut Row> {
        let row = self.rows.get_mut(self.ids.get(&token.job)?)?;
        let holds = row.job.state == JobState::Leased && row.job.fence == token.fence;
        holds.then_some(row)
    }

    /// The places of at most `limit` ready jobs; tenants take turns within a priority.
    fn pick(&mut self, claim: &Claim, limit: usize, now: DateTime<Utc>) -> Vec<u64> {
        let mut lines: BTreeMap<i16, BTreeMap<TenantId, Vec<_>>> = BTreeMap::new();
        for (place, row) in &self.rows {
            let job = &row.job;
            if row.due().is_some_and(|due| due <= now)
                && (claim.kinds.is_empty() || claim.kinds.contains(&job.kind))
                && claim.job.is_none_or(|only| only == job.id)
            {
                let tenants = lines.entry(job.priority).or_default();
                let line = tenants.entry(job.tenant.clone()).or_default();
                line.push((job.run_at, *place));
            }
        }
        let mut picked = Vec::new();
        for (priority, mut tenants) in lines.into_iter().rev() {
            tenants.values_mut().for_each(|line| {
                line.sort_unstable();
                line.reverse();
            });
            let last = self.turns.get(&priority);
            let is_after = |tenant: &&TenantId| last.is_some_and(|last| *tenant > last);
            let (after, before): (Vec<_>, Vec<_>) =
                tenants.keys().cloned().partition(|t| is_after(&t));
            let ring = [after, before].concat();
            let mut chosen = Vec::new();
            let mut turns = ring.iter().cycle();
            while picked.len() + chosen.len() < limit && tenants.values().any(|l| !l.is_empty()) {
                let Some(tenant) = turns.next() else { break };
                if let Some(next) = tenants.get_mut(tenant).and_then(Vec::pop) {
                    chosen.push(next);
                    self.turns.insert(priority, tenant.clone());
                }
            }
            chosen.sort_unstable();
            picked.extend(chosen.into_iter().map(|(_, place)| place));
        }
        picked
    }

    fn claim(&mut self, claim: &Claim, now: DateTime<Utc>) -> Vec<Lease> {
        let mut leases = Vec::new();
        while leases.len() < claim.limit {
            let picked = self.pick(claim, claim.limit - leases.len(), now);
            if picked.is_empty() {
                break;
            }
            for place in picked {
                leases.extend(self.lease(place, claim, now).map(|lease| (place, lease)));
            }
        }
        leases.sort_by_key(|(place, lease)| {
            (
                std::cmp::Reverse(lease.job.priority),
                lease.job.run_at,
                *place,
            )
        });
        leases.into_iter().map(|(_, lease)| lease).collect()
    }

    /// Leases one job; `None` when it is dead instead.
    fn lease(&mut self, place: u64, claim: &Claim, now: DateTime<Utc>) -> Option<Lease> {
        let row = self.rows.get_mut(&place)?;
        if row.job.state == JobState::Leased && row.in_trust {
            row.job.attempts -= 1;
        } else if row.job.state == JobState::Leased {
            row.job.crashes += 1;
            let job = &row.job;
            let crash = Crash::new(
                job.crashes,
                claim.max_crashes,
                job.attempts,
                job.max_attempts,
            );
            row.fail(crash.failure, now);
            if crash.dead {
                self.end(place, JobState::Dead, now);
                return None;
            }
        }
        let expires_at = lease_end(now, claim.lease);
        row.job.state = JobState::Leased;
        row.job.fence = next_fence(row.job.fence, now.timestamp_micros());
        row.job.attempts += 1;
        row.lease_until = Some(expires_at);
        row.in_trust = claim.lends(row.job.crashes);
        Some(Lease {
            token: LeaseToken {
                job: row.job.id,
                fence: row.job.fence,
            },
            job: row.job.clone(),
            expires_at,
            in_trust: row.in_trust,
        })
    }

    fn end(&mut self, place: u64, state: JobState, now: DateTime<Utc>) {
        if let Some(row) = self.rows.get_mut(&place) {
            row.job.state = state;
            row.job.finished_at = Some(now);
            row.lease_until = None;
            if let Some(key) = row.key() {
                self.keys.remove(&key);
            }
        }
    }

    fn settle(&mut self, token: LeaseToken, verdict: Verdict, now: DateTime<Utc>) -> Settled {
        let Some(row) = self.leased(token) else {
            return Settled::LeaseLost;
        };
        let next = verdict.resolve(row.job.attempts, row.job.max_attempts);
        if let Some(error) = next.failure {
            row.fail(error, now);
        }
        row.job.attempts = next.attempts;
        row.job.result = next.result;
        row.lease_until = None;
        if next.state == JobState::Waiting {
            row.job.state = JobState::Waiting;
            row.job.run_at = next.run_at.unwrap_or(row.job.run_at).trunc_subsecs(6);
        } else if let Some(place) = self.ids.get(&token.job) {
            self.end(*place, next.state, now);
        }
        Settled::Now(next.state)
    }

    pub(super) fn redrive(&mut self, tenant: &TenantId, id: JobId, now: DateTime<Utc>) -> bool {
        let Some(place) = self.ids.get(&id).copied() else {
            return false;
        };
        let Some(row) = self.rows.get_mut(&place) else {
            return false;
        };
        if row.job.tenant != *tenant || row.job.state != JobState::Dead {
            return false;
        }
        if let Some(key) = row.key() {
            if self.keys.contains_key(&key) {
                return false;
            }
            self.keys.insert(key, place);
        }
        row.job.state = JobState::Waiting;
        row.job.run_at = now;
        row.job.attempts = 0;
        row.job.crashes = 0;
        row.job.finished_at = None;
        true
    }

    /// All jobs, in the order in which they were put in.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.rows.values().map(|row| &row.job)
    }

    /// The live ones, and since or from when they are ready.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Job, DateTime<Utc>)> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((&row.job, row.due()?)))
    }

    /// The dead ones of a tenant, of one kind or of all, the oldest first.
    pub(super) fn dead(&self, tenant: &TenantId, kind: Option<&str>) -> Vec<JobId> {
        let wanted = |job: &&Job| {
            job.tenant == *tenant
                && job.state == JobState::Dead
                && kind.is_none_or(|kind| kind == job.kind)
        };
        self.jobs().filter(wanted).map(|job| job.id).collect()
    }

    /// Forgets ended jobs.
    pub(super) fn remove(&mut self, ids: &[JobId]) {
        for id in ids {
            if let Some(place) = self.ids.remove(id) {
                self.rows.remove(&place);
            }
        }
    }

    fn stats(&self, now: DateTime<Utc>) -> QueueStats {
        let mut stats = QueueStats::default();
        for row in self.rows.values() {
            match row.due() {
                Some(due) if due <= now => {
                    stats.ready += 1;
                    let run_at = row.job.run_at;
                    stats.oldest_due = Some(stats.oldest_due.map_or(run_at, |at| at.min(run_at)));
                }
                _ if row.job.state == JobState::Waiting => stats.later += 1,
                _ if row.job.state == JobState::Leased => stats.leased += 1,
                _ if row.job.state == JobState::Dead => {
                    stats.dead += 1;
                    let last = row.job.failures.last();
                    stats.dead_by_input += u64::from(last.is_some_and(|f| f.error.is_of_input()));
                }
                _ => {}
            }
        }
        stats
    }
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.time())
    }

    async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        let (mut state, now) = self.lock();
        state.queue.enqueue(jobs, now)
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Lease>> {
        let (mut state, now) = self.lock();
        Ok(state.queue.claim(claim, now))
    }

    async fn heartbeat(&self, leases: &[LeaseToken], lease: Duration) -> Result<Vec<LeaseToken>> {
        let (mut state, now) = self.lock();
        let mut lost = Vec::new();
        for token in leases {
            match state.queue.leased(*token) {
                Some(row) => row.lease_until = Some(lease_end(now, lease)),
                None => lost.push(*token),
            }
        }
        Ok(lost)
    }

    async fn settle(&self, verdicts: &[(LeaseToken, Verdict)]) -> Result<Vec<Settled>> {
        let (mut state, now) = self.lock();
        let settle =
            |(token, verdict): &(_, Verdict)| state.queue.settle(*token, verdict.clone(), now);
        Ok(verdicts.iter().map(settle).collect())
    }

    async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>> {
        let (mut state, _) = self.lock();
        Ok(state.queue.of_tenant(tenant, id).map(|row| row.job.clone()))
    }

    async fn job_by_key(&self, tenant: &TenantId, kind: &str, key: &str) -> Result<Option<Job>> {
        let (state, _) = self.lock();
        let wanted = |job: &&Job| {
            job.tenant == *tenant && job.kind == kind && job.unique_key.as_deref() == Some(key)
        };
        let mut newest_first = state.queue.rows.values().rev().map(|row| &row.job);
        Ok(newest_first.find(wanted).cloned())
    }

    async fn jobs(&self, tenant: &TenantId, state: JobState, limit: usize) -> Result<Vec<Job>> {
        let (memory, _) = self.lock();
        let newest_first = memory.queue.rows.values().rev().map(|row| &row.job);
        Ok(newest_first
            .filter(|job| job.tenant == *tenant && job.state == state)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn cancel_job(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        let (mut state, now) = self.lock();
        let queue = &mut state.queue;
        let waiting = queue
            .of_tenant(tenant, id)
            .is_some_and(|row| row.job.state == JobState::Waiting);
        if waiting && let Some(place) = queue.ids.get(&id) {
            queue.end(*place, JobState::Cancelled, now);
        }
        Ok(waiting)
    }

    async fn reschedule_job(
        &self,
        tenant: &TenantId,
        id: JobId,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let (mut state, _) = self.lock();
        let row = state.queue.of_tenant(tenant, id);
        let waiting = row.filter(|row| row.job.state == JobState::Waiting);
        Ok(waiting
            .map(|row| row.job.run_at = at.trunc_subsecs(6))
            .is_some())
    }

    async fn redrive(&self, tenant: &TenantId, id: JobId) -> Result<bool> {
        let (mut state, now) = self.lock();
        Ok(state.queue.redrive(tenant, id, now))
    }

    async fn queue_stats(&self) -> Result<QueueStats> {
        let (state, now) = self.lock();
        Ok(state.queue.stats(now))
    }

    async fn live_kinds(&self) -> Result<BTreeMap<String, u64>> {
        let (state, _) = self.lock();
        let mut kinds = BTreeMap::new();
        let rows = state.queue.rows.values();
        for row in rows.filter(|row| row.due().is_some()) {
            *kinds.entry(row.job.kind.clone()).or_default() += 1;
        }
        Ok(kinds)
    }

    async fn next_ready(&self, kinds: &[String]) -> Result<Option<DateTime<Utc>>> {
        let (state, _) = self.lock();
        let rows = state.queue.rows.values();
        Ok(rows
            .filter(|row| kinds.is_empty() || kinds.contains(&row.job.kind))
            .filter_map(Row::due)
            .min())
    }

    fn wake(&self) {}

    fn woken(&self) -> Woken<'_> {
        Box::pin(std::future::pending())
    }

    async fn step(&self, tenant: &TenantId, job: JobId, name: &str) -> Result<Option<Value>> {
        let steps = self.steps(tenant, job).await?;
        Ok(steps.into_iter().find(|(n, _)| n == name).map(|(_, v)| v))
    }

    async fn put_step(&self, lease: LeaseToken, name: &str, value: &Value) -> Result<()> {
        rows::check_step(value)?;
        let (mut state, _) = self.lock();
        let row = state.queue.leased(lease).ok_or_else(|| lease.lost())?;
        match row.steps.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value.clone(),
            None => row.steps.push((name.to_owned(), value.clone())),
        }
        Ok(())
    }

    async fn steps(&self, tenant: &TenantId, job: JobId) -> Result<Vec<(String, Value)>> {
        let (mut state, _) = self.lock();
        let row = state.queue.of_tenant(tenant, job);
        Ok(row.map(|row| row.steps.clone()).unwrap_or_default())
    }
}
