//! What waited for an account goes on when the account is usable again.

use automarket_core::{
    AccountId, Result, TenantId,
    store::PublicationState::{Accepted, Blocked, Publishing, Scheduled},
};

use super::{send::blocked_by, timing::PACE};
use crate::market::Engine;

/// So many are released at once at the most; the others look for themselves.
const MOST: usize = 1_000;

/// Wakes the publications that wait for this account, one after the other; says how many. Called whenever the
/// account got a credential that may work.
pub(crate) async fn release_blocked(
    engine: &Engine,
    tenant: &TenantId,
    account: AccountId,
) -> Result<usize> {
    // Drafts wait for people.
    let states = [Scheduled, Blocked, Publishing, Accepted];
    let live = engine
        .store
        .live_publications(tenant, account, &states, MOST)
        .await?;
    let waiting = live.iter().filter(|p| {
        let error = p.error.as_ref();
        error.is_some_and(|error| blocked_by(error.kind).is_some())
    });
    let mut at = engine.store.now().await?;
    let mut released = 0;
    for publication in waiting {
        if engine
            .store
            .reschedule_job(tenant, publication.job, at)
            .await?
        {
            at += PACE;
            released += 1;
        }
    }
    if released > 0 {
        engine.wake.notify_waiters();
    }
    Ok(released)
}
