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
        400 | 409 | 422 if code.as_deref() == Some("DUPLICATE_POST") => base
            .with_kind(ErrorKind::Duplicate)
            .with_remedy("change the text: LinkedIn takes no text twice within a day or two, also after a deletion"),
        426 => base
            .with_remedy("set LinkedInConfig::version to a version that is served, or update automarket"),
        429 if problem.message.to_uppercase().contains(" DAY LIMIT")
            && base.retry() == Retry::After(None) =>
        {
            base.with_retry(Retry::After(until_midnight(cx.now())))
        }
        _ => base,
    };
    match code {
        Some(code) => error.with_platform_code(code),
        None => error,
    }
}

/// Daily limits begin anew at midnight UTC.
fn until_midnight(now: DateTime<Utc>) -> Option<std::time::Duration> {
    let tomorrow = now.date_naive().checked_add_days(Days::new(1))?;
    let midnight = tomorrow.and_time(NaiveTime::MIN).and_utc();
    (midnight - now).to_std().ok()
}
