//! One publication on its way: the intent first, then the platform, then the truth.

use std::sync::Arc;

use automarket_core::{
    Error, ErrorKind, ErrorRecord, Outcome, Post, Publisher, Result, Retry, TenantId,
    chrono::{DateTime, Duration, Utc},
    fault_point,
    steps::Steps,
    store::{Publication, PublicationState},
};

use super::{event, rules_for};
use crate::{
    market::Engine,
    report::metrics,
    worker::{End, closed_until},
};

/// How late a publication may be sent; later it is missed.
const GRACE: Duration = Duration::hours(1);
/// Something accepted is asked for after a quarter of the time it has been waited for, within these bounds:
/// an upload in minutes, a draft that nobody publishes every few hours.
const POLL: (Duration, Duration) = (Duration::minutes(1), Duration::hours(6));
/// How long a publication waits for its account to be usable again.
const BLOCKED: Duration = Duration::hours(1);

/// Takes the publication one move further; called by its job as often as that takes.
pub(crate) async fn send(
    engine: &Engine,
    tenant: &TenantId,
    id: automarket_core::PublicationId,
    steps: Arc<dyn Steps>,
) -> Result<End> {
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            format!("the tenant has no publication {id}"),
        )
    };
    let mut publication = engine
        .store
        .publication(tenant, id)
        .await?
        .ok_or_else(missing)?;
    if publication.state.is_terminal() {
        return Ok(End::done());
    }
    let now = engine.store.now().await?;
    match publication.state {
        PublicationState::Draft | PublicationState::AwaitingApproval => return Ok(End::done()),
        PublicationState::Scheduled if now < publication.due => {
            return Ok(End::Snooze(publication.due));
        }
        PublicationState::Scheduled
            if now - publication.due > GRACE && publication.sent_at.is_none() =>
        {
            publication.state = PublicationState::Missed;
            save(engine, publication).await?;
            return Ok(End::done());
        }
        _ => {}
    }

    let account = engine.account(tenant, publication.target.account).await?;
    let publisher = engine.publisher(&account.platform)?.clone();
    let (context, passed) = match engine.passing(account.clone()).await {
        Ok((context, passed)) => (context.with_steps(steps).with_key(&publication.key), passed),
        Err(error) => match closed_until(&error, now) {
            Some(until) => return Ok(End::Snooze(until)),
            None => return ended(engine, publication, Err(error), now).await,
        },
    };

    if publication.state == PublicationState::Accepted {
        let polled = poll(&*publisher, &context, &publication).await;
        passed.tell(engine, &polled).await;
        return ended(engine, publication, polled, now).await;
    }

    let post = engine
        .store
        .post(tenant, publication.post)
        .await?
        .ok_or_else(missing)?;
    let checked = verify(&post, &publication, &account, &*publisher, &context).await;
    if let Err(error) = checked {
        return ended(engine, publication, Err(error), now).await;
    }
    // The intent is committed before the first byte leaves.
    publication.state = PublicationState::Publishing;
    publication.sent_at.get_or_insert(now);
    fault_point("publish.intent", "before");
    publication = save(engine, publication).await?;
    fault_point("publish.intent", "after");
    let sent = publisher.publish(&context, &post).await;
    passed.tell(engine, &sent).await;
    ended(engine, publication, sent, now).await
}

/// Whether what is read again is what was meant, and still passes its checks.
async fn verify(
    post: &Post,
    publication: &Publication,
    account: &automarket_core::store::Account,
    publisher: &dyn Publisher,
    context: &automarket_core::Context,
) -> Result<()> {
    if super::content_hash(post, account.id, &account.network) != publication.content_hash {
        return Err(Error::new(
            ErrorKind::Conflict,
            "the post is no longer the one that was scheduled",
        ));
    }
    let mut content = post.content_for(&account.network, Some(account.id));
    content.inspect_local(context).await?;
    let rules = rules_for(account, publisher);
    automarket_core::check::check(
        &content,
        &rules,
        &automarket_core::content::Voice::default(),
    )
    .require()
}

async fn poll(
    publisher: &dyn Publisher,
    context: &automarket_core::Context,
    publication: &Publication,
) -> Result<Outcome> {
    match &publication.handle {
        Some(handle) => publisher.poll(context, handle).await,
        None => Err(Error::new(
            ErrorKind::Internal,
            "an accepted publication has no handle",
        )),
    }
}

/// Writes down what a call ended in, and says when the job is wanted again.
async fn ended(
    engine: &Engine,
    mut publication: Publication,
    result: Result<Outcome>,
    now: DateTime<Utc>,
) -> Result<End> {
    let was_accepted = publication.state == PublicationState::Accepted;
    publication.error = result.as_ref().err().map(ErrorRecord::from);
    let end = match result {
        Ok(Outcome::Done(receipt)) => {
            publication.state = PublicationState::Published;
            publication.receipt = Some(receipt);
            End::done()
        }
        Ok(Outcome::Accepted(handle)) => {
            let again = next_poll(handle.due, publication.sent_at.unwrap_or(now), now);
            publication.state = PublicationState::Accepted;
            publication.handle = Some(handle);
            End::Snooze(again)
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Unauthorized | ErrorKind::ApiVersionRetired
            ) =>
        {
            if !was_accepted {
                publication.state = PublicationState::Blocked;
            }
            End::Snooze(now + BLOCKED)
        }
        Err(error) if error.kind() == ErrorKind::CannotTell => {
            publication.state = PublicationState::Unknown;
            End::done()
        }
        Err(error) => match error.retry() {
            // The state stays `publishing`: the next attempt looks before it sends.
            Retry::Reconcile => End::Retry(error),
            Retry::After(wait) => {
                if !was_accepted {
                    publication.state = PublicationState::Scheduled;
                }
                match wait {
                    Some(wait) => End::Snooze(now + Duration::from_std(wait).unwrap_or(BLOCKED)),
                    None => End::Retry(error),
                }
            }
            Retry::Never => {
                publication.state = PublicationState::Rejected;
                End::done()
            }
        },
    };
    fault_point("publish.verdict", "before");
    save(engine, publication).await?;
    fault_point("publish.verdict", "after");
    Ok(end)
}

/// When something accepted is worth asking for again.
fn next_poll(
    due: Option<DateTime<Utc>>,
    sent_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let (shortest, longest) = POLL;
    match due {
        Some(due) if due > now => due + shortest,
        due => now + ((now - due.unwrap_or(sent_at)) / 4).clamp(shortest, longest),
    }
}

/// Its job is dead, of this: what may have happened is unknown, the rest did not happen.
pub(crate) async fn give_up(
    engine: &Engine,
    tenant: &TenantId,
    id: automarket_core::PublicationId,
    error: &ErrorRecord,
) -> Result<()> {
    let Some(mut publication) = engine.store.publication(tenant, id).await? else {
        return Ok(());
    };
    if publication.state.is_terminal() {
        return Ok(());
    }
    let sent = publication.sent_at.is_some() && error.retry == Retry::Reconcile;
    publication.state = match publication.state {
        PublicationState::Publishing | PublicationState::Accepted => PublicationState::Unknown,
        _ if sent => PublicationState::Unknown,
        _ => PublicationState::Rejected,
    };
    publication.error = Some(error.clone());
    save(engine, publication).await.map(drop)
}

async fn save(engine: &Engine, publication: Publication) -> Result<Publication> {
    let event = event(&publication);
    let saved = engine
        .store
        .update_publication(&publication, &[event])
        .await?;
    metrics::publication(&saved);
    Ok(saved)
}
