use automarket_core::{
    Bytes,
    http_types::Response,
    oauth::Pkce,
    testing::{AuthRules, Issued, TradeRule, json_reply},
};
use serde_json::json;

use crate::PLATFORM;

/// How Instagram's authorization server behaves. For an [`AuthServer`](automarket_core::testing::AuthServer), which
/// [`WithLogin`](automarket_core::testing::WithLogin) puts before the fake.
#[must_use]
pub fn auth_rules() -> AuthRules {
    AuthRules {
        hosts: ["www", "api", "graph"]
            .map(|name| format!("{name}.instagram.com"))
            .into(),
        authorize: "/oauth/authorize",
        token: "/oauth/access_token",
        trades: &[
            TradeRule {
                path: "/access_token",
                grant: "ig_exchange_token",
                token_param: "access_token",
                id: false,
                secret: true,
                seconds: 5_183_944,
            },
            TradeRule {
                path: "/refresh_access_token",
                grant: "ig_refresh_token",
                token_param: "access_token",
                id: false,
                secret: false,
                seconds: 5_183_944,
            },
        ],
        pkce: Pkce::None,
        separator: ",",
        refresh_token: false,
        reply,
        error: |code| {
            let said = match code {
                "invalid_client" => "Invalid Client Secret",
                "invalid_grant" => "Invalid authorization code",
                _ => "Invalid parameter",
            };
            let body = json!({"error_type": "OAuthException", "code": 400, "error_message": said});
            json_reply(400, &body)
        },
        ..AuthRules::new(PLATFORM, "www.instagram.com")
    }
}

/// The short-lived reply says no life; it is wrapped, and its scopes are a list.
fn reply(issued: &Issued) -> Response<Bytes> {
    let body = match issued.seconds {
        3600 => json!({"data": [{
            "access_token": issued.access_token, "user_id": 17841400000000000_i64,
            "permissions": issued.scopes,
        }]}),
        seconds => json!({
            "access_token": issued.access_token, "token_type": "bearer", "expires_in": seconds,
        }),
    };
    json_reply(200, &body)
}
