//! What is kept: the trait [`Store`], the sum of small traits by noun, and their records.

mod accounts;
mod attempts;
mod audit;
mod campaigns;
mod credentials;
mod events;
mod flows;
mod gates;
mod jobs;
mod measurements;
mod memory;
mod publications;
mod routing;
pub mod rows;
pub mod rules;
mod schedules;
mod upkeep;

pub(crate) use accounts::configured;
pub use accounts::{Account, AccountStore};
pub use attempts::{
    Attempt, AttemptOutcome, AttemptSort, AttemptStats, AttemptStore, Decision, Latency, Operation,
};
pub use audit::{Audit, AuditAction, AuditStore, NewAudit};
pub use campaigns::CampaignStore;
pub use credentials::{CredentialStore, KeyUse, NewCredential, SealedCredential};
pub use events::{Event, EventStore, NewEvent};
pub use flows::{Flow, FlowStore};
pub use gates::{Budget, Gate, GateStore, PROBE, Pass, RATE, Signal, TRIPS};
pub use jobs::{
    Claim, DeadReason, Enqueued, Failure, Job, JobState, JobStore, Lease, LeaseToken, NewJob,
    QueueStats, Settled, Verdict, Woken,
};
pub use measurements::{Measurement, MeasurementStore};
pub use memory::MemoryStore;
pub use publications::{
    Approval, Lateness, NewPublishing, Publication, PublicationState, PublicationStore,
    PublishingChange, REVISION, SLOT, Target,
};
pub use routing::{Routing, RoutingPart, Slots};
pub use schedules::{Schedule, ScheduleStore};
pub use upkeep::{Overdue, QueueRates, UpkeepStore, WorkerBeat, WorkerRecord};

/// Everything that is kept. Same behaviour on every implementation, proven by
/// `testing::store_cases`, which each of them runs.
///
/// Contract for all of it:
/// - Every method that takes a tenant sees only that tenant's rows; an id of another is `NotFound`, `None`
///   or `false`. Two tenants may use the same id, except of a job.
/// - A write that returned `Ok` survives a crash of the process ([`MemoryStore`] cannot); one that returned
///   an error changed nothing, unless the connection was lost during its commit: then it may have taken effect,
///   wholly. So may a call whose future is dropped.
/// - A read sees every write that returned before it began.
/// - Time is the store's own ([`JobStore::now`]), so that workers' clocks do not matter. Instants are kept to
///   the microsecond.
/// - Errors: `Storage` with retry `After` when the database is locked, full or away; `Internal` when a row
///   cannot be read.
pub trait Store:
    AccountStore
    + AttemptStore
    + AuditStore
    + CampaignStore
    + CredentialStore
    + EventStore
    + FlowStore
    + GateStore
    + JobStore
    + MeasurementStore
    + PublicationStore
    + ScheduleStore
    + UpkeepStore
{
}

impl<T> Store for T where
    T: AccountStore
        + AttemptStore
        + AuditStore
        + CampaignStore
        + CredentialStore
        + EventStore
        + FlowStore
        + GateStore
        + JobStore
        + MeasurementStore
        + PublicationStore
        + ScheduleStore
        + UpkeepStore
{
}

const _: Option<&dyn Store> = None;
