//! What comes of what is out: read from the platforms at fixed times after it was published, and kept as series.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, JobId, Metrics, PostId, PublicationId, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    store::{Account, Job, Measurement, NewJob, Publication, PublicationState},
    wait_end,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::job::used_up;
use crate::{
    Tenant,
    market::Engine,
    trouble::waits,
    worker::{End, closed_until},
};

/// The kind of the jobs that measure publications.
pub(crate) const MEASURE_JOB: &str = "measure";

const HOUR: u64 = 3600;
/// So long after a post was published it is measured, unless the host says otherwise
/// ([`Builder::measure_after`](crate::Builder::measure_after)).
pub const MEASURE_AFTER: [Duration; 4] = [
    Duration::from_secs(HOUR),
    Duration::from_secs(24 * HOUR),
    Duration::from_secs(7 * 24 * HOUR),
    Duration::from_secs(30 * 24 * HOUR),
];

/// What failed is tried again after half the time for which it has been due, within these bounds.
const AGAIN: (TimeDelta, TimeDelta) = (TimeDelta::minutes(5), TimeDelta::hours(6));
/// How long the last point of a series is tried for. An earlier one is when the next is due.
const LAST: TimeDelta = TimeDelta::days(7);
/// Behind what is to be published.
const PRIORITY: i16 = -1;

/// What such a job carries.
#[derive(Serialize, Deserialize)]
struct MeasureJob {
    publication: PublicationId,
    /// When it was published, by our clock.
    since: DateTime<Utc>,
}

/// The newest numbers of a post on all of its accounts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PostMetrics {
    /// All together. A number is there when one account has it.
    pub sum: Metrics,
    /// The newest measurement of each publication that has one.
    pub newest: Vec<Measurement>,
}

/// The job that follows a publication that was published at this instant by this account; `None` for all others, and
/// where nothing is measured.
pub(super) fn job(
    engine: &Engine,
    account: &Account,
    publication: &Publication,
    now: DateTime<Utc>,
) -> Result<Option<NewJob>> {
    if publication.state != PublicationState::Published {
        return Ok(None);
    }
    let publisher = engine.publisher(&account.platform)?;
    let first = points(engine, now).min();
    let Some(first) = first.filter(|_| publisher.profile_for(account).abilities.measure) else {
        return Ok(None);
    };
    let payload = json!(MeasureJob {
        publication: publication.id,
        since: now,
    });
    let job = NewJob::new(publication.tenant.clone(), MEASURE_JOB, payload);
    let job = job.run_at(first).unending();
    Ok(Some(NewJob {
        id: JobId::derived(&format!("measure {}", publication.id)),
        priority: PRIORITY,
        ..job
    }))
}

/// When what was published at this instant is to be measured.
fn points(engine: &Engine, since: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let after = engine.measure_after.iter();
    after.filter_map(move |after| since.checked_add_signed(TimeDelta::from_std(*after).ok()?))
}

/// Measures when a point is due, and sleeps until the next one. A measurement stands for all points before
/// it, so that an outage ends in one, and a repeated run in none.
pub(crate) async fn run(engine: &Engine, job: &Job) -> Result<End> {
    if let Some(last) = used_up(job) {
        return Ok(End::Dead(last.into()));
    }
    let carries: MeasureJob = serde_json::from_value(job.payload.clone()).map_err(|error| {
        Error::invalid("payload", "not what these jobs carry").with_source(error)
    })?;
    let (store, tenant) = (&engine.store, &job.tenant);
    let found = store.publication(tenant, carries.publication).await?;
    let Some(publication) = found.filter(|p| p.state == PublicationState::Published) else {
        return Ok(End::done());
    };
    let now = store.now().await?;
    let points = || points(engine, carries.since);
    let next = points().filter(|point| *point > now).min();
    let then = next.map_or_else(End::done, End::Snooze);
    let Some(due) = points().filter(|point| *point <= now).max() else {
        return Ok(then);
    };
    let series = store.measurements(tenant, publication.id).await?;
    if series.last().is_some_and(|last| last.as_of >= due) {
        return Ok(then);
    }
    let error = match measure(engine, &publication).await {
        Ok(_) => return Ok(then),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Storage | ErrorKind::LeaseLost => return Err(error),
        // An account may be connected again before the next point.
        ErrorKind::Unauthorized => {}
        ErrorKind::NotFound if lacks_account(engine, &publication).await? => {}
        ErrorKind::NotFound | ErrorKind::Unsupported => return Ok(ended(&error)),
        // They may pass as well: a read changes nothing.
        ErrorKind::UnexpectedReply | ErrorKind::QuotaExhausted | ErrorKind::TooLarge => {}
        _ if error.retry() == Retry::Never => {
            return Ok(next.map_or_else(|| ended(&error), End::Snooze));
        }
        _ => {}
    }
    if next.is_none() && now - due > LAST {
        return Ok(ended(&error));
    }
    let (soonest, latest) = AGAIN;
    let again = match (closed_until(&error, now), error.retry()) {
        (Some(until), _) => until,
        (None, Retry::After(Some(wait))) => wait_end(now, wait).max(now + soonest),
        _ => now + ((now - due) / 2).clamp(soonest, latest),
    };
    tracing::debug!(publication = %publication.id, error = %error.report(), "not measured");
    Ok(End::Snooze(next.map_or(again, |next| again.min(next))))
}

/// Whether the account by which it went is not the tenant's any more.
async fn lacks_account(engine: &Engine, publication: &Publication) -> Result<bool> {
    let (tenant, account) = (&publication.tenant, publication.route().account);
    Ok(engine.store.account(tenant, account).await?.is_none())
}

/// The end of a series: the post is gone, or nobody can tell any more.
fn ended(error: &Error) -> End {
    End::Done(json!({ "ended": error.to_string() }))
}

/// Asks the platform, and adds what it says to the series.
async fn measure(engine: &Engine, publication: &Publication) -> Result<Measurement> {
    let account = engine.account(&publication.tenant, publication.route().account);
    let account = account.await?;
    let publisher = engine.publisher(&account.platform).map_err(waits)?.clone();
    let receipt = publication.receipt.as_ref();
    let receipt = receipt
        .ok_or_else(|| Error::new(ErrorKind::Internal, "what is published has no receipt"))?;
    let source = account.platform.clone();
    let (context, passed) = engine.passing(account).await.map_err(waits)?;
    let publisher = &*publisher;
    let call = |cx| async move { publisher.measure(&cx, receipt).await };
    let metrics = passed.call(engine, context, call).await?;
    let measurement = Measurement {
        tenant: publication.tenant.clone(),
        publication: publication.id,
        as_of: engine.store.now().await.map_err(waits)?,
        source,
        metrics,
    };
    let put = engine.store.put_measurement(&measurement);
    put.await.map_err(waits)?;
    Ok(measurement)
}

impl Tenant {
    /// The series of a publication, oldest first: what its platform said an hour after it was published, a day,
    /// a week and 30 days (see [`Builder::measure_after`](crate::Builder::measure_after)), and whenever
    /// [`Tenant::measure_now`] asked. A post that is gone gets no more points; what it has stays.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn measurements(&self, publication: PublicationId) -> Result<Vec<Measurement>> {
        let store = &self.engine().store;
        store.measurements(&self.id, publication).await
    }

    /// All of the tenant's measurements at or after an instant, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn measurements_since(
        &self,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Measurement>> {
        let store = &self.engine().store;
        store.measurements_since(&self.id, since, limit).await
    }

    /// Asks the platform for the numbers of a publication now, and adds them to its series.
    ///
    /// # Errors
    /// `Conflict` when it is not published; `NotFound` when the tenant has no such publication, or the platform
    /// no such post any more; `Unsupported` when the connector cannot measure; `RateLimited` or,
    /// where it is its token's renewal, `Unavailable` (both rule `gate.closed`) while the account is left alone; the
    /// connector's; those of the store.
    pub async fn measure_now(&self, publication: PublicationId) -> Result<Measurement> {
        let engine = self.engine();
        let found = engine.store.publication(&self.id, publication).await?;
        let publication = found.ok_or_else(|| {
            let message = format!("the tenant has no publication {publication}");
            Error::new(ErrorKind::NotFound, message)
        })?;
        if publication.state != PublicationState::Published {
            let message = format!("it is {}, not published", publication.state.as_str());
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        measure(engine, &publication).await
    }

    /// The newest numbers of a post, account by account and together.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn post_metrics(&self, post: PostId) -> Result<PostMetrics> {
        let mut newest = Vec::new();
        for publication in self.publications(post).await? {
            newest.extend(self.measurements(publication.id).await?.pop());
        }
        let sum = Metrics::sum(newest.iter().map(|measurement| &measurement.metrics));
        Ok(PostMetrics { sum, newest })
    }
}
