//! The login as it is declared, against LinkedIn's authorization server as it behaves.

use automarket_connector_linkedin::{PLATFORM, oauth};
use automarket_core::{
    oauth::{Method, Pkce},
    testing::{AuthRules, LoginUnderTest, json_reply},
};
use serde_json::json;

fn rules() -> AuthRules {
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

#[tokio::test]
async fn a_login_lives_by_these_requests() {
    let life = LoginUnderTest::new(oauth(), rules()).live().await;
    assert_eq!(life, include_str!("../fixtures/login.txt"));
}
