use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveDateTime, Utc};
use http::HeaderMap;

use super::usage::{OF_ACCOUNT, usage};

/// The longest wait that is taken over; what asks for more is asked again after it.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the headers of a refused request (429, 503) ask to wait, in whole seconds, rounded up, 24 hours
/// at the most. `None` when they do not say, or say what cannot be read.
///
/// `Retry-After` comes first: seconds (a fraction is allowed, Discord sends one; what is negative is over),
/// or a date in the three forms of RFC 9110 or RFC 3339. Then `ratelimit-reset`, `x-ratelimit-reset`,
/// `x-rate-limit-reset` and `x-ratelimit-reset-after`: seconds from now, or an instant as a date or as Unix
/// seconds or milliseconds (numbers from 1,000,000,000 and from 100,000,000,000 on). A reset does not count
/// while the matching `remaining` header says that something is left: then it was another limit that was hit.
/// X's limits of a day (`x-user-limit-24hour-…`, `x-app-limit-24hour-…`) count where they are used up. Last come
/// the minutes of Meta's `x-business-use-case-usage`.
///
/// ```
/// use automarket_core::{chrono::Utc, http::retry_after, http_types::HeaderMap};
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers, Utc::now()).map(|wait| wait.as_secs()), Some(120));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    asked(headers, now)
        .or_else(|| days(headers, now))
        .or_else(|| reset(headers, now, remaining(headers).unwrap_or(0.0)))
        .or_else(|| usage(headers, OF_ACCOUNT)?.regain)
}

/// As [`retry_after`] for an answer that need not be a refusal: a reset counts only where nothing remains.
pub(super) fn retry_after_any(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    asked(headers, now)
        .or_else(|| reset(headers, now, remaining(headers)?))
        .or_else(|| usage(headers, OF_ACCOUNT)?.regain)
}

/// The headers of a limit that X counts over a day.
pub(super) struct Day {
    pub(super) limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

pub(super) const DAY_OF_USER: Day = Day {
    limit: "x-user-limit-24hour-limit",
    remaining: "x-user-limit-24hour-remaining",
    reset: "x-user-limit-24hour-reset",
};
pub(super) const DAY_OF_APP: Day = Day {
    limit: "x-app-limit-24hour-limit",
    remaining: "x-app-limit-24hour-remaining",
    reset: "x-app-limit-24hour-reset",
};

impl Day {
    pub(super) fn remaining(&self, headers: &HeaderMap) -> Option<f64> {
        number(text(headers, self.remaining)?)
    }

    pub(super) fn reset(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
        instant(text(headers, self.reset)?, now)
    }
}

/// The longest of the days that are used up.
fn days(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let used_up = |day: &&Day| day.remaining(headers).is_some_and(|left| left <= 0.0);
    let days = [&DAY_OF_USER, &DAY_OF_APP].into_iter().filter(used_up);
    days.filter_map(|day| day.reset(headers, now)).max()
}

/// A number of seconds as a wait.
pub(super) fn wait(seconds: f64) -> Option<Duration> {
    // A wait under zero is over; one that is no number is none.
    (!seconds.is_nan()).then(|| {
        let seconds = seconds.ceil().clamp(0.0, LONGEST.as_secs_f64());
        Duration::from_secs_f64(seconds)
    })
}

fn asked(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    match number(value) {
        Some(seconds) => wait(seconds),
        None => until(date(value, now)?, now),
    }
}

pub(super) fn reset(headers: &HeaderMap, now: DateTime<Utc>, remaining: f64) -> Option<Duration> {
    const NAMES: [&str; 4] = [
        "ratelimit-reset",
        "x-ratelimit-reset",
        "x-rate-limit-reset",
        "x-ratelimit-reset-after",
    ];
    if remaining > 0.0 {
        return None;
    }
    NAMES
        .iter()
        .find_map(|name| instant(text(headers, name)?, now))
}

/// Seconds from now, or an instant as Unix seconds or milliseconds or as a date.
fn instant(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    match number(value) {
        Some(seconds) if seconds < 1e9 => wait(seconds),
        Some(seconds) if seconds < 1e11 => wait(seconds - millis(now) / 1e3),
        Some(millis_then) => wait((millis_then - millis(now)) / 1e3),
        None => until(date(value, now)?, now),
    }
}

pub(super) fn remaining(headers: &HeaderMap) -> Option<f64> {
    const NAMES: [&str; 3] = [
        "ratelimit-remaining",
        "x-ratelimit-remaining",
        "x-rate-limit-remaining",
    ];
    NAMES.iter().find_map(|name| number(text(headers, name)?))
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Digits with an optional sign and fraction; not what else Rust reads as a number (`inf`, `1e3`).
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.chars().skip(1).all(|c| c == '.' || c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit")]
fn millis(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_millis() as f64
}

fn until(then: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    wait((millis(then) - millis(now)) / 1e3)
}

/// A date of RFC 9110 (IMF-fixdate, RFC 850, asctime) or RFC 3339. The day of the week is not looked at.
fn date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.to_utc());
    }
    let Some((_, rest)) = text.split_once(',') else {
        let (_, rest) = text.split_once(' ')?;
        let date = NaiveDateTime::parse_from_str(rest.trim(), "%b %e %H:%M:%S %Y").ok()?;
        return Some(date.and_utc());
    };
    let rest = rest.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(rest) {
        return Some(date.to_utc());
    }
    let date = NaiveDateTime::parse_from_str(rest, "%d-%b-%y %H:%M:%S GMT").ok()?;
    // Of two digits the year is the one that is at most 50 years ahead.
    let century = if date.year() < now.year() - 50 {
        1200
    } else {
        0
    };
    Some(date.checked_add_months(Months::new(century))?.and_utc())
}
