//! The logins as they are declared, against Slack's authorization server as it behaves.

use automarket_connector_slack::{oauth, oauth_user, testing::auth_rules};
use automarket_core::testing::{AuthRules, LoginUnderTest, json_reply};
use serde_json::{Value, json};

fn team() -> Value {
    json!({"id": "T0SANDBOX", "name": "Sandbox"})
}

#[tokio::test]
async fn logins_live_by_these_requests() {
    let bot = LoginUnderTest::new(oauth(), auth_rules()).live().await;
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
        ..auth_rules()
    };
    let person = LoginUnderTest::new(oauth_user(), endless).live().await;
    let lives = format!("== bot\n{bot}== person\n{person}");
    assert_eq!(lives, include_str!("../fixtures/login.txt"));
}
