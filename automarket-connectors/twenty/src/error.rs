//! What Twenty's answers mean. Permission failures and rate limits may come as HTTP 400, so the text
//! decides where the status does not.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Retry,
    chrono::{DateTime, Utc},
    http::{self, Effect, Reply},
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

/// How messages begin that speak of the database, not of the record: Twenty answers them with 400, too.
const TROUBLE: [&str; 19] = [
    "query read timeout",
    "connection terminated",
    "terminating connection",
    "connection is closed",
    "client has encountered a connection error",
    "client was closed and is not queryable",
    "reached the max retries per request",
    "timeout exceeded when trying to connect",
    "sorry, too many clients",
    "remaining connection slots",
    "deadlock detected",
    "could not serialize access",
    "cannot execute ",
    "the database system is ",
    "connect econn",
    "connect etimedout",
    "read econnreset",
    "write epipe",
    "getaddrinfo ",
];

/// How a message begins that refuses the key itself. Twenty answers a revoked one with 403, as it does what a role may not do.
const REVOKED: [&str; 1] = ["this api key is revoked"];

/// How messages begin that are of a value, or of the database: Twenty does not say which.
const UNCLEAR: [&str; 2] = ["data validation error", "canceling statement"];

/// Errors of JavaScript that Twenty answers with 400, too: it broke, over the record or not. A plain `Error` may be a refusal.
const BROKE: [&str; 3] = ["TypeError", "RangeError", "ReferenceError"];

/// The rule of an error that is [`UNCLEAR`] or [`BROKE`].
const UNCLEAR_RULE: &str = "database.unclear";

/// How Twenty says that a record is not there; others say so of a path.
const NO_RECORD: [&str; 1] = ["record not found"];

/// The rule of an error that is [`NO_RECORD`].
const NO_RECORD_RULE: &str = "record.not_found";

/// The error of an answer that is no success.
pub(crate) fn classify(reply: &Reply, now: DateTime<Utc>) -> Error {
    let base = http::classify(reply, now).with_platform(&PLATFORM);
    let text = String::from_utf8_lossy(&reply.body);
    match (refine(reply, &text), base.kind()) {
        (Some(error), _) => error.with_platform(&PLATFORM),
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
        "UNAUTHENTICATED" => unauthorized(reply),
        "FORBIDDEN" => forbidden(reply),
        "NOT_FOUND" => reply.error(ErrorKind::NotFound, "no such record"),
        "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED" => reply.error(
            ErrorKind::InvalidInput,
            "the workspace's schema does not take this",
        ),
        "CONFLICT" => reply.error(ErrorKind::Duplicate, "there is such a record already"),
        "INTERNAL_SERVER_ERROR" => {
            reply.error(ErrorKind::Unavailable, "the server failed on the query")
        }
        _ => reply.error(
            ErrorKind::UnexpectedReply,
            "the query was answered with an unknown error",
        ),
    });
    let error = match code {
        "" => error,
        code => error.with_platform_code(reply.code(code)),
    };
    let unclear = matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::UnexpectedReply
    );
    // One document may hold several mutations: those with data were done.
    let some_done = body["data"]
        .as_object()
        .is_some_and(|data| data.values().any(|value| !value.is_null()));
    let error = if reply.effect() == Effect::Write && (unclear || some_done) {
        error.with_retry(Retry::Reconcile)
    } else {
        error
    };
    Some(error.with_platform(&PLATFORM))
}

/// Whether a creation was refused since the name is taken.
pub(crate) fn already(error: &Error) -> bool {
    error.kind() == ErrorKind::Duplicate || error.rule() == Some("name_taken")
}

/// Whether a query was refused as one that this server does not know: it may say so with another code, or with none, in GraphQL's
/// words.
pub(crate) fn not_understood(error: &Error) -> bool {
    let said = |body: &str| body.contains("is not defined by type");
    error.kind() == ErrorKind::InvalidInput || error.body().is_some_and(said)
}

/// Whether the workspace does not know the object (yet).
pub(crate) fn unknown_object(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// Whether the workspace has the object, and not the record.
pub(crate) fn no_such_record(error: &Error) -> bool {
    error.rule() == Some(NO_RECORD_RULE)
}

/// Whether the answer refuses this input, so that other records may still pass.
pub(crate) fn refuses_the_record(error: &Error) -> bool {
    error.rule() == Some(UNCLEAR_RULE)
        || error.retry() == Retry::Never
            && matches!(
                error.kind(),
                ErrorKind::InvalidInput
                    | ErrorKind::Duplicate
                    | ErrorKind::Conflict
                    | ErrorKind::TooLarge
            )
}

/// Whether a message of the answer begins like this. Not whether it holds it: messages quote values.
fn begins(body: &Value, words: &[&str]) -> bool {
    let begins = |message: &Value| {
        let message = message.as_str().unwrap_or_default().to_ascii_lowercase();
        words.iter().any(|word| message.starts_with(word))
    };
    [&body["messages"], &body["message"]]
        .into_iter()
        .any(|place| match place {
            Value::Array(messages) => messages.iter().any(begins),
            message => begins(message),
        })
}

/// The database's trouble: it will be over, and a write that is not repeatable may have been done.
fn trouble(reply: &Reply, message: &str) -> Error {
    let error = reply.error(ErrorKind::Unavailable, message);
    match reply.effect() {
        Effect::Write => error.with_retry(Retry::Reconcile),
        Effect::Read => error,
    }
}

fn refine(reply: &Reply, text: &str) -> Option<Error> {
    let status = reply.status.as_u16();
    let creates_schema = matches!(reply.operation(), "objects.create" | "fields.create");
    let lower = text.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    if has("limit reached (") {
        let wait = Retry::After(Some(window(&lower)));
        let error = reply.error(
            ErrorKind::RateLimited,
            "the workspace's request limit is reached",
        );
        return Some(error.with_retry(wait));
    }
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    if begins(&body, &REVOKED) || status == 403 && body["error"] == "INVALID_JWT_TOKEN_TYPE" {
        return Some(unauthorized(reply));
    }
    if status == 401 || status == 403 || status == 429 {
        return None;
    }
    if begins(&body, &TROUBLE) {
        return Some(trouble(reply, "the server's database is in trouble"));
    }
    let broke = BROKE.iter().any(|name| body["error"] == *name);
    if broke || begins(&body, &UNCLEAR) {
        let message = match broke {
            true => "the server broke over the record, or is in trouble",
            false => "the database refuses a value, or every write for now",
        };
        let error = trouble(reply, message);
        return Some(error.with_rule(UNCLEAR_RULE));
    }
    if has("permission_denied") {
        return Some(forbidden(reply));
    }
    if has("multiple records found with the same unique field") {
        let error = reply.error(
            ErrorKind::Conflict,
            "the input matches two different records",
        );
        return Some(error.with_remedy("merge the two records in Twenty, or look one up by id"));
    }
    // Servers from before upserts by REST only create.
    if begins(&body, &["record already exists"]) {
        let error = reply.error(
            ErrorKind::Duplicate,
            "the server creates, and does not update",
        );
        return Some(error.with_remedy("this server is too old: update Twenty"));
    }
    // Of one field's value older servers say `Duplicate Emails .. Please set a unique one.`
    if has("duplicate entry") || has("please set a unique one") || status == 409 {
        return Some(reply.error(ErrorKind::Duplicate, "there is such a record already"));
    }
    if creates_schema && status == 400 && (has("already") || has("not_available")) {
        let error = reply.error(ErrorKind::InvalidInput, "the name is taken");
        return Some(error.with_rule("name_taken"));
    }
    if matches!(status, 400 | 404) && begins(&body, &NO_RECORD) {
        let error = reply.error(ErrorKind::NotFound, "no such record");
        return Some(error.with_rule(NO_RECORD_RULE));
    }
    if matches!(status, 200 | 400 | 404) && has("object") && has("not found") {
        let error = reply.error(
            ErrorKind::NotFound,
            "the workspace does not have this object",
        );
        return Some(error.with_remedy("create it in Twenty, or with ensure_fields"));
    }
    if matches!(status, 200 | 400 | 500) && BAD_VALUE.iter().any(|word| has(word)) {
        let error = reply.error(ErrorKind::InvalidInput, "the database refuses a value");
        return Some(error.with_rule("database"));
    }
    None
}

fn unauthorized(reply: &Reply) -> Error {
    reply
        .error(
            ErrorKind::Unauthorized,
            "the API key is expired, revoked or wrong",
        )
        .with_remedy("make a new key in Settings -> APIs & Webhooks, or log in again")
}

fn forbidden(reply: &Reply) -> Error {
    reply
        .error(ErrorKind::Forbidden, "the API key's role may not do this")
        .with_remedy("give the key a role with this right in Settings -> Roles")
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
