//! Why a publication stands where it stands: the causal chain, in order.

use std::fmt;

use automarket_core::{
    JobId, PublicationId, Result,
    chrono::{DateTime, SecondsFormat, Utc},
    http::Exchange,
    store::{Attempt, Decision, Event, Failure, Job, JobState, Publication, PublicationState},
};
use serde::Serialize;

use super::{
    changes::Selection,
    delete::{self, DELETE_JOB},
    job::nothing_out,
    send::blocked_by,
    timing::OUTAGE,
};
use crate::{Tenant, market::Engine, worker::CLOSED};

/// Why a publication stands where it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The publication as it stands.
    pub publication: Publication,
    /// What it waits for, and by which rule ([`meaning`] says it in words); `None` when nothing more happens by itself.
    pub waits: Option<Decision>,
    /// What led there, oldest first.
    pub chain: Vec<Link>,
}

/// One thing that led somewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Link {
    /// It was told: a state with its checks, an edit, an approval.
    Event(Event),
    /// It was tried, with what went over the wire and what was decided upon that.
    Attempt(Box<Attempt>),
    /// Its job failed without an attempt's end: a worker that was gone, or a fault of ours.
    Failure(Failure),
}

impl Link {
    fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Event(event) => event.at,
            Self::Attempt(attempt) => attempt.ended,
            Self::Failure(failure) => failure.at,
        }
    }
}

impl Tenant {
    /// Why a publication stands where it stands: checks, approvals, edits, attempts with the masked wire,
    /// decisions and the rules they follow from.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn why(&self, publication: PublicationId) -> Result<Why> {
        let found = self.select(Selection::Publication(publication)).await?;
        let [publication] = &found[..] else {
            return Err(super::changes::not_found(Selection::Publication(
                publication,
            )));
        };
        let store = &self.engine().store;
        let subject = publication.id.to_string();
        let events = store.events_about(&self.id, &subject).await?;
        let attempts = store.attempts(&self.id, publication.id).await?;
        let job = store.job(&self.id, publication.job).await?;
        let deletion = match deletion(publication, &events) {
            Some(id) => store.job(&self.id, id).await?,
            None => None,
        };
        let live = |job: &Job| matches!(job.state, JobState::Waiting | JobState::Leased);
        let deletion = deletion.filter(live);
        let now = store.now().await?;
        let waits = waits(
            self.engine(),
            publication,
            deletion.as_ref().or(job.as_ref()),
            now,
        );
        let waits = waits.await?;
        let failures = job.iter().flat_map(|job| job.failures.clone());
        // An attempt's own failure is told with the attempt.
        let failures = failures.filter(|failure| {
            let same = |a: &&Attempt| a.number == failure.attempt && a.job == publication.job;
            !attempts.iter().any(|a| same(&a))
        });
        Ok(Why {
            waits,
            chain: chain(events, attempts.clone(), failures.collect()),
            publication: publication.clone(),
        })
    }
}

/// The job of the last call to take it down, while it may stand there.
fn deletion(publication: &Publication, events: &[Event]) -> Option<JobId> {
    if !delete::may_stand(publication) {
        return None;
    }
    let mut newest_first = events.iter().rev().map(|event| &event.event);
    let told = newest_first.find(|event| event.kind == "publication.deleting")?;
    Some(delete::job_id(
        publication.id,
        told.data.get("revision")?.as_i64()?,
    ))
}

/// Events in their own order, each attempt before the event of the change it made, failures by their time.
fn chain(events: Vec<Event>, attempts: Vec<Attempt>, failures: Vec<Failure>) -> Vec<Link> {
    let revision = |event: &Event| event.event.data.get("revision")?.as_i64();
    let mut links = Vec::new();
    let mut attempts = attempts.into_iter().peekable();
    for event in events {
        let made = revision(&event);
        while let Some(attempt) = attempts.next_if(|a| made.is_some_and(|made| a.revision <= made))
        {
            links.push(Link::Attempt(Box::new(attempt)));
        }
        links.push(Link::Event(event));
    }
    links.extend(attempts.map(|attempt| Link::Attempt(Box::new(attempt))));
    for failure in failures {
        let place = links.iter().position(|link| link.at() > failure.at);
        links.insert(place.unwrap_or(links.len()), Link::Failure(failure));
    }
    links
}

/// What a publication waits for, with the job that takes it further: its own, or that of its deletion.
async fn waits(
    engine: &Engine,
    publication: &Publication,
    job: Option<&Job>,
    now: DateTime<Utc>,
) -> Result<Option<Decision>> {
    use PublicationState as P;
    let waiting = job.filter(|job| job.state == JobState::Waiting);
    let later = waiting.map(|job| job.run_at).filter(|at| *at > now);
    let running = job.is_some_and(|job| job.state == JobState::Leased);
    let deleting = job.is_some_and(|job| job.kind == DELETE_JOB);
    let last_error = publication.error.as_ref();
    let blocked = last_error.and_then(|error| blocked_by(error.kind));
    let (rule, until) = match publication.state {
        P::Draft => ("draft", None),
        P::AwaitingApproval => ("approval", publication.expiry()),
        state if state.is_terminal() && !deleting => return Ok(None),
        _ if running => ("running", None),
        P::Scheduled if now < publication.due => ("due", Some(publication.due)),
        _ if later.is_none() => ("worker", None),
        _ if deleting => ("delete", later),
        P::Blocked => match blocked {
            Some("api.retired") => ("api.retired", later),
            _ if last_error.is_some_and(|error| error.elsewhere) => ("account.blocked", later),
            _ if is_connected(engine, publication).await? => ("account.connected", later),
            _ => ("account.blocked", later),
        },
        P::Accepted => (blocked.unwrap_or("accepted.poll"), later),
        P::Publishing if last_error.is_some() || !nothing_out(engine, publication).await? => {
            (blocked.unwrap_or("retry.reconcile"), later)
        }
        _ => (put_off(engine, publication, job, now).await?, later),
    };
    Ok(Some(Decision {
        rule: rule.to_owned(),
        until,
    }))
}

/// Whether its account was connected since it was blocked: a credential that is refused is marked so.
async fn is_connected(engine: &Engine, publication: &Publication) -> Result<bool> {
    let (tenant, account) = (&publication.tenant, publication.route().account);
    let credential = engine.store.credential(tenant, account).await?;
    Ok(credential.is_some_and(|credential| !credential.needs_reauth))
}

/// Why what is due and surely not out waits for a later time.
async fn put_off(
    engine: &Engine,
    publication: &Publication,
    job: Option<&Job>,
    now: DateTime<Utc>,
) -> Result<&'static str> {
    let is_late =
        publication.state == PublicationState::Scheduled && now - publication.due > OUTAGE;
    let failed = publication.error.is_some() || job.is_some_and(|job| job.attempts > 0);
    Ok(
        if !engine.closed_gates(publication, now).await?.is_empty() {
            CLOSED
        } else if is_late && !failed {
            "outage.paced"
        } else {
            "retry"
        },
    )
}

/// What the rule of a [`Decision`] means, for people; a rule that is not known here is given back.
///
/// ```
/// use automarket::publishing::meaning;
/// assert_eq!(meaning("approval"), "somebody has to say yes");
/// ```
#[must_use]
pub fn meaning(rule: &str) -> &str {
    match rule {
        "draft" => "a draft: nothing happens until it is handed over",
        "approval" => "somebody has to say yes",
        "running" => "a worker is at it",
        "worker" => "a worker takes it as soon as one is free",
        "due" => "its time has not come",
        "outage.paced" => "an outage held it up, and it waits its turn",
        "accepted.poll" => "the platform took it and is asked again",
        "account.blocked" => "its account has to be connected again",
        "account.connected" => "its account is connected again, and it waits its turn",
        "delete" => "it is to be taken down, and that is tried again",
        "api.retired" => "the platform takes newer versions of its API alone: update the library",
        "gate.closed" => "the platform is left alone: its limit is used up, or it fails",
        "retry" | "retry.backoff" => "it surely did not happen and is tried again",
        "retry.reconcile" => "it may have happened: it is looked up before anything is sent",
        "platform.wait" => "the platform asked to wait",
        "platform.cannot_tell" => "the platform cannot be searched well enough to tell",
        "fallback" => "its account surely could not: it goes another way",
        "missed" => "it is not out, and too late to be sent again",
        "done" => "done",
        "rejected" => "final",
        other => other,
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.publication;
        writeln!(
            f,
            "publication {} of post {} on {} by account {}: {}",
            p.id,
            p.post,
            p.route().network,
            p.route().account,
            p.state.as_str()
        )?;
        if let Some(waits) = &self.waits {
            writeln!(f, "waits: {}", Decided(waits))?;
        }
        if let Some(error) = &p.error {
            writeln!(f, "last error: {} ({})", error.message, error.kind)?;
        }
        for link in &self.chain {
            match link {
                Link::Event(event) => told(f, event)?,
                Link::Attempt(attempt) => tried(f, attempt)?,
                Link::Failure(failure) => writeln!(
                    f,
                    "{} attempt {} of the job failed: {}",
                    time(failure.at),
                    failure.attempt,
                    failure.error.message
                )?,
            }
        }
        Ok(())
    }
}

struct Decided<'a>(&'a Decision);

impl fmt::Display for Decided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", meaning(&self.0.rule), self.0.rule)?;
        match self.0.until {
            Some(until) => write!(f, " until {}", time(until)),
            None => Ok(()),
        }
    }
}

fn told(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    write!(f, "{} {}", time(event.at), event.event.kind)?;
    for (name, value) in event.event.data.as_object().into_iter().flatten() {
        let known = [
            "post",
            "account",
            "platform",
            "network",
            "revision",
            "due",
            "error",
            "remote_id",
        ];
        if !value.is_null() && !known.contains(&name.as_str()) {
            write!(f, " {name}={value}")?;
        }
    }
    writeln!(f)
}

fn tried(f: &mut fmt::Formatter<'_>, attempt: &Attempt) -> fmt::Result {
    writeln!(
        f,
        "{} {} on {} by account {}, attempt {} of job {}: {} after {} ms; {}",
        time(attempt.began),
        attempt.operation.as_str(),
        attempt.route.platform,
        attempt.route.account,
        attempt.number,
        attempt.job,
        attempt.outcome.as_str(),
        (attempt.ended - attempt.began).num_milliseconds(),
        Decided(&attempt.decision)
    )?;
    if let Some(error) = &attempt.error {
        writeln!(f, "    {} ({})", error.message, error.kind)?;
    }
    let left_out = attempt.left_out;
    for (n, exchange) in attempt.exchanges.iter().enumerate() {
        if left_out > 0 && n == Exchange::FIRST {
            writeln!(f, "    ... {left_out} more ...")?;
        }
        let Exchange {
            operation,
            method,
            url,
            ..
        } = exchange;
        write!(f, "    {operation}: {method} {url} -> ")?;
        match exchange.status {
            Some(status) => writeln!(f, "{status}")?,
            None => writeln!(f, "no answer")?,
        }
        for (mark, text) in [('>', &exchange.sent), ('<', &exchange.received)] {
            if !text.is_empty() {
                writeln!(f, "      {mark} {text}")?;
            }
        }
    }
    Ok(())
}
