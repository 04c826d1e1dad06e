use std::{collections::BTreeSet, time::Duration};

use crate::{
    Result, TenantId,
    store::{JobState, PublicationState, Store},
};

/// What of a tenant nobody will ever come back to, or nobody has come back to in time; empty when all is
/// attended to:
///
/// - jobs of anybody that are ready for longer than `grace`,
/// - publications that are not at their end, and that no waiting or leased job is for.
///
/// Publications are found by the tenant's events. Reads all of it: for tests and for what verifies worlds.
///
/// # Errors
/// Those of the store.
pub async fn unattended(
    store: &dyn Store,
    tenant: &TenantId,
    grace: Duration,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for late in store.overdue(grace, None, 1).await? {
        found.push(format!(
            "the job {} is ready since {}",
            late.job, late.since
        ));
    }
    let mut attended = BTreeSet::new();
    for state in [JobState::Waiting, JobState::Leased] {
        for job in store.jobs(tenant, state, usize::MAX).await? {
            let publication = job.payload.get("publication").and_then(|id| id.as_str());
            attended.extend(publication.map(str::to_owned));
        }
    }
    let mut told = BTreeSet::new();
    for event in store.events(tenant, 0, usize::MAX).await? {
        if event.event.kind.starts_with("publication.") {
            told.insert(event.event.subject);
        }
    }
    for id in told.difference(&attended) {
        let Ok(id) = id.parse() else { continue };
        let Some(publication) = store.publication(tenant, id).await? else {
            continue;
        };
        let rests = match publication.state {
            PublicationState::Draft => true,
            // What can be too late has a job that says so.
            PublicationState::AwaitingApproval => publication.expiry().is_none(),
            _ => false,
        };
        if !publication.state.is_terminal() && !rests {
            let state = publication.state.as_str();
            found.push(format!(
                "the publication {id} is {state}, and no job is for it"
            ));
        }
    }
    Ok(found)
}
