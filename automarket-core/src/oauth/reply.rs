//! Token replies, read leniently: what the platforms send is not what the standard says.

use chrono::{DateTime, Duration, Utc};
use http::StatusCode;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{Grant, Meaning, Provider, TokenSet, rule};
use crate::{
    Error, ErrorKind, Result, Retry, Secret,
    http::{Reply, classify},
};

/// Reads the reply of a token address: JSON, JSON inside `data`, or a form; scopes as text or list, seconds
/// as number or text, a missing expiry or `0` as unknown.
///
/// # Errors
/// What the platform says, also with status 200, told apart by rule: [`rule::INVALID_GRANT`] is the one
/// definite answer that code or refresh token are dead (`Unauthorized`); [`rule::CLIENT`], [`rule::SCOPE`],
/// [`rule::REDIRECT_URI`] and [`rule::REQUEST`] are misconfiguration (`Config`); [`rule::WAIT`] is
/// `RateLimited`. 429 and 5xx are `RateLimited` and `Unavailable` whatever the body says. A reply without
/// tokens is `UnexpectedReply` ([`rule::REPLY`]). No error holds a token.
pub fn read_token_reply(
    provider: &Provider,
    reply: &Reply,
    now: DateTime<Utc>,
) -> Result<TokenSet> {
    read(provider, reply, now).map_err(|error| error.with_platform(&provider.platform))
}

/// Reads the reply to a revocation. Tokens that were dead already are as good as revoked.
///
/// # Errors
/// What the platform says, also with status 200 (Slack), as [`read_token_reply`] does.
pub fn read_revocation(provider: &Provider, reply: &Reply, now: DateTime<Utc>) -> Result<()> {
    match refused(provider, reply, body(reply).as_ref(), now) {
        Some(error) if error.rule() != Some(rule::INVALID_GRANT) => {
            Err(error.with_platform(&provider.platform))
        }
        _ => Ok(()),
    }
}

fn read(provider: &Provider, reply: &Reply, now: DateTime<Utc>) -> Result<TokenSet> {
    let body = body(reply);
    if let Some(error) = refused(provider, reply, body.as_ref(), now) {
        return Err(error);
    }
    let whole = body.unwrap_or_default();
    let inside = whole.get("data").map(|data| match data {
        Value::Array(list) => list.first().unwrap_or(&Value::Null),
        data => data,
    });
    let whole = match inside {
        Some(inside) if whole.get("access_token").is_none() => inside,
        _ => &whole,
    };
    // Slack renews a person's token as it gives a bot's.
    let at = whole.pointer(provider.reply_at);
    let at = at.filter(|at| at.get("access_token").is_some());
    let at = at.unwrap_or(whole);
    let access_token = token(at, "access_token").ok_or_else(|| no_token(reply))?;
    let get = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| at.get(*name).filter(|v| !v.is_null()))
    };

    let lifetime = match at.get("expires_in_sec").and_then(seconds) {
        Some(seconds) => Some(seconds),
        None => get(&["expires_in", "expires"])
            .and_then(seconds)
            .map(|amount| match provider.milliseconds_above {
                Some(limit) if amount > limit => amount / 1000,
                _ => amount,
            }),
    };
    let refresh_token = token(at, "refresh_token");
    let refresh_lifetime = get(&["refresh_token_expires_in", "refresh_expires_in"])
        .and_then(seconds)
        .or(provider.refresh_token_seconds)
        .filter(|_| refresh_token.is_some());
    let scopes = get(&["scope", "scopes", "permissions"]).and_then(scopes);
    let text = |names: &[&str]| get(names).and_then(Value::as_str).map(str::to_owned);
    let kept = provider.keep.iter().filter_map(|name| {
        let value = whole.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    let kept: Map<String, Value> = kept.collect();
    Ok(TokenSet {
        access_token,
        refresh_token,
        expires_at: lifetime.and_then(|seconds| after(now, seconds)),
        refresh_expires_at: refresh_lifetime.and_then(|seconds| after(now, seconds)),
        scopes,
        token_type: text(&["token_type"]),
        base_url: text(&["instance_url", "api_domain"]).and_then(|text| base(&text)),
        grant: Grant::Code,
        app: String::new(),
        extra: if kept.is_empty() {
            Value::Null
        } else {
            Value::Object(kept)
        },
    })
}

/// The body as JSON, or a form as if it were.
fn body(reply: &Reply) -> Option<Value> {
    let bytes = reply
        .body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&reply.body);
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let is_form = text.contains('=') && !text.contains(['<', '{', '\n']);
    is_form.then(|| {
        let pairs = form_urlencoded::parse(text.as_bytes());
        pairs
            .map(|(k, v)| (k.into_owned(), Value::String(v.into_owned())))
            .collect()
    })
}

/// A token that can be sent: text without spaces and control characters.
fn token(at: &Value, name: &str) -> Option<Secret> {
    let text = at.get(name)?.as_str()?;
    let usable = !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b));
    usable.then(|| Secret::new(text))
}

/// A number of seconds, as number or text. Nothing, and what is no time, is unknown.
fn seconds(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Beyond 100 years is nobody's meaning.
    let sane = (1.0..3.2e12).contains(&seconds);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds between 1 and 3.2e12"
    )]
    sane.then_some(seconds as i64)
}

fn after(now: DateTime<Utc>, seconds: i64) -> Option<DateTime<Utc>> {
    let within = Duration::try_seconds(seconds).filter(|life| life.num_days() <= 36_525)?;
    now.checked_add_signed(within)
}

/// Scopes as one text or as a list, between spaces or commas.
fn scopes(value: &Value) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    let texts = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    for scope in texts.iter().flat_map(|t| t.split([' ', ',', '\t', '\n'])) {
        if !scope.is_empty() && !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    (!scopes.is_empty()).then_some(scopes)
}

/// An https address, with or without its scheme written.
fn base(text: &str) -> Option<Url> {
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("https://{text}")),
    };
    url.ok().filter(|url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    })
}

/// The error that a reply tells of, if it does.
fn refused(
    provider: &Provider,
    reply: &Reply,
    body: Option<&Value>,
    now: DateTime<Utc>,
) -> Option<Error> {
    let status = reply.status;
    let by_status = || with_safe_body(classify(reply, now), reply, body);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Some(by_status().with_rule(rule::WAIT));
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Some(by_status().with_rule(rule::FAILING));
    }
    // One that cannot be used is none: what is said beside it counts.
    if status.is_success() && body.is_some_and(|body| token(body, "access_token").is_some()) {
        return None;
    }
    let codes = body.map(codes).unwrap_or_default();
    let described = body.and_then(words);
    let known = codes.iter().find_map(|code| {
        let is = |name: &str| match name.split_once(": ") {
            Some((of, words)) => of == code && described.is_some_and(|d| d.starts_with(words)),
            None => name == code,
        };
        let own = provider.codes.iter().find(|(name, _)| is(name));
        Some((code, own.map(|(_, meaning)| *meaning)?))
    });
    let known = known.or_else(|| codes.iter().find_map(|code| Some((code, standard(code)?))));
    if let Some((code, meaning)) = known {
        return Some(error(meaning, code, reply, body, now));
    }
    if let Some(code) = codes.first() {
        let message = "the platform refuses to give tokens";
        let code: String = reply_words(reply, code);
        let refusal = match status.is_success() {
            true => Error::new(ErrorKind::InvalidInput, message).with_status(status.as_u16()),
            false => by_status(),
        };
        return Some(refusal.with_platform_code(code).with_rule(rule::REFUSED));
    }
    match status {
        _ if status.is_success() => None,
        StatusCode::UNAUTHORIZED => Some(
            by_status()
                .with_kind(ErrorKind::Config)
                .with_rule(rule::CLIENT),
        ),
        _ => Some(by_status().with_rule(rule::REFUSED)),
    }
}

fn error(
    meaning: Meaning,
    code: &str,
    reply: &Reply,
    body: Option<&Value>,
    now: DateTime<Utc>,
) -> Error {
    let (kind, rule, what) = match meaning {
        Meaning::GrantDead => (
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            "the code or refresh token is expired, used or revoked",
        ),
        Meaning::Denied => (ErrorKind::Forbidden, rule::DENIED, "the user did not agree"),
        Meaning::Client => (
            ErrorKind::Config,
            rule::CLIENT,
            "the platform does not take the app's id, secret or key",
        ),
        Meaning::RedirectUri => (
            ErrorKind::Config,
            rule::REDIRECT_URI,
            "the redirect address is not the registered one",
        ),
        Meaning::Scope => (
            ErrorKind::Config,
            rule::SCOPE,
            "the app may not have these scopes",
        ),
        Meaning::Request => (
            ErrorKind::Config,
            rule::REQUEST,
            "the platform does not understand the request",
        ),
        Meaning::Wait => (
            ErrorKind::RateLimited,
            rule::WAIT,
            "too many token requests for now",
        ),
        Meaning::Failing => (
            ErrorKind::Unavailable,
            rule::FAILING,
            "the platform is failing",
        ),
    };
    let error = Error::new(kind, what)
        .with_operation(reply.operation())
        .with_status(reply.status.as_u16())
        .with_platform_code(code)
        .with_rule(rule);
    let error = with_safe_body(error, reply, body);
    match kind {
        ErrorKind::RateLimited => error.with_retry(Retry::After(reply.retry_after(now))),
        _ => error,
    }
}

/// The codes that a body names, the most telling first.
fn codes(body: &Value) -> Vec<String> {
    const PLACES: [&str; 11] = [
        "/error/error_subcode",
        "/error/code",
        "/error/type",
        "/error",
        "/errors/0/type",
        "/errors/0/code",
        "/error_code",
        "/error_type",
        "/serviceErrorCode",
        "/code",
        "/status",
    ];
    let told = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.chars().take(80).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let is_ok = |code: &String| matches!(code.as_str(), "ok" | "success" | "0" | "200");
    let places = PLACES.iter().filter_map(|place| told(body.pointer(place)?));
    places.filter(|code| !is_ok(code)).collect()
}

/// What a body says in words: the standard's, and Meta's.
fn words(body: &Value) -> Option<&str> {
    const PLACES: [&str; 3] = ["/error_description", "/error/message", "/error_message"];
    let mut places = PLACES.iter();
    places.find_map(|place| body.pointer(place)?.as_str())
}

/// The codes of RFC 6749, 5.2 and their usual variants.
fn standard(code: &str) -> Option<Meaning> {
    Some(match code {
        "invalid_grant" => Meaning::GrantDead,
        "access_denied" => Meaning::Denied,
        "invalid_client"
        | "unauthorized_client"
        | "invalid_client_id"
        | "invalid_client_secret" => Meaning::Client,
        "redirect_uri_mismatch" | "invalid_redirect_uri" | "bad_redirect_uri" => {
            Meaning::RedirectUri
        }
        "invalid_scope" => Meaning::Scope,
        "invalid_request" | "unsupported_grant_type" | "unsupported_response_type" => {
            Meaning::Request
        }
        "slow_down" | "rate_limit_exceeded" | "ratelimited" => Meaning::Wait,
        "server_error" | "temporarily_unavailable" => Meaning::Failing,
        _ => return None,
    })
}

fn no_token(reply: &Reply) -> Error {
    // Its body may hold tokens under names that we do not know.
    let unexpected = reply.unexpected("the reply of the token address holds no access token");
    Error::new(ErrorKind::UnexpectedReply, unexpected.message())
        .with_retry(unexpected.retry())
        .with_operation(reply.operation())
        .with_status(reply.status.as_u16())
        .with_rule(rule::REPLY)
}

/// The error with what may be shown of the body in place of the body: only texts that tell what is wrong.
fn with_safe_body(error: Error, reply: &Reply, body: Option<&Value>) -> Error {
    let excerpt = match body {
        Some(body) => reply_words(reply, &telling(body).to_string()),
        None => reply.excerpt(),
    };
    error.with_body(excerpt)
}

/// The fields that tell what is wrong; nothing else, for it may be a token.
fn telling(body: &Value) -> Value {
    const TELLING: [&str; 20] = [
        "error",
        "errors",
        "error_description",
        "error_code",
        "error_subcode",
        "error_type",
        "error_message",
        "error_uri",
        "message",
        "code",
        "type",
        "status",
        "ok",
        "success",
        "log_id",
        "fbtrace_id",
        "correlationId",
        "correlation_id",
        "trace_id",
        "serviceErrorCode",
    ];
    match body {
        Value::Object(map) => {
            let fields = map
                .iter()
                .filter(|(name, _)| TELLING.contains(&name.as_str()));
            fields
                .map(|(name, value)| (name.clone(), telling(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(telling).collect(),
        value => value.clone(),
    }
}

/// A text of the reply with the call's secrets masked.
fn reply_words(reply: &Reply, text: &str) -> String {
    reply.masked(text, 512)
}
