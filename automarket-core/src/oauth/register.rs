//! Registering an app by call, where each instance wants its own (Mastodon; RFC 7591).

use serde_json::{Value, json};

use super::{App, ClientAuth, Provider, places::Places, redirect::check_redirect_uri, rule};
use crate::{
    Error, ErrorKind, Result,
    http::{Call, Reply},
};

/// Asks an instance for an app of this name. `template` brings the values of the places (which instance) and
/// no client id yet.
///
/// # Errors
/// `Unsupported` where apps are not registered by call; `InvalidInput` for a redirect address that is none;
/// `Config` for a place without value.
pub fn register_call(
    provider: &Provider,
    template: &App,
    name: &str,
    redirect_uri: &str,
) -> Result<Call> {
    let registration = provider.registration.as_ref().ok_or_else(|| {
        Error::unsupported("apps of this platform are made by hand")
            .with_platform(&provider.platform)
    })?;
    check_redirect_uri(redirect_uri)?;
    let places = Places::of(provider, template, &Value::Null);
    let scopes = super::requested_scopes(provider, template, None)?.join(provider.scope_separator);
    let url = places.address(registration.url)?;
    let call = Call::post("oauth.register", url.as_str())?.header("accept", "application/json")?;
    if registration.json {
        let mut body = json!({
            "client_name": name,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": match provider.client {
                ClientAuth::Body | ClientAuth::BasicAndBody => "client_secret_post",
                ClientAuth::Basic => "client_secret_basic",
                ClientAuth::PrivateKeyJwt => "private_key_jwt",
            },
        });
        body[registration.scope_field] = scopes.into();
        return call.json(&body);
    }
    Ok(call.form([
        ("client_name", name),
        ("redirect_uris", redirect_uri),
        (registration.scope_field, &scopes),
    ]))
}

/// Reads what the instance answered: the template with id and secret.
///
/// # Errors
/// What the status says; `UnexpectedReply` without a client id. No error holds the secret.
pub fn read_registration(
    template: &App,
    redirect_uri: &str,
    reply: &Reply,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<App> {
    if !reply.ok() {
        return Err(crate::http::classify(reply, now).with_rule(rule::REFUSED));
    }
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let client_id = text("client_id").ok_or_else(|| {
        Error::new(
            ErrorKind::UnexpectedReply,
            "the registration brings no client id",
        )
        .with_operation(reply.operation())
        .with_status(reply.status.as_u16())
        .with_rule(rule::REPLY)
    })?;
    let app = match text("client_secret") {
        Some(secret) => App::new(client_id, secret),
        None => App::public(client_id),
    };
    Ok(App {
        name: template.name.clone(),
        extra: template.extra.clone(),
        ..app
    }
    .redirect_uri(redirect_uri))
}
