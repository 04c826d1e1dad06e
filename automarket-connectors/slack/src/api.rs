//! One function per endpoint.

use std::time::Duration;

use automarket_core::{
    Notice, Result, Secret,
    chrono::{DateTime, Utc},
    http::{Call, Upload},
    media::MediaFile,
};
use serde_json::{Value, json};

use crate::{
    blocks::{blocks, fallback},
    config::SlackConfig,
};

/// How our messages are found again.
pub(crate) const EVENT_TYPE: &str = "automarket_notice";

const JSON: &str = "application/json; charset=utf-8";

/// For a file of the largest size on a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

fn write(
    operation: &'static str,
    config: &SlackConfig,
    token: &Secret,
    body: &Value,
) -> Result<Call> {
    let call = Call::post(operation, &config.method(operation)?)?.bearer(token);
    Ok(call.body(JSON, body.to_string()))
}

/// Slack's reads are forms by POST.
fn read(
    operation: &'static str,
    config: &SlackConfig,
    token: &Secret,
    form: &[(&str, &str)],
) -> Result<Call> {
    let call = Call::post(operation, &config.method(operation)?)?.bearer(token);
    Ok(call.form(form.iter().copied()).repeatable())
}

pub(crate) fn auth_test(config: &SlackConfig, token: &Secret) -> Result<Call> {
    read("auth.test", config, token, &[])
}

/// Channels of these types that are not archived. Slack gives fewer than asked for as it likes.
pub(crate) fn channels(
    config: &SlackConfig,
    token: &Secret,
    types: &str,
    cursor: &str,
) -> Result<Call> {
    let mut form = vec![
        ("types", types),
        ("exclude_archived", "true"),
        ("limit", "999"),
    ];
    if !cursor.is_empty() {
        form.push(("cursor", cursor));
    }
    read("conversations.list", config, token, &form)
}

pub(crate) fn post_message(
    config: &SlackConfig,
    token: &Secret,
    channel: &str,
    notice: &Notice,
    key: Option<&str>,
) -> Result<Call> {
    let mut body = message(notice);
    body["channel"] = json!(channel);
    body["unfurl_links"] = json!(false);
    if let Some(key) = key {
        body["metadata"] = json!({"event_type": EVENT_TYPE, "event_payload": {"key": key}});
    }
    write("chat.postMessage", config, token, &body)
}

/// The address is the secret: it is masked like a token.
pub(crate) fn webhook(address: &Secret, notice: &Notice) -> Result<Call> {
    let call = Call::post("webhook", address.expose())?.masking(address);
    Ok(call.body(JSON, message(notice).to_string()))
}

fn message(notice: &Notice) -> Value {
    let mut body = json!({"text": fallback(notice), "blocks": blocks(notice)});
    if let Some(thread) = &notice.thread {
        body["thread_ts"] = json!(thread);
    }
    body
}

pub(crate) fn history(
    config: &SlackConfig,
    token: &Secret,
    channel: &str,
    oldest: DateTime<Utc>,
    cursor: &str,
) -> Result<Call> {
    let oldest = format!(
        "{}.{:06}",
        oldest.timestamp(),
        oldest.timestamp_subsec_micros()
    );
    let mut form = vec![
        ("channel", channel),
        ("oldest", oldest.as_str()),
        ("include_all_metadata", "true"),
        ("limit", "100"),
    ];
    if !cursor.is_empty() {
        form.push(("cursor", cursor));
    }
    read("conversations.history", config, token, &form)
}

pub(crate) fn upload_address(
    config: &SlackConfig,
    token: &Secret,
    name: &str,
    length: u64,
    alt: Option<&str>,
) -> Result<Call> {
    let length = length.to_string();
    let mut form = vec![("filename", name), ("length", length.as_str())];
    form.extend(alt.map(|alt| ("alt_txt", alt)));
    read("files.getUploadURLExternal", config, token, &form)
}

/// A file that is uploaded and never completed is invisible, so it may be sent again.
pub(crate) fn upload(address: &str, file: MediaFile) -> Result<Call> {
    let call = Call::post("files.upload", address)?
        .repeatable()
        .masking(&Secret::new(address))
        .timeout(UPLOAD_TIMEOUT);
    Ok(call.upload("application/octet-stream", Upload::file(file)))
}

pub(crate) fn complete_upload(
    config: &SlackConfig,
    token: &Secret,
    channel: &str,
    thread: Option<&str>,
    files: &[(String, String)],
) -> Result<Call> {
    let files: Vec<Value> = files
        .iter()
        .map(|(id, title)| json!({"id": id, "title": title}))
        .collect();
    let mut body = json!({"files": files, "channel_id": channel});
    if let Some(thread) = thread {
        body["thread_ts"] = json!(thread);
    }
    write("files.completeUploadExternal", config, token, &body)
}

pub(crate) fn file_info(config: &SlackConfig, token: &Secret, file: &str) -> Result<Call> {
    read("files.info", config, token, &[("file", file)])
}
