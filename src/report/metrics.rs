//! Numbers for whatever recorder of the crate `metrics` the host installs; without one they cost next to
//! nothing. Labels hold no tenants and nothing that a tenant writes, so there are few of each.
//!
//! | name | sort | labels | counts |
//! | --- | --- | --- | --- |
//! | `automarket_jobs_claimed_total` | counter | `kind` | jobs taken from the queue |
//! | `automarket_jobs_settled_total` | counter | `kind`, `outcome` ([`RunEnd`]) | verdicts written, also those refused |
//! | `automarket_job_wait_seconds` | histogram | `kind` | from being due to being taken, by the store's clock |
//! | `automarket_job_run_seconds` | histogram | `kind` | one run |
//! | `automarket_publications_total` | counter | `platform`, `outcome` | publications that reached their end: `published`, `rejected`, `unknown`, `missed`, `cancelled`, `deleted` |
//! | `automarket_calls_total` | counter | `platform`, `operation`, `outcome` | requests sent: `answered` (1xx to 3xx), `limited` (429), `refused` (4xx), `failed` (5xx), or the kind of error when no answer came |
//! | `automarket_call_seconds` | histogram | as above | until the head of the answer |
//! | `automarket_rate_limit_waits_total` | counter | `platform` | work put off because a gate was closed |
//! | `automarket_leases_lost_total` | counter | `kind` | jobs stopped because their lease was lost |
//! | `automarket_store_errors_total` | counter | `call` | calls of workers that the store did not answer |
//!
//! `kind` is `unknown` for kinds that are not registered in this process. `platform` of calls for nobody is
//! `none`.
//!
//! Of the crate `tracing` there are two spans of the level `info`. They do name tenants:
//!
//! - `job` (`tenant`, `kind`, `job`: its id, `attempt`) is one run of a job;
//! - `call` (`tenant`, `platform`, `operation`, `status`, `outcome` as above) is one request, within its job's.

use std::{collections::BTreeMap, time::Duration};

use automarket_core::{Error, Result, store::Publication};
use metrics::{counter, histogram};

use super::RunEnd;

/// Counts jobs that were taken: kind, and how long they had been due.
pub(crate) fn claimed<'a>(jobs: impl IntoIterator<Item = (&'a str, Duration)>) {
    let mut kinds = BTreeMap::new();
    for (kind, waited) in jobs {
        // Looked up once for all of a kind: a batch may be large.
        let (counter, histogram) = kinds.entry(kind).or_insert_with(|| {
            let labels = [("kind", kind.to_owned())];
            (
                counter!("automarket_jobs_claimed_total", &labels),
                histogram!("automarket_job_wait_seconds", &labels),
            )
        });
        counter.increment(1);
        histogram.record(waited);
    }
}

/// Counts verdicts: kind, outcome, and how long the run took.
pub(crate) fn settled<'a>(runs: impl IntoIterator<Item = (&'a str, RunEnd, Duration)>) {
    let (mut ends, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for (kind, end, took) in runs {
        let outcome = end.as_str();
        let counter = ends.entry((kind, outcome)).or_insert_with(|| {
            let labels = [("kind", kind.to_owned()), ("outcome", outcome.to_owned())];
            counter!("automarket_jobs_settled_total", &labels)
        });
        counter.increment(1);
        let histogram = kinds
            .entry(kind)
            .or_insert_with(|| histogram!("automarket_job_run_seconds", "kind" => kind.to_owned()));
        histogram.record(took);
    }
}

/// Counts a publication that has reached its end.
pub(crate) fn publication(publication: &Publication) {
    if publication.state.is_terminal() {
        let labels = [
            ("platform", publication.route().platform.as_str().to_owned()),
            ("outcome", publication.state.as_str().to_owned()),
        ];
        counter!("automarket_publications_total", &labels).increment(1);
    }
}

pub(crate) fn rate_limit_wait(platform: &str) {
    counter!("automarket_rate_limit_waits_total", "platform" => platform.to_owned()).increment(1);
}

pub(crate) fn lease_lost(kind: &str) {
    counter!("automarket_leases_lost_total", "kind" => kind.to_owned()).increment(1);
}

pub(crate) fn store_error(call: &'static str, error: &Error) {
    tracing::warn!(call, error = %error.report(), "the store did not answer a worker");
    counter!("automarket_store_errors_total", "call" => call).increment(1);
}

/// For what nobody waits for.
pub(crate) fn store_result(call: &'static str, result: Result<()>) {
    if let Err(error) = result {
        store_error(call, &error);
    }
}
