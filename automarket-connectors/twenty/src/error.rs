//! What Twenty's answers mean. Permission failures and rate limits may come as HTTP 400, so the text
//! decides where the status does not.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Retry,
    chrono::{DateTime, Utc},
    http::{self, Reply},
};
use serde_json::Value;

use crate::PLATFORM;

/// The rate window where the message names none.
const WINDOW: Duration = Duration::from_secs(60);

/// Postgres' words for a value that it will never take.
const BAD_VALUE: [&str; 8] = [
    "invalid input syntax",
    "invalid input value",
    "invalid byte sequence",
    "unsupported unicode escape",
    "violates",
    "value too long",
    "out of range",
    "malformed array literal",
];

/// The error of an answer that is no success.
pub(crate) fn classify(reply: &Reply, now: DateTime<Utc>) -> Error {
    let base = http::classify(reply, now).with_platform(&PLATFORM);
    let text = String::from_utf8_lossy(&reply.body);
    match (refine(reply, &text), base.kind()) {
        (Some(error), _) => dress(error, reply),
        // No Retry-After is ever sent: the window is a minute.
        (None, ErrorKind::RateLimited) if base.retry() == Retry::After(None) => {
            base.with_retry(Retry::After(Some(WINDOW)))
        }
        (None, _) => base,
    }
}

/// The first of a GraphQL answer's errors: they come with HTTP 200.
pub(crate) fn graphql(reply: &Reply, body: &Value) -> Option<Error> {
    let first = body["errors"].as_array()?.first()?;
    let text = first.to_string();
    let code = first["extensions"]["code"].as_str().unwrap_or_default();
    let error = refine(reply, &text).unwrap_or_else(|| match code {
        "UNAUTHENTICATED" => Error::new(
            ErrorKind::Unauthorized,
            "the API key is expired, revoked or wrong",
        ),
        "FORBIDDEN" => forbidden(),
        "NOT_FOUND" => Error::new(ErrorKind::NotFound, "no such record"),
        "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED" => Error::new(
            ErrorKind::InvalidInput,
            "the workspace's schema does not take this",
        ),
        "CONFLICT" => Error::new(ErrorKind::Duplicate, "there is such a record already"),
        "INTERNAL_SERVER_ERROR" => {
            Error::new(ErrorKind::Unavailable, "the server failed on the query")
        }
        _ => Error::new(
            ErrorKind::UnexpectedReply,
            "the query was answered with an unknown error",
        ),
    });
    let error = match code {
        "" => error,
        code => error.with_platform_code(code),
    };
    Some(dress(error, reply))
}

/// Whether a creation was refused since the name is taken.
pub(crate) fn already(error: &Error) -> bool {
    error.kind() == ErrorKind::Duplicate || error.rule() == Some("name_taken")
}

/// Whether the workspace does not know the object (yet).
pub(crate) fn unknown_object(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// Whether the answer refuses this input, so that other records may still pass.
pub(crate) fn refuses_the_record(error: &Error) -> bool {
    error.retry() == Retry::Never
        && matches!(
            error.kind(),
            ErrorKind::InvalidInput
                | ErrorKind::Duplicate
                | ErrorKind::Conflict
                | ErrorKind::TooLarge
        )
}

fn refine(reply: &Reply, text: &str) -> Option<Error> {
    let status = reply.status.as_u16();
    let creates_schema = matches!(reply.operation(), "objects.create" | "fields.create");
    let lower = text.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    if has("limit reached (") {
        let wait = Retry::After(Some(window(&lower)));
        let error = Error::new(
            ErrorKind::RateLimited,
            "the workspace's request limit is reached",
        );
        return Some(error.with_retry(wait));
    }
    if status == 401 || status == 403 || status == 429 {
        return None;
    }
    if has("permission_denied") {
        return Some(forbidden());
    }
    if has("multiple records found with the same unique field") {
        let error = Error::new(
            ErrorKind::Conflict,
            "the input matches two different records",
        );
        return Some(error.with_remedy("merge the two records in Twenty, or look one up by id"));
    }
    if has("duplicate entry") || status == 409 {
        return Some(Error::new(
            ErrorKind::Duplicate,
            "there is such a record already",
        ));
    }
    if creates_schema && status == 400 && (has("already") || has("not_available")) {
        let error = Error::new(ErrorKind::InvalidInput, "the name is taken");
        return Some(error.with_rule("name_taken"));
    }
    if matches!(status, 200 | 400 | 404) && has("object") && has("not found") {
        let error = Error::new(
            ErrorKind::NotFound,
            "the workspace does not have this object",
        );
        return Some(error.with_remedy("create it in Twenty, or with ensure_fields"));
    }
    if status == 400 && has("record not found") {
        return Some(Error::new(ErrorKind::NotFound, "no such record"));
    }
    if matches!(status, 200 | 500) && BAD_VALUE.iter().any(|word| has(word)) {
        let error = Error::new(ErrorKind::InvalidInput, "the database refuses a value");
        return Some(error.with_rule("database"));
    }
    None
}

fn forbidden() -> Error {
    Error::new(ErrorKind::Forbidden, "the API key's role may not do this")
        .with_remedy("give the key a role with this right in Settings -> Roles")
}

fn dress(error: Error, reply: &Reply) -> Error {
    error
        .with_platform(&PLATFORM)
        .with_operation(reply.operation())
        .with_status(reply.status.as_u16())
        .with_body(reply.excerpt())
}

/// `limit reached (100 tokens per 60000 ms)`: the window, between a second and an hour.
fn window(lower: &str) -> Duration {
    let millis = lower
        .split_once("tokens per ")
        .and_then(|(_, rest)| rest.split_once(" ms"))
        .and_then(|(number, _)| number.trim().parse().ok());
    millis.map_or(WINDOW, |millis: u64| {
        Duration::from_millis(millis.clamp(1_000, 3_600_000))
    })
}
