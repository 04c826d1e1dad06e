//! What stores on SQL share: records as JSON text, new jobs as rows, limits as SQL counts, the state of a job in two
//! columns, the ledger of migrations.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{
    Serializer, Value,
    ser::{CharEscape, CompactFormatter, Formatter},
};

use super::{JobState, NewJob};
use crate::{Error, ErrorKind, ErrorRecord, Result, hash::sha256};

/// A record as JSON text.
///
/// # Errors
/// `InvalidInput` (`json`) when it cannot be written as JSON.
pub fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(not_json)
}

/// The value of a step as JSON text.
///
/// # Errors
/// `InvalidInput` (`value`, `step.nesting`) when it nests more deeply than can be read back: all steps of its job could be read no more.
pub fn step_to_json(value: &Value) -> Result<String> {
    check_step(value)?;
    to_json(value)
}

/// As many levels of arrays and objects as `serde_json` reads (127), with room for the jobs that carry steps on.
const LEVELS: usize = 120;

/// # Errors
/// As [`step_to_json`].
pub(crate) fn check_step(value: &Value) -> Result<()> {
    match is_within(value, LEVELS) {
        true => Ok(()),
        false => Err(Error::invalid(
            "value",
            format!("the value of a step nests at most {LEVELS} arrays and objects"),
        )
        .with_rule("step.nesting")
        .with_remedy("remember less of it, or as text")),
    }
}

fn is_within(value: &Value, levels: usize) -> bool {
    let is_within = |inner: &Value| levels > 0 && is_within(inner, levels - 1);
    match value {
        Value::Array(all) => levels > 0 && all.iter().all(is_within),
        Value::Object(all) => levels > 0 && all.values().all(is_within),
        _ => true,
    }
}

fn not_json(error: serde_json::Error) -> Error {
    Error::invalid("json", "the record cannot be written as JSON").with_source(error)
}

/// A record as JSON text with U+FFFD for U+0000, which PostgreSQL refuses wherever it takes a document apart; whether there
/// was any.
///
/// # Errors
/// As [`to_json`].
pub fn to_plain_json<T: Serialize>(value: &T) -> Result<(String, bool)> {
    let mut json = Vec::with_capacity(256);
    let had_any = write_plain(value, &mut json).map_err(not_json)?;
    let json = String::from_utf8(json).map_err(|error| damaged("JSON").with_source(error))?;
    Ok((json, had_any))
}

/// Whether U+0000 stands in one of its texts.
pub(crate) fn has_nul<T: Serialize>(value: &T) -> bool {
    write_plain(value, io::sink()).unwrap_or(false)
}

fn write_plain<T: Serialize>(value: &T, to: impl io::Write) -> serde_json::Result<bool> {
    struct Plain<'a>(&'a mut bool);
    impl Formatter for Plain<'_> {
        fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
        where
            W: ?Sized + io::Write,
        {
            if !matches!(escape, CharEscape::AsciiControl(0)) {
                return CompactFormatter.write_char_escape(writer, escape);
            }
            *self.0 = true;
            writer.write_all("\u{FFFD}".as_bytes())
        }
    }
    let mut had_any = false;
    value.serialize(&mut Serializer::with_formatter(to, Plain(&mut had_any)))?;
    Ok(had_any)
}

/// A record from its JSON text.
///
/// # Errors
/// As [`damaged`].
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| damaged("a record").with_source(error))
}

/// A job to be put in whose payload is written out already, so that whoever writes many callers' jobs need not.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// The job; its payload is null here.
    pub job: NewJob,
    /// Its payload as JSON text.
    pub payload: String,
}

impl NewRow {
    /// The job as a row.
    ///
    /// # Errors
    /// Those of [`NewJob::check`]; as [`to_json`].
    pub fn new(job: &NewJob) -> Result<Self> {
        Ok(Self {
            payload: payload_of(job)?,
            job: NewJob {
                id: job.id,
                tenant: job.tenant.clone(),
                kind: job.kind.clone(),
                payload: Value::Null,
                run_at: job.run_at,
                priority: job.priority,
                max_attempts: job.max_attempts,
                unique_key: job.unique_key.clone(),
            },
        })
    }

    /// Jobs as rows.
    ///
    /// # Errors
    /// As [`to_json`].
    pub fn all(jobs: &[NewJob]) -> Result<Vec<Self>> {
        jobs.iter().map(Self::new).collect()
    }
}

/// The payload of a job that may be put in, as JSON text.
///
/// # Errors
/// Those of [`NewJob::check`]; as [`to_json`].
pub fn payload_of(job: &NewJob) -> Result<String> {
    job.check()?;
    to_json(&job.payload)
}

/// Whether both differ in id and payload alone, and have no keys: such jobs can be put in together.
#[must_use]
pub fn are_alike(a: &NewJob, b: &NewJob) -> bool {
    a.unique_key.is_none()
        && b.unique_key.is_none()
        && (a.run_at, a.priority, a.max_attempts) == (b.run_at, b.priority, b.max_attempts)
        && a.kind == b.kind
        && a.tenant == b.tenant
}

/// A job's payload or result from its text. What this program cannot read (it nests too deeply, or has a number
/// that is none) is given as the text itself: the job's handler refuses it, and nobody else's job is held up.
#[must_use]
pub fn payload(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A job's failure, as well as it can be read: a newer version may know more kinds of errors.
#[must_use]
pub fn failure(text: &str) -> ErrorRecord {
    from_json(text).unwrap_or_else(|error| ErrorRecord::from(&error))
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

/// The error for a schedule whose timetable this program cannot read, though another version of it could: as [`damaged`].
#[must_use]
pub fn unreadable_schedule(name: &str, error: Error) -> Error {
    damaged(&format!("the timetable of the schedule {name}")).with_source(error)
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

/// How an ended state is spelled in its row, which [`job_state`] reads; `None` for a live one.
#[must_use]
pub fn ended_state(state: JobState) -> Option<&'static str> {
    match state {
        JobState::Completed => Some("completed"),
        JobState::Dead => Some("dead"),
        JobState::Cancelled => Some("cancelled"),
        JobState::Waiting | JobState::Leased => None,
    }
}

/// How many of these, each the last failure of a dead job as JSON, are of somebody's input
/// ([`ErrorRecord::is_of_input`]).
#[must_use]
pub fn of_input(failures: &[String]) -> u64 {
    let is_of_input = |text: &&String| {
        serde_json::from_str(text).is_ok_and(|error: ErrorRecord| error.is_of_input())
    };
    failures.iter().filter(is_of_input).count() as u64
}

/// Those of a store's migrations, numbered from 1, that its ledger of numbers and checksums lacks: number, SQL, checksum.
///
/// # Errors
/// `Config`: `<store>.newer_schema` when the ledger has one beyond these, `<store>.changed_migration` when it has another
/// one of the same number.
pub fn pending<'a>(
    store: &str,
    all: &[&'a str],
    applied: &[(i32, String)],
) -> Result<Vec<(i32, &'a str, String)>> {
    let refused = |rule: &str, message: String, remedy: &str| {
        Error::new(ErrorKind::Config, message)
            .with_rule(format!("{store}.{rule}"))
            .with_remedy(remedy)
    };
    let known = i32::try_from(all.len()).unwrap_or(i32::MAX);
    let newest = applied.iter().map(|(number, _)| *number).max();
    if let Some(newest) = newest.filter(|newest| *newest > known) {
        return Err(refused(
            "newer_schema",
            format!(
                "the database has migration {newest}, this version of automarket knows {known}"
            ),
            "run the newer version of automarket that made it",
        ));
    }
    let mut pending = Vec::new();
    for (number, sql) in (1..).zip(all) {
        let checksum = sha256(sql);
        match applied.iter().find(|(applied, _)| *applied == number) {
            Some((_, applied)) if *applied == checksum => {}
            Some(_) => {
                return Err(refused(
                    "changed_migration",
                    format!("migration {number} of the database is not the one this version knows"),
                    "run a released version of automarket on this database",
                ));
            }
            None => pending.push((number, *sql, checksum)),
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_read_as_far_as_it_can_be() {
        let text = r#"{"kind":"novel","message":"m","retry":"never"}"#;
        assert_eq!(failure(text).kind, ErrorKind::Internal);
        assert_eq!(payload("1e999"), Value::String("1e999".into()));
    }

    #[test]
    fn u_0000_alone_is_another_character_in_plain_json() {
        let none = serde_json::json!({"a\\u0000": ["\u{1}\n\"\\", 1.5, null, "ç"]});
        assert_eq!(to_plain_json(&none).unwrap(), (none.to_string(), false));
        let some = serde_json::json!({"a\0": "\\\0\\u0000\0"});
        let plain = "{\"a\u{FFFD}\":\"\\\\\u{FFFD}\\\\u0000\u{FFFD}\"}";
        assert_eq!(to_plain_json(&some).unwrap(), (plain.to_owned(), true));
        assert!(has_nul(&some) && !has_nul(&none));
    }
}
