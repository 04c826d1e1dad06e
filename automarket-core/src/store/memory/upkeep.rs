use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{MemoryStore, take_out};
use crate::{
    AccountId, JobId, Result, TenantId,
    store::{
        Gate, GateStore, Job, JobState, Overdue, Pass, QueueRates, Schedule, ScheduleStore, Signal,
        UpkeepStore, WorkerBeat, WorkerRecord, rules::WORKERS_KEPT,
    },
};

#[derive(Default)]
pub(super) struct Upkeep {
    schedules: BTreeMap<(TenantId, String), Schedule>,
    workers: BTreeMap<String, WorkerRecord>,
    gates: BTreeMap<(TenantId, AccountId, String), Gate>,
}

/// The instant so long before, at the beginning of the calendar at the earliest.
fn ago(now: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).ok();
    span.and_then(|span| now.checked_sub_signed(span))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

#[async_trait]
impl ScheduleStore for MemoryStore {
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule> {
        let (mut state, now) = self.lock();
        let schedules = &mut state.upkeep.schedules;
        let key = (schedule.tenant.clone(), schedule.name.clone());
        let old = schedules.get(&key);
        if old.map_or(0, |old| old.revision) != schedule.revision {
            return Err(schedule.changed());
        }
        let new = Schedule {
            last_at: old.and_then(|old| old.last_at),
            revision: old.map_or(now.timestamp_micros(), |old| old.revision + 1),
            ..schedule.clone()
        };
        schedules.insert(key, new.clone());
        Ok(new)
    }

    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>> {
        let (state, _) = self.lock();
        let key = (tenant.clone(), name.to_owned());
        Ok(state.upkeep.schedules.get(&key).cloned())
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Result<Schedule>>> {
        let (state, _) = self.lock();
        let all = state.upkeep.schedules.values();
        let own = all.filter(|s| s.tenant == *tenant);
        Ok(own.cloned().map(Ok).collect())
    }

    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        let (mut state, _) = self.lock();
        let key = (tenant.clone(), name.to_owned());
        Ok(state.upkeep.schedules.remove(&key).is_some())
    }

    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>> {
        let (state, _) = self.lock();
        let all = state.upkeep.schedules.values();
        let mut next: Vec<Schedule> = all.filter(|s| s.next_at.is_some()).cloned().collect();
        next.sort_by_key(|schedule| schedule.next_at);
        next.truncate(limit);
        Ok(next.into_iter().map(Ok).collect())
    }

    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        let (mut state, now) = self.lock();
        let key = (schedule.tenant.clone(), schedule.name.clone());
        let stored = state.upkeep.schedules.get(&key);
        let Some(stored) = stored.filter(|stored| stored.revision == schedule.revision) else {
            return Ok(false);
        };
        let Some(job) = stored.due_job() else {
            return Ok(false);
        };
        state.queue.enqueue(&[job], now)?;
        if let Some(stored) = state.upkeep.schedules.get_mut(&key) {
            stored.last_at = stored.next_at;
            stored.next_at = next_at;
            stored.revision += 1;
        }
        Ok(true)
    }
}

#[async_trait]
impl GateStore for MemoryStore {
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass> {
        let (mut state, now) = self.lock();
        let all = state.upkeep.gates.values_mut();
        let mut own: Vec<&mut Gate> = all
            .filter(|gate| gate.tenant == *tenant && gate.account == account)
            .filter(|gate| gate.bucket() == bucket)
            .collect();
        let mut gates: Vec<Gate> = own.iter().map(|gate| (**gate).clone()).collect();
        let pass = Gate::pass(&mut gates, now);
        for (stored, new) in own.iter_mut().zip(gates) {
            **stored = new;
        }
        Ok(pass)
    }

    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
        of_probe: bool,
    ) -> Result<Gate> {
        let (mut state, now) = self.lock();
        let key = (tenant.clone(), account, name.to_owned());
        let gates = state.upkeep.gates.entry(key);
        let gate = gates.or_insert_with(|| Gate::new(tenant.clone(), account, name, now));
        gate.heed(signal, of_probe, now);
        Ok(gate.clone())
    }

    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>> {
        let (state, _) = self.lock();
        let all = state.upkeep.gates.values();
        Ok(all.filter(|g| g.tenant == *tenant).cloned().collect())
    }

    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>> {
        let (state, now) = self.lock();
        let all = state.upkeep.gates.values();
        let closed = |g: &&Gate| g.closed_until.is_some_and(|until| until > now);
        let mut closed: Vec<Gate> = all.filter(closed).cloned().collect();
        closed.sort_by_key(|gate| std::cmp::Reverse(gate.closed_until));
        closed.truncate(limit);
        Ok(closed)
    }
}

#[async_trait]
impl UpkeepStore for MemoryStore {
    async fn put_worker(&self, beat: &WorkerBeat) -> Result<()> {
        let (mut state, now) = self.lock();
        let workers = &mut state.upkeep.workers;
        workers.retain(|_, worker| worker.seen_at > ago(now, WORKERS_KEPT));
        let known = workers.get(&beat.name);
        let worker = WorkerRecord {
            name: beat.name.clone(),
            kinds: beat.kinds.clone(),
            in_flight: beat.in_flight,
            started_at: known.map_or(now, |known| known.started_at),
            polled_at: ago(now, beat.polled),
            seen_at: now,
        };
        workers.insert(worker.name.clone(), worker);
        Ok(())
    }

    async fn remove_worker(&self, name: &str) -> Result<bool> {
        let (mut state, _) = self.lock();
        Ok(state.upkeep.workers.remove(name).is_some())
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        let (state, _) = self.lock();
        Ok(state.upkeep.workers.values().cloned().collect())
    }

    async fn overdue(
        &self,
        grace: Duration,
        after: Option<&Overdue>,
        limit: usize,
    ) -> Result<Vec<Overdue>> {
        let (state, now) = self.lock();
        let since = |(job, due): (&Job, DateTime<Utc>)| Overdue {
            tenant: job.tenant.clone(),
            job: job.id,
            kind: job.kind.clone(),
            since: due,
            leased: job.state == JobState::Leased,
        };
        let live = state.queue.live().map(since);
        let late = live.filter(|overdue| overdue.since < ago(now, grace));
        let place = |overdue: &Overdue| (overdue.since, overdue.job);
        let behind = |overdue: &Overdue| after.is_none_or(|after| place(overdue) > place(after));
        let mut late: Vec<Overdue> = late.filter(behind).collect();
        late.sort_by_key(place);
        late.truncate(limit);
        Ok(late)
    }

    async fn queue_rates(&self) -> Result<QueueRates> {
        let (state, now) = self.lock();
        let cut = now - TimeDelta::minutes(1);
        let mut rates = QueueRates::default();
        for job in state.queue.jobs() {
            rates.enqueued += u64::from(job.created_at > cut);
            if job.finished_at.is_some_and(|at| at > cut) {
                match job.state {
                    JobState::Completed => rates.completed += 1,
                    JobState::Dead => rates.dead += 1,
                    JobState::Cancelled => rates.cancelled += 1,
                    JobState::Waiting | JobState::Leased => {}
                }
            }
        }
        Ok(rates)
    }

    async fn schema_version(&self) -> Result<u32> {
        Ok(0)
    }

    async fn remove_ended(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let (mut state, _) = self.lock();
        let ended = |job: &&Job| {
            matches!(job.state, JobState::Completed | JobState::Cancelled)
                && job.finished_at.is_some_and(|at| at < before)
        };
        let mut old: Vec<&Job> = state.queue.jobs().filter(ended).collect();
        old.sort_by_key(|job| job.finished_at);
        let old: Vec<JobId> = old.iter().map(|job| job.id).take(limit).collect();
        state.queue.remove(&old);
        Ok(old.len())
    }

    async fn remove_events(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let (mut state, now) = self.lock();
        let events = &mut state.events;
        Ok(take_out(events, |event| event.at, before, now, limit))
    }

    async fn remove_attempts(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let (mut state, _) = self.lock();
        let ends = state.attempts.iter().map(|attempt| attempt.ended);
        let mut old: Vec<DateTime<Utc>> = ends.filter(|at| *at < before).collect();
        old.sort_unstable();
        old.truncate(limit);
        for ended in &old {
            let oldest = state.attempts.iter().position(|a| a.ended == *ended);
            oldest.map(|place| state.attempts.remove(place));
        }
        Ok(old.len())
    }

    async fn remove_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        let (mut state, _) = self.lock();
        let dead = state.queue.dead(tenant, kind);
        let dead = &dead[..dead.len().min(limit)];
        state.queue.remove(dead);
        Ok(dead.len())
    }

    async fn redrive_dead(
        &self,
        tenant: &TenantId,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<usize> {
        let (mut state, now) = self.lock();
        let dead = state.queue.dead(tenant, kind);
        let back = dead
            .into_iter()
            .filter(|id| state.queue.redrive(tenant, *id, now));
        Ok(back.take(limit).count())
    }
}
