use automarket_core::{
    oauth::{Method, Pkce},
    testing::{AuthRules, json_reply},
};
use serde_json::json;

use crate::PLATFORM;

/// How LinkedIn's authorization server behaves. For an [`AuthServer`](automarket_core::testing::AuthServer), which
/// [`WithLogin`](automarket_core::testing::WithLogin) puts before the fake.
#[must_use]
pub fn auth_rules() -> AuthRules {
    AuthRules {
        authorize: "/oauth/v2/authorization",
        token: "/oauth/v2/accessToken",
        revoke: Some((Method::Post, "/oauth/v2/revoke")),
        pkce: Pkce::None,
        access_seconds: 5_184_000,
        // Scopes with commas, and a refresh token's life where there is one.
        reply: |issued| {
            let mut body = json!({
                "access_token": issued.access_token, "expires_in": issued.seconds,
                "scope": issued.scopes.join(","), "id_token": "a.b.c",
            });
            if let Some(refresh) = &issued.refresh_token {
                body["refresh_token"] = json!(refresh);
                body["refresh_token_expires_in"] = json!(31_536_000);
            }
            json_reply(200, &body)
        },
        // A dead code is a wrong request.
        error: |code| {
            let (status, code, words) = match code {
                "invalid_grant" => (
                    400,
                    "invalid_request",
                    "Unable to retrieve access token: authorization code not found",
                ),
                "invalid_client" => (401, code, "Client authentication failed"),
                code => (400, code, "A required parameter is missing"),
            };
            json_reply(status, &json!({"error": code, "error_description": words}))
        },
        ..AuthRules::new(PLATFORM, "www.linkedin.com")
    }
}
