//! One function per endpoint: what goes out, and what an answer means.

use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Identity, Result, Secret,
    ai::{Completion, ModelRequest, StopReason, Usage},
    http::{Call, Reply},
};
use serde_json::{Map, Value, json};

use crate::{PLATFORM, config::ClaudeConfig, wire};

/// The value of `anthropic-version`.
pub(crate) const VERSION: &str = "2023-06-01";

/// A model may think and write for minutes.
pub(crate) const TIME: Duration = Duration::from_secs(600);

/// The name of the operation that asks a model.
pub(crate) const CREATE: &str = "messages.create";

/// Asks for a message.
pub(crate) fn create(
    config: &ClaudeConfig,
    key: &Secret,
    request: &ModelRequest,
    stream: bool,
) -> Result<Call> {
    // The last turn has to be the user's: models since 4.6 refuse to continue one of their own.
    if request.turns.len().is_multiple_of(2) {
        return Err(
            Error::invalid("turns", "the turns begin and end with the user's")
                .with_platform(&PLATFORM),
        );
    }
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages: Vec<Value> = roles
        .zip(&request.turns)
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    let mut body = json!({
        "model": config.model,
        "max_tokens": request.max_tokens.map_or(config.max_tokens, |most| most.min(config.max_tokens)),
        "messages": messages,
    });
    if !request.system.is_empty() {
        body["system"] = json!(request.system);
    }
    let mut output = Map::new();
    if let Some(effort) = config.effort {
        output.insert("effort".into(), json!(effort));
    }
    if let Some(schema) = &request.schema {
        let format = json!({ "type": "json_schema", "schema": schema });
        output.insert("format".into(), format);
    }
    if !output.is_empty() {
        body["output_config"] = Value::Object(output);
    }
    if stream {
        body["stream"] = json!(true);
    }
    let call = Call::post(CREATE, &address(config, "messages"))?.timeout(TIME);
    signed(call, key)?.json(&body)
}

/// Lists the models that the key may use.
pub(crate) fn models(config: &ClaudeConfig, key: &Secret) -> Result<Call> {
    signed(
        Call::get("models.list", &address(config, "models?limit=1000"))?,
        key,
    )
}

fn signed(call: Call, key: &Secret) -> Result<Call> {
    call.secret("x-api-key", key)
        .header("anthropic-version", VERSION)
}

fn address(config: &ClaudeConfig, path: &str) -> String {
    format!("{}/v1/{path}", config.base_url.trim_end_matches('/'))
}

/// What a whole answer says. A 200 may be a refusal.
pub(crate) fn message(reply: &Reply) -> Result<Completion> {
    let message: wire::Message = reply.json()?;
    let text = message
        .content
        .iter()
        .filter_map(|block| match block {
            wire::Block::Text { text } => Some(text.as_str()),
            wire::Block::Other => None,
        })
        .collect();
    let reason = message.stop_reason.as_deref().unwrap_or("none");
    let stop = stop(reason, message.stop_details.as_ref())
        .ok_or_else(|| odd_stop(reply, reason).with_operation(reply.operation()))?;
    Ok(Completion {
        text,
        stop,
        model: message.model,
        usage: usage(message.usage),
    })
}

/// The models as identities; their settings choose the model when laid over the configuration.
pub(crate) fn identities(reply: &Reply) -> Result<Vec<Identity>> {
    let models: wire::Models = reply.json()?;
    Ok(models
        .data
        .into_iter()
        .map(|model| Identity {
            settings: json!({ "model": model.id }),
            network: PLATFORM,
            name: model.display_name.unwrap_or_else(|| model.id.clone()),
            remote_id: model.id,
            handle: None,
            needs_reauth: false,
            credential: None,
        })
        .collect())
}

/// `None` for reasons that a request without tools does not have.
pub(crate) fn stop(reason: &str, details: Option<&wire::StopDetails>) -> Option<StopReason> {
    match reason {
        "end_turn" | "stop_sequence" => Some(StopReason::Done),
        "max_tokens" | "model_context_window_exceeded" => Some(StopReason::Truncated),
        "refusal" => {
            let why = details.and_then(|d| d.explanation.clone().or_else(|| d.category.clone()));
            Some(StopReason::Refused(why))
        }
        _ => None,
    }
}

/// The model wants a tool or a pause, though it was given no tools: asking again would only cost again.
pub(crate) fn odd_stop(reply: &Reply, reason: &str) -> Error {
    let reason = reply.code(reason);
    Error::new(
        ErrorKind::UnexpectedReply,
        format!("the model stopped for a reason that nothing was asked for: {reason}"),
    )
    .with_platform_code(reason)
}

/// All tokens read: the API counts those of its cache apart.
pub(crate) fn usage(usage: wire::Usage) -> Usage {
    let read = [
        usage.input_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
    ];
    Usage {
        input_tokens: read.into_iter().flatten().fold(0, u64::saturating_add),
        output_tokens: usage.output_tokens.unwrap_or(0),
    }
}
