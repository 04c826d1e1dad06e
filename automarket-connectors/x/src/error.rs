use automarket_core::{
    Context, Error, ErrorKind, Result, Retry,
    http::{self, Call, Effect, Reply},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    PLATFORM,
    wire::{Answer, Problem},
};

/// Makes the call and reads its answer.
pub(crate) async fn ask<T: DeserializeOwned>(cx: &Context, call: Call) -> Result<T> {
    let (reply, answer) = answer(cx, call).await?;
    answer.data.ok_or_else(|| match answer.errors.first() {
        Some(problem) => told(&reply, problem),
        None => reply
            .unexpected("an answer without data")
            .with_platform(&PLATFORM),
    })
}

/// As [`ask`], with what stands beside the data.
pub(crate) async fn answer<T: DeserializeOwned>(
    cx: &Context,
    call: Call,
) -> Result<(Reply, Answer<T>)> {
    let reply = send(cx, call).await?;
    let answer = reply
        .json()
        .map_err(|error: Error| error.with_platform(&PLATFORM))?;
    Ok((reply, answer))
}

/// Makes the call; an answer that is no success is its error.
pub(crate) async fn send(cx: &Context, call: Call) -> Result<Reply> {
    let reply = cx
        .call(call)
        .await
        .map_err(|error| error.with_platform(&PLATFORM))?;
    if reply.ok() {
        Ok(reply)
    } else {
        Err(classify(&reply, cx))
    }
}

/// Makes a call that may be repeated, and of whose answer nothing is wanted: it may be empty, and holds an error all the
/// same.
pub(crate) async fn tell(cx: &Context, call: Call) -> Result<()> {
    let reply = send(cx, call).await?;
    let answer: Answer<Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
    match (answer.data, answer.errors.first()) {
        (None, Some(problem)) => Err(told(&reply, problem)),
        _ => Ok(()),
    }
}

/// Whether X knows that the post is gone: an address that leads nowhere (code 34, no type) says 404, too.
pub(crate) fn is_gone(error: &Error) -> bool {
    let named = matches!(error.platform_code(), Some("resource-not-found" | "144"));
    named && error.kind() == ErrorKind::NotFound
}

/// An error that stands in an answer of success instead of its data.
pub(crate) fn told(reply: &Reply, problem: &Problem) -> Error {
    let kind = match slug(&problem.kind) {
        "resource-not-found" => ErrorKind::NotFound,
        "not-authorized-for-resource" | "disallowed-resource" => ErrorKind::Forbidden,
        _ => {
            let odd = reply.unexpected(words(problem));
            // After a write it may have been done; the rest may be asked again.
            let odd = match reply.effect() {
                Effect::Read => odd.with_retry(Retry::After(None)),
                Effect::Write => odd,
            };
            return odd
                .with_platform(&PLATFORM)
                .with_platform_code(reply.code(slug(&problem.kind)));
        }
    };
    reply
        .error(kind, words(problem))
        .with_platform(&PLATFORM)
        .with_platform_code(reply.code(slug(&problem.kind)))
}

/// What an answer without success means. The status decides; the body refines.
fn classify(reply: &Reply, cx: &Context) -> Error {
    let base = http::classify(reply, cx.now()).with_platform(&PLATFORM);
    let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = code(&problem);
    let error = match reply.status.as_u16() {
        401 => base.with_remedy("connect the account again"),
        402 => base.with_remedy("buy credits in X's developer console"),
        403 => forbidden(base, &words(&problem), code.as_deref()),
        410 => base
            .with_kind(ErrorKind::ApiVersionRetired)
            .with_remedy("update automarket: this version of X's API is gone"),
        429 if slug(&problem.kind) == "usage-capped" => base
            .with_kind(ErrorKind::QuotaExhausted)
            .with_retry(Retry::Never)
            .with_remedy("raise the spending cap in X's developer console"),
        429 if http::app_budget(&reply.headers, cx.now())
            .is_some_and(|left| left.remaining == Some(0)) =>
        {
            base.with_app_limit()
        }
        _ => base,
    };
    match code {
        Some(code) => error.with_platform_code(reply.code(&code)),
        None => error,
    }
}

/// X says much with this status, and tells it apart by its words alone.
fn forbidden(base: Error, words: &str, code: Option<&str>) -> Error {
    let said = words.to_lowercase();
    let has = |part: &str| said.contains(part);
    if has("duplicate content") {
        base.with_kind(ErrorKind::Duplicate)
            .with_remedy("change the text: X takes no text twice within hours")
    } else if has("reply to this conversation is not allowed") {
        base.with_rule("x.reply_restricted").with_remedy(
            "self-serve apps may answer only who mentioned or quoted the account (since 2026-02-23)",
        )
    } else if has("cashtag") {
        base.with_kind(ErrorKind::InvalidInput)
            .with_rule("text.cashtags")
    } else if has("unsupported authentication") || code == Some("unsupported-authentication") {
        base.with_kind(ErrorKind::Config)
            .with_remedy("use a token of a user, not the app's own")
    } else if code == Some("385") || has("deleted or not visible") {
        base.with_kind(ErrorKind::NotFound)
    } else {
        base
    }
}

/// The code of the old envelope, or the last part of the type of the new one.
fn code(problem: &Problem) -> Option<String> {
    let number = problem
        .errors
        .iter()
        .chain([problem])
        .find_map(|one| one.code);
    number.map(|code| code.to_string()).or_else(|| {
        let slug = slug(&problem.kind);
        (!slug.is_empty() && slug != "about:blank").then(|| slug.to_owned())
    })
}

fn words(problem: &Problem) -> String {
    let inner = problem.errors.first();
    let all = [
        &problem.detail,
        &problem.message,
        inner.map_or(&problem.title, |inner| &inner.message),
        &problem.title,
    ];
    let words = all.into_iter().find(|words| !words.is_empty());
    words.cloned().unwrap_or_default()
}

fn slug(kind: &str) -> &str {
    kind.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use automarket_core::testing::Script;

    use super::*;
    use crate::{XConfig, api::Api, wire::Deleted};

    /// Status and body; then what it is for a write, and its code.
    type Row = (u16, &'static str, ErrorKind, Retry, Option<&'static str>);

    const TABLE: &[Row] = &[
        (
            400,
            r#"{"errors":[{"message":"maximum of 4 items","parameters":{}}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
            Some("invalid-request"),
        ),
        (
            401,
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#,
            ErrorKind::Unauthorized,
            Retry::Never,
            None,
        ),
        (
            402,
            r#"{"title":"CreditsDepleted","detail":"no credits","type":"https://api.x.com/2/problems/credits"}"#,
            ErrorKind::QuotaExhausted,
            Retry::Never,
            Some("credits"),
        ),
        (
            403,
            r#"{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}"#,
            ErrorKind::Duplicate,
            Retry::Never,
            None,
        ),
        (
            403,
            r#"{"detail":"You are not permitted to perform this action.","type":"about:blank","title":"Forbidden","status":403}"#,
            ErrorKind::Forbidden,
            Retry::Never,
            None,
        ),
        (
            403,
            r#"{"detail":"Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to."}"#,
            ErrorKind::Forbidden,
            Retry::Never,
            None,
        ),
        (
            403,
            r#"{"detail":"Posts are limited to a maximum of one cashtag."}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
            None,
        ),
        (
            403,
            r#"{"title":"Unsupported Authentication","detail":"Authenticating with OAuth 2.0 Application-Only is forbidden","type":"https://api.x.com/2/problems/unsupported-authentication"}"#,
            ErrorKind::Config,
            Retry::Never,
            Some("unsupported-authentication"),
        ),
        (
            403,
            r#"{"errors":[{"code":385,"message":"You attempted to reply to a Tweet that is deleted or not visible to you."}]}"#,
            ErrorKind::NotFound,
            Retry::Never,
            Some("385"),
        ),
        (
            403,
            r#"{"type":"https://api.x.com/2/problems/client-forbidden","title":"Client Forbidden","detail":"no"}"#,
            ErrorKind::Forbidden,
            Retry::Never,
            Some("client-forbidden"),
        ),
        (
            404,
            r#"{"type":"https://api.x.com/2/problems/resource-not-found","title":"Not Found Error","detail":"no"}"#,
            ErrorKind::NotFound,
            Retry::Never,
            Some("resource-not-found"),
        ),
        (
            410,
            "<html>gone</html>",
            ErrorKind::ApiVersionRetired,
            Retry::Never,
            None,
        ),
        (
            429,
            r#"{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}"#,
            ErrorKind::RateLimited,
            Retry::After(None),
            None,
        ),
        (
            429,
            r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#,
            ErrorKind::RateLimited,
            Retry::After(None),
            Some("88"),
        ),
        (
            429,
            r#"{"title":"UsageCapExceeded","detail":"cap","type":"https://api.x.com/2/problems/usage-capped"}"#,
            ErrorKind::QuotaExhausted,
            Retry::Never,
            Some("usage-capped"),
        ),
        (
            503,
            "<html>busy</html>",
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
        (
            200,
            "{}",
            ErrorKind::UnexpectedReply,
            Retry::Reconcile,
            None,
        ),
        (
            200,
            r#"{"errors":[{"title":"Not Found Error","detail":"no","type":"https://api.x.com/2/problems/resource-not-found"}]}"#,
            ErrorKind::NotFound,
            Retry::Never,
            Some("resource-not-found"),
        ),
    ];

    #[tokio::test]
    async fn each_answer_has_its_kind() {
        for (status, body, kind, retry, code) in TABLE {
            let wire = Script::new()
                .expect("POST", "https://api.x.com/2/tweets")
                .reply(*status, *body);
            let cx = wire.context();
            let config = XConfig::default();
            let api = Api {
                config: &config,
                token: cx.token().unwrap(),
            };
            let part = crate::api::Part {
                text: "x",
                reply_to: None,
                media: &[],
                options: None,
                replies: None,
            };
            let error = ask::<Deleted>(&cx, api.create(&part).unwrap())
                .await
                .unwrap_err();
            let found = (error.kind(), error.retry(), error.platform_code());
            assert_eq!(found, (*kind, *retry, *code), "{status} {body}");
            assert_eq!(error.platform(), Some(&PLATFORM));
            assert_eq!(error.operation(), Some("posts.create"));
        }
    }

    #[tokio::test]
    async fn the_reset_of_a_limit_is_waited_for() {
        let wire = Script::new()
            .expect("DELETE", "https://api.x.com/2/tweets/1")
            .reply(429, "")
            .reply_header("x-rate-limit-remaining", "0")
            .reply_header(
                "x-rate-limit-reset",
                (automarket_core::chrono::Utc::now().timestamp() + 600).to_string(),
            );
        let cx = wire.context();
        let config = XConfig::default();
        let api = Api {
            config: &config,
            token: cx.token().unwrap(),
        };
        let error = ask::<Deleted>(&cx, api.delete("1").unwrap())
            .await
            .unwrap_err();
        let Retry::After(Some(wait)) = error.retry() else {
            panic!("{error:?}")
        };
        assert!((590..=601).contains(&wait.as_secs()), "{wait:?}");
    }
}
