use automarket_core::{
    oauth::{ClientAuth, Method, Pkce},
    testing::{AuthRules, json_reply},
};
use serde_json::json;

use crate::PLATFORM;

/// How Slack's authorization server behaves, with token rotation on. For an
/// [`AuthServer`](automarket_core::testing::AuthServer), which [`WithLogin`](automarket_core::testing::WithLogin)
/// puts before the fake.
#[must_use]
pub fn auth_rules() -> AuthRules {
    AuthRules {
        authorize: "/oauth/v2/authorize",
        token: "/api/oauth.v2.access",
        revoke: Some((Method::Post, "/api/auth.revoke")),
        client: ClientAuth::Basic,
        pkce: Pkce::None,
        separator: ",",
        access_seconds: 43_200,
        rotates: true,
        reply: |issued| {
            let mut body = json!({
                "ok": true, "access_token": issued.access_token, "expires_in": issued.seconds,
                "token_type": "bot", "scope": issued.scopes.join(","), "team": {"id": "T0SANDBOX", "name": "Sandbox"},
                "bot_user_id": "U0SANDBOX", "authed_user": {"id": "U2"},
                "incoming_webhook": {"url": "https://hooks.slack.com/services/SECRET"},
            });
            if let Some(refresh) = &issued.refresh_token {
                body["refresh_token"] = json!(refresh);
            }
            json_reply(200, &body)
        },
        // It says no with status 200.
        error: |code| {
            let code = match code {
                "invalid_client" => "bad_client_secret",
                "invalid_grant" => "invalid_code",
                code => code,
            };
            json_reply(200, &json!({"ok": false, "error": code}))
        },
        ..AuthRules::new(PLATFORM, "slack.com")
    }
}
