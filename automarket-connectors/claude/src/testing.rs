//! The sandbox's Claude: answers from the page that the prompt holds, by the limits and rules of the API.
//! Written from the platform's description, not from the connector.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    Bytes, Error, Platform, Result,
    chrono::{DateTime, Utc},
    http_types::{HeaderValue, Method, Request, Response},
    testing::{Fake, json_reply, text_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The models that the fake serves.
const MODELS: [(&str, &str); 3] = [
    ("claude-sonnet-5-5", "Claude Sonnet 5.5"),
    ("claude-opus-5-5", "Claude Opus 5.5"),
    ("claude-haiku-5-5", "Claude Haiku 5.5"),
];

/// Keywords that a structured output's schema may not hold.
const UNSUPPORTED: [&str; 8] = [
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "multipleOf",
    "minItems",
    "maxItems",
    "pattern",
];

/// How the next question is answered instead of well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// It declines: 200 with `stop_reason` `refusal`.
    Refuse,
    /// It reaches `max_tokens` in the middle.
    Truncate,
    /// It answers in prose.
    Prose,
    /// Each text is far over its limit.
    TooLong,
    /// Each text holds a figure and a name from nowhere.
    Invent,
    /// One target has no text.
    Forget,
}

/// Claude in a box. It takes the key [`FakeClaude::KEY`], writes deterministic texts out of the page in the
/// prompt, and counts each question that the real API would bill as one effect.
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::{Context, Credential, testing::Sandbox};
/// use automarket_connector_claude::testing::{FakeClaude, Mood};
/// let fake = Arc::new(FakeClaude::new());
/// fake.next(Mood::Refuse);
/// let cx = Context::new(Sandbox::new().with(fake)).with_credential(Credential::token(FakeClaude::KEY));
/// ```
#[derive(Debug, Default)]
pub struct FakeClaude {
    state: Mutex<State>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    billed: Vec<Value>,
    moods: VecDeque<Mood>,
}

impl FakeClaude {
    /// The API key that it takes.
    pub const KEY: &str = "sk-ant-api03-sandbox";

    /// One that has not been asked anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How the next question is answered that is not spoken for yet.
    pub fn next(&self, mood: Mood) {
        self.lock().moods.push_back(mood);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let header = |name| {
            let value = request.headers().get(name).map(HeaderValue::as_bytes);
            value.unwrap_or_default()
        };
        if header("x-api-key") != Self::KEY.as_bytes() {
            return Err(Refusal(
                401,
                "authentication_error",
                "invalid x-api-key".into(),
            ));
        }
        if header("anthropic-version") != b"2023-06-01" {
            return Err(invalid("anthropic-version: header is required"));
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/v1/models") => Ok(models()),
            (&Method::POST, "/v1/messages") => self.message(request.body()),
            _ => Err(Refusal(404, "not_found_error", "Not found".into())),
        }
    }

    fn message(&self, body: &[u8]) -> Result<Response<Bytes>, Refusal> {
        if body.len() > 32 * 1024 * 1024 {
            let message = "Request exceeds the maximum size";
            return Err(Refusal(413, "request_too_large", message.into()));
        }
        let question: Value = serde_json::from_slice(body)
            .map_err(|_| invalid("The request body is not valid JSON"))?;
        check(&question)?;
        let mut state = self.lock();
        let mood = state.moods.pop_front();
        let prompt = question
            .pointer("/messages/0/content")
            .and_then(Value::as_str);
        let schema = question.pointer("/output_config/format/schema");
        let text = match mood {
            Some(Mood::Refuse) => String::new(),
            Some(Mood::Prose) => {
                "Certainly! Here are your posts, with some thoughts on each.".into()
            }
            _ => written(prompt.unwrap_or_default(), schema, mood),
        };
        let (text, stop) = match mood {
            Some(Mood::Refuse) => (text, "refusal"),
            Some(Mood::Truncate) => (text.chars().take(20).collect(), "max_tokens"),
            _ => (text, "end_turn"),
        };
        let usage = json!({
            "input_tokens": body.len() / 4 + 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": text.len() / 4 + 12,
            "output_tokens_details": { "thinking_tokens": 12 },
            "service_tier": "standard",
        });
        let details = (stop == "refusal").then(|| {
            json!({ "type": "refusal", "category": "general_harms", "explanation": "The page asks for something harmful." })
        });
        let id = format!("msg_{:04}", state.billed.len() + 1);
        state.billed.push(json!({
            "id": id,
            "model": question["model"],
            "stop_reason": stop,
            "turns": question["messages"].as_array().map(Vec::len),
            "output_tokens": usage["output_tokens"],
        }));
        let message = json!({
            "id": id,
            "type": "message",
            "role": "assistant",
            "model": question["model"],
            "content": [
                { "type": "thinking", "thinking": "", "signature": "c2FuZGJveA==" },
                { "type": "text", "text": text },
            ],
            "stop_reason": stop,
            "stop_sequence": null,
            "stop_details": details,
            "container": null,
            "usage": usage,
        });
        if question["stream"] == json!(true) {
            Ok(streamed(&message, &text))
        } else {
            Ok(json_reply(200, &message))
        }
    }
}

impl Fake for FakeClaude {
    fn platform(&self) -> Platform {
        crate::PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.anthropic.com".to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, _now: DateTime<Utc>) -> Response<Bytes> {
        let mut reply = self
            .answer(request)
            .unwrap_or_else(|Refusal(status, kind, message)| {
                let error = json!({
                    "type": "error",
                    "error": { "type": kind, "message": message },
                    "request_id": "req_sandbox",
                });
                json_reply(status, &error)
            });
        let id = HeaderValue::from_static("req_sandbox");
        reply.headers_mut().insert("request-id", id);
        reply
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().billed.clone()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("sandbox", "not a saved Claude").with_source(error))?;
        Ok(())
    }
}

/// Status, error type, message.
struct Refusal(u16, &'static str, String);

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal(400, "invalid_request_error", message.into())
}

/// The rules of the API that a wrong client breaks.
fn check(question: &Value) -> Result<(), Refusal> {
    let model = question["model"]
        .as_str()
        .ok_or_else(|| invalid("model: Field required"))?;
    if !MODELS.iter().any(|(id, _)| *id == model) {
        return Err(Refusal(404, "not_found_error", format!("model: {model}")));
    }
    match question["max_tokens"].as_u64() {
        None => return Err(invalid("max_tokens: Field required")),
        Some(1..=128_000) => {}
        Some(_) => return Err(invalid("max_tokens: must be between 1 and 128000")),
    }
    let messages = question["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty());
    let Some(messages) = messages else {
        return Err(invalid("messages: at least one message is required"));
    };
    if messages.last().is_some_and(|last| last["role"] != "user") {
        return Err(invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    if messages.iter().any(|message| {
        message["content"]
            .as_str()
            .is_none_or(|text| text.trim().is_empty())
    }) {
        return Err(invalid("messages: text content blocks must be non-empty"));
    }
    for sampling in [
        "temperature",
        "top_p",
        "top_k",
        "thinking",
        "tool_choice",
        "output_format",
    ] {
        if question.get(sampling).is_some() {
            return Err(invalid(format!("{sampling}: not supported by this model")));
        }
    }
    match question.pointer("/output_config/format") {
        None => Ok(()),
        Some(format) if format["type"] == "json_schema" => check_schema(&format["schema"]),
        Some(_) => Err(invalid("output_config.format.type: must be json_schema")),
    }
}

fn check_schema(schema: &Value) -> Result<(), Refusal> {
    let at = "output_config.format.schema";
    if let Some(keyword) = UNSUPPORTED
        .iter()
        .find(|keyword| schema.get(**keyword).is_some())
    {
        return Err(invalid(format!(
            "{at}: property '{keyword}' is not supported"
        )));
    }
    if schema["type"] == "object" {
        if schema["additionalProperties"] != json!(false) {
            return Err(invalid(format!(
                "{at}: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )));
        }
        for inner in schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|all| all.values())
        {
            check_schema(inner)?;
        }
    }
    Ok(())
}

fn models() -> Response<Bytes> {
    let data: Vec<Value> = MODELS
        .iter()
        .map(|(id, name)| {
            json!({
                "id": id,
                "type": "model",
                "display_name": name,
                "created_at": "2026-09-28T00:00:00Z",
                "lifecycle": "active",
                "max_input_tokens": 1_000_000,
                "max_tokens": 128_000,
            })
        })
        .collect();
    json_reply(
        200,
        &json!({ "data": data, "has_more": false, "first_id": MODELS[0].0, "last_id": MODELS[2].0 }),
    )
}

/// JSON of the schema, its texts out of the page that the prompt holds.
fn written(prompt: &str, schema: Option<&Value>, mood: Option<Mood>) -> String {
    let Some(schema) = schema else {
        return "A light that never sleeps.".into();
    };
    let page = held(prompt, "page");
    let said = |key: &str| page[key].as_str().unwrap_or_default().to_owned();
    let words = [said("title"), said("description"), said("text")];
    let first = words.iter().find(|text| !text.is_empty());
    let first = cut(
        first.map_or("A light that never sleeps.", String::as_str),
        200,
    );
    let mut answer = json!({});
    for (key, kind) in schema["properties"].as_object().into_iter().flatten() {
        answer[key] = match kind["properties"].as_object() {
            Some(texts) => {
                let keys: Vec<&String> = texts.keys().collect();
                texts_of(&keys, &held(prompt, "targets"), &words, mood)
            }
            None => json!(first),
        };
    }
    answer.to_string()
}

fn texts_of(keys: &[&String], targets: &Value, words: &[String; 3], mood: Option<Mood>) -> Value {
    let [title, description, text] = words;
    let mut answer = json!({});
    for (at, key) in keys.iter().enumerate() {
        if mood == Some(Mood::Forget) && at == 0 {
            continue;
        }
        let target = targets
            .as_array()
            .into_iter()
            .flatten()
            .find(|target| target["key"] == json!(key));
        let limit = target
            .and_then(|target| target["limit"].as_u64())
            .unwrap_or(1_000);
        let limit = usize::try_from(limit).unwrap_or(1_000);
        let parts = match at % 3 {
            0 => [title, description, text],
            1 => [description, title, text],
            _ => [title, text, description],
        };
        let parts: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let mut written = cut(&parts.join("\n\n"), (limit * 3 / 5).min(900));
        match mood {
            Some(Mood::TooLong) => {
                written = format!("{written} ").repeat(limit / written.len().max(1) + 2)
            }
            Some(Mood::Invent) => written.push_str(" Now 97.3% better, says Zanzibar Prime."),
            _ => {}
        }
        answer[*key] = json!(written);
    }
    answer
}

/// Whole words up to a length in which wide letters count twice.
fn cut(text: &str, limit: usize) -> String {
    let mut length = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        length += if c < '\u{1100}' { 1 } else { 2 };
        if length > limit {
            let head = text.get(..at).unwrap_or_default();
            let words = head
                .rfind(char::is_whitespace)
                .and_then(|at| head.get(..at));
            return words.unwrap_or(head).trim().to_owned();
        }
        end = at + c.len_utf8();
    }
    text.get(..end).unwrap_or_default().trim().to_owned()
}

/// The JSON that the prompt holds between `<name>` and `</name>`.
fn held(prompt: &str, name: &str) -> Value {
    prompt
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .and_then(|(data, _)| serde_json::from_str(data).ok())
        .unwrap_or_default()
}

/// The message as server-sent events.
fn streamed(message: &Value, text: &str) -> Response<Bytes> {
    let mut start = message.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["stop_details"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "c2FuZGJveA==" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
    ];
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(40) {
        let piece: String = piece.iter().collect();
        events.push(json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": piece } }));
    }
    events.extend([
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({
            "type": "message_delta",
            "delta": { "stop_reason": message["stop_reason"], "stop_sequence": null, "stop_details": message["stop_details"] },
            "usage": { "output_tokens": message["usage"]["output_tokens"] },
        }),
        json!({ "type": "message_stop" }),
    ]);
    let body: String = events
        .iter()
        .map(|event| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap_or_default()
            )
        })
        .collect();
    let mut reply = text_reply(200, body);
    let mime = HeaderValue::from_static("text/event-stream");
    reply.headers_mut().insert("content-type", mime);
    reply
}
