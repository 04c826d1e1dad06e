//! Networks and channels.

use automarket_core::{
    Bytes, Platform,
    http_types::Response,
    oauth::{
        App, Meaning, Method, Pkce, Place, Provider, Refresh, Registration, Revocation, RevokeBy,
        Trade, TradeClient,
    },
    testing::{AuthRules, TradeRule, json_reply},
};
use serde_json::json;

use super::{Case, case, reply_with};

const META_CODES: &[(&str, Meaning)] = &[
    ("36007", Meaning::GrantDead),
    ("36009", Meaning::GrantDead),
    ("190", Meaning::GrantDead),
    ("102", Meaning::GrantDead),
    ("101", Meaning::Client),
    ("191", Meaning::RedirectUri),
    ("4", Meaning::Wait),
    ("1: Error validating client secret", Meaning::Client),
    ("1", Meaning::Failing),
    ("2", Meaning::Failing),
];

fn meta_error(code: &str) -> Response<Bytes> {
    let (code, subcode, message) = match code {
        "invalid_client" => (1, 0, "Error validating client secret."),
        "invalid_grant" => (100, 36009, "This authorization code has been used."),
        _ => (100, 0, "Invalid parameter"),
    };
    let mut error =
        json!({"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b"});
    if subcode > 0 {
        error["error_subcode"] = json!(subcode);
    }
    json_reply(400, &json!({ "error": error }))
}

pub(super) fn threads() -> Case {
    let provider = Provider {
        scopes: &["threads_basic", "threads_content_publish"],
        scope_separator: ",",
        long_lived: Some(Trade {
            url: "https://graph.threads.net/access_token",
            grant: "th_exchange_token",
            token_param: "access_token",
            client: TradeClient::Secret,
        }),
        refresh: Refresh::Trade(Trade {
            url: "https://graph.threads.net/refresh_access_token",
            grant: "th_refresh_token",
            token_param: "access_token",
            client: TradeClient::None,
        }),
        keep: &["user_id"],
        codes: META_CODES,
        ..Provider::new(
            Platform::THREADS,
            "https://www.threads.net/oauth/authorize",
            "https://graph.threads.net/oauth/access_token",
        )
    };
    let rules = AuthRules {
        hosts: vec!["www.threads.net".into(), "graph.threads.net".into()],
        authorize: "/oauth/authorize",
        token: "/oauth/access_token",
        trades: &[
            TradeRule {
                path: "/access_token",
                grant: "th_exchange_token",
                token_param: "access_token",
                id: false,
                secret: true,
                seconds: 5_184_000,
            },
            TradeRule {
                path: "/refresh_access_token",
                grant: "th_refresh_token",
                token_param: "access_token",
                id: false,
                secret: false,
                seconds: 5_184_000,
            },
        ],
        pkce: Pkce::None,
        separator: ",",
        refresh_token: false,
        reply: |issued| match issued.seconds {
            3600 => json_reply(
                200,
                &json!({"access_token": issued.access_token, "user_id": 1}),
            ),
            _ => reply_with(issued, json!({"token_type": "bearer", "scope": null})),
        },
        error: meta_error,
        ..AuthRules::new(Platform::THREADS, "www.threads.net")
    };
    case("threads", provider, rules)
}

pub(super) fn tiktok() -> Case {
    let provider = Provider {
        client_id_param: "client_key",
        pkce: Pkce::S256Hex,
        scopes: &["user.info.basic", "video.publish"],
        scope_separator: ",",
        refresh: Refresh::Token { rotates: true },
        revoke: Some(Revocation {
            url: "https://open.tiktokapis.com/v2/oauth/revoke/",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: false,
        }),
        keep: &["open_id"],
        ..Provider::new(
            Platform::TIKTOK,
            "https://www.tiktok.com/v2/auth/authorize/",
            "https://open.tiktokapis.com/v2/oauth/token/",
        )
    };
    let rules = AuthRules {
        hosts: vec!["www.tiktok.com".into(), "open.tiktokapis.com".into()],
        authorize: "/v2/auth/authorize/",
        token: "/v2/oauth/token/",
        revoke: Some((Method::Post, "/v2/oauth/revoke/")),
        client_id_param: "client_key",
        pkce: Pkce::S256Hex,
        separator: ",",
        access_seconds: 86_400,
        rotates: true,
        reply: |issued| {
            let scope = issued.scopes.join(",");
            let year = 31_536_000;
            reply_with(
                issued,
                json!({"scope": scope, "refresh_expires_in": year, "open_id": "o-1"}),
            )
        },
        // With status 200.
        error: |code| {
            json_reply(
                200,
                &json!({"error": code, "error_description": "wrong", "log_id": "2026"}),
            )
        },
        ..AuthRules::new(Platform::TIKTOK, "www.tiktok.com")
    };
    case("tiktok", provider, rules)
}

pub(super) fn google(name: &'static str, scopes: &'static [&'static str]) -> Case {
    let platform = Platform::from_static(name);
    let provider = Provider {
        pkce: Pkce::S256,
        scopes,
        scope_aliases: &[("email", "https://www.googleapis.com/auth/userinfo.email")],
        authorize_params: &[
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("include_granted_scopes", "true"),
        ],
        revoke: Some(Revocation {
            url: "https://oauth2.googleapis.com/revoke",
            method: Method::Post,
            by: RevokeBy::Anyone,
            refresh_token: true,
        }),
        ..Provider::new(
            platform.clone(),
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://oauth2.googleapis.com/token",
        )
    };
    let rules = AuthRules {
        hosts: vec!["accounts.google.com".into(), "oauth2.googleapis.com".into()],
        authorize: "/o/oauth2/v2/auth",
        token: "/token",
        revoke: Some((Method::Post, "/revoke")),
        access_seconds: 3599,
        // No new refresh token on refresh; scopes under their long names.
        reply: |issued| {
            let scope = issued.scopes.join(" ");
            let scope = scope.replace(
                " email",
                " https://www.googleapis.com/auth/userinfo.email openid",
            );
            reply_with(issued, json!({"scope": scope, "id_token": "a.b.c"}))
        },
        ..AuthRules::new(platform, "accounts.google.com")
    };
    case(name, provider, rules)
}

pub(super) fn mastodon() -> Case {
    let provider = Provider {
        pkce: Pkce::S256,
        scopes: &["profile", "write:statuses"],
        places: &[Place {
            name: "instance",
            default: None,
            callback: None,
        }],
        registration: Some(Registration {
            url: "{instance}/api/v1/apps",
            json: false,
            scope_field: "scopes",
        }),
        refresh: Refresh::None,
        revoke: Some(Revocation {
            url: "{instance}/oauth/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: false,
        }),
        ..Provider::new(
            Platform::MASTODON,
            "{instance}/oauth/authorize",
            "{instance}/oauth/token",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        revoke: Some((Method::Post, "/oauth/revoke")),
        register: Some("/api/v1/apps"),
        access_seconds: 0,
        refresh_token: false,
        reply: |issued| {
            reply_with(
                issued,
                json!({"expires_in": null, "created_at": 1_795_000_000}),
            )
        },
        ..AuthRules::new(Platform::MASTODON, "social.acme.dev")
    };
    let app = App::public("").place("instance", "https://social.acme.dev");
    case("mastodon", provider, rules).app(app)
}
