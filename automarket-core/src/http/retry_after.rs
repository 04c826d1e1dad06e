use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

/// How long the platform asks to wait.
#[must_use]
pub fn retry_after(_headers: &HeaderMap, _now: DateTime<Utc>) -> Option<Duration> {
    None
}
