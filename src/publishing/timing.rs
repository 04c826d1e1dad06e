//! Whether it is a publication's time: too early, too late, or its turn after an outage.

use automarket_core::{
    Result,
    chrono::{DateTime, Duration, Utc},
    store::{
        Job, Publication,
        PublicationState::{
            Accepted, AwaitingApproval, Blocked, Draft, Missed, Publishing, Scheduled,
        },
    },
};
use serde_json::{Value, json};

use super::{
    job::{look_at, nothing_out},
    send::save,
    told,
};
use crate::{market::Engine, worker::End};

/// From so late on nobody was there to send it, and it waits its turn among the others of its account.
pub(super) const OUTAGE: Duration = Duration::minutes(5);
/// What an outage held up goes out one by one on each account, so far apart.
pub(super) const PACE: Duration = Duration::seconds(10);
/// So many that wait are counted.
const LINE: usize = 200;
/// Fewer than so many ahead of what has its turn are no line: they had theirs, or wait for something else.
const NEAR: usize = LINE / 4;

/// What becomes of a publication that is not to be sent or looked for now: too early, too late, not yet approved,
/// one of many that an outage held up, or still at work on the platform for all that is known.
pub(super) async fn not_now(
    engine: &Engine,
    job: &Job,
    publication: &Publication,
    now: DateTime<Utc>,
) -> Result<Option<End>> {
    let expiry = publication.expiry();
    match publication.state {
        Draft => return Ok(Some(End::done())),
        Publishing => {
            let look = look_at(engine, job, publication).await?;
            if let Some(look) = look.filter(|look| now < *look) {
                return Ok(Some(End::Snooze(look)));
            }
        }
        AwaitingApproval | Scheduled | Blocked => {}
        _ => return Ok(None),
    }
    if expiry.is_some_and(|expiry| expiry <= now)
        && (publication.sent_at.is_none() || nothing_out(engine, publication).await?)
    {
        let mut missed = publication.clone();
        missed.state = Missed;
        let facts = missed_by(engine, job, publication).await?;
        let event = told::told(&missed, missed.revision + 1, missed.state.as_str(), facts);
        let mut change = told::change(missed);
        change.events = vec![event];
        save(engine, change).await?;
        return Ok(Some(End::done()));
    }
    match (publication.state, expiry) {
        // Begun, and not to be held up any more.
        (Publishing, _) => Ok(None),
        (AwaitingApproval, Some(expiry)) => Ok(Some(End::Snooze(expiry))),
        (AwaitingApproval, None) => Ok(Some(End::done())),
        _ if now < publication.due => Ok(Some(End::Snooze(publication.due))),
        (Scheduled, _) if now - publication.due > OUTAGE => {
            turn(engine, job, publication, now).await
        }
        _ => Ok(None),
    }
}

/// The gates that kept what was put off until its expiry from being sent in time.
async fn missed_by(engine: &Engine, job: &Job, publication: &Publication) -> Result<Value> {
    let put_off = matches!(publication.state, Scheduled | Publishing);
    let expiry = publication.expiry();
    let Some(expiry) = expiry.filter(|at| put_off && *at <= job.run_at) else {
        return Ok(Value::Null);
    };
    let gates = engine.closed_gates(publication, expiry).await?;
    Ok(match gates.is_empty() {
        true => Value::Null,
        false => json!({ "gates": gates }),
    })
}

/// Its turn among what an outage held up on its account; `None` when it has come. Whoever comes at the time that
/// it was given and finds a line still ahead takes another turn; what had a try of its own holds nobody up.
async fn turn(
    engine: &Engine,
    job: &Job,
    publication: &Publication,
    now: DateTime<Utc>,
) -> Result<Option<End>> {
    let (tenant, account) = (&publication.tenant, publication.route().account);
    let line = engine
        .store
        .live_publications(tenant, account, &[Scheduled], LINE);
    let held_up =
        |p: &&Publication| now - p.due > OUTAGE && p.error.is_none() && p.id != publication.id;
    let line = line.await?;
    let others: Vec<_> = line.iter().filter(held_up).collect();
    if others.is_empty() {
        return Ok(None);
    }
    let before = |p: &&&Publication| (p.due, p.id) < (publication.due, publication.id);
    let ahead = others.iter().filter(before).count();
    let at_its_time = now - job.run_at <= OUTAGE;
    if ahead < NEAR && at_its_time {
        return Ok(None);
    }
    let in_line = line.len() < LINE || line.iter().any(|p| p.id == publication.id);
    let turns = match in_line {
        true => ahead + 1,
        // It stands further back than is counted, and is counted again while there still is a line.
        false => ahead.div_ceil(2),
    };
    let turns = i32::try_from(turns).unwrap_or(i32::MAX);
    Ok(Some(End::Snooze(now + PACE * turns)))
}

/// When what waits until then is wanted again: as soon as it is missed, so that it is told so in time. What was accepted is
/// asked for whatever the time.
pub(super) async fn in_time(
    engine: &Engine,
    publication: &Publication,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    match publication.expiry() {
        Some(expiry)
            if expiry < until
                && publication.state != Accepted
                && nothing_out(engine, publication).await? =>
        {
            Ok(expiry.max(now))
        }
        _ => Ok(until),
    }
}
