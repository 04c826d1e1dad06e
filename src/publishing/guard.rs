//! No publication outlives its job unsettled.
//!
//! A job that dies, by a failure or because its workers crashed, is never run again, so it cannot say what
//! became of its publication. A second job, the guard, does. It is put in before the first one can die: before
//! a verdict that ends it, and before an attempt that a crash may end. Nothing has to be swept, and a
//! publication that goes well has no guard.

use std::time::Duration;

use automarket_core::{
    Error, Result, Retry, chrono,
    store::{Job, JobState, NewJob},
};

use super::{PublishJob, send};
use crate::{market::Engine, worker::End};

/// The kind of the jobs that watch over dying publish jobs.
pub(crate) const GUARD_JOB: &str = "publish-guard";

/// How often a guard looks.
const EVERY: Duration = Duration::from_secs(30);

/// What a publish job, or its guard, carries.
pub(crate) fn payload(job: &Job) -> Result<PublishJob> {
    serde_json::from_value(job.payload.clone()).map_err(|error| {
        Error::invalid("payload", "not what publish jobs carry")
            .with_source(error)
            .with_retry(Retry::After(None))
    })
}

/// Sets a guard over a publish job under an attempt whose end may be its last: it has crashed before, or this
/// attempt or the next is its last.
pub(crate) async fn set_if_dying(engine: &Engine, job: &Job) -> Result<()> {
    if job.crashes > 0 || job.attempts.saturating_add(1) >= job.max_attempts {
        set(engine, job, EVERY).await?;
    }
    Ok(())
}

/// Sets a guard over a publish job, from a while from now on; over another job none.
pub(crate) async fn set(engine: &Engine, job: &Job, from_now: Duration) -> Result<()> {
    if job.kind != super::PUBLISH_JOB || payload(job).is_err() {
        return Ok(());
    }
    let first = later(engine, from_now).await?;
    let guard = NewJob::new(job.tenant.clone(), GUARD_JOB, job.payload.clone())
        .run_at(first)
        .unique(job.id.to_string());
    engine.store.enqueue(&[guard]).await.map(drop)
}

/// The guard's own run.
pub(crate) async fn run(engine: &Engine, guard: &Job) -> Result<End> {
    let id = super::publish_job_id(payload(guard)?.publication);
    let Some(job) = engine.store.job(&guard.tenant, id).await? else {
        return Ok(End::done());
    };
    match job.state {
        JobState::Dead => give_up(engine, &job).await.map(|()| End::done()),
        JobState::Waiting | JobState::Leased => {
            let next = later(engine, EVERY).await?;
            Ok(End::Snooze(next.max(job.run_at)))
        }
        _ => Ok(End::done()),
    }
}

/// Settles the publication of a publish job that has just died, so that it need not wait for the guard.
pub(crate) async fn look(engine: &Engine, job: &Job) -> Result<()> {
    if job.kind != super::PUBLISH_JOB {
        return Ok(());
    }
    match engine.store.job(&job.tenant, job.id).await? {
        Some(job) if job.state == JobState::Dead => give_up(engine, &job).await,
        _ => Ok(()),
    }
}

async fn give_up(engine: &Engine, dead: &Job) -> Result<()> {
    let (Ok(payload), Some(last)) = (payload(dead), dead.failures.last()) else {
        return Ok(());
    };
    send::give_up(engine, &dead.tenant, payload.publication, &last.error).await
}

async fn later(engine: &Engine, wait: Duration) -> Result<chrono::DateTime<chrono::Utc>> {
    Ok(engine.store.now().await? + chrono::Duration::from_std(wait).unwrap_or_default())
}
