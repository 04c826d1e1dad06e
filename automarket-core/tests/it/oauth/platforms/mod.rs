//! Each platform twice: as its connector declares it, and as its authorization server behaves. Facts from the
//! platforms' documentation; where both come from one page, a mistake in it is in both.

mod business;
mod social;

use automarket_core::{
    Bytes, Platform,
    http_types::Response,
    oauth::{App, ClientAuth, Pkce, Provider, Refresh, rule},
    testing::{AuthRules, Issued, json_reply, standard_error, text_reply},
};
use serde_json::{Value, json};

use business::{
    dynamics, entra, hubspot, mailchimp, mautic, pipedrive, salesforce, wordpress, zoho,
};
use social::{
    facebook, google, instagram, linkedin, mastodon, slack, slack_user, threads, tiktok, x,
};

pub(super) const KEY: &str = include_str!("../../../fixtures/oauth_key.pem");

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
