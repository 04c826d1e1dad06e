use automarket_core::{
    Context, Error, ErrorKind, Result,
    http::{self, Call, Reply},
};
use serde_json::Value;

use crate::PLATFORM;

const CORE_PATH: &str = "base_url must hold Mixpost's core path (MIXPOST_CORE_PATH, `mixpost` unless \
                         renamed), the instance must be Pro or Enterprise 2, and the host must be the \
                         right one";
/// The code of a 404 that means the path, not the record: an older instance, or a wrong base address.
const NO_ROUTE: &str = "no_route";

/// Makes the call; an answer that is no success is its error.
pub(crate) async fn send(cx: &Context, call: Call) -> Result<Reply> {
    let reply = cx
        .call(call)
        .await
        .map_err(|error| error.with_platform(&PLATFORM))?;
    if reply.ok() && !is_page(&reply) {
        Ok(reply)
    } else {
        Err(classify(&reply, cx))
    }
}

/// What an answer without success means. The status decides; the body refines.
fn classify(reply: &Reply, cx: &Context) -> Error {
    let base = http::classify(reply, cx.now());
    let error = match reply.status.as_u16() {
        // A page in the place of a success may stand before a write that went through, so what core says
        // of repeating stays. A redirect leads to the login page: nothing was done.
        200..=299 => base.with_kind(ErrorKind::Config).with_remedy(CORE_PATH),
        300..=399 => reply
            .error(ErrorKind::Config, "a redirect answered, not the API")
            .with_remedy(CORE_PATH),
        404 | 405 | 419 if is_page(reply) => reply
            .error(ErrorKind::Config, "a web page answered, not the API")
            .with_remedy(CORE_PATH),
        401 => base.with_remedy("create a new access token in Mixpost (user menu, Access Tokens)"),
        403 => {
            base.with_remedy("the token acts as its owner: check the owner's role in the workspace")
        }
        404 => not_found(reply, base),
        422 => unprocessable(reply, base),
        _ => base,
    };
    error.with_platform(&PLATFORM)
}

fn not_found(reply: &Reply, base: Error) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let message = body["message"].as_str().unwrap_or_default();
    if message.starts_with("Workspace") {
        base.with_kind(ErrorKind::Config)
            .with_remedy("check the workspace's UUID; Mixpost::workspaces lists those there are")
    } else if message.starts_with("The route") {
        base.with_platform_code(NO_ROUTE)
    } else {
        base
    }
}

/// A validation error: `{"message", "errors": {field: [text, ...]}}`. Three of the fields are none: they
/// say that the post's state forbids it.
fn unprocessable(reply: &Reply, base: Error) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let fields = body["errors"].as_object();
    match fields.and_then(|fields| fields.keys().next()) {
        Some(state)
            if matches!(
                state.as_str(),
                "cannot_scheduled" | "in_history" | "publishing"
            ) =>
        {
            base.with_kind(ErrorKind::Conflict)
                .with_platform_code(state.clone())
        }
        Some(field) => Error::invalid(reply.code(field), base.message())
            .with_operation(reply.operation())
            .with_status(reply.status.as_u16())
            .with_body(reply.excerpt()),
        None => base,
    }
}

/// An error of a path that every instance has: without it, this is not the API.
pub(crate) fn required(error: Error) -> Error {
    if error.platform_code() == Some(NO_ROUTE) {
        error.with_kind(ErrorKind::Config).with_remedy(CORE_PATH)
    } else {
        error
    }
}

/// A text of the platform as it may stand in an error.
pub(crate) fn bounded(text: &str, cx: &Context) -> String {
    let text = match cx.token() {
        Ok(token) if !token.expose().is_empty() => text.replace(token.expose(), "[REDACTED]"),
        _ => text.to_owned(),
    };
    text.chars()
        .take(300)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn is_page(reply: &Reply) -> bool {
    let html = |mime: &str| mime.to_ascii_lowercase().contains("text/html");
    reply.header("content-type").is_some_and(html)
        || reply.body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use automarket_core::{Credential, Retry, testing::Script};

    use super::*;
    use crate::{MixpostConfig, api::Api};

    /// Status, content type, body; then what it is for a write.
    type Row = (u16, &'static str, &'static str, ErrorKind, Retry);

    const JSON: &str = "application/json";
    const HTML: &str = "text/html; charset=UTF-8";
    const TABLE: &[Row] = &[
        (
            401,
            JSON,
            r#"{"message":"Unauthenticated."}"#,
            ErrorKind::Unauthorized,
            Retry::Never,
        ),
        (
            403,
            JSON,
            r#"{"message":"Access forbidden."}"#,
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            404,
            JSON,
            r#"{"message":"Workspace not found."}"#,
            ErrorKind::Config,
            Retry::Never,
        ),
        (
            404,
            JSON,
            r#"{"message":"No query results for model [Post]."}"#,
            ErrorKind::NotFound,
            Retry::Never,
        ),
        (
            404,
            JSON,
            r#"{"message":"The route os/api/x could not be found."}"#,
            ErrorKind::NotFound,
            Retry::Never,
        ),
        (404, HTML, "<h1>404</h1>", ErrorKind::Config, Retry::Never),
        (405, HTML, "<h1>405</h1>", ErrorKind::Config, Retry::Never),
        (
            419,
            HTML,
            "<h1>Page expired</h1>",
            ErrorKind::Config,
            Retry::Never,
        ),
        (
            302,
            HTML,
            "<h1>Redirecting</h1>",
            ErrorKind::Config,
            Retry::Never,
        ),
        (
            200,
            HTML,
            "<!DOCTYPE html><html>",
            ErrorKind::Config,
            Retry::Reconcile,
        ),
        (
            200,
            "text/plain",
            " <html>",
            ErrorKind::Config,
            Retry::Reconcile,
        ),
        (
            422,
            JSON,
            r#"{"message":"x","errors":{"cannot_scheduled":["This post cannot be scheduled!\nThe date is in the past."]}}"#,
            ErrorKind::Conflict,
            Retry::Never,
        ),
        (
            422,
            JSON,
            r#"{"message":"x","errors":{"in_history":["in_history"]}}"#,
            ErrorKind::Conflict,
            Retry::Never,
        ),
        (
            422,
            JSON,
            r#"{"message":"x","errors":{"publishing":["publishing"]}}"#,
            ErrorKind::Conflict,
            Retry::Never,
        ),
        (
            422,
            JSON,
            r#"{"message":"x","errors":{"versions":["required"]}}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (
            422,
            JSON,
            r#"{"message":"x"}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (413, HTML, "<h1>413</h1>", ErrorKind::TooLarge, Retry::Never),
        (
            429,
            HTML,
            "<h1>429</h1>",
            ErrorKind::RateLimited,
            Retry::After(None),
        ),
        (
            500,
            JSON,
            r#"{"message":"Server Error"}"#,
            ErrorKind::Unavailable,
            Retry::Reconcile,
        ),
        (
            502,
            HTML,
            "<h1>502</h1>",
            ErrorKind::Unavailable,
            Retry::Reconcile,
        ),
        (
            503,
            HTML,
            "<h1>Be right back</h1>",
            ErrorKind::Unavailable,
            Retry::Reconcile,
        ),
    ];

    #[tokio::test]
    async fn each_answer_has_its_kind() {
        let config = MixpostConfig::new("https://h.example/mixpost", "w");
        for (status, mime, body, kind, retry) in TABLE {
            let wire = Script::new()
                .expect("POST", "https://h.example/mixpost/api/w/posts/approve/u")
                .reply(*status, *body)
                .reply_header("content-type", *mime);
            let cx = wire
                .context()
                .with_credential(Credential::token("tok-canary"));
            let api = Api::new(&config, cx.token().unwrap()).unwrap();
            let error = send(&cx, api.approve("u").unwrap()).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.retry()),
                (*kind, *retry),
                "{status} {body}: {error:?}"
            );
            assert_eq!(error.status(), Some(*status));
            assert_eq!(error.platform(), Some(&PLATFORM));
            if *kind == ErrorKind::Config {
                assert!(error.remedy().is_some(), "{status} {body}");
            }
        }
    }

    #[tokio::test]
    async fn a_rule_names_its_field_and_a_state_its_code() {
        let config = MixpostConfig::new("https://h.example/mixpost", "w");
        let ask = async |body: &'static str| {
            let wire = Script::new()
                .expect("POST", "https://h.example/mixpost/api/w/posts/approve/u")
                .reply(422, body);
            let cx = wire.context();
            let api = Api::new(&config, cx.token().unwrap()).unwrap();
            send(&cx, api.approve("u").unwrap()).await.unwrap_err()
        };
        let error =
            ask(r#"{"message":"The date is wrong.","errors":{"date":["The date is wrong."]}}"#)
                .await;
        assert_eq!(error.field(), Some("date"));
        assert!(error.message().contains("The date is wrong."), "{error}");
        let error = ask(r#"{"message":"m","errors":{"in_history":["in_history"]}}"#).await;
        assert_eq!(error.platform_code(), Some("in_history"));
    }

    #[tokio::test]
    async fn the_token_is_in_no_error() {
        let config = MixpostConfig::new("https://h.example/mixpost", "w");
        for (status, _, _, _, _) in TABLE {
            let echo = r#"{"message":"no tok-canary here","errors":{"f":["tok-canary"]}}"#;
            let wire = Script::new()
                .expect("POST", "https://h.example/mixpost/api/w/posts/approve/u")
                .reply(*status, echo)
                .reply_header("content-type", "text/html");
            let cx = wire
                .context()
                .with_credential(Credential::token("tok-canary"));
            let api = Api::new(&config, cx.token().unwrap()).unwrap();
            let error = send(&cx, api.approve("u").unwrap()).await.unwrap_err();
            let shown = format!("{error} {error:?} {} {cx:?}", error.report());
            assert!(!shown.contains("tok-canary"), "{status}: {shown}");
        }
    }
}
