use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Effect, Reply};
use crate::{Error, ErrorKind, Retry};

/// How much of a platform's own message is taken over, in characters.
const MESSAGE: usize = 200;

/// The error that the status says; connectors refine its kind by the platform's own code
/// ([`Error::with_kind`]). Never fails, whatever the body is.
///
/// | status | kind | next |
/// | --- | --- | --- |
/// | 400, 422 and 4xx not named here | `InvalidInput` | never |
/// | 401 | `Unauthorized` | never |
/// | 402 | `QuotaExhausted` | never |
/// | 403, 451 | `Forbidden` | never |
/// | 404, 410 | `NotFound` | never |
/// | 405, 501 | `Unsupported` | never |
/// | 407 | `Config` | never |
/// | 408 | `Timeout` | read: after; write: reconcile |
/// | 409, 412, 423, 428 | `Conflict` | never |
/// | 413, 414, 431 | `TooLarge` | never |
/// | 425 | `Unavailable` | after: the server would not risk doing it |
/// | 426 | `ApiVersionRetired` | never: so LinkedIn says it (NONEXISTENT_VERSION) |
/// | 429 | `RateLimited` | after the platform's own wait |
/// | 5xx but 501 | `Unavailable` | read: after the platform's own wait; write: reconcile, also with `Retry-After` |
/// | 301, 307, 308 | `Config` | never: the base address has moved; redirects of calls are not followed |
/// | 302, 303, other 3xx, 1xx, 2xx | `UnexpectedReply` | read: never; write: reconcile, it may have been done |
///
/// The message holds the platform's own words where its body has them in one of the usual places, at most
/// 200 characters, masked. [`Error::body`] holds the excerpt.
#[must_use]
pub fn classify(reply: &Reply, now: DateTime<Utc>) -> Error {
    let (kind, what) = match reply.status.as_u16() {
        401 => (ErrorKind::Unauthorized, "the credential is not accepted"),
        402 => (ErrorKind::QuotaExhausted, "the plan or quota is used up"),
        403 | 451 => (ErrorKind::Forbidden, "the credential may not do this"),
        404 | 410 => (ErrorKind::NotFound, "there is no such thing"),
        405 | 501 => (ErrorKind::Unsupported, "the platform does not do this"),
        407 => (ErrorKind::Config, "a proxy on the way wants a credential"),
        408 => (ErrorKind::Timeout, "the platform gave up waiting"),
        409 | 412 | 423 | 428 => (ErrorKind::Conflict, "its state forbids this"),
        413 | 414 | 431 => (ErrorKind::TooLarge, "the request is too large"),
        425 => (ErrorKind::Unavailable, "too early for the platform"),
        426 => (
            ErrorKind::ApiVersionRetired,
            "the API version is no longer served",
        ),
        429 => (ErrorKind::RateLimited, "too many requests for now"),
        400..=499 => (ErrorKind::InvalidInput, "the platform refuses the input"),
        500..=599 => (ErrorKind::Unavailable, "the platform is failing"),
        301 | 307 | 308 => return moved(reply),
        _ => return unexpected(reply),
    };
    let after = Retry::After(reply.retry_after(now));
    let retry = match (kind, reply.effect()) {
        (ErrorKind::RateLimited, _) => after,
        (ErrorKind::Unavailable, _) if reply.status.as_u16() == 425 => after,
        (ErrorKind::Unavailable | ErrorKind::Timeout, Effect::Write) => Retry::Reconcile,
        (ErrorKind::Unavailable | ErrorKind::Timeout, Effect::Read) => after,
        _ => Retry::Never,
    };
    let message = match platform_message(reply) {
        Some(words) => format!("{what}: {words}"),
        None => what.to_owned(),
    };
    reply.error(kind, message).with_retry(retry)
}

fn moved(reply: &Reply) -> Error {
    let place = reply
        .header("location")
        .and_then(|location| url::Url::parse(location).ok())
        .map(|url| format!(" to {}", url.origin().ascii_serialization()))
        .unwrap_or_default();
    reply
        .error(ErrorKind::Config, format!("the address has moved{place}"))
        .with_remedy(
            "set the platform's base address to the one that answers; calls follow no redirects",
        )
}

fn unexpected(reply: &Reply) -> Error {
    let message = if reply.status.is_redirection() {
        "a redirect where an answer was expected"
    } else if is_html(reply) {
        "a web page where an answer was expected"
    } else {
        "the answer is not what the platform documents"
    };
    reply.unexpected(message)
}

fn is_html(reply: &Reply) -> bool {
    let head = &reply.body[..reply.body.len().min(512)];
    let head = String::from_utf8_lossy(head);
    let typed = reply
        .header("content-type")
        .is_some_and(|mime| mime.to_ascii_lowercase().contains("html"));
    typed || head.trim_start().starts_with('<')
}

/// The platform's own words, from the usual envelopes or a short plain text.
fn platform_message(reply: &Reply) -> Option<String> {
    let words = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(body) => words(&body, 0)?.to_owned(),
        Err(_) if is_html(reply) => return None,
        Err(_) if reply.body.len() > MESSAGE => return None,
        Err(_) => std::str::from_utf8(&reply.body).ok()?.to_owned(),
    };
    let words = reply.masked(words.trim(), MESSAGE);
    (!words.is_empty()).then_some(words)
}

/// Looks where the platforms put them: Meta and Google `error.message`, OAuth `error_description`, RFC 9457
/// `detail` and `title`, Telegram `description`, GraphQL and others `errors[0].message`, Twenty `messages[0]`.
fn words(value: &Value, depth: u8) -> Option<&str> {
    const PLACES: [&str; 12] = [
        "error_description",
        "message",
        "messages",
        "errors",
        "detail",
        "error",
        "description",
        "title",
        "msg",
        "reason",
        "code",
        "type",
    ];
    if depth > 3 {
        return None;
    }
    match value {
        Value::String(text) => (!text.trim().is_empty()).then_some(text),
        Value::Array(list) => list.first().and_then(|first| words(first, depth + 1)),
        Value::Object(map) => PLACES
            .iter()
            .filter_map(|place| map.get(*place))
            .find_map(|inner| words(inner, depth + 1)),
        _ => None,
    }
}
