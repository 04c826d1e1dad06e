use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Retry,
    chrono::{DateTime, Utc},
    http::{self, Reply},
};

use crate::{PLATFORM, wire};

/// What an answer that is no success means. Where the API itself says what is wrong, nothing was
/// written and nothing is billed, so also a 5xx may simply be sent again; a 5xx page of something between us and the
/// API says nothing about that, and stays to be looked at.
pub(crate) fn classify(reply: &Reply, now: DateTime<Utc>) -> Error {
    let error = http::classify(reply, now).with_platform(&PLATFORM);
    let Ok(body) = serde_json::from_slice::<wire::ErrorBody>(&reply.body) else {
        return error;
    };
    let kind = kind(&body.error).unwrap_or(error.kind());
    let wait = reply
        .header("retry-after-ms")
        .and_then(|ms| ms.trim().parse().ok())
        .map(|ms: u64| Duration::from_millis(ms.min(24 * 60 * 60 * 1000)))
        .or_else(|| reply.retry_after(now));
    let retry = match (kind, reply.header("x-should-retry")) {
        (_, Some("false")) => Retry::Never,
        (_, Some("true"))
        | (ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Conflict, _) => {
            Retry::After(wait)
        }
        _ => Retry::Never,
    };
    let error = error
        .with_kind(kind)
        .with_retry(retry)
        .with_platform_code(reply.code(&body.error.kind));
    match remedy(kind) {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// The kind behind the API's error type.
pub(crate) fn kind(error: &wire::ErrorDetail) -> Option<ErrorKind> {
    let message = error.message.to_lowercase();
    let unpaid = ["credit balance", "spend limit", "usage limit"];
    Some(match error.kind.as_str() {
        // Money is the reason of some 400s; only the words tell.
        "invalid_request_error" if unpaid.iter().any(|words| message.contains(words)) => {
            ErrorKind::QuotaExhausted
        }
        "invalid_request_error" => ErrorKind::InvalidInput,
        "authentication_error" => ErrorKind::Unauthorized,
        "billing_error" => ErrorKind::QuotaExhausted,
        "permission_error" => ErrorKind::Forbidden,
        "not_found_error" => ErrorKind::NotFound,
        "conflict_error" => ErrorKind::Conflict,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RateLimited,
        "api_error" | "timeout_error" | "overloaded_error" => ErrorKind::Unavailable,
        _ => return None,
    })
}

fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Unauthorized => Some("give the account a valid API key of the Claude Console"),
        ErrorKind::QuotaExhausted => {
            Some("add credit or raise the spend limit in the Claude Console")
        }
        ErrorKind::NotFound => Some("the model may be retired: choose one that identify lists"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use automarket_core::http::Effect;
    use automarket_core::http_types::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Reply {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        Reply::recorded(
            "messages.create",
            Effect::Write,
            status,
            map,
            body.to_owned(),
        )
    }

    fn said(kind: &str, message: &str) -> String {
        format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#
        )
    }

    #[test]
    fn each_error_of_the_sheet_has_its_kind_and_its_next_step() {
        let after = |seconds| Retry::After(Some(Duration::from_secs(seconds)));
        for (status, kind, message, expected, retry) in [
            (
                400,
                "invalid_request_error",
                "messages: at least one",
                ErrorKind::InvalidInput,
                Retry::Never,
            ),
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the API",
                ErrorKind::QuotaExhausted,
                Retry::Never,
            ),
            (
                400,
                "invalid_request_error",
                "You have reached your spend limit",
                ErrorKind::QuotaExhausted,
                Retry::Never,
            ),
            (
                401,
                "authentication_error",
                "invalid x-api-key",
                ErrorKind::Unauthorized,
                Retry::Never,
            ),
            (
                402,
                "billing_error",
                "payment",
                ErrorKind::QuotaExhausted,
                Retry::Never,
            ),
            (
                403,
                "permission_error",
                "no",
                ErrorKind::Forbidden,
                Retry::Never,
            ),
            (
                404,
                "not_found_error",
                "model: claude-1",
                ErrorKind::NotFound,
                Retry::Never,
            ),
            (
                409,
                "conflict_error",
                "busy",
                ErrorKind::Conflict,
                Retry::After(None),
            ),
            (
                413,
                "request_too_large",
                "32 MB",
                ErrorKind::TooLarge,
                Retry::Never,
            ),
            (
                422,
                "invalid_request_error",
                "no",
                ErrorKind::InvalidInput,
                Retry::Never,
            ),
            (
                429,
                "rate_limit_error",
                "slow down",
                ErrorKind::RateLimited,
                Retry::After(None),
            ),
            (
                500,
                "api_error",
                "Internal server error",
                ErrorKind::Unavailable,
                Retry::After(None),
            ),
            (
                504,
                "timeout_error",
                "late",
                ErrorKind::Unavailable,
                Retry::After(None),
            ),
            (
                529,
                "overloaded_error",
                "Overloaded",
                ErrorKind::Unavailable,
                Retry::After(None),
            ),
        ] {
            let error = classify(&answer(status, &[], &said(kind, message)), Utc::now());
            assert_eq!(
                (error.kind(), error.retry()),
                (expected, retry),
                "{status} {kind}"
            );
            assert_eq!(error.platform_code(), Some(kind));
            assert_eq!(error.status(), Some(status));
            assert!(error.body().unwrap().contains("req_1"));
        }
        for (headers, retry) in [
            (&[("retry-after", "7")][..], after(7)),
            (
                &[("retry-after-ms", "2000"), ("retry-after", "7")][..],
                after(2),
            ),
            (&[("x-should-retry", "false")][..], Retry::Never),
        ] {
            let error = classify(
                &answer(429, headers, &said("rate_limit_error", "x")),
                Utc::now(),
            );
            assert_eq!(error.retry(), retry, "{headers:?}");
        }
        let error = classify(
            &answer(
                400,
                &[("x-should-retry", "true")],
                &said("invalid_request_error", "x"),
            ),
            Utc::now(),
        );
        assert_eq!(error.retry(), Retry::After(None));
    }

    #[test]
    fn a_page_from_between_says_only_its_status() {
        let page = "<html>Bad gateway</html>";
        for (status, kind, retry) in [
            (413, ErrorKind::TooLarge, Retry::Never),
            (502, ErrorKind::Unavailable, Retry::Reconcile),
            (529, ErrorKind::Unavailable, Retry::Reconcile),
            (429, ErrorKind::RateLimited, Retry::After(None)),
        ] {
            let error = classify(&answer(status, &[], page), Utc::now());
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{status}");
        }
    }
}
