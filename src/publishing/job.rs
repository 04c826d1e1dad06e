//! The job that takes a publication further, and the steps that it goes on from.

use std::{collections::BTreeMap, sync::Arc};

use automarket_core::{
    Error, ErrorKind, ErrorRecord, JobId, PublicationId, Result, Retry, Store, TenantId,
    async_trait,
    chrono::{DateTime, Duration, Utc},
    steps::{Steps, without_doubt},
    store::{Job, NewJob, Publication, PublicationState},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::market::Engine;

/// The kind of the jobs that send publications.
pub const PUBLISH_JOB: &str = "publish";

/// How often a publication is tried.
pub(crate) const ATTEMPTS: u32 = 20;
/// How often its worker may be gone.
const CRASHES: u32 = 3;

/// The `rule` of the error when nobody knows any more what an earlier sending did.
pub(crate) const FORGOTTEN: &str = "publication.forgotten";

/// What such a job carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PublishJob {
    pub(crate) publication: PublicationId,
    /// The jobs whose steps it goes on from, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<JobId>,
    /// Whether what they began and did not end is to be sent again without a look: somebody said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resend: bool,
}

impl PublishJob {
    /// One that starts from nothing.
    pub(crate) fn new(publication: PublicationId) -> Self {
        Self {
            publication,
            earlier: Vec::new(),
            resend: false,
        }
    }

    /// What this job carries.
    pub(crate) fn of(job: &Job) -> Result<Self> {
        serde_json::from_value(job.payload.clone()).map_err(|error| {
            Error::invalid("payload", "not what publish jobs carry")
                .with_source(error)
                .with_retry(Retry::After(None))
        })
    }

    /// One that goes on where the publication's job stopped.
    ///
    /// # Errors
    /// `Conflict` ([`FORGOTTEN`]) when that job is not kept any more, and may have sent something.
    pub(crate) async fn continuing(engine: &Engine, publication: &Publication) -> Result<Self> {
        let job = engine
            .store
            .job(&publication.tenant, publication.job)
            .await?;
        let mut next = Self::new(publication.id);
        match &job {
            Some(job) => {
                next.earlier = Self::of(job)?.earlier;
                next.earlier.push(job.id);
            }
            None if publication.sent_at.is_some() => {
                let message = "what its earlier sending did is not kept any more";
                return Err(Error::new(ErrorKind::Conflict, message)
                    .with_rule(FORGOTTEN)
                    .with_remedy("look on the platform, and publish a new post"));
            }
            None => {}
        }
        Ok(next)
    }
}

/// The job's id follows from the publication and the revision that it came with.
pub(crate) fn job_id(publication: PublicationId, revision: i64) -> JobId {
    JobId::derived(&format!("publish {publication} {revision}"))
}

/// Puts a publication into the line, or before whoever has to approve it: its state, its job, and the job
/// itself. `revision` is the one that this makes.
pub(crate) fn arm(
    publication: &mut Publication,
    carries: PublishJob,
    revision: i64,
) -> Result<Option<NewJob>> {
    publication.job = job_id(publication.id, revision);
    let at = if publication.is_approved() {
        publication.state = PublicationState::Scheduled;
        Some(publication.due)
    } else {
        publication.state = PublicationState::AwaitingApproval;
        expiry(publication)
    };
    let Some(at) = at else { return Ok(None) };
    let payload = serde_json::to_value(carries).map_err(|error| {
        Error::invalid("publication", "not representable as JSON").with_source(error)
    })?;
    let mut job = NewJob::new(publication.tenant.clone(), PUBLISH_JOB, payload)
        .run_at(at)
        .unending();
    job.id = publication.job;
    Ok(Some(job))
}

/// The first instant at which the publication is missed; `None` when it never is. What waits for an approval
/// to be sent at once is not late.
pub(crate) fn expiry(publication: &Publication) -> Option<DateTime<Utc>> {
    if publication.state == PublicationState::AwaitingApproval && asked_for_now(publication) {
        return None;
    }
    let last = publication.lateness.last(publication.due)?;
    Some(last + Duration::milliseconds(1))
}

/// Whether it was to be published as soon as possible.
pub(crate) fn asked_for_now(publication: &Publication) -> bool {
    publication.due == publication.created_at
}

/// Why this run of a publish job is one too many: its last failure.
pub(crate) fn used_up(job: &Job) -> Option<ErrorRecord> {
    if job.attempts <= ATTEMPTS && job.crashes < CRASHES {
        return None;
    }
    job.failures.last().map(|failure| failure.error.clone())
}

/// The steps of a job that goes on from earlier ones.
pub(crate) struct Continued {
    pub(crate) own: Arc<dyn Steps>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) job: PublishJob,
}

#[async_trait]
impl Steps for Continued {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        if let Some(value) = self.own.get(name).await? {
            return Ok(Some(value));
        }
        for earlier in self.job.earlier.iter().rev() {
            if let Some(value) = self.store.step(&self.tenant, *earlier, name).await? {
                return Ok(Some(match self.job.resend {
                    true => without_doubt(value),
                    false => value,
                }));
            }
        }
        Ok(None)
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.own.put(name, value).await
    }
}

/// Whether surely nothing of the publication is out in the world, by the steps of its jobs.
pub(crate) async fn nothing_out(engine: &Engine, publication: &Publication) -> Result<bool> {
    Ok(match steps(engine, publication, true).await? {
        Some(steps) => automarket_core::steps::nothing_out(steps.values()),
        None => publication.sent_at.is_none(),
    })
}

/// Whether an earlier sending of the publication may have happened and nobody has looked yet. What somebody
/// said to send again all the same is in doubt no more.
pub(crate) async fn in_doubt(engine: &Engine, publication: &Publication) -> Result<bool> {
    let steps = steps(engine, publication, false).await?;
    Ok(steps.is_some_and(|steps| automarket_core::steps::in_doubt(steps.values())))
}

/// The newest remembered steps of the publication's jobs; `None` when its job is not kept. Those before an
/// explicit resending only if asked for.
async fn steps(
    engine: &Engine,
    publication: &Publication,
    before_resent: bool,
) -> Result<Option<BTreeMap<String, Value>>> {
    let tenant = &publication.tenant;
    let Some(job) = engine.store.job(tenant, publication.job).await? else {
        return Ok(None);
    };
    let carries = PublishJob::of(&job)?;
    let earlier = carries.earlier.iter();
    let earlier = earlier.filter(|_| before_resent || !carries.resend);
    let mut steps = BTreeMap::new();
    for id in earlier.chain([&job.id]) {
        steps.extend(engine.store.steps(tenant, *id).await?);
    }
    Ok(Some(steps))
}
