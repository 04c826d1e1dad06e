//! Taking down what is out.

use std::sync::Arc;

use automarket_core::{
    Error, ErrorKind, ErrorRecord, JobId, Outcome, PublicationId, Receipt, Result, Retry,
    publisher::undeclared,
    steps::Steps,
    store::{Decision, Job, NewJob, Operation, Publication, PublicationState, PublishingChange},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    TooLate,
    anew::anew,
    attempt::Try,
    changes::{Selection, not_found},
    job::used_up,
    send::{BLOCKED, account_of, blocked_by},
    told::{event, told},
};
use crate::{
    Tenant,
    market::Engine,
    report::metrics,
    trouble::waits,
    worker::{End, closed_until},
};

/// The kind of the jobs that take publications down.
pub(crate) const DELETE_JOB: &str = "publish-delete";

/// What such a job carries.
#[derive(Serialize, Deserialize)]
struct DeleteJob {
    publication: PublicationId,
    /// The intent whose end is to be taken down, and not what is sent after it.
    key: Option<String>,
}

impl DeleteJob {
    fn of(job: &Job) -> Result<Self> {
        serde_json::from_value(job.payload.clone()).map_err(|error| {
            Error::invalid("payload", "not what jobs that delete carry")
                .with_source(error)
                .with_retry(Retry::After(None))
        })
    }

    /// Whether what it is to take down may still stand there: who asks what became of a thing may have ended it
    /// meanwhile, and says so even of what was taken down by us.
    fn may_act(&self, publication: &Publication) -> bool {
        may_stand(publication) && self.key.as_ref().is_none_or(|key| *key == publication.key)
    }
}

impl Tenant {
    /// Takes down what is published, accepted by the platform, or unknown with a receipt: of the last what the receipt
    /// names; a part of which nobody can tell may be left. A worker does it, and the state stays what
    /// it is until the platform has said yes; then it is `deleted`, also where a poll has ended what was accepted
    /// meanwhile. A refusal is told as `publication.delete_failed`, and so is that it was sent again before. While the account has no usable credential it waits, and looks for one every
    /// quarter of an hour. Returns the job.
    ///
    /// # Errors
    /// `Unsupported` when the platform's connector cannot delete for the account; [`TooLate`] when the publication is none of
    /// these (what still waits is called off with [`Tenant::cancel`]); `NotFound`; those of the
    /// store.
    pub async fn delete(&self, publication: PublicationId) -> Result<JobId> {
        let what = Selection::Publication(publication);
        let job = anew(|| async {
            let found = self.select(what).await?.into_iter().next();
            let p = found.ok_or_else(|| not_found(what))?;
            if !is_known_out(&p) {
                return Err(TooLate { state: p.state }.error("it is not known to be out"));
            }
            let engine = self.engine();
            let account = engine.account(&self.id, p.route().account).await?;
            let profile = engine.publisher(&account.platform)?.profile_for(&account);
            if !profile.abilities.delete {
                return Err(undeclared(&profile, "delete"));
            }
            let revision = p.revision + 1;
            let payload = json!(DeleteJob {
                publication: p.id,
                key: Some(p.key.clone()),
            });
            let mut job = NewJob::new(self.id.clone(), DELETE_JOB, payload).unending();
            job.id = job_id(p.id, revision);
            let id = job.id;
            let change = PublishingChange {
                jobs: vec![job],
                events: vec![told(&p, revision, "deleting", Value::Null)],
                publications: vec![p],
                ..PublishingChange::new(self.id.clone())
            };
            engine.store.change_publishing(&change).await?;
            Ok(id)
        });
        let job = job.await?;
        self.engine().wake.notify_waiters();
        Ok(job)
    }
}

/// The job's id follows from the publication and the revision that it came with.
pub(super) fn job_id(publication: PublicationId, revision: i64) -> JobId {
    JobId::derived(&format!("delete {publication} {revision}"))
}

/// Whether it is with the platform, and by which id is known.
fn is_known_out(publication: &Publication) -> bool {
    let unsure = publication.state == PublicationState::Unknown;
    out(publication) || unsure && publication.receipt.is_some()
}

/// Whether it is with the platform.
fn out(publication: &Publication) -> bool {
    matches!(
        publication.state,
        PublicationState::Published | PublicationState::Accepted
    )
}

/// Whether something of it may stand there.
pub(super) fn may_stand(publication: &Publication) -> bool {
    let known = publication.receipt.is_some() || publication.handle.is_some();
    let ended = matches!(
        publication.state,
        PublicationState::Unknown | PublicationState::Rejected
    );
    out(publication) || ended && known
}

/// The job's run. Deleting what is gone is no failure, so it is simply done again until it is sure; its steps say what
/// an earlier attempt began.
pub(crate) async fn run(engine: &Engine, job: &Job, steps: Arc<dyn Steps>) -> Result<End> {
    let used_up = used_up(job);
    let carries = match DeleteJob::of(job) {
        Err(error) if used_up.is_some() => return Ok(End::Dead(error)),
        carries => carries?,
    };
    anew(|| delete(engine, job, &carries, used_up.clone(), steps.clone())).await
}

async fn delete(
    engine: &Engine,
    job: &Job,
    carries: &DeleteJob,
    used_up: Option<ErrorRecord>,
    steps: Arc<dyn Steps>,
) -> Result<End> {
    let found = engine.store.publication(&job.tenant, carries.publication);
    let Some(mut p) = found.await? else {
        return Ok(End::done());
    };
    if !carries.may_act(&p) {
        if p.state != PublicationState::Deleted {
            let error =
                ErrorRecord::from(&TooLate { state: p.state }.error("nothing of it is out"));
            let event = told(&p, p.revision, "delete_failed", json!({ "error": error }));
            engine.store.append_events(&[event]).await?;
        }
        return Ok(End::done());
    }
    let now = engine.store.now().await?;
    let attempt = Try::new(job, Operation::Delete, now);
    let result = match used_up {
        Some(last) => Err(Error::from(last)
            .with_kind(ErrorKind::Internal)
            .with_retry(Retry::Never)),
        None => ask(engine, &p, &attempt, steps).await,
    };
    if let Err(error) = &result
        && let Some(until) = closed_until(error, now)
    {
        return Ok(End::Snooze(until));
    }
    let outcome = match &result {
        Ok(receipt) => Ok(Outcome::Done(receipt.clone())),
        Err(error) => Err(Error::from(ErrorRecord::from(error))),
    };
    let tried = attempt.of(&p, &outcome);
    let (end, rule) = match result {
        Ok(_) => (End::done(), "done"),
        Err(error) => match (blocked_by(error.kind()), error.retry()) {
            (Some(rule), _) => (End::Snooze(now + BLOCKED), rule),
            (None, Retry::Never) => (End::Dead(error), "rejected"),
            _ => (End::Retry(error), "retry.backoff"),
        },
    };
    let revision = p.revision + 1;
    let events = match &end {
        End::Done(_) => {
            p.state = PublicationState::Deleted;
            vec![event(&p, revision)]
        }
        End::Dead(error) => {
            let facts = json!({ "error": ErrorRecord::from(error) });
            vec![told(&p, revision, "delete_failed", facts)]
        }
        _ => Vec::new(),
    };
    let decision = Decision {
        rule: rule.to_owned(),
        until: match &end {
            End::Snooze(at) => Some(*at),
            _ => None,
        },
    };
    let change = PublishingChange {
        attempts: vec![tried.decided(decision)],
        events,
        publications: vec![p],
        ..PublishingChange::new(job.tenant.clone())
    };
    let changed = engine.store.change_publishing(&change).await?;
    if matches!(end, End::Done(_)) {
        changed.iter().for_each(metrics::publication);
    }
    Ok(end)
}

async fn ask(
    engine: &Engine,
    p: &Publication,
    attempt: &Try,
    steps: Arc<dyn Steps>,
) -> Result<Receipt> {
    let account = account_of(engine, p).await?;
    let publisher = engine.publisher(&account.platform).map_err(waits)?.clone();
    let (context, passed) = engine.passing(account).await.map_err(waits)?;
    let context = context
        .with_exchanges(attempt.exchanges.clone())
        .with_steps(steps);
    let receipt = p.receipt.clone().or_else(|| {
        p.handle.as_ref().map(|handle| Receipt {
            data: handle.data.clone(),
            ..Receipt::new(handle.remote_id.clone())
        })
    });
    let receipt = receipt.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "what is out has neither receipt nor handle",
        )
    })?;
    let (publisher, out) = (&*publisher, &receipt);
    let call = |cx| async move { publisher.delete(&cx, out).await };
    passed.call(engine, context, call).await?;
    Ok(receipt)
}
