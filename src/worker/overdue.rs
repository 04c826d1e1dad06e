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

/// So many are told of together at the most, those that wait for longest first.
const MOST: usize = 100;

/// Tells of each job that is ready for longer than the grace of [`HealthLimits`] and that nobody takes: as
/// `publication.overdue` where it is a publication's, else as `job.overdue`. An instant is told of once, but
/// twice where two workers look in the same moment.
pub(super) async fn tell(engine: &Engine) -> Result<()> {
    let store = &engine.store;
    for late in store.overdue(HealthLimits::default().grace, MOST).await? {
        let event = event(engine, &late).await?;
        let known = store.events_about(&late.tenant, &event.subject).await?;
        if !known.iter().any(|known| known.event == event) {
            store.append_events(&[event]).await?;
        }
    }
    Ok(())
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
