//! What is told of publications: events, and the changes that carry them.

use automarket_core::{
    JobId, Receipt, Result, TenantId,
    store::{NewEvent, Publication, PublishingChange},
};
use serde_json::{Value, json};

use super::job::PublishJob;
use crate::market::Engine;

/// What is told of a publication that now stands like this, at this revision.
pub(crate) fn event(publication: &Publication, revision: i64) -> NewEvent {
    told(
        publication,
        revision,
        publication.state.as_str(),
        Value::Null,
    )
}

/// As [`event`] of another kind, with facts of its own.
pub(crate) fn told(publication: &Publication, revision: i64, kind: &str, facts: Value) -> NewEvent {
    let mut data = json!({
        "post": publication.post,
        "account": publication.route().account,
        "platform": publication.route().platform,
        "network": publication.route().network,
        "remote_id": remote_id(publication),
        "error": publication.error,
        "due": publication.due,
        "revision": revision,
    });
    let receipt = publication.receipt.as_ref();
    for (name, error) in [
        ("comment_error", receipt.and_then(Receipt::comment_error)),
        ("thread_error", receipt.and_then(Receipt::thread_error)),
    ] {
        if let Some(error) = error {
            data[name] = json!(error);
        }
    }
    if let (Value::Object(data), Value::Object(facts)) = (&mut data, facts) {
        data.extend(facts);
    }
    NewEvent {
        tenant: publication.tenant.clone(),
        kind: format!("publication.{kind}"),
        subject: publication.id.to_string(),
        data,
    }
}

/// The change that makes one publication stand like this, and tells so.
pub(crate) fn change(publication: Publication) -> PublishingChange {
    PublishingChange {
        events: vec![event(&publication, publication.revision + 1)],
        publications: vec![publication.clone()],
        ..PublishingChange::new(publication.tenant)
    }
}

/// What is told when the job of a publication is overdue; `None` when the job is not what takes it further.
pub(crate) async fn overdue(
    engine: &Engine,
    tenant: &TenantId,
    job: JobId,
    facts: &Value,
) -> Result<Option<NewEvent>> {
    let Some(job) = engine.store.job(tenant, job).await? else {
        return Ok(None);
    };
    let Ok(carries) = PublishJob::of(&job) else {
        return Ok(None);
    };
    let publication = engine
        .store
        .publication(tenant, carries.publication)
        .await?;
    let publication = publication.filter(|p| p.job == job.id && !p.state.is_terminal());
    Ok(publication.map(|p| told(&p, p.revision, "overdue", facts.clone())))
}

/// The platform's id of what it took or published.
#[must_use]
pub fn remote_id(publication: &Publication) -> Option<&str> {
    let receipt = publication
        .receipt
        .as_ref()
        .map(|receipt| receipt.remote_id.as_str());
    receipt.or_else(|| {
        publication
            .handle
            .as_ref()
            .map(|handle| handle.remote_id.as_str())
    })
}
