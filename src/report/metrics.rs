//! Numbers for whatever recorder of the crate `metrics` the host installs; without one they cost next to
//! nothing. Labels hold no tenants and nothing that a tenant writes, so there are few of each.
//!
//! | name | sort | labels | counts |
//! | --- | --- | --- | --- |
//! | `automarket_jobs_claimed_total` | counter | `kind` | jobs taken from the queue |
//! | `automarket_jobs_settled_total` | counter | `kind`, `outcome` ([`RunEnd`]) | verdicts written, also those refused |
//! | `automarket_job_wait_seconds` | histogram | `kind` | from being due to being taken, by the store's clock |
//! | `automarket_job_run_seconds` | histogram | `kind` | one run |
//! | `automarket_publications_total` | counter | `platform`, `outcome` | publications that reached their end: `published`, `rejected`, `unknown`, `missed`, `cancelled` |
//! | `automarket_calls_total` | counter | `platform`, `operation`, `outcome` | requests sent: `answered` (1xx to 3xx), `limited` (429), `refused` (4xx), `failed` (5xx), or the kind of error when no answer came |
//! | `automarket_call_seconds` | histogram | as above | until the head of the answer |
//! | `automarket_rate_limit_waits_total` | counter | `platform` | work put off because a gate was closed |
//! | `automarket_leases_lost_total` | counter | `kind` | jobs stopped because their lease was lost |
//! | `automarket_store_errors_total` | counter | `call` | calls of workers that the store did not answer |
//!
//! `kind` is `unknown` for kinds that are not registered in this process. `platform` of calls for nobody is
//! `none`.

use std::time::Duration;

use automarket_core::{Error, Result, store::Publication};
use metrics::{counter, histogram};

use super::RunEnd;

pub(crate) fn claimed(kind: &str, waited: Duration) {
    let kind = [("kind", kind.to_owned())];
    counter!("automarket_jobs_claimed_total", &kind).increment(1);
    histogram!("automarket_job_wait_seconds", &kind).record(waited);
}

pub(crate) fn ran(kind: &str, took: Duration) {
    histogram!("automarket_job_run_seconds", "kind" => kind.to_owned()).record(took);
}

pub(crate) fn settled(kind: &str, end: RunEnd) {
    let labels = [
        ("kind", kind.to_owned()),
        ("outcome", end.as_str().to_owned()),
    ];
    counter!("automarket_jobs_settled_total", &labels).increment(1);
}

/// Counts a publication that has reached its end.
pub(crate) fn publication(publication: &Publication) {
    if publication.state.is_terminal() {
        let labels = [
            ("platform", publication.target.platform.as_str().to_owned()),
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
