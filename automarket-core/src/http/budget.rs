use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{
    retry_after::{number, remaining, reset, text, wait},
    usage::usage,
};
use crate::store::Budget;

/// What the headers of an answer say of the rate limit: `ratelimit-…`, `x-ratelimit-…` or `x-rate-limit-…`
/// (`limit`, `remaining`, `reset` as [`retry_after`](super::retry_after) reads it), or the one field
/// `ratelimit: "name";r=50;t=30` of the IETF's later drafts, or Meta's percents (`x-app-usage`,
/// `x-business-use-case-usage`) as parts of 100. `None` when nothing is said of what remains.
///
/// ```
/// use automarket_core::{chrono::Utc, http::budget, http_types::HeaderMap};
/// let mut headers = HeaderMap::new();
/// headers.insert("x-rate-limit-remaining", "0".parse()?);
/// headers.insert("x-rate-limit-reset", "120".parse()?);
/// let budget = budget(&headers, Utc::now()).unwrap();
/// assert_eq!((budget.remaining, budget.resets_in.unwrap().as_secs()), (Some(0), 120));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn budget(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Budget> {
    if let Some(budget) = draft(headers) {
        return Some(budget);
    }
    const LIMITS: [&str; 3] = ["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit"];
    let limit = LIMITS.iter().find_map(|name| {
        // A policy may follow the number: `100, 100;w=60`.
        let first = text(headers, name)?.split([',', ';']).next()?;
        number(first.trim()).map(count)
    });
    let Some(remaining) = remaining(headers) else {
        return usage(headers).map(|used| Budget {
            limit: Some(100),
            remaining: Some(match used.regain {
                Some(_) => 0,
                None => 100_u64.saturating_sub(used.percent),
            }),
            resets_in: used.regain,
        });
    };
    Some(Budget {
        limit,
        remaining: Some(count(remaining)),
        resets_in: reset(headers, now, 0.0),
    })
}

fn draft(headers: &HeaderMap) -> Option<Budget> {
    let value = text(headers, "ratelimit")?;
    let parameter = |name: &str| {
        let parts = value.split([';', ',']).map(str::trim);
        let mut found = parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.next().and_then(number)
    };
    Some(Budget {
        limit: None,
        remaining: Some(parameter("r").map(count)?),
        resets_in: parameter("t").and_then(wait),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is not below zero saturates"
)]
fn count(number: f64) -> u64 {
    number.max(0.0) as u64
}
