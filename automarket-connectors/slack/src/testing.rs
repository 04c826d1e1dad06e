//! Slack in a box: a workspace with one bot, two channels and one incoming webhook.

use std::sync::{Mutex, PoisonError};

use automarket_core::{
    Bytes, Error, Platform, Result,
    chrono::{DateTime, Utc},
    http_types::{Request, Response},
    testing::{Fake, json_reply, text_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::PLATFORM;

/// The bot's token.
pub const TOKEN: &str = "xoxb-sandbox-1";
/// A channel that the bot is in.
pub const CHANNEL: &str = "C0SANDBOX01";
/// A channel that the bot is not in.
pub const FOREIGN_CHANNEL: &str = "C0SANDBOX02";
/// The address of the incoming webhook, which posts to [`CHANNEL`].
pub const WEBHOOK: &str = "https://hooks.slack.com/services/T0SANDBOX/B0SANDBOX/sandbox-secret";

const UPLOADS: &str = "https://files.slack.com/upload/v1/";

/// The fake. Messages it holds are its effects.
#[derive(Debug, Default)]
pub struct FakeSlack {
    state: Mutex<State>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    messages: Vec<Message>,
    files: Vec<File>,
    revoked: bool,
    history_forbidden: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    channel: String,
    ts: String,
    thread_ts: Option<String>,
    text: String,
    blocks: Value,
    metadata: Value,
    files: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct File {
    id: String,
    name: String,
    length: usize,
    received: Option<usize>,
    shared_in: Option<String>,
}

impl FakeSlack {
    /// An empty workspace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes the token and the webhook.
    pub fn revoke(&self) {
        self.lock().revoked = true;
    }

    /// Takes the history scopes away.
    pub fn forbid_history(&self) {
        self.lock().history_forbidden = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeSlack {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        ["slack.com", "hooks.slack.com", "files.slack.com"]
            .map(str::to_owned)
            .to_vec()
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        let url = request.uri().to_string();
        let path = request.uri().path();
        if let Some(id) = url.strip_prefix(UPLOADS) {
            return state.receive(id, request.body().len());
        }
        if path.starts_with("/services/") {
            return state.webhook(&url, request.body(), now);
        }
        let bearer = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {TOKEN}")) || state.revoked {
            return refused(if bearer.is_none() {
                "not_authed"
            } else {
                "invalid_auth"
            });
        }
        let input = input(request);
        match path.strip_prefix("/api/") {
            Some("auth.test") => json_reply(
                200,
                &json!({"ok": true, "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "automarket",
                        "team_id": "T0SANDBOX", "user_id": "U0SANDBOX", "bot_id": "B0SANDBOX"}),
            ),
            Some("chat.postMessage") => state.post(&input, now),
            Some("conversations.history") => state.history(&input),
            Some("files.getUploadURLExternal") => state.upload_address(&input),
            Some("files.completeUploadExternal") => state.complete(&input, now),
            Some("files.info") => state.info(&input),
            _ => refused("unknown_method"),
        }
    }

    fn effects(&self) -> Vec<Value> {
        self.lock()
            .messages
            .iter()
            .map(|message| json!(message))
            .collect()
    }

    fn save(&self) -> Value {
        json!(*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("sandbox", "not a saved Slack").with_source(error))?;
        Ok(())
    }
}

impl State {
    fn webhook(&mut self, url: &str, body: &Bytes, now: DateTime<Utc>) -> Response<Bytes> {
        if url != WEBHOOK || self.revoked {
            return text_reply(404, "no_service");
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return text_reply(400, "invalid_payload");
        };
        match wrong(&body) {
            Some(code) => text_reply(400, code),
            None => {
                self.add(CHANNEL, &body, Value::Null, now);
                text_reply(200, "ok")
            }
        }
    }

    fn post(&mut self, body: &Value, now: DateTime<Utc>) -> Response<Bytes> {
        match body["channel"].as_str() {
            Some(CHANNEL) => {}
            Some(FOREIGN_CHANNEL) => return refused("not_in_channel"),
            _ => return refused("channel_not_found"),
        }
        if let Some(code) = wrong(body) {
            return refused(code);
        }
        if let Some(thread) = body["thread_ts"].as_str()
            && !self.messages.iter().any(|message| message.ts == thread)
        {
            return refused("thread_not_found");
        }
        let message = self.add(CHANNEL, body, body["metadata"].clone(), now);
        json_reply(
            200,
            &json!({"ok": true, "channel": message.channel, "ts": message.ts, "message": {"text": message.text}}),
        )
    }

    fn add(&mut self, channel: &str, body: &Value, metadata: Value, now: DateTime<Utc>) -> Message {
        let message = Message {
            channel: channel.to_owned(),
            ts: format!("{}.{:06}", now.timestamp(), self.messages.len() + 1),
            thread_ts: body["thread_ts"].as_str().map(str::to_owned),
            text: body["text"].as_str().unwrap_or_default().to_owned(),
            blocks: body["blocks"].clone(),
            metadata,
            files: Vec::new(),
        };
        self.messages.push(message.clone());
        message
    }

    /// Newest first, in pages, from `oldest` on.
    fn history(&self, form: &Value) -> Response<Bytes> {
        if self.history_forbidden {
            return json_reply(
                200,
                &json!({"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}),
            );
        }
        let text = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
        let (channel, oldest) = (text("channel"), text("oldest"));
        let limit: usize = text("limit").parse().unwrap_or(100);
        let skip: usize = text("cursor").parse().unwrap_or(0);
        let seconds = |ts: &str| ts.parse::<f64>().unwrap_or_default();
        let found: Vec<&Message> = self
            .messages
            .iter()
            .rev()
            .filter(|message| message.channel == channel && seconds(&message.ts) > seconds(&oldest))
            .collect();
        let page: Vec<&&Message> = found.iter().skip(skip).take(limit).collect();
        let more = skip + page.len() < found.len();
        let cursor = if more {
            (skip + page.len()).to_string()
        } else {
            String::new()
        };
        json_reply(
            200,
            &json!({"ok": true, "messages": page, "has_more": more, "response_metadata": {"next_cursor": cursor}}),
        )
    }

    fn upload_address(&mut self, form: &Value) -> Response<Bytes> {
        let name = form["filename"].as_str().unwrap_or_default().to_owned();
        let length: usize = form["length"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        if name.is_empty()
            || length == 0
            || form["alt_txt"]
                .as_str()
                .is_some_and(|alt| alt.chars().count() > 1000)
        {
            return refused("invalid_arguments");
        }
        let id = format!("F{:08}", self.files.len() + 1);
        self.files.push(File {
            id: id.clone(),
            name,
            length,
            received: None,
            shared_in: None,
        });
        json_reply(
            200,
            &json!({"ok": true, "upload_url": format!("{UPLOADS}{id}"), "file_id": id}),
        )
    }

    fn receive(&mut self, id: &str, length: usize) -> Response<Bytes> {
        match self.files.iter_mut().find(|file| file.id == id) {
            Some(file) if file.length == length => {
                file.received = Some(length);
                text_reply(200, format!("OK - {length}"))
            }
            Some(_) => text_reply(400, "length mismatch"),
            None => text_reply(404, "not found"),
        }
    }

    fn complete(&mut self, body: &Value, now: DateTime<Utc>) -> Response<Bytes> {
        let ids: Vec<String> = body["files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|file| file["id"].as_str().map(str::to_owned))
            .collect();
        let known = |id: &String| {
            self.files
                .iter()
                .any(|file| file.id == *id && file.received.is_some())
        };
        if ids.is_empty() || !ids.iter().all(known) {
            return refused("file_not_found");
        }
        if body["channel_id"] != CHANNEL {
            return refused("channel_not_found");
        }
        for file in self.files.iter_mut().filter(|file| ids.contains(&file.id)) {
            file.shared_in = Some(CHANNEL.into());
        }
        let mut message = self.add(
            CHANNEL,
            &json!({"text": "", "thread_ts": body["thread_ts"]}),
            Value::Null,
            now,
        );
        message.files.clone_from(&ids);
        if let Some(last) = self.messages.last_mut() {
            *last = message;
        }
        json_reply(
            200,
            &json!({"ok": true, "files": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}),
        )
    }

    fn info(&self, form: &Value) -> Response<Bytes> {
        match self
            .files
            .iter()
            .find(|file| form["file"] == file.id.as_str())
        {
            Some(file) => {
                let shares = file
                    .shared_in
                    .as_ref()
                    .map_or(json!({}), |channel| json!({"public": {channel: []}}));
                json_reply(
                    200,
                    &json!({"ok": true, "file": {"id": file.id, "name": file.name, "shares": shares}}),
                )
            }
            None => refused("file_not_found"),
        }
    }
}

fn refused(code: &str) -> Response<Bytes> {
    json_reply(200, &json!({"ok": false, "error": code}))
}

fn input(request: &Request<Bytes>) -> Value {
    let content_type = request
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with("application/json") {
        return serde_json::from_slice(request.body()).unwrap_or_default();
    }
    let pairs = form_pairs(request.body());
    Value::Object(
        pairs
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)))
            .collect(),
    )
}

fn form_pairs(body: &Bytes) -> Vec<(String, String)> {
    let base = automarket_core::Url::parse("https://form.invalid/");
    let Ok(mut url) = base else { return Vec::new() };
    url.set_query(std::str::from_utf8(body).ok());
    url.query_pairs().into_owned().collect()
}

/// The limits of docs.slack.dev's block reference and chat.postMessage.
fn wrong(body: &Value) -> Option<&'static str> {
    let count = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let blocks = body["blocks"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if count(&body["text"]) == 0 && blocks.is_empty() {
        return Some("no_text");
    }
    if count(&body["text"]) > 40_000 {
        return Some("msg_too_long");
    }
    let bad = |block: &Value| match block["type"].as_str() {
        Some("header") => {
            !(1..=150).contains(&count(&block["text"]["text"]))
                || block["text"]["type"] != "plain_text"
        }
        Some("section") => {
            let fields = block["fields"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let text = count(&block["text"]["text"]);
            (text == 0 && fields.is_empty())
                || text > 3000
                || fields.len() > 10
                || fields
                    .iter()
                    .any(|field| !(1..=2000).contains(&count(&field["text"])))
        }
        Some("divider" | "context" | "image" | "actions") => false,
        _ => true,
    };
    (blocks.len() > 50 || blocks.iter().any(bad)).then_some("invalid_blocks")
}
