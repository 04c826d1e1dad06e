use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{JobId, TenantId};

/// A job to be put into the queue.
///
/// A job that is put in again, by its id, is the one that is there or that has ended: keep it, or its id, and a call of
/// which you do not know how it went may be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    pub(crate) id: OwnId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is to be done: the name of a registered handler.
    pub kind: String,
    /// With what.
    pub payload: Value,
    /// Not before this instant; `None` is at once.
    pub run_at: Option<DateTime<Utc>>,
    /// Higher goes first; 0 is usual.
    pub priority: i16,
    /// How often it may fail before it is dead.
    pub max_attempts: u32,
    /// While a job of this tenant, kind and key is waiting or running, no second one is put in.
    pub unique_key: Option<String>,
}

impl NewJob {
    /// A job for now, priority 0, 20 attempts, with an id of its own.
    #[must_use]
    pub fn new(tenant: TenantId, kind: impl Into<String>, payload: Value) -> Self {
        Self {
            id: OwnId::made(),
            tenant,
            kind: kind.into(),
            payload,
            run_at: None,
            priority: 0,
            max_attempts: 20,
            unique_key: None,
        }
    }

    /// With an id that you have for it.
    #[must_use]
    pub fn with_id(mut self, id: JobId) -> Self {
        self.id = OwnId::given(id);
        self
    }

    /// Not before this instant.
    #[must_use]
    pub fn run_at(mut self, at: DateTime<Utc>) -> Self {
        self.run_at = Some(at);
        self
    }

    /// Before those of lower priority.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// It may fail so often before it is dead.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Never given up by the queue, whatever failed and however often its worker was gone: its handler sees
    /// [`Job::attempts`](super::Job::attempts) and [`Job::crashes`](super::Job::crashes), and buries it once it has
    /// settled what hangs on it.
    #[must_use]
    pub fn unending(mut self) -> Self {
        self.max_attempts = u32::MAX;
        self
    }

    /// Only one of this tenant, kind and key at a time.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Our id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id.tell()
    }

    /// Whether nobody can have put a job with this id in: it was made here, and this is the first call that wants to know
    /// it, of this job and of all its copies. For stores, which need not look for such a job then.
    pub(super) fn take_new(&self) -> bool {
        self.id.take_unknown()
    }
}

/// An id that knows whether anybody can know it.
#[derive(Clone)]
pub(crate) struct OwnId {
    id: JobId,
    /// Of one that was made here, for all its copies.
    unknown: Option<Arc<AtomicBool>>,
}

impl OwnId {
    fn made() -> Self {
        Self {
            id: JobId::new(),
            unknown: Some(Arc::new(true.into())),
        }
    }

    pub(super) fn given(id: JobId) -> Self {
        Self { id, unknown: None }
    }

    fn tell(&self) -> JobId {
        self.take_unknown();
        self.id
    }

    fn take_unknown(&self) -> bool {
        let unknown = self.unknown.as_ref();
        unknown.is_some_and(|unknown| unknown.swap(false, Relaxed))
    }
}

impl fmt::Debug for OwnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell().fmt(f)
    }
}

impl PartialEq for OwnId {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Serialize for OwnId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tell().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JobId::deserialize(deserializer).map(Self::given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> NewJob {
        NewJob::new(TenantId::new("a").unwrap(), "work", Value::Null)
    }

    #[test]
    fn an_id_is_new_until_somebody_can_know_it() {
        let first = job();
        let copy = first.clone();
        assert!(copy.take_new());
        assert!(!copy.take_new() && !first.take_new(), "it was put in");

        let read = job();
        let again = job().with_id(read.id());
        assert!(!read.take_new() && !again.take_new() && read.id() == again.id());

        let told = job();
        let text = serde_json::to_string(&told).unwrap();
        let copy: NewJob = serde_json::from_str(&text).unwrap();
        assert!(copy == told && !told.take_new() && !copy.take_new());

        let logged = job();
        let _ = format!("{logged:?}");
        assert!(!logged.take_new());
    }
}
