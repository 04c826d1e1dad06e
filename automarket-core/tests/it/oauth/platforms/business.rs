//! CRMs, mail and sites.

use automarket_core::{
    Platform,
    oauth::{
        App, ClientAuth, Meaning, Method, Pkce, Place, Provider, Refresh, Revocation, RevokeBy,
    },
    testing::{AuthRules, json_reply},
};
use serde_json::json;

use super::{Case, KEY, case, reply_with};

pub(super) fn hubspot() -> Case {
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

pub(super) fn salesforce() -> Case {
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

pub(super) fn pipedrive() -> Case {
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

pub(super) fn zoho() -> Case {
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
            method: Method::PostQuery,
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
        revoke: Some((Method::PostQuery, "/oauth/v2/token/revoke")),
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

pub(super) fn dynamics() -> Case {
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
    case("dynamics", provider, rules).app(entra(App::public("app").key(KEY)))
}

pub(super) fn mailchimp() -> Case {
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

pub(super) fn wordpress() -> Case {
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

pub(super) fn mautic() -> Case {
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
    let app = App::new("app", "app-secret").place("site", "https://mkt.acme.dev/mautic/");
    case("mautic", provider, rules).app(app)
}
