//! The login as it is declared, against X's authorization server as it behaves.

use automarket_connector_x::{PLATFORM, oauth};
use automarket_core::{
    oauth::{ClientAuth, Method},
    testing::{AuthRules, LoginUnderTest, json_reply, standard_error},
};
use serde_json::json;

fn rules() -> AuthRules {
    AuthRules {
        hosts: vec!["x.com".into(), "api.x.com".into()],
        authorize: "/i/oauth2/authorize",
        token: "/2/oauth2/token",
        revoke: Some((Method::Post, "/2/oauth2/revoke")),
        client: ClientAuth::Basic,
        access_seconds: 7200,
        code_seconds: 30,
        rotates: true,
        // A dead code or token is a wrong request.
        error: |code| match code {
            "invalid_grant" => json_reply(
                400,
                &json!({"error": "invalid_request", "error_description": "Value passed for the token was invalid."}),
            ),
            code => standard_error(code),
        },
        ..AuthRules::new(PLATFORM, "x.com")
    }
}

#[tokio::test]
async fn a_login_lives_by_these_requests() {
    let life = LoginUnderTest::new(oauth(), rules()).live().await;
    assert_eq!(life, include_str!("../fixtures/login.txt"));
}
