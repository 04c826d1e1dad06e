//! Says of what nobody comes back to in time that it is overdue, once.

use automarket_core::{
    Result,
    store::{NewEvent, Overdue},
};
use serde_json::json;

use crate::{
    market::Engine,
    publishing::{PUBLISH_JOB, overdue},
    report::HealthLimits,
};

/// So many are told of together at the most.
const MOST: usize = 1000;

/// Tells of each job that is ready for longer than the grace of [`HealthLimits`] and that nobody takes: as
/// `publication.overdue` where it is a publication's, else as `job.overdue`. An instant is told of once, but
/// twice where two workers look in the same moment.
///
/// Those that wait for longest come first, from behind `told` on, which moves with those that are told of. `true`
/// when there may be more; else it begins anew.
pub(super) async fn tell(engine: &Engine, told: &mut Option<Overdue>) -> Result<bool> {
    let store = &engine.store;
    let grace = HealthLimits::default().grace;
    let page = store.overdue(grace, told.as_ref(), MOST).await?;
    let more = page.len() == MOST;
    for late in page {
        let event = event(engine, &late).await?;
        let known = store.events_about(&late.tenant, &event.subject).await?;
        if !known.iter().any(|known| known.event == event) {
            store.append_events(&[event]).await?;
        }
        *told = Some(late);
    }
    if !more {
        *told = None;
    }
    Ok(more)
}

async fn event(engine: &Engine, late: &Overdue) -> Result<NewEvent> {
    let facts = json!({
        "job": late.job,
        "kind": late.kind,
        "since": late.since,
        "lease_ran_out": late.leased,
    });
    if late.kind == PUBLISH_JOB
        && let Some(event) = overdue(engine, &late.tenant, late.job, &facts).await?
    {
        return Ok(event);
    }
    Ok(NewEvent {
        tenant: late.tenant.clone(),
        kind: "job.overdue".to_owned(),
        subject: late.job.to_string(),
        data: facts,
    })
}
