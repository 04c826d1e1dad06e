use automarket::{
    Error, Platform, Result, connectors,
    core::{
        chrono::{DateTime, Utc},
        http_types::{HeaderMap, HeaderValue, StatusCode, header},
    },
    http::{Effect, Reply as HttpReply},
    oauth::{Provider, TokenSet, challenge, read_callback, read_token_reply, redirect_uri_matches},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, bytes, input, reply};

pub(crate) fn token_reply(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        status: u16,
        content_type: Option<String>,
        body_b64: String,
        platform: Option<Platform>,
    }
    let input: Input = input(request)?;
    let status = StatusCode::from_u16(input.status)
        .map_err(|error| Error::invalid("status", "not a status").with_source(error))?;
    let mut headers = HeaderMap::new();
    if let Some(content_type) = input.content_type {
        let value = HeaderValue::try_from(content_type).map_err(|error| {
            Error::invalid("content_type", "not a header value").with_source(error)
        })?;
        headers.insert(header::CONTENT_TYPE, value);
    }
    let body = bytes(&input.body_b64)?;
    let answer = HttpReply::recorded("oauth.token", Effect::Write, status, headers, body);
    let now = Utc::now();
    let tokens = read(input.platform, &answer, now)?;
    let mut fields = json!({ "access_token": tokens.access_token.expose() });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields[name] = value;
        }
    };
    put(
        "refresh_token",
        tokens.refresh_token.map(|token| json!(token.expose())),
    );
    let life = tokens
        .expires_at
        .map(|end| json!((end - now).num_seconds()));
    put("expires_in", life);
    put("scopes", tokens.scopes.map(|scopes| json!(scopes)));
    put("token_type", tokens.token_type.map(|kind| json!(kind)));
    put("base_url", tokens.base_url.map(|url| json!(url)));
    reply(fields)
}

/// In the ways of a platform whose connector has users log in, of which Slack has two; for others in the
/// lenient standard.
fn read(platform: Option<Platform>, answer: &HttpReply, now: DateTime<Utc>) -> Result<TokenSet> {
    let platform = platform.unwrap_or(Platform::from_static("any"));
    let known = [
        connectors::facebook::oauth(),
        connectors::instagram::oauth(),
        connectors::linkedin::oauth(),
        connectors::slack::oauth(),
        connectors::slack::oauth_user(),
        connectors::x::oauth(),
    ];
    let mut refusal = None;
    for provider in known.iter().filter(|known| known.platform == platform) {
        match read_token_reply(provider, answer, now) {
            Ok(tokens) => return Ok(tokens),
            Err(error) => refusal = Some(error),
        }
    }
    let standard = Provider::new(platform, "https://any.example", "https://any.example");
    match refusal {
        Some(error) => Err(error),
        None => read_token_reply(&standard, answer, now),
    }
}

pub(crate) fn pkce(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        verifier: String,
    }
    let input: Input = input(request)?;
    reply(json!({ "challenge": challenge(&input.verifier)? }))
}

pub(crate) fn redirect_uri(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        registered: String,
        given: String,
    }
    let input: Input = input(request)?;
    reply(json!({ "match": redirect_uri_matches(&input.registered, &input.given) }))
}

pub(crate) fn callback(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        query: String,
        expected_state: String,
        iss: Option<String>,
    }
    let input: Input = input(request)?;
    let callback = read_callback(&input.query, &input.expected_state, input.iss.as_deref())?;
    reply(json!({ "code": callback.code.expose() }))
}
