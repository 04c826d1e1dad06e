//! The second way of an account, when its own surely failed.

use automarket_core::{
    AccountId, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Duration, Utc},
    store::{Decision, Publication, PublishingChange, RoutingPart, Target},
};
use serde_json::json;

use super::{
    attempt::Tried,
    changes::new_key,
    job::{ATTEMPTS, PublishJob, arm, for_now, nothing_out},
    said_by,
    told::told,
};
use crate::{Tenant, market::Engine, trouble::is_ours};

/// After so many failures that may pass, the second way is tried, if there is one.
const FAILURES: usize = 5;
const _: () = assert!(FAILURES < ATTEMPTS);

impl Tenant {
    /// Names the account that publishes instead of this one, when this one surely could not: its platform
    /// failed five times, or would have it wait until it is too late, or refuses the account. Never when it
    /// may have published, so never both. `None` takes the name away.
    ///
    /// The other account says what this one would (its variant, unless the other has one of its own), and the
    /// post is checked by its rules before it is sent. Other words than those that were approved await approval
    /// again. A post that goes to the other account anyway does not go there twice.
    ///
    /// # Errors
    /// `InvalidInput` (`fallback`) when it is the account itself; `NotFound` for an account that the tenant
    /// does not have; those of the store.
    pub async fn set_fallback(
        &self,
        account: AccountId,
        fallback: Option<AccountId>,
    ) -> Result<()> {
        if fallback == Some(account) {
            return Err(Error::invalid("fallback", "an account is not its own"));
        }
        for id in [account].into_iter().chain(fallback) {
            self.engine().account(&self.id, id).await?;
        }
        let fallback = RoutingPart::Fallback(fallback);
        let store = &self.engine().store;
        store.put_routing(&self.id, account, &fallback).await
    }
}

/// The change that sends a publication on its second way after this error; `None` when it has none, or the
/// first one may still work or may have.
pub(super) async fn instead(
    engine: &Engine,
    publication: &Publication,
    attempt: &Tried,
    error: &Error,
    now: DateTime<Utc>,
) -> Result<Option<PublishingChange>> {
    if publication.via.is_some() || !surely_failed(publication, attempt, error, now) {
        return Ok(None);
    }
    let first = &publication.target;
    let routing = engine.store.routing(&publication.tenant, first.account);
    let Some(fallback) = routing.await?.fallback else {
        return Ok(None);
    };
    let account = engine.store.account(&publication.tenant, fallback).await?;
    let Some(account) = account else {
        return Ok(None);
    };
    if !nothing_out(engine, publication).await? {
        return Ok(None);
    }
    let post = engine.store.post(&publication.tenant, publication.post);
    let Some(post) = post.await? else {
        return Ok(None);
    };
    let mut next = publication.clone();
    next.via = Some(Target {
        account: account.id,
        platform: account.platform,
        network: account.network,
    });
    if taken(engine, &next).await? {
        return Ok(None);
    }
    // The same thing said another way, and an intent of its own; other words than those approved await their own yes.
    next.content_hash = said_by(&post, &next);
    next.key = new_key(&next, &format!("{} via {fallback}", next.content_hash));
    if !next.is_approved() {
        for_now(&mut next, now);
    }
    // Nor does it hold a slot of the account that it does not go by.
    (next.sent_at, next.slot) = (None, None);
    let revision = next.revision + 1;
    let carries = PublishJob::new(next.id);
    let job = arm(&mut next, carries, revision)?;
    let facts = json!({ "from": first.account, "to": fallback, "state": next.state });
    let rule = "fallback".to_owned();
    Ok(Some(PublishingChange {
        events: vec![told(&next, revision, "rerouted", facts)],
        publications: vec![next],
        jobs: job
            .map(|job| job.run_at(attempt.began()))
            .into_iter()
            .collect(),
        attempts: vec![attempt.decided(Decision { rule, until: None })],
        ..PublishingChange::new(publication.tenant.clone())
    }))
}

/// Whether the post goes, or went, to the second account anyway: it is not said there twice. The store says so of what
/// happens meanwhile.
async fn taken(engine: &Engine, next: &Publication) -> Result<bool> {
    let all = engine.store.publications(&next.tenant, next.post);
    Ok(all.await?.iter().any(|other| next.doubles(other)))
}

/// Whether the first way surely did not and will not do it in time, for a reason that the second may not have.
fn surely_failed(
    publication: &Publication,
    attempt: &Tried,
    error: &Error,
    now: DateTime<Utc>,
) -> bool {
    if is_ours(error.kind()) {
        return false;
    }
    if matches!(
        error.kind(),
        ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::QuotaExhausted
            | ErrorKind::ApiVersionRetired
    ) {
        return error.retry() != Retry::Reconcile;
    }
    match error.retry() {
        Retry::After(None) => attempt.tries() >= FAILURES,
        Retry::After(Some(wait)) => {
            let until = Duration::from_std(wait).ok();
            let until = until.and_then(|wait| now.checked_add_signed(wait));
            let expiry = publication.expiry();
            expiry.is_some_and(|expiry| until.is_none_or(|until| until >= expiry))
        }
        Retry::Never | Retry::Reconcile => false,
    }
}
