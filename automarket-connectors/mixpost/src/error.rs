use automarket_core::{
    Context, Error, ErrorKind, Result, Retry,
    http::{self, Call, Effect, Reply},
};
use serde_json::Value;

use crate::PLATFORM;

const CORE_PATH: &str = "base_url must hold Mixpost's core path (MIXPOST_CORE_PATH, `mixpost` unless \
                         renamed), the instance must be Pro or Enterprise 2, and the host must be the \
                         right one";

/// The code of a 404 that means the path, not the record: an older instance, or a wrong base address.
pub(crate) const NO_ROUTE: &str = "no_route";

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
pub(crate) fn classify(reply: &Reply, cx: &Context) -> Error {
    let base = http::classify(reply, cx.now());
    let status = reply.status.as_u16();
    let error = match status {
        200..=399 | 404 | 405 | 419 if is_page(reply) || (300..400).contains(&status) => {
            // A page in the place of a success may stand before a write that went through.
            let retry = if status < 300 && reply.effect() == Effect::Write {
                Retry::Reconcile
            } else {
                Retry::Never
            };
            refined(&base, ErrorKind::Config, "a web page answered, not the API")
                .with_retry(retry)
                .with_remedy(CORE_PATH)
        }
        401 => refined(
            &base,
            ErrorKind::Unauthorized,
            "the access token is not valid",
        )
        .with_remedy("create a new access token in Mixpost (user menu, Access Tokens)"),
        403 => refined(
            &base,
            ErrorKind::Forbidden,
            "the token's owner may not do this in this workspace",
        ),
        404 => {
            let said = said(reply, cx).unwrap_or_else(|| "not found".to_owned());
            if said.starts_with("Workspace") {
                refined(&base, ErrorKind::Config, said).with_remedy(
                    "check the workspace UUID; Mixpost::workspaces lists those there are",
                )
            } else if said.starts_with("The route") {
                refined(&base, ErrorKind::NotFound, said).with_platform_code(NO_ROUTE)
            } else {
                refined(&base, ErrorKind::NotFound, said)
            }
        }
        422 => unprocessable(reply, &base, cx),
        _ => base,
    };
    error.with_platform(&PLATFORM)
}

/// A validation error: `{"message", "errors": {field: [text, ...]}}`.
fn unprocessable(reply: &Reply, base: &Error, cx: &Context) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let fields = body.get("errors").and_then(Value::as_object);
    let key = fields.and_then(|fields| fields.keys().next());
    let said = said(reply, cx).unwrap_or_else(|| "the request breaks a rule of Mixpost".to_owned());
    let state = ["cannot_scheduled", "in_history", "publishing"];
    match key {
        Some(key) if state.contains(&key.as_str()) => {
            refined(base, ErrorKind::Conflict, said).with_platform_code(key.clone())
        }
        Some(key) => copy_facts(base, Error::invalid(key.clone(), said)),
        None => refined(base, ErrorKind::InvalidInput, said),
    }
}

/// The platform's own words, bounded and without the token.
fn said(reply: &Reply, cx: &Context) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let first = body
        .get("errors")
        .and_then(Value::as_object)
        .and_then(|fields| fields.values().next())
        .and_then(|texts| texts.get(0).or(Some(texts)))
        .and_then(Value::as_str);
    let text = first.or_else(|| body.get("message").and_then(Value::as_str))?;
    Some(bounded(text, cx))
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

/// The same answer under a kind of its own: it surely did not happen.
fn refined(base: &Error, kind: ErrorKind, message: impl Into<String>) -> Error {
    copy_facts(base, Error::new(kind, message))
}

/// An error of a path that every instance has: without it, this is not the API.
pub(crate) fn required(error: Error) -> Error {
    if error.platform_code() == Some(NO_ROUTE) {
        refined(&error, ErrorKind::Config, "the instance has no such path")
            .with_platform(&PLATFORM)
            .with_remedy(CORE_PATH)
    } else {
        error
    }
}

fn copy_facts(base: &Error, mut error: Error) -> Error {
    if let Some(operation) = base.operation() {
        error = error.with_operation(operation);
    }
    if let Some(status) = base.status() {
        error = error.with_status(status);
    }
    if let Some(body) = base.body() {
        error = error.with_body(body);
    }
    error
}

fn is_page(reply: &Reply) -> bool {
    let html = |text: &str| text.to_ascii_lowercase().contains("text/html");
    reply.header("content-type").is_some_and(html)
        || reply.body.trim_ascii_start().starts_with(b"<")
}
