use automarket_core::{
    oauth::{ClientAuth, Method},
    testing::{AuthRules, json_reply, standard_error},
};
use serde_json::json;

use crate::PLATFORM;

/// How X's authorization server behaves. For an [`AuthServer`](automarket_core::testing::AuthServer), which
/// [`WithLogin`](automarket_core::testing::WithLogin) puts before the fake.
#[must_use]
pub fn auth_rules() -> AuthRules {
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
