//! Slack in a box: a workspace with one bot, a few channels and one incoming webhook.

mod channels;
mod files;
mod login;

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
use files::{File, UPLOADS};
pub use login::auth_rules;

/// The bot's token.
pub const TOKEN: &str = "xoxb-sandbox-1";
/// A channel that the bot is in.
pub const CHANNEL: &str = "C0SANDBOX01";
/// A public channel that the bot is not in.
pub const FOREIGN_CHANNEL: &str = "C0SANDBOX02";
/// A private channel that the bot was invited to.
pub const PRIVATE_CHANNEL: &str = "C0SANDBOX04";
/// The address of the incoming webhook, which posts to [`CHANNEL`].
pub const WEBHOOK: &str = "https://hooks.slack.com/services/T0SANDBOX/B0SANDBOX/sandbox-secret";

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
    drops_files: bool,
    shares_after: Option<u32>,
    /// Scopes that were not granted.
    missing: Vec<String>,
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

    /// Takes a scope away; it has all of those that [`oauth`](crate::oauth) asks for.
    pub fn take_scope(&self, scope: &str) {
        self.lock().missing.push(scope.to_owned());
    }

    /// From now on it says yes to sharing files, and shares none.
    pub fn drop_files(&self) {
        self.lock().drops_files = true;
    }

    /// From now on it shares files so many seconds after its yes, as when it still looks through large ones.
    pub fn share_after(&self, seconds: u32) {
        self.lock().shares_after = Some(seconds);
    }

    /// Takes all files away, as people or the workspace's retention do.
    pub fn forget_files(&self) {
        self.lock().files.clear();
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
            Some("auth.revoke") => {
                state.revoked = true;
                json_reply(200, &json!({"ok": true, "revoked": true}))
            }
            Some("conversations.list") => state.channels(&input),
            Some("chat.postMessage") => state.post(&input, now),
            Some("conversations.history") => state.history(&input),
            Some("conversations.replies") => state.replies(&input),
            Some("files.getUploadURLExternal") => state.upload_address(&input),
            Some("files.completeUploadExternal") => state.complete(&input, now),
            Some("files.info") => state.info(&input, now),
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
    fn has_scope(&self, scope: &str) -> bool {
        let asked = crate::oauth().scopes.contains(&scope);
        asked && !self.missing.iter().any(|missing| missing == scope)
    }

    /// What Slack says where a scope was not granted.
    fn lacks(&self, scope: &str) -> Option<Response<Bytes>> {
        let body = json!({"ok": false, "error": "missing_scope", "needed": scope, "provided": "chat:write"});
        (!self.has_scope(scope)).then(|| json_reply(200, &body))
    }

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
        let channel = body["channel"].as_str().unwrap_or_default();
        if let Some(refusal) = self.may_not_post(channel) {
            return refusal;
        }
        if let Some(code) = wrong(body) {
            return refused(code);
        }
        if size(&body["blocks"]) > MESSAGE {
            return refused("msg_blocks_too_long");
        }
        if let Some(thread) = body["thread_ts"].as_str()
            && !self.messages.iter().any(|message| message.ts == thread)
        {
            return refused("thread_not_found");
        }
        let message = self.add(channel, body, body["metadata"].clone(), now);
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

    /// What stands in the channel itself, newest first. What was said in threads stands in those alone.
    fn history(&self, form: &Value) -> Response<Bytes> {
        let own = |message: &&Message| message.thread_ts.is_none();
        self.listed(form, self.messages.iter().rev().filter(own))
    }

    /// A thread: the message that it hangs on, and the replies, oldest first.
    fn replies(&self, form: &Value) -> Response<Bytes> {
        let ts = form["ts"].as_str().unwrap_or_default();
        if !self.messages.iter().any(|message| message.ts == ts) {
            return refused("thread_not_found");
        }
        let of_it =
            |message: &&Message| message.ts == ts || message.thread_ts.as_deref() == Some(ts);
        self.listed(form, self.messages.iter().filter(of_it))
    }

    /// Those of the channel from `oldest` on, in pages, with metadata if that was asked for.
    fn listed<'a>(
        &self,
        form: &Value,
        messages: impl Iterator<Item = &'a Message>,
    ) -> Response<Bytes> {
        let text = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
        let (channel, oldest) = (text("channel"), text("oldest"));
        let refusal = self.lacks("channels:history");
        if let Some(refusal) = refusal.or_else(|| self.is_no_member(&channel)) {
            return refusal;
        }
        let limit: usize = text("limit").parse().unwrap_or(100);
        let skip: usize = text("cursor").parse().unwrap_or(0);
        let seconds = |ts: &str| ts.parse::<f64>().unwrap_or_default();
        let found: Vec<&Message> = messages
            .filter(|message| message.channel == channel && seconds(&message.ts) > seconds(&oldest))
            .collect();
        let shown = |message: &&Message| {
            let mut shown = json!(message);
            if text("include_all_metadata") != "true" {
                shown["metadata"] = Value::Null;
            }
            shown
        };
        let page: Vec<Value> = found.iter().skip(skip).take(limit).map(shown).collect();
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

/// The least that was seen refused (bolt-js#2867), and what a block takes beside its text (bolt-js#2509). Slack says neither.
const MESSAGE: usize = 11_341;
const CONTAINER: usize = 125;

/// All texts below it, and what they are in.
fn size(blocks: &Value) -> usize {
    match blocks {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => {
            let texts = map.get("text").and_then(Value::as_str);
            let own = texts.map_or(0, |text| CONTAINER + text.chars().count());
            own + map.values().map(size).sum::<usize>()
        }
        _ => 0,
    }
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
