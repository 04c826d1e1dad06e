//! Each platform twice: as its connector declares it, and as its authorization server behaves. Facts from the
//! platforms' documentation; where both come from one page, a mistake in it is in both.

use automarket_core::{
    Bytes, Platform,
    http_types::Response,
    oauth::{
        App, ClientAuth, Meaning, Method, Pkce, Place, Provider, Refresh, Registration, Revocation,
        RevokeBy, Trade, TradeClient, rule,
    },
    testing::{AuthRules, Issued, TradeRule, json_reply, standard_error, text_reply},
};
use serde_json::{Value, json};

pub(super) const KEY: &str = include_str!("../../fixtures/oauth_key.pem");

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) provider: Provider,
    pub(super) app: App,
    pub(super) rules: AuthRules,
    /// What a dead code is called.
    pub(super) dead_code: &'static str,
    pub(super) way: Way,
}

#[derive(PartialEq)]
pub(super) enum Way {
    Browser,
    ClientCredentials,
    JwtBearer,
}

fn case(name: &'static str, provider: Provider, rules: AuthRules) -> Case {
    Case {
        name,
        provider,
        app: App::new("app", "app-secret"),
        rules,
        dead_code: rule::INVALID_GRANT,
        way: Way::Browser,
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        x(),
        linkedin(),
        facebook(),
        instagram(),
        threads(),
        tiktok(),
        google(
            "gmail",
            &["https://www.googleapis.com/auth/gmail.send", "email"],
        ),
        google(
            "youtube",
            &["https://www.googleapis.com/auth/youtube.upload"],
        ),
        slack(),
        slack_user(),
        hubspot(),
        salesforce(),
        Case {
            name: "salesforce jwt bearer",
            way: Way::JwtBearer,
            app: App::public("app").key(KEY),
            ..salesforce()
        },
        Case {
            name: "salesforce client credentials",
            way: Way::ClientCredentials,
            ..salesforce()
        },
        pipedrive(),
        zoho(),
        dynamics(),
        Case {
            name: "dynamics as a service with a certificate",
            way: Way::ClientCredentials,
            app: entra(App::public("app").key(KEY)),
            ..dynamics()
        },
        mailchimp(),
        wordpress(),
        mautic(),
        mastodon(),
        names_its_issuer(),
    ]
}

/// A standard reply with some fields changed; `null` takes one out.
fn reply_with(issued: &Issued, changes: Value) -> Response<Bytes> {
    let mut body = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.seconds,
        "scope": issued.scopes.join(" "),
    });
    if let Some(refresh) = &issued.refresh_token {
        body["refresh_token"] = json!(refresh);
    }
    let fields = body.as_object_mut().unwrap();
    fields.extend(changes.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    json_reply(200, &body)
}

fn x() -> Case {
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

fn linkedin() -> Case {
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
    ("1", Meaning::Failing),
    ("2", Meaning::Failing),
];

fn meta_error(code: &str) -> Response<Bytes> {
    let (code, subcode, message) = match code {
        "invalid_client" => (101, 0, "Error validating client secret."),
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

fn facebook() -> Case {
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

fn instagram() -> Case {
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

fn threads() -> Case {
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

fn tiktok() -> Case {
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

fn google(name: &'static str, scopes: &'static [&'static str]) -> Case {
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

fn slack() -> Case {
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

fn slack_user() -> Case {
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

fn hubspot() -> Case {
    let platform = Platform::from_static("hubspot");
    let provider = Provider {
        pkce: Pkce::S256,
        scopes: &["oauth", "crm.objects.contacts.read"],
        revoke: Some(Revocation {
            url: "https://api.hubapi.com/oauth/2026-09/token/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: true,
        }),
        keep: &["hub_id", "user_id"],
        codes: &[
            ("BAD_AUTH_CODE", Meaning::GrantDead),
            ("BAD_REFRESH_TOKEN", Meaning::GrantDead),
            ("BAD_CLIENT_ID", Meaning::Client),
            ("BAD_CLIENT_SECRET", Meaning::Client),
        ],
        ..Provider::new(
            platform.clone(),
            "https://app.hubspot.com/oauth/authorize",
            "https://api.hubapi.com/oauth/2026-09/token",
        )
    };
    let rules = AuthRules {
        hosts: vec!["app.hubspot.com".into(), "api.hubapi.com".into()],
        authorize: "/oauth/authorize",
        token: "/oauth/2026-09/token",
        revoke: Some((Method::Post, "/oauth/2026-09/token/revoke")),
        access_seconds: 1800,
        reply: |issued| {
            reply_with(
                issued,
                json!({"scope": null, "scopes": issued.scopes, "token_type": "bearer", "hub_id": 42, "user_id": 7}),
            )
        },
        error: |code| {
            let code = match code {
                "invalid_client" => "BAD_CLIENT_SECRET",
                "invalid_grant" => "BAD_AUTH_CODE",
                code => code,
            };
            json_reply(
                400,
                &json!({"status": code, "message": "not good", "correlationId": "c-1"}),
            )
        },
        ..AuthRules::new(platform, "app.hubspot.com")
    };
    case("hubspot", provider, rules)
}

fn salesforce() -> Case {
    let platform = Platform::from_static("salesforce");
    let provider = Provider {
        pkce: Pkce::S256,
        scopes: &["api", "refresh_token"],
        places: &[Place {
            name: "login",
            default: Some("https://login.salesforce.com"),
            callback: None,
        }],
        jwt_audience: Some("{login}"),
        revoke: Some(Revocation {
            url: "{login}/services/oauth2/revoke",
            method: Method::Post,
            by: RevokeBy::Anyone,
            refresh_token: true,
        }),
        keep: &["id"],
        codes: &[("inactive_user", Meaning::GrantDead)],
        ..Provider::new(
            platform.clone(),
            "{login}/services/oauth2/authorize",
            "{login}/services/oauth2/token",
        )
    };
    let rules = AuthRules {
        authorize: "/services/oauth2/authorize",
        token: "/services/oauth2/token",
        revoke: Some((Method::Post, "/services/oauth2/revoke")),
        key: Some(KEY),
        audience: "https://login.salesforce.com",
        // It never says how long a token lives.
        reply: |issued| {
            reply_with(
                issued,
                json!({
                    "expires_in": null,
                    "instance_url": "https://acme.my.salesforce.com",
                    "id": "https://login.salesforce.com/id/00D/005",
                    "issued_at": "1795000000000",
                    "signature": "c2lnbmF0dXJl",
                }),
            )
        },
        ..AuthRules::new(platform, "login.salesforce.com")
    };
    case("salesforce", provider, rules)
}

fn pipedrive() -> Case {
    let platform = Platform::from_static("pipedrive");
    let provider = Provider {
        client: ClientAuth::Basic,
        scope_param: None,
        revoke: Some(Revocation {
            url: "https://oauth.pipedrive.com/oauth/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: true,
        }),
        refresh_token_seconds: Some(60 * 86_400),
        ..Provider::new(
            platform.clone(),
            "https://oauth.pipedrive.com/oauth/authorize",
            "https://oauth.pipedrive.com/oauth/token",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        revoke: Some((Method::Post, "/oauth/revoke")),
        client: ClientAuth::Basic,
        pkce: Pkce::None,
        access_seconds: 3599,
        reply: |issued| {
            reply_with(
                issued,
                json!({"scope": "base,contacts:full", "api_domain": "https://acme.pipedrive.com"}),
            )
        },
        error: |code| {
            json_reply(
                400,
                &json!({"success": "false", "message": "no", "error": code}),
            )
        },
        ..AuthRules::new(platform, "oauth.pipedrive.com")
    };
    case("pipedrive", provider, rules)
}

fn zoho() -> Case {
    let platform = Platform::from_static("zoho");
    let provider = Provider {
        scopes: &["ZohoCRM.modules.ALL", "ZohoCRM.users.READ"],
        scope_separator: ",",
        authorize_params: &[("access_type", "offline"), ("prompt", "consent")],
        places: &[Place {
            name: "accounts",
            default: Some("https://accounts.zoho.com"),
            callback: Some((
                "accounts-server",
                &[
                    "https://accounts.zoho.com",
                    "https://accounts.zoho.eu",
                    "https://accounts.zoho.in",
                    "https://accounts.zoho.com.au",
                    "https://accounts.zoho.jp",
                    "https://accounts.zohocloud.ca",
                    "https://accounts.zoho.sa",
                ],
            )),
        }],
        revoke: Some(Revocation {
            url: "{accounts}/oauth/v2/token/revoke",
            method: Method::Post,
            by: RevokeBy::Anyone,
            refresh_token: true,
        }),
        milliseconds_above: Some(86_400),
        codes: &[
            ("invalid_code", Meaning::GrantDead),
            ("Access Denied", Meaning::Wait),
        ],
        ..Provider::new(
            platform.clone(),
            "{accounts}/oauth/v2/auth",
            "{accounts}/oauth/v2/token",
        )
    };
    let rules = AuthRules {
        hosts: vec!["accounts.zoho.com".into(), "accounts.zoho.eu".into()],
        authorize: "/oauth/v2/auth",
        token: "/oauth/v2/token",
        revoke: Some((Method::Post, "/oauth/v2/token/revoke")),
        pkce: Pkce::None,
        separator: ",",
        // The user lives in another data centre.
        callback: &[
            ("location", "eu"),
            ("accounts-server", "https://accounts.zoho.eu"),
        ],
        // In milliseconds, with the domain to call.
        reply: |issued| {
            reply_with(
                issued,
                json!({"expires_in": issued.seconds * 1000, "api_domain": "https://www.zohoapis.eu", "scope": issued.scopes.join(",")}),
            )
        },
        // With status 200.
        error: |code| {
            let code = if code == "invalid_grant" {
                "invalid_code"
            } else {
                code
            };
            json_reply(200, &json!({ "error": code }))
        },
        ..AuthRules::new(platform, "accounts.zoho.com")
    };
    case("zoho", provider, rules)
}

fn entra(app: App) -> App {
    app.place("tenant", "tenant-1")
        .place("org", "https://acme.crm.dynamics.com")
        .place("x5t", "dGh1bWJwcmludA")
}

fn dynamics() -> Case {
    let platform = Platform::from_static("dynamics365");
    let provider = Provider {
        pkce: Pkce::S256,
        client: ClientAuth::PrivateKeyJwt,
        scopes: &["{org}/user_impersonation", "offline_access"],
        service_scopes: &["{org}/.default"],
        scope_aliases: &[("offline_access", "")],
        places: &[
            Place {
                name: "tenant",
                default: Some("organizations"),
                callback: None,
            },
            Place {
                name: "org",
                default: None,
                callback: None,
            },
        ],
        refresh: Refresh::Token { rotates: true },
        refresh_token_seconds: Some(90 * 86_400),
        ..Provider::new(
            platform.clone(),
            "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
            "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        )
    };
    let rules = AuthRules {
        authorize: "/tenant-1/oauth2/v2.0/authorize",
        token: "/tenant-1/oauth2/v2.0/token",
        client: ClientAuth::PrivateKeyJwt,
        key: Some(KEY),
        audience: "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token",
        access_seconds: 3599,
        rotates: true,
        reply: |issued| {
            let scope = issued.scopes.join(" ").replace(" offline_access", "");
            reply_with(issued, json!({"scope": scope, "ext_expires_in": 3599}))
        },
        error: |code| {
            json_reply(
                400,
                &json!({"error": code, "error_description": "AADSTS70008: expired\r\nTrace ID: 1", "error_codes": [70008], "trace_id": "t"}),
            )
        },
        ..AuthRules::new(platform, "login.microsoftonline.com")
    };
    Case {
        app: entra(App::public("app").key(KEY)),
        ..case("dynamics", provider, rules)
    }
}

fn mailchimp() -> Case {
    let platform = Platform::from_static("mailchimp");
    let provider = Provider {
        scope_param: None,
        refresh: Refresh::None,
        ..Provider::new(
            platform.clone(),
            "https://login.mailchimp.com/oauth2/authorize",
            "https://login.mailchimp.com/oauth2/token",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth2/authorize",
        token: "/oauth2/token",
        pkce: Pkce::None,
        access_seconds: 0,
        refresh_token: false,
        reply: |issued| {
            json_reply(
                200,
                &json!({"access_token": issued.access_token, "expires_in": 0, "scope": null}),
            )
        },
        ..AuthRules::new(platform, "login.mailchimp.com")
    };
    case("mailchimp", provider, rules)
}

fn wordpress() -> Case {
    let platform = Platform::from_static("wordpress");
    let provider = Provider {
        scopes: &["global"],
        refresh: Refresh::None,
        keep: &["blog_id", "blog_url"],
        ..Provider::new(
            platform.clone(),
            "https://public-api.wordpress.com/oauth2/authorize",
            "https://public-api.wordpress.com/oauth2/token",
        )
    };
    let rules = AuthRules {
        authorize: "/oauth2/authorize",
        token: "/oauth2/token",
        pkce: Pkce::None,
        access_seconds: 0,
        refresh_token: false,
        reply: |issued| {
            reply_with(
                issued,
                json!({"expires_in": null, "token_type": "bearer", "blog_id": "5", "blog_url": "https://acme.wordpress.com"}),
            )
        },
        ..AuthRules::new(platform, "public-api.wordpress.com")
    };
    case("wordpress", provider, rules)
}

fn mautic() -> Case {
    let platform = Platform::from_static("mautic");
    let provider = Provider {
        scope_param: None,
        places: &[Place {
            name: "site",
            default: None,
            callback: None,
        }],
        refresh: Refresh::Token { rotates: true },
        refresh_token_seconds: Some(14 * 86_400),
        ..Provider::new(
            platform.clone(),
            "{site}/oauth/v2/authorize",
            "{site}/oauth/v2/token",
        )
    };
    let rules = AuthRules {
        authorize: "/mautic/oauth/v2/authorize",
        token: "/mautic/oauth/v2/token",
        pkce: Pkce::None,
        rotates: true,
        reply: |issued| reply_with(issued, json!({"scope": null, "token_type": "bearer"})),
        error: |code| {
            json_reply(
                400,
                &json!({"errors": [{"message": "no", "code": 400, "type": code}]}),
            )
        },
        ..AuthRules::new(platform, "mkt.acme.dev")
    };
    Case {
        app: App::new("app", "app-secret").place("site", "https://mkt.acme.dev/mautic/"),
        ..case("mautic", provider, rules)
    }
}

fn mastodon() -> Case {
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

/// No platform of ours does all of this: issuer, rotation, form-encoded replies, plain text errors.
fn names_its_issuer() -> Case {
    let platform = Platform::from_static("issuer");
    let provider = Provider {
        pkce: Pkce::S256,
        client: ClientAuth::BasicAndBody,
        scopes: &["a", "b"],
        refresh: Refresh::Token { rotates: true },
        issuer: Some("https://as.example"),
        ..Provider::new(
            platform.clone(),
            "https://as.example/authorize",
            "https://as.example/token",
        )
    };
    let rules = AuthRules {
        client: ClientAuth::BasicAndBody,
        rotates: true,
        callback: &[("iss", "https://as.example")],
        reply: |issued| {
            let refresh = issued.refresh_token.as_deref().unwrap_or_default();
            text_reply(
                200,
                format!(
                    "access_token={}&refresh_token={refresh}&expires_in=3600&scope=a%20b",
                    issued.access_token
                ),
            )
        },
        error: |code| match code {
            "invalid_grant" => text_reply(400, "error=invalid_grant"),
            code => standard_error(code),
        },
        ..AuthRules::new(platform, "as.example")
    };
    case("one that names its issuer", provider, rules)
}
