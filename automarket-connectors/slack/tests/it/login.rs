//! The logins as they are declared, against Slack's authorization server as it behaves.

use automarket_connector_slack::{PLATFORM, oauth, oauth_user};
use automarket_core::{
    oauth::{ClientAuth, Method, Pkce},
    testing::{AuthRules, LoginUnderTest, json_reply},
};
use serde_json::{Value, json};

/// With token rotation on.
fn rules() -> AuthRules {
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
                "token_type": "bot", "scope": issued.scopes.join(","), "team": team(),
                "bot_user_id": "U1", "authed_user": {"id": "U2"},
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

fn team() -> Value {
    json!({"id": "T1", "name": "Acme"})
}

#[tokio::test]
async fn logins_live_by_these_requests() {
    let bot = LoginUnderTest::new(oauth(), rules()).live().await;
    // Without token rotation a token has no end and no successor.
    let endless = AuthRules {
        refresh_token: false,
        rotates: false,
        access_seconds: 0,
        reply: |issued| {
            let user = json!({
                "id": "U2", "access_token": issued.access_token, "scope": "chat:write",
                "token_type": "user",
            });
            json_reply(
                200,
                &json!({"ok": true, "authed_user": user, "team": team()}),
            )
        },
        ..rules()
    };
    let person = LoginUnderTest::new(oauth_user(), endless).live().await;
    let lives = format!("== bot\n{bot}== person\n{person}");
    assert_eq!(lives, include_str!("../fixtures/login.txt"));
}
