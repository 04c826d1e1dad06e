use automarket_core::{
    Bytes,
    http_types::Response,
    oauth::{Method, Pkce},
    testing::{AuthRules, TradeRule, json_reply},
};
use serde_json::json;

use crate::PLATFORM;

/// How Facebook's authorization server behaves. For an [`AuthServer`](automarket_core::testing::AuthServer), which
/// [`WithLogin`](automarket_core::testing::WithLogin) puts before the fake.
#[must_use]
pub fn auth_rules() -> AuthRules {
    AuthRules {
        hosts: vec!["www.facebook.com".into(), "graph.facebook.com".into()],
        authorize: "/v26.0/dialog/oauth",
        token: "/v26.0/oauth/access_token",
        token_method: Method::Get,
        revoke: Some((Method::Delete, "/v26.0/me/permissions")),
        trades: &[TradeRule {
            path: "/v26.0/oauth/access_token",
            grant: "fb_exchange_token",
            token_param: "fb_exchange_token",
            id: true,
            secret: true,
            seconds: 5_184_000,
        }],
        pkce: Pkce::None,
        separator: ",",
        refresh_token: false,
        // It names no scopes.
        reply: |issued| {
            let body = json!({
                "access_token": issued.access_token, "token_type": "bearer", "expires_in": issued.seconds,
            });
            json_reply(200, &body)
        },
        error,
        ..AuthRules::new(PLATFORM, "www.facebook.com")
    }
}

fn error(code: &str) -> Response<Bytes> {
    let mut error = json!({"message": "Invalid parameter", "type": "OAuthException", "code": 100, "fbtrace_id": "A1b"});
    match code {
        "invalid_client" => {
            error["code"] = json!(1);
            error["message"] = json!("Error validating client secret.");
        }
        "invalid_grant" => {
            error["error_subcode"] = json!(36009);
            error["message"] = json!("This authorization code has been used.");
        }
        _ => {}
    }
    json_reply(400, &json!({ "error": error }))
}
