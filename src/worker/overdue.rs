//! Says of what nobody comes back to in time that it is overdue, once.

use std::time::Duration;

use automarket_core::{
    ErrorKind, Result,
    store::{NewEvent, Overdue},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    market::Engine,
    publishing::{PUBLISH_JOB, overdue},
    report::{HealthLimits, metrics},
};

/// So many are read at once, so many are told of in one call, and so many questions are asked at a time: work has the
/// store's connections.
const MOST: usize = 1000;
const TOGETHER: usize = 100;
const QUESTIONS: usize = 4;
/// So long after a flood it is begun anew though more comes all the time.
const ANEW: Duration = Duration::from_secs(3600);

/// How far those were told of that wait for longest.
pub(super) struct Told {
    last: Option<Overdue>,
    anew_at: Instant,
}

impl Told {
    pub(super) fn nothing() -> Self {
        Self {
            last: None,
            anew_at: Instant::now() + ANEW,
        }
    }
}

/// Tells of each job that is ready for longer than the grace of [`HealthLimits`] and that nobody takes: as
/// `publication.overdue` where it is a publication's, else as `job.overdue`. An instant is told of once, but
/// twice where two workers look in the same moment.
///
/// Those that wait for longest come first, from behind `told` on, which moves with those that are told of. `true`
/// when there may be more. It begins anew where one look sees all of them; else only once nothing is behind, or
/// an hour later, so that those of a flood are not asked for again and again.
pub(super) async fn tell(engine: &Engine, told: &mut Told) -> Result<bool> {
    let store = &engine.store;
    let grace = HealthLimits::default().grace;
    let page = store.overdue(grace, told.last.as_ref(), MOST).await?;
    let more = page.len() == MOST;
    let is_time = told.last.is_none() || told.anew_at <= Instant::now();
    let anew = page.is_empty() || is_time && !more;
    for late in page.chunks(TOGETHER) {
        let news = stream::iter(late.to_vec()).map(|late| news(engine, late));
        let news: Vec<_> = news.buffered(QUESTIONS).try_collect().await?;
        let mut news: Vec<_> = news.into_iter().flatten().collect();
        if let Err(error) = store.append_events(&news).await {
            if error.is_unknown() {
                return Err(error);
            }
            // One tenant's events may be locked by a transaction of its host: the others are told of all the same.
            news.sort_by(|one, next| one.tenant.cmp(&next.tenant));
            for news in news.chunk_by(|one, next| one.tenant == next.tenant) {
                metrics::store_result("overdue", store.append_events(news).await);
            }
        }
        told.last = late.last().cloned();
    }
    if anew {
        *told = Told::nothing();
    }
    Ok(more)
}

/// What is to be told of it, if it was not told yet.
async fn news(engine: &Engine, late: Overdue) -> Result<Option<NewEvent>> {
    let event = event(engine, &late).await?;
    let known = engine
        .store
        .events_about(&late.tenant, &event.subject)
        .await?;
    let is_new = !known.iter().any(|known| known.event == event);
    Ok(is_new.then_some(event))
}

async fn event(engine: &Engine, late: &Overdue) -> Result<NewEvent> {
    let facts = json!({
        "job": late.job,
        "kind": late.kind,
        "since": late.since,
        "lease_ran_out": late.leased,
    });
    if late.kind == PUBLISH_JOB {
        match overdue(engine, &late.tenant, late.job, &facts).await {
            Ok(Some(event)) => return Ok(event),
            Ok(None) => {}
            // What cannot be read is told of all the same, and holds up nobody behind it.
            Err(error) if error.kind() == ErrorKind::Internal => {
                metrics::store_error("overdue", &error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(NewEvent {
        tenant: late.tenant.clone(),
        kind: "job.overdue".to_owned(),
        subject: late.job.to_string(),
        data: facts,
    })
}
