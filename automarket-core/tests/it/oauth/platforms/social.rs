//! Networks and channels.

use automarket_core::{
    Bytes, Platform,
    http_types::Response,
    oauth::{
        App, ClientAuth, Meaning, Method, Pkce, Place, Provider, Refresh, Registration, Revocation,
        RevokeBy, Trade, TradeClient, rule,
    },
    testing::{AuthRules, TradeRule, json_reply},
};
use serde_json::json;

use super::{Case, case, reply_with};

pub(super) fn x() -> Case {
    let provider = Provider {
        pkce: Pkce::S256,
        client: ClientAuth::Basic,
        scopes: &["tweet.read", "tweet.write", "users.read", "offline.access"],
        refresh: Refresh::Token { rotates: true },
        revoke: Some(Revocation {
            url: "https://api.x.com/2/oauth2/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: true,
        }),
        ..Provider::new(
            Platform::X,
            "https://x.com/i/oauth2/authorize",
            "https://api.x.com/2/oauth2/token",
        )
    };
    let rules = AuthRules {
        hosts: vec!["x.com".into(), "api.x.com".into()],
        authorize: "/i/oauth2/authorize",
        token: "/2/oauth2/token",
        revoke: Some((Method::Post, "/2/oauth2/revoke")),
        client: ClientAuth::Basic,
        access_seconds: 7200,
        code_seconds: 30,
        rotates: true,
        reply: |issued| reply_with(issued, json!({"token_type": "bearer"})),
        ..AuthRules::new(Platform::X, "x.com")
    };
    case("x", provider, rules)
}

pub(super) fn linkedin() -> Case {
    let provider = Provider {
        scopes: &["openid", "profile", "w_member_social"],
        ..Provider::new(
            Platform::LINKEDIN,
            "https://www.linkedin.com/oauth/v2/authorization",
            "https://www.linkedin.com/oauth/v2/accessToken",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth/v2/authorization",
        token: "/oauth/v2/accessToken",
        pkce: Pkce::None,
        access_seconds: 5_184_000,
        reply: |issued| {
            let scope = issued.scopes.join(",");
            let year = issued.refresh_token.as_ref().map(|_| 31_536_000);
            reply_with(
                issued,
                json!({"scope": scope, "token_type": null, "refresh_token_expires_in": year, "id_token": "a.b.c"}),
            )
        },
        ..AuthRules::new(Platform::LINKEDIN, "www.linkedin.com")
    };
    case("linkedin", provider, rules)
}

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

pub(super) fn facebook() -> Case {
    const TRADE: Trade = Trade {
        url: "https://graph.facebook.com/v26.0/oauth/access_token",
        grant: "fb_exchange_token",
        token_param: "fb_exchange_token",
        client: TradeClient::IdAndSecret,
    };
    let provider = Provider {
        exchange: Method::Get,
        scopes: &["pages_show_list", "pages_manage_posts"],
        scope_separator: ",",
        long_lived: Some(TRADE),
        refresh: Refresh::Trade(TRADE),
        revoke: Some(Revocation {
            url: "https://graph.facebook.com/v26.0/me/permissions",
            method: Method::Delete,
            by: RevokeBy::Bearer,
            refresh_token: false,
        }),
        codes: META_CODES,
        ..Provider::new(
            Platform::FACEBOOK,
            "https://www.facebook.com/v26.0/dialog/oauth",
            "https://graph.facebook.com/v26.0/oauth/access_token",
        )
    };
    let rules = AuthRules {
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
        reply: |issued| reply_with(issued, json!({"token_type": "bearer", "scope": null})),
        error: meta_error,
        ..AuthRules::new(Platform::FACEBOOK, "www.facebook.com")
    };
    case("facebook", provider, rules)
}

pub(super) fn instagram() -> Case {
    let provider = Provider {
        scopes: &[
            "instagram_business_basic",
            "instagram_business_content_publish",
        ],
        scope_separator: ",",
        authorize_params: &[("enable_fb_login", "0")],
        long_lived: Some(Trade {
            url: "https://graph.instagram.com/access_token",
            grant: "ig_exchange_token",
            token_param: "access_token",
            client: TradeClient::Secret,
        }),
        refresh: Refresh::Trade(Trade {
            url: "https://graph.instagram.com/refresh_access_token",
            grant: "ig_refresh_token",
            token_param: "access_token",
            client: TradeClient::None,
        }),
        keep: &["user_id"],
        codes: META_CODES,
        ..Provider::new(
            Platform::INSTAGRAM,
            "https://www.instagram.com/oauth/authorize",
            "https://api.instagram.com/oauth/access_token",
        )
    };
    let rules = AuthRules {
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
        // The short-lived reply says no life; it is wrapped, and its scopes are a list.
        reply: |issued| match issued.seconds {
            3600 => json_reply(
                200,
                &json!({"data": [{
                    "access_token": issued.access_token,
                    "user_id": 17841400000000000_i64,
                    "permissions": issued.scopes,
                }]}),
            ),
            _ => reply_with(issued, json!({"token_type": "bearer", "scope": null})),
        },
        error: |code| match code {
            "invalid_grant" => json_reply(
                400,
                &json!({"error_type": "OAuthException", "code": 400, "error_message": "Invalid authorization code"}),
            ),
            code => meta_error(code),
        },
        ..AuthRules::new(Platform::INSTAGRAM, "www.instagram.com")
    };
    Case {
        // Its words for it are its words for everything.
        dead_code: rule::REFUSED,
        ..case("instagram", provider, rules)
    }
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

const SLACK_CODES: &[(&str, Meaning)] = &[
    ("invalid_code", Meaning::GrantDead),
    ("code_already_used", Meaning::GrantDead),
    ("invalid_refresh_token", Meaning::GrantDead),
    ("token_revoked", Meaning::GrantDead),
    ("token_expired", Meaning::GrantDead),
    ("bad_client_secret", Meaning::Client),
];

/// Slack says no with status 200.
fn slack_error(code: &str) -> Response<Bytes> {
    let code = match code {
        "invalid_client" => "bad_client_secret",
        "invalid_grant" => "invalid_code",
        code => code,
    };
    json_reply(200, &json!({"ok": false, "error": code}))
}

pub(super) fn slack() -> Case {
    let provider = Provider {
        client: ClientAuth::Basic,
        scopes: &["chat:write", "channels:read"],
        scope_separator: ",",
        refresh: Refresh::Token { rotates: true },
        revoke: Some(Revocation {
            url: "https://slack.com/api/auth.revoke",
            method: Method::Post,
            by: RevokeBy::Bearer,
            refresh_token: false,
        }),
        keep: &["team", "bot_user_id"],
        codes: SLACK_CODES,
        ..Provider::new(
            Platform::SLACK,
            "https://slack.com/oauth/v2/authorize",
            "https://slack.com/api/oauth.v2.access",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth/v2/authorize",
        token: "/api/oauth.v2.access",
        revoke: Some((Method::Post, "/api/auth.revoke")),
        client: ClientAuth::Basic,
        pkce: Pkce::None,
        separator: ",",
        access_seconds: 43_200,
        rotates: true,
        reply: |issued| {
            reply_with(
                issued,
                json!({
                    "ok": true,
                    "token_type": "bot",
                    "scope": issued.scopes.join(","),
                    "team": {"id": "T1", "name": "Acme"},
                    "bot_user_id": "U1",
                    "authed_user": {"id": "U2"},
                    "incoming_webhook": {"url": "https://hooks.slack.com/services/SECRET"},
                }),
            )
        },
        error: slack_error,
        ..AuthRules::new(Platform::SLACK, "slack.com")
    };
    case("slack", provider, rules)
}

pub(super) fn slack_user() -> Case {
    let bot = slack();
    Case {
        name: "slack user token",
        provider: Provider {
            scope_param: Some("user_scope"),
            reply_at: "/authed_user",
            // Without token rotation a token has no end and no successor.
            refresh: Refresh::None,
            ..bot.provider
        },
        rules: AuthRules {
            refresh_token: false,
            rotates: false,
            access_seconds: 0,
            reply: |issued| {
                let user = json!({"id": "U2", "access_token": issued.access_token, "scope": "chat:write", "token_type": "user"});
                json_reply(
                    200,
                    &json!({"ok": true, "authed_user": user, "team": {"id": "T1", "name": "Acme"}}),
                )
            },
            ..bot.rules
        },
        ..slack()
    }
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
    Case {
        app: App::public("").place("instance", "https://social.acme.dev"),
        ..case("mastodon", provider, rules)
    }
}
