//! Jobs that come again and again, by timetables.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use automarket_core::{
    Error, ErrorKind, Result, Retry, TenantId, Timetable,
    chrono::{DateTime, TimeDelta, Utc},
    store::{NewJob, Schedule},
};

use super::jobs::may_put;
use crate::{Tenant, market::Engine, report::metrics};

/// So many schedules are looked at together.
const BATCH: usize = 100;
/// So many runs of one tenant that fail, and may do so by what holds up its others too, are tried in one look.
const IN_VAIN: u32 = 3;
/// So much later at the most is a time that new rules of its zone have moved.
const MOVED: TimeDelta = TimeDelta::hours(3);
/// How often a change is made anew because somebody else's came first.
const TRIES: u32 = 16;

impl Tenant {
    /// Puts the job in at every time of the timetable, from the next one on; run by workers as any other. A
    /// schedule with this name is replaced: calling this at every start of the program is the usual way. It
    /// stays paused if it was, and with the same timetable it keeps its next run, also one that is overdue.
    ///
    /// Each local day (or whatever the rule says) has one run, however many workers there are; a local time
    /// that is skipped by summer time runs at the first instant after the gap, one that comes twice runs the
    /// first time. The job's id follows from name and instant; its `run_at` is the instant the run is for.
    ///
    /// After an outage there is one run, at once, for the first instant that was missed; the others are passed
    /// over. A job with a unique key is passed over while one with that key waits or runs.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{Automarket, core::Timetable, store::MemoryStore};
    /// let market = Automarket::builder(MemoryStore::new()).build()?;
    /// let tenant = market.tenant("acme")?;
    /// let mornings = Timetable::parse("0 9 * * MON-FRI", "Europe/Berlin")?;
    /// let job = tenant.new_job("digest", &"team@acme.dev")?;
    /// let schedule = tenant.schedule("digest", mornings, job).await?;
    /// assert!(schedule.next_at.is_some());
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput`: `name` when it is empty or longer than 200 bytes; `timetable` when it has no time to
    /// come; `tenant`, `kind` and `unique_key` as [`Tenant::enqueue`]. Those of the store.
    pub async fn schedule(
        &self,
        name: &str,
        timetable: Timetable,
        job: NewJob,
    ) -> Result<Schedule> {
        if name.is_empty() || name.len() > 200 {
            return Err(Error::invalid("name", "a name is 1 to 200 bytes"));
        }
        may_put(self, &job)?;
        let made = self.change_schedule(name, |old, now| {
            // The store puts this one in the place of one that cannot be read.
            let old = match old {
                Err(error) if error.kind() == ErrorKind::Internal => None,
                old => old?,
            };
            let Some(mut first) = timetable.after(now) else {
                return Err(Error::invalid("timetable", "it has no time to come"));
            };
            let paused = old.as_ref().is_some_and(|old| old.paused);
            let revision = old.as_ref().map_or(0, |old| old.revision);
            let kept = old.filter(|old| old.timetable == timetable);
            let last = kept.as_ref().and_then(|old| old.last_at);
            // The day had its run already, before new rules of its zone moved it.
            if last.is_some_and(|at| at <= now && moved(&timetable, at) == Some(first)) {
                first = timetable.after(first).unwrap_or(first);
            }
            // One that is later than the first was reckoned by a clock that ran ahead.
            let kept = kept.and_then(|old| old.next_at);
            let next = Some(kept.map_or(first, |at| at.min(first)));
            Ok(Some(Schedule {
                tenant: self.id.clone(),
                name: name.to_owned(),
                timetable: timetable.clone(),
                job: job.clone(),
                paused,
                next_at: next.filter(|_| !paused),
                last_at: None,
                revision,
            }))
        });
        let made = made.await?;
        made.ok_or_else(|| Error::new(ErrorKind::Internal, "no schedule was made"))
    }

    /// The schedules, by name. One that this program cannot read (another version of it knows more zones) is left out,
    /// with a warning in the log: it stays, and is replaced when it is declared again.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        let found = self.engine().store.schedules(&self.id).await?;
        let read = |one: Result<Schedule>| {
            let told = |error: &Error| metrics::store_error("schedules", error);
            one.inspect_err(told).ok()
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// Removes a schedule; jobs that it has put in stay. `false` when there was none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_schedule(&self, name: &str) -> Result<bool> {
        self.engine().store.remove_schedule(&self.id, name).await
    }

    /// Stops a schedule for a while, or lets it go on with the next time from now. `false` when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pause_schedule(&self, name: &str, paused: bool) -> Result<bool> {
        let mut is_there = false;
        let changed = self.change_schedule(name, |old, now| {
            let old = old?;
            is_there = old.is_some();
            let old = old.filter(|old| old.paused != paused);
            Ok(old.map(|old| Schedule {
                paused,
                next_at: old.timetable.after(now).filter(|_| !paused),
                ..old
            }))
        });
        changed.await?;
        Ok(is_there)
    }

    /// Puts what is made of the schedule as it is, if anything is, and makes it anew when that changed meanwhile.
    async fn change_schedule(
        &self,
        name: &str,
        mut make: impl FnMut(Result<Option<Schedule>>, DateTime<Utc>) -> Result<Option<Schedule>>,
    ) -> Result<Option<Schedule>> {
        let store = &self.engine().store;
        let mut tries = 0;
        loop {
            let old = store.schedule(&self.id, name).await;
            let Some(new) = make(old, store.now().await?)? else {
                return Ok(None);
            };
            tries += 1;
            match store.put_schedule(&new).await {
                Err(error) if error.kind() == ErrorKind::Conflict && tries < TRIES => {}
                put => {
                    self.engine().scheduled.notify_waiters();
                    return put.map(Some);
                }
            }
        }
    }
}

impl Engine {
    /// Puts in the runs that are due, and says how long it is until the next one. Workers do this by
    /// themselves.
    pub(crate) async fn run_schedules(&self) -> Result<Option<Duration>> {
        // Those that cannot be read or run stay where they are, so it looks behind them.
        let mut stuck = 0;
        let (mut passed_by, mut keys) = (HashSet::new(), HashSet::new());
        let mut held: HashMap<TenantId, u32> = HashMap::new();
        loop {
            let mut ran = false;
            let limit = BATCH + 2 * stuck;
            let mut next = Vec::new();
            stuck = 0;
            for schedule in self.store.next_schedules(limit).await? {
                match schedule {
                    Ok(schedule) if passed_by.contains(&key_of(&schedule)) => stuck += 1,
                    Ok(schedule) => next.push(schedule),
                    // The others run all the same.
                    Err(error) => {
                        metrics::store_error("next_schedules", &error);
                        stuck += 1;
                    }
                }
            }
            if next.is_empty() && stuck < limit {
                return Ok(None);
            }
            let now = self.store.now().await?;
            for schedule in &next {
                let Some(at) = schedule.next_at.filter(|at| *at <= now) else {
                    break;
                };
                let job = &schedule.job;
                let key = job.unique_key.clone();
                let key = key.map(|key| (schedule.tenant.clone(), job.kind.clone(), key));
                let is_held = held.get(&schedule.tenant).is_some_and(|n| *n >= IN_VAIN);
                if is_held || key.as_ref().is_some_and(|key| keys.contains(key)) {
                    passed_by.insert(key_of(schedule));
                    stuck += 1;
                    continue;
                }
                let run = match moved(&schedule.timetable, at) {
                    Some(later) => self.move_schedule(schedule, later).await,
                    None => {
                        let next_at = schedule.timetable.after(now.max(at));
                        self.store.run_schedule(schedule, next_at).await
                    }
                };
                match run {
                    Ok(put) => ran |= put,
                    // The others are put in all the same.
                    Err(error) => {
                        metrics::store_error("run_schedule", &error);
                        passed_by.insert(key_of(schedule));
                        stuck += 1;
                        // A failure that may pass also blocks later runs with the same key, and counts against the tenant.
                        if error.retry() != Retry::Never {
                            *held.entry(schedule.tenant.clone()).or_default() += 1;
                            keys.extend(key);
                        }
                    }
                }
            }
            if ran {
                self.wake.notify_waiters();
            }
            // It is the store that is in trouble, and not a tenant.
            if held.len() >= BATCH {
                return Ok(None);
            }
            match next
                .iter()
                .filter_map(|schedule| schedule.next_at)
                .find(|at| *at > now)
            {
                Some(at) => return Ok(Some((at - now).to_std().unwrap_or_default())),
                // All of them were due: others may be, and these have a next time now or are passed by.
                None => continue,
            }
        }
    }

    /// Lets the next run be later. Nothing is put in.
    async fn move_schedule(&self, schedule: &Schedule, later: DateTime<Utc>) -> Result<bool> {
        let moved = Schedule {
            next_at: Some(later),
            ..schedule.clone()
        };
        match self.store.put_schedule(&moved).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(false),
        }
    }
}

/// The next run, if a change of the zone's rules means that this instant is none any more: running at both would be two
/// runs in a day.
fn moved(timetable: &Timetable, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let first = timetable.after(at - TimeDelta::microseconds(1))?;
    (first != at && first - at <= MOVED).then_some(first)
}

fn key_of(schedule: &Schedule) -> (TenantId, String) {
    (schedule.tenant.clone(), schedule.name.clone())
}
