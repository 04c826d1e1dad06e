//! What stores on SQL share: records as JSON text, limits as SQL counts, the state of a job in two columns.

use serde::{Serialize, de::DeserializeOwned};

use super::JobState;
use crate::{Error, ErrorKind, Result};

/// A record as JSON text.
///
/// # Errors
/// `InvalidInput` (`json`) when it cannot be written as JSON.
pub fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::invalid("json", "the record cannot be written as JSON").with_source(error)
    })
}

/// A record from its JSON text.
///
/// # Errors
/// As [`damaged`].
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| damaged("a record").with_source(error))
}

/// A limit as databases count: in `i64`.
#[must_use]
pub fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The error for what stands in a row and makes no sense there: `Internal`.
#[must_use]
pub fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{what} in the database cannot be read"),
    )
}

/// The state of a job: live ones know whether they are leased, ended ones how they ended.
///
/// # Errors
/// As [`damaged`].
pub fn job_state(leased: Option<bool>, ended: Option<&str>) -> Result<JobState> {
    match (leased, ended) {
        (Some(false), _) => Ok(JobState::Waiting),
        (Some(true), _) => Ok(JobState::Leased),
        (None, Some("completed")) => Ok(JobState::Completed),
        (None, Some("dead")) => Ok(JobState::Dead),
        (None, Some("cancelled")) => Ok(JobState::Cancelled),
        (None, _) => Err(damaged("the state of a job")),
    }
}
