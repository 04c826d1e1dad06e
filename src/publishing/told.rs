//! What is told of publications: events, and the changes that carry them.

use automarket_core::store::{NewEvent, Publication, PublishingChange};
use serde_json::{Value, json};

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
