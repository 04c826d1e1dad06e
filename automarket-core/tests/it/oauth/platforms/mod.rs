//! Platforms that have no connector yet, each twice: as one would declare it, and as its authorization server behaves. Facts
//! from the platforms' documentation; where both come from one page, a mistake in it is in both. Those that have one are driven
//! in its own tests.

mod business;
mod social;

use automarket_core::{
    Bytes, Platform,
    http_types::Response,
    oauth::{App, ClientAuth, Grant, Pkce, Provider, Refresh},
    testing::{AuthRules, Issued, LoginUnderTest, json_reply, standard_error, text_reply},
};
use serde_json::{Value, json};

use business::{dynamics, hubspot, mailchimp, mautic, pipedrive, salesforce, wordpress, zoho};
use social::{google, mastodon, threads, tiktok};

pub(super) const KEY: &str = include_str!("../../../fixtures/oauth_key.pem");

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) login: LoginUnderTest,
}

fn case(name: &'static str, provider: Provider, rules: AuthRules) -> Case {
    let login = LoginUnderTest::new(provider, rules);
    Case { name, login }
}

impl Case {
    fn app(mut self, app: App) -> Self {
        self.login.app = app;
        self
    }

    /// The same for the app itself.
    fn service(mut self, name: &'static str, grant: Grant) -> Self {
        self.name = name;
        self.login.grant = grant;
        self
    }
}

pub(super) fn cases() -> Vec<Case> {
    let ada = Grant::JwtBearer {
        subject: "ada@acme.dev".to_owned(),
    };
    vec![
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
        hubspot(),
        salesforce(),
        salesforce()
            .app(App::public("app").key(KEY))
            .service("salesforce jwt bearer", ada),
        salesforce().service("salesforce client credentials", Grant::ClientCredentials),
        pipedrive(),
        zoho(),
        dynamics(),
        dynamics().service(
            "dynamics as a service with a certificate",
            Grant::ClientCredentials,
        ),
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
