//! The job that takes a publication further, and the steps that it goes on from.

use std::{collections::BTreeMap, sync::Arc};

use automarket_core::{
    Error, ErrorKind, ErrorRecord, JobId, PublicationId, Result, Retry, async_trait,
    chrono::{DateTime, Utc},
    publisher::ends_post,
    steps::{self, Steps},
    store::{Job, NewJob, Publication, PublicationState, rules::FAILURES_KEPT},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{market::Engine, trouble::is_ours};

/// The kind of the jobs that send publications.
pub const PUBLISH_JOB: &str = "publish";

/// How often a publication is tried.
pub(crate) const ATTEMPTS: usize = 20;
const _: () = assert!(ATTEMPTS <= FAILURES_KEPT);
/// How often its worker may be gone.
const CRASHES: u32 = 3;

/// What such a job carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PublishJob {
    pub(crate) publication: PublicationId,
    /// What the jobs before it remembered, so that it does not need them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    steps: BTreeMap<String, Value>,
    /// Whether something that may have happened is sent again without a look: somebody said so. It may have
    /// happened all the same, whatever becomes of the second sending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resent: bool,
}

impl PublishJob {
    /// One that starts from nothing.
    pub(crate) fn new(publication: PublicationId) -> Self {
        Self {
            publication,
            steps: BTreeMap::new(),
            resent: false,
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

    /// One that goes on where the publication's job stopped. With `resend`, what began and did not end is sent
    /// again without a look.
    ///
    /// # Errors
    /// `Conflict` (`publication.forgotten`) when that job is not kept any more, and may have sent something: which parts
    /// of it are out nobody knows then.
    pub(crate) async fn continuing(
        engine: &Engine,
        publication: &Publication,
        resend: bool,
    ) -> Result<Self> {
        let mut next = match Self::remembered(engine, publication).await? {
            Some(next) => next,
            None if publication.sent_at.is_none() => Self::new(publication.id),
            None => {
                let message = "what its earlier sending did is not kept any more";
                return Err(Error::new(ErrorKind::Conflict, message)
                    .with_rule("publication.forgotten")
                    .with_remedy("look on the platform, and publish a new post"));
            }
        };
        if resend {
            next.resent = true;
            next.steps.retain(|_, step| !steps::in_doubt([&*step]));
        }
        Ok(next)
    }

    /// All that the publication's job knows by now; `None` when it is not kept any more.
    async fn remembered(engine: &Engine, publication: &Publication) -> Result<Option<Self>> {
        let (store, tenant) = (&engine.store, &publication.tenant);
        let Some(job) = store.job(tenant, publication.job).await? else {
            return Ok(None);
        };
        let mut carries = Self::of(&job)?;
        carries.steps.extend(store.steps(tenant, job.id).await?);
        Ok(Some(carries))
    }

    fn is_out(&self) -> bool {
        let mut steps = self.steps.values();
        steps.any(|step| !steps::nothing_out([step]) && !steps::in_doubt([step]))
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
        publication.expiry()
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

/// Makes it due now; what has to be approved first, whenever somebody says yes.
pub(crate) fn for_now(publication: &mut Publication, now: DateTime<Utc>) {
    publication.due = match publication.is_approved() {
        true => now,
        false => publication.created_at,
    };
}

/// How often it was tried before this run, as far back as its failures are kept: what our own trouble kept from being
/// done is no try, though the queue counts it as an attempt.
pub(crate) fn tries(job: &Job) -> usize {
    // The others are of its life before it was redriven.
    let failed = job.attempts.saturating_sub(1) as usize;
    let failures = job.failures.iter().rev().take(failed);
    failures.filter(|f| !is_ours(f.error.kind)).count()
}

/// Why this run of a publish job is one too many: its last failure that was not trouble of our own.
pub(crate) fn used_up(job: &Job) -> Option<ErrorRecord> {
    if tries(job) < ATTEMPTS && job.crashes < CRASHES {
        return None;
    }
    let mut newest_first = job.failures.iter().rev().map(|f| &f.error);
    let last = newest_first.find(|error| !is_ours(error.kind));
    last.or(job.failures.last().map(|f| &f.error)).cloned()
}

/// The steps of a job, and behind them those that it carries.
pub(crate) struct Continued {
    pub(crate) own: Arc<dyn Steps>,
    pub(crate) carries: PublishJob,
    /// Whether what is not out is not to be sent any more.
    pub(crate) over: bool,
}

#[async_trait]
impl Steps for Continued {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        let own = self.own.get(name).await?;
        Ok(own.or_else(|| self.carries.steps.get(name).cloned()))
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.own.put(name, value).await
    }

    /// So that each write remembers when it began; [`look_at`] sees to it that none is looked for too soon.
    async fn now(&self) -> Result<Option<DateTime<Utc>>> {
        self.own.now().await
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// Whether surely nothing of the publication is out in the world.
pub(crate) async fn nothing_out(engine: &Engine, publication: &Publication) -> Result<bool> {
    Ok(match PublishJob::remembered(engine, publication).await? {
        Some(known) => !known.resent && steps::nothing_out(known.steps.values()),
        None => publication.sent_at.is_none(),
    })
}

/// Whether an earlier sending of the publication may have happened and nobody has looked yet. What somebody
/// said to send again all the same is in doubt no more.
pub(crate) async fn in_doubt(engine: &Engine, publication: &Publication) -> Result<bool> {
    let known = PublishJob::remembered(engine, publication).await?;
    Ok(known.is_some_and(|known| steps::in_doubt(known.steps.values())))
}

/// Whether a write of the publication surely happened.
pub(crate) async fn is_out(engine: &Engine, publication: &Publication) -> Result<bool> {
    let known = PublishJob::remembered(engine, publication).await?;
    Ok(known.is_some_and(|known| known.is_out()))
}

/// Whether a write of the publication may have happened, and none surely did.
pub(crate) async fn is_unsure(engine: &Engine, publication: &Publication) -> Result<bool> {
    let known = PublishJob::remembered(engine, publication).await?;
    Ok(known.is_some_and(|known| steps::in_doubt(known.steps.values()) && !known.is_out()))
}

/// When what is in doubt of the publication may be looked for: so long after it was last heard of, as a sending may
/// take long before its public write begins. `None` when nothing is in doubt. Counted from the last crash too: a clock
/// that was set ahead under way would make a minute of a moment.
pub(crate) async fn look_at(
    engine: &Engine,
    job: &Job,
    publication: &Publication,
) -> Result<Option<DateTime<Utc>>> {
    let known = PublishJob::remembered(engine, publication).await?;
    let mut crashes = job.failures.iter().rev();
    let crash = crashes.find(|failure| failure.error.kind == ErrorKind::LeaseLost);
    Ok(known.and_then(|known| {
        let heard = [Some(publication.updated_at), crash.map(|crash| crash.at)];
        let begun = steps::begun_at(known.steps.values());
        let begun = heard.into_iter().fold(begun, Option::max);
        let begun = begun.filter(|_| steps::in_doubt(known.steps.values()));
        begun.map(|at| at + engine.look_after)
    }))
}

/// Whether at most one write of the publication happened: what the platform took is then the whole of it.
pub(crate) async fn is_one_write(engine: &Engine, publication: &Publication) -> Result<bool> {
    let known = PublishJob::remembered(engine, publication).await?;
    Ok(match known {
        Some(known) => {
            let steps = known.steps.values();
            steps.filter(|step| !steps::nothing_out([*step])).count() <= 1
        }
        // What is rejected was looked at when it was.
        None => publication.state == PublicationState::Rejected,
    })
}

/// Whether the platform took the whole of it and then said what became of that: it failed it, or cannot tell. What a
/// step remembers of the taking leads nowhere any more.
pub(crate) async fn was_settled(engine: &Engine, publication: &Publication) -> Result<bool> {
    let ended = |error: &ErrorRecord| {
        error.kind == ErrorKind::CannotTell || ends_post(error.kind, error.rule.as_deref())
    };
    let said = publication.handle.is_some() && publication.error.as_ref().is_some_and(ended);
    Ok(said && is_one_write(engine, publication).await?)
}

/// Whether one write of the publication is in doubt and surely nothing else of it is out: where that one is not,
/// nothing is.
pub(crate) async fn hangs_on_a_look(engine: &Engine, publication: &Publication) -> Result<bool> {
    let known = PublishJob::remembered(engine, publication).await?;
    Ok(known.is_some_and(|known| {
        let steps = known.steps.values();
        let (begun, ended): (Vec<_>, Vec<_>) = steps.partition(|step| steps::in_doubt([*step]));
        !known.resent && begun.len() == 1 && steps::nothing_out(ended)
    }))
}
