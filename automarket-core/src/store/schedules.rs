use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::NewJob;
use crate::{Error, ErrorKind, JobId, Result, TenantId, Timetable};

/// A job that is put in again and again, by a timetable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, one of the tenant's.
    pub name: String,
    /// When.
    pub timetable: Timetable,
    /// What is put in; each run has an id and a time of its own.
    pub job: NewJob,
    /// Whether nothing is put in for now.
    pub paused: bool,
    /// The next run. `None` while paused, and when the timetable has no further one.
    pub next_at: Option<DateTime<Utc>>,
    /// The run that was put in last: the instant it was for.
    pub last_at: Option<DateTime<Utc>>,
    /// Grows by one with every change: what was made of an older one is refused. The first is the store's time in
    /// microseconds: none comes again after a removal. 0 is one that is not stored yet.
    pub revision: i64,
}

impl Schedule {
    /// The job of the run that is due: its id follows from tenant, name and instant, so that one run is one
    /// job whoever puts it in. `None` when no run is to come.
    #[must_use]
    pub fn due_job(&self) -> Option<NewJob> {
        let at = self.next_at?;
        let name = serde_json::json!(["schedule", self.tenant, self.name, at.timestamp_micros()]);
        Some(NewJob {
            id: JobId::derived(&name.to_string()),
            run_at: Some(at),
            ..self.job.clone()
        })
    }

    /// This one in place of a stored one that cannot be read, of which these are known: it stays paused if that was.
    #[must_use]
    pub fn in_place_of(&self, revision: i64, paused: bool) -> Self {
        Self {
            paused: self.paused || paused,
            next_at: self.next_at.filter(|_| !paused),
            revision,
            ..self.clone()
        }
    }

    /// What a store says to one that was made of another revision than it has.
    #[must_use]
    pub fn changed(&self) -> Error {
        let message = format!("the schedule {} changed meanwhile", self.name);
        Error::new(ErrorKind::Conflict, message)
            .with_rule("schedule.revision")
            .with_remedy("read it again, and make the change anew")
    }
}

/// Schedules.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Creates the schedule (0), or replaces everything but `last_at`, against the revision that it was read at;
    /// that is counted up by the store. One that is created replaces a row that cannot be read
    /// ([`Schedule::in_place_of`]).
    ///
    /// # Errors
    /// `Conflict` ([`Schedule::changed`]) when it is at another revision, is there already (0), or is gone.
    async fn put_schedule(&self, schedule: &Schedule) -> Result<Schedule>;
    /// The schedule with this name.
    ///
    /// # Errors
    /// `Internal` ([`rows::damaged`](super::rows::damaged)) when its row cannot be read.
    async fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<Schedule>>;
    /// The tenant's schedules, by name. One whose row cannot be read is an error in its place.
    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<Result<Schedule>>>;
    /// Removes the schedule; what it has put in stays. `false` when there was none.
    async fn remove_schedule(&self, tenant: &TenantId, name: &str) -> Result<bool>;
    /// Those of all tenants that run next, earliest first, due or not, at most `limit`. One whose row cannot be
    /// read is an error in its place, and keeps none of the others from running.
    async fn next_schedules(&self, limit: usize) -> Result<Vec<Result<Schedule>>>;
    /// Puts the due run in ([`Schedule::due_job`]) and moves the schedule on to `next_at`, in one
    /// transaction, if it is still at the revision it was read at. `false` when it is not, or no run is to
    /// come: then nothing was done. A run whose job is there already, or whose unique key is held, is
    /// passed over.
    async fn run_schedule(
        &self,
        schedule: &Schedule,
        next_at: Option<DateTime<Utc>>,
    ) -> Result<bool>;
}
