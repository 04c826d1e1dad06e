use automarket_core::{
    Context, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Days, NaiveTime, Utc},
    http::{self, Call, Reply},
};
use serde::de::DeserializeOwned;

use crate::{PLATFORM, wire::Problem};

/// Makes the call and reads its answer.
pub(crate) async fn ask<T: DeserializeOwned>(cx: &Context, call: Call) -> Result<T> {
    let reply = send(cx, call).await?;
    let answer = reply.json();
    answer.map_err(|error: Error| error.with_platform(&PLATFORM))
}

/// As [`ask`]; `None` when the credential may not ask this.
pub(crate) async fn ask_if_allowed<T: DeserializeOwned>(
    cx: &Context,
    call: Call,
) -> Result<Option<T>> {
    match ask(cx, call).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::Forbidden => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the call; an answer that is no success is its error.
pub(crate) async fn send(cx: &Context, call: Call) -> Result<Reply> {
    let reply = cx.call(call).await;
    let reply = reply.map_err(|error| error.with_platform(&PLATFORM))?;
    if reply.ok() {
        Ok(reply)
    } else {
        Err(classify(&reply, cx))
    }
}

/// The id of what was made: it stands in a header, the body may be empty.
pub(crate) fn created(reply: &Reply) -> Result<String> {
    let id = ["x-restli-id", "x-linkedin-id"]
        .iter()
        .find_map(|name| reply.header(name))
        .filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| {
        reply
            .unexpected("a success that does not name what was made")
            .with_platform(&PLATFORM)
    })
}

/// Whether LinkedIn knows that there is no such post: an address that leads nowhere says 404, too (`RESOURCE_NOT_FOUND`, or
/// a page).
pub(crate) fn is_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.platform_code() == Some("NOT_FOUND")
}

/// The post that LinkedIn says it has already.
pub(crate) fn original(duplicate: &Error) -> Option<String> {
    let (_, rest) = duplicate.body()?.split_once("duplicate of ")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
    let urn = &rest[..end.unwrap_or(rest.len())];
    is_post(urn).then(|| urn.to_owned())
}

/// Whether this is the URN of a post.
pub(crate) fn is_post(urn: &str) -> bool {
    let id = urn
        .strip_prefix("urn:li:share:")
        .or_else(|| urn.strip_prefix("urn:li:ugcPost:"));
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What an answer without success means. The status decides; the body refines.
fn classify(reply: &Reply, cx: &Context) -> Error {
    let base = http::classify(reply, cx.now()).with_platform(&PLATFORM);
    let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = problem.code();
    let status = reply.status.as_u16();
    let dead = matches!(problem.service, Some(65600..=65602));
    let error = match status {
        400..=499 if status == 401 || dead => base
            .with_kind(ErrorKind::Unauthorized)
            .with_remedy("connect the account again"),
        403 => base.with_remedy(
            "the app needs the LinkedIn product for this, the account its scope, and the member a role on the organisation's page",
        ),
        400 | 409 | 422 if code.as_deref() == Some("DUPLICATE_POST") => {
            let error = base.with_kind(ErrorKind::Duplicate);
            let first = original(&error).map_or_else(String::new, |urn| format!(" (it has {urn})"));
            error.with_remedy(format!(
                "change the text: LinkedIn takes none twice within a day or two, also after a deletion{first}"
            ))
        }
        426 => base
            .with_remedy("set LinkedInConfig::version to a version that is served, or update automarket"),
        429 => limited(base, &problem.message.to_uppercase(), cx.now()),
        _ => base,
    };
    match code {
        Some(code) => error.with_platform_code(reply.code(&code)),
        None => error,
    }
}

/// `Resource level throttle APPLICATION DAY limit for calls to this resource is reached.`: whose it is
/// (`APPLICATION`, `MEMBER`, or `APPLICATION_AND_MEMBER`, a member's share of the app's), and of what time.
fn limited(base: Error, said: &str, now: DateTime<Utc>) -> Error {
    let mut error = base;
    if said.contains(" DAY LIMIT") && error.retry() == Retry::After(None) {
        error = error.with_retry(Retry::After(until_midnight(now)));
    }
    if said.contains(" APPLICATION ") {
        error = error.with_app_limit();
    }
    error
}

/// Daily limits begin anew at midnight UTC.
fn until_midnight(now: DateTime<Utc>) -> Option<std::time::Duration> {
    let tomorrow = now.date_naive().checked_add_days(Days::new(1))?;
    let midnight = tomorrow.and_time(NaiveTime::MIN).and_utc();
    (midnight - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use automarket_core::testing::{ManualClock, Script};

    use super::*;
    use crate::{LinkedInConfig, LinkedInOptions, api::Api, author::Author};

    const WAIT: Retry = Retry::After(None);
    /// From nine in the morning to midnight.
    const DAY: Retry = Retry::After(Some(Duration::from_secs(15 * 3600)));

    /// Status and body; then what it is for the post that it answers, and its code.
    type Row = (u16, &'static str, ErrorKind, Retry, Option<&'static str>);

    const TABLE: &[Row] = &[
        (
            400,
            r#"{"status":400,"code":"ILLEGAL_ARGUMENT","serviceErrorCode":100,"message":"Invalid query parameters passed to request"}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
            Some("ILLEGAL_ARGUMENT"),
        ),
        (
            400,
            r#"{"status":400,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"The token used in the request has been revoked by the user"}"#,
            ErrorKind::Unauthorized,
            Retry::Never,
            Some("REVOKED_ACCESS_TOKEN"),
        ),
        (
            401,
            r#"{"status":401,"serviceErrorCode":65600,"code":"INVALID_ACCESS_TOKEN","message":"Invalid access token"}"#,
            ErrorKind::Unauthorized,
            Retry::Never,
            Some("INVALID_ACCESS_TOKEN"),
        ),
        (
            401,
            r#"{"status":401,"serviceErrorCode":65602,"code":"EXPIRED_ACCESS_TOKEN","message":"The token used in the request has expired"}"#,
            ErrorKind::Unauthorized,
            Retry::Never,
            Some("EXPIRED_ACCESS_TOKEN"),
        ),
        (
            401,
            "<html>login</html>",
            ErrorKind::Unauthorized,
            Retry::Never,
            None,
        ),
        (
            403,
            r#"{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"Not enough permissions to access: partnerApiPostsExternal.CREATE.20261001"}"#,
            ErrorKind::Forbidden,
            Retry::Never,
            Some("ACCESS_DENIED"),
        ),
        (
            403,
            r#"{"message":"Accessing this image resource is forbidden. Please check your permissions for this resource","status":403}"#,
            ErrorKind::Forbidden,
            Retry::Never,
            None,
        ),
        (
            404,
            r#"{"status":404,"code":"NOT_FOUND","message":"Could not find entity"}"#,
            ErrorKind::NotFound,
            Retry::Never,
            Some("NOT_FOUND"),
        ),
        (
            422,
            r#"{"errorDetailType":"com.linkedin.common.error.BadRequest","message":"com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of urn:li:share:7141138937766391808","errorDetails":{"inputErrors":[{"description":"Duplicate post is detected","input":{},"code":"DUPLICATE_POST"}]},"status":422}"#,
            ErrorKind::Duplicate,
            Retry::Never,
            Some("DUPLICATE_POST"),
        ),
        (
            422,
            r#"{"errorDetailType":"com.linkedin.common.error.BadRequest","message":"/commentary :: field is required","errorDetails":{"inputErrors":[{"description":"field is required","input":{"inputPath":{"fieldPath":"commentary"}},"code":"MISSING_FIELD"}]},"status":422}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
            Some("MISSING_FIELD"),
        ),
        (
            426,
            r#"{"status":426,"code":"NONEXISTENT_VERSION","message":"Requested version 20250401 is not active"}"#,
            ErrorKind::ApiVersionRetired,
            Retry::Never,
            Some("NONEXISTENT_VERSION"),
        ),
        (
            429,
            r#"{"status":429,"message":"Resource level throttle limit reached"}"#,
            ErrorKind::RateLimited,
            WAIT,
            None,
        ),
        (
            429,
            r#"{"status":429,"serviceErrorCode":101,"code":"TOO_MANY_REQUESTS","message":"Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached."}"#,
            ErrorKind::RateLimited,
            DAY,
            Some("TOO_MANY_REQUESTS"),
        ),
        (
            429,
            "<html>slow down</html>",
            ErrorKind::RateLimited,
            WAIT,
            None,
        ),
        (
            500,
            r#"{"status":500,"message":"Unable to obtain activity"}"#,
            ErrorKind::Unavailable,
            Retry::Reconcile,
            None,
        ),
        (
            503,
            r#"{"status":503,"code":"SERVICE_UNAVAILABLE","message":"Service Unavailable"}"#,
            ErrorKind::Unavailable,
            Retry::Reconcile,
            Some("SERVICE_UNAVAILABLE"),
        ),
        (
            504,
            "<html>gateway timeout</html>",
            ErrorKind::Unavailable,
            Retry::Reconcile,
            None,
        ),
        (
            200,
            "<html>login</html>",
            ErrorKind::UnexpectedReply,
            Retry::Reconcile,
            None,
        ),
        (201, "", ErrorKind::UnexpectedReply, Retry::Reconcile, None),
    ];

    async fn posted(wire: Script) -> Error {
        let clock = ManualClock::parse("2026-11-20T09:00:00Z");
        let cx = wire.context().with_clock(Arc::new(clock));
        let api = Api {
            config: LinkedInConfig::default(),
            token: cx.token().unwrap(),
        };
        let author = Author::read("urn:li:organization:1").unwrap();
        let call = api.create(&author, "x", None, &LinkedInOptions::default(), false);
        match send(&cx, call.unwrap()).await {
            Ok(reply) => created(&reply).unwrap_err(),
            Err(error) => error,
        }
    }

    #[tokio::test]
    async fn each_answer_has_its_kind() {
        for (status, body, kind, retry, code) in TABLE {
            let wire = Script::new()
                .expect("POST", "https://api.linkedin.com/rest/posts")
                .reply(*status, *body);
            let error = posted(wire).await;
            let found = (error.kind(), error.retry(), error.platform_code());
            assert_eq!(found, (*kind, *retry, *code), "{status} {body}");
            assert_eq!(error.platform(), Some(&PLATFORM));
            assert_eq!(error.operation(), Some("posts.create"));
            let urn = original(&error);
            let named = *kind == ErrorKind::Duplicate;
            assert_eq!(urn.is_some(), named, "{urn:?}");
            if let Some(urn) = urn {
                assert!(error.remedy().unwrap().contains(&urn), "{error:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_wait_that_is_named_wins_over_midnight() {
        let wire = Script::new()
            .expect("POST", "https://api.linkedin.com/rest/posts")
            .reply(429, r#"{"message":"Resource level throttle MEMBER DAY limit for calls to this resource is reached."}"#)
            .reply_header("retry-after", "7");
        let seven = Retry::After(Some(Duration::from_secs(7)));
        assert_eq!(posted(wire).await.retry(), seven);
    }

    #[tokio::test]
    async fn a_limit_is_the_apps_or_the_members() {
        for (whose, of_app) in [
            ("APPLICATION", true),
            ("MEMBER", false),
            ("APPLICATION_AND_MEMBER", false),
        ] {
            let body = format!(
                r#"{{"message":"Resource level throttle {whose} DAY limit for calls to this resource is reached."}}"#
            );
            let wire = Script::new()
                .expect("POST", "https://api.linkedin.com/rest/posts")
                .reply(429, body);
            let error = posted(wire).await;
            assert_eq!((error.is_app_limit(), error.retry()), (of_app, DAY));
        }
    }

    #[test]
    fn only_a_post_is_an_original() {
        let named = |text: &str| original(&Error::new(ErrorKind::Duplicate, "x").with_body(text));
        assert_eq!(
            named("Content is a duplicate of urn:li:ugcPost:7\","),
            Some("urn:li:ugcPost:7".to_owned())
        );
        for odd in [
            "duplicate of urn:li:person:7",
            "duplicate of ",
            "duplicate",
            "duplicate of urn:li:share:x",
        ] {
            assert_eq!(named(odd), None, "{odd}");
        }
    }
}
