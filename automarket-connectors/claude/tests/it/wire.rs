//! Golden requests and recorded answers.

use automarket_connector_claude::{Claude, ClaudeConfig, Effort};
use automarket_core::{
    Context, Credential, ErrorKind, Platform, Retry, TenantId,
    ai::{LanguageModel as _, ModelRequest, StopReason, Usage, prompt},
    store::Account,
    testing::{
        Script,
        conformance::generator::{brief, page, question},
    },
};
use serde_json::{Value, json};

const MESSAGES: &str = "https://api.anthropic.com/v1/messages";

fn message(stop: &str, details: Value) -> String {
    json!({
        "id": "msg_01XYZ", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
        "content": [
            { "type": "thinking", "thinking": "", "signature": "c2ln" },
            { "type": "text", "text": "{\"motto\":" },
            { "type": "text", "text": "\"Shine\"}" },
            { "type": "something_new", "x": 1 },
        ],
        "stop_reason": stop, "stop_sequence": null, "stop_details": details, "container": null,
        "usage": {
            "input_tokens": 812, "cache_creation_input_tokens": 600, "cache_read_input_tokens": 50,
            "cache_creation": { "ephemeral_5m_input_tokens": 600 }, "output_tokens": 240,
            "output_tokens_details": { "thinking_tokens": 80 }, "server_tool_use": null, "service_tier": "standard",
        },
    })
    .to_string()
}

fn answered(stop: &str, details: Value) -> Script {
    Script::new()
        .expect("POST", MESSAGES)
        .reply(200, message(stop, details))
}

#[tokio::test]
async fn a_question_is_asked_as_the_api_wants_it() {
    let request = question();
    let wire = Script::new()
        .expect("POST", MESSAGES)
        .header("x-api-key", "test-token")
        .header("anthropic-version", "2023-06-01")
        .header("content-type", "application/json")
        .json(json!({
            "model": "claude-sonnet-5-5",
            "max_tokens": 8000,
            "system": "You write mottos.",
            "messages": [{ "role": "user", "content": "A motto for a lighthouse." }],
            "output_config": { "effort": "low", "format": { "type": "json_schema", "schema": request.schema } },
        }))
        .reply(200, message("end_turn", Value::Null));
    let answer = Claude::default()
        .complete(&wire.context(), &request)
        .await
        .unwrap();
    assert_eq!(answer.text, r#"{"motto":"Shine"}"#);
    assert_eq!(
        (answer.stop, answer.model.as_str()),
        (StopReason::Done, "claude-sonnet-5-5")
    );
    let usage = Usage {
        input_tokens: 1462,
        output_tokens: 240,
    };
    assert_eq!(answer.usage, usage);
    wire.finished();
}

#[tokio::test]
async fn configuration_and_account_settings_decide() {
    let wire = Script::new()
        .expect("POST", "https://gateway.example/claude/v1/messages")
        .json(json!({
            "model": "claude-haiku-5-5",
            "max_tokens": 500,
            "messages": [
                { "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }, { "role": "user", "content": "c" },
            ],
        }))
        .reply(200, message("stop_sequence", Value::Null));
    let config = ClaudeConfig::default()
        .base_url("https://gateway.example/claude/")
        .max_tokens(500)
        .effort(None);
    let mut account = Account::new(
        TenantId::new("acme").unwrap(),
        Platform::from_static("claude"),
        "key",
    );
    account.settings = json!({ "model": "claude-haiku-5-5" });
    let request = ModelRequest {
        turns: vec!["a".into(), "b".into(), "c".into()],
        max_tokens: Some(9_000),
        ..ModelRequest::default()
    };
    let cx = wire.context().with_account(account);
    Claude::new(config).complete(&cx, &request).await.unwrap();
    wire.finished();
}

#[tokio::test]
async fn a_campaign_gets_as_many_tokens_as_are_configured() {
    let request = prompt(&brief(page()));
    for (config, tokens) in [
        (ClaudeConfig::default(), 16_000),
        (ClaudeConfig::default().max_tokens(32_000), 32_000),
    ] {
        let wire = Script::new()
            .expect("POST", MESSAGES)
            .json(json!({
                "model": "claude-sonnet-5-5",
                "max_tokens": tokens,
                "system": request.system,
                "messages": [{ "role": "user", "content": request.turns[0] }],
                "output_config": { "effort": "low", "format": { "type": "json_schema", "schema": request.schema } },
            }))
            .reply(200, message("end_turn", Value::Null));
        let (claude, cx) = (Claude::new(config), wire.context());
        claude.complete(&cx, &request).await.unwrap();
        wire.finished();
    }
}

#[tokio::test]
async fn every_reason_to_stop_has_its_meaning() {
    for (reason, details, stop) in [
        ("end_turn", Value::Null, StopReason::Done),
        ("stop_sequence", Value::Null, StopReason::Done),
        ("max_tokens", Value::Null, StopReason::Truncated),
        (
            "model_context_window_exceeded",
            Value::Null,
            StopReason::Truncated,
        ),
        ("refusal", Value::Null, StopReason::Refused(None)),
        (
            "refusal",
            json!({ "type": "refusal", "category": "cyber", "explanation": "No." }),
            StopReason::Refused(Some("No.".into())),
        ),
        (
            "refusal",
            json!({ "type": "refusal", "category": "cyber", "explanation": null }),
            StopReason::Refused(Some("cyber".into())),
        ),
    ] {
        let wire = answered(reason, details);
        let answer = Claude::default()
            .complete(&wire.context(), &question())
            .await
            .unwrap();
        assert_eq!(answer.stop, stop, "{reason}");
    }
    for odd in ["pause_turn", "tool_use", "something_new"] {
        let wire = answered(odd, Value::Null);
        let error = Claude::default()
            .complete(&wire.context(), &question())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::UnexpectedReply, Retry::Never)
        );
        assert_eq!(error.platform_code(), Some(odd));
    }
}

#[tokio::test]
async fn models_are_identities_that_choose_themselves() {
    let wire = Script::new()
        .expect("GET", "https://api.anthropic.com/v1/models?limit=1000")
        .header("x-api-key", "test-token")
        .header("anthropic-version", "2023-06-01")
        .reply(
            200,
            r#"{"data":[{"id":"claude-opus-5-5","type":"model","display_name":"Claude Opus 5.5","created_at":"2026-09-22T00:00:00Z",
               "max_input_tokens":1000000,"max_tokens":128000,"capabilities":{}}],"has_more":false,"first_id":"a","last_id":"a"}"#,
        );
    let models = Claude::default().identify(&wire.context()).await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(
        (models[0].remote_id.as_str(), models[0].name.as_str()),
        ("claude-opus-5-5", "Claude Opus 5.5")
    );
    assert_eq!(models[0].settings, json!({ "model": "claude-opus-5-5" }));
}

#[tokio::test]
async fn what_is_configured_wrongly_is_named_before_anything_leaves() {
    let script = Script::new();
    for (config, field) in [
        (ClaudeConfig::default().base_url("ftp://x"), "base_url"),
        (ClaudeConfig::default().model(" "), "model"),
        (ClaudeConfig::default().max_tokens(0), "max_tokens"),
    ] {
        let claude = Claude::new(config.effort(Effort::Max));
        let error = claude
            .complete(&script.context(), &question())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(field), "{error}");
    }
    let error = Claude::default()
        .identify(&Context::new(Script::new()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "no key");
    let request = ModelRequest {
        turns: vec!["a".into(), "b".into()],
        ..question()
    };
    let error = Claude::default()
        .complete(&script.context(), &request)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("turns"))
    );
}

#[tokio::test]
async fn the_key_shows_nowhere() {
    let key = "sk-ant-api03-canary";
    let echo = format!(
        r#"{{"type":"error","error":{{"type":"authentication_error","message":"invalid x-api-key {key}"}}}}"#
    );
    let wire = Script::new()
        .expect("POST", MESSAGES)
        .reply(401, echo.clone())
        .expect("POST", MESSAGES)
        .reply(401, echo.clone())
        .expect("POST", MESSAGES)
        .reply(200, format!("data: {echo}\n\n"));
    let cx = wire.context().with_credential(Credential::token(key));
    let claude = Claude::default();
    let complete = claude.complete(&cx, &question()).await.unwrap_err();
    let stream = claude.stream(&cx, &question()).await.err().unwrap();
    let mut pieces = claude.stream(&cx, &question()).await.unwrap();
    let event = futures_util::StreamExt::next(&mut pieces)
        .await
        .unwrap()
        .unwrap_err();
    for error in [complete, stream, event] {
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        let all = format!("{error} {error:?} {} {claude:?} {cx:?}", error.report());
        assert!(!all.contains("canary"), "{all}");
    }
}
