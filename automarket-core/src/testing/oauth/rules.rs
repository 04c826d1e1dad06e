use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Platform,
    oauth::{ClientAuth, Method, Pkce},
    testing::json_reply,
};

/// How an [`AuthServer`](super::AuthServer) behaves. Written from a platform's sheet, not from its
/// [`Provider`](crate::oauth::Provider), so that mistakes of the one are seen by the other.
#[derive(Clone, Debug)]
pub struct AuthRules {
    /// Which platform it plays.
    pub platform: Platform,
    /// The host names it answers for.
    pub hosts: Vec<String>,
    /// Path of the page where the user agrees.
    pub authorize: &'static str,
    /// Path of the token address.
    pub token: &'static str,
    /// The method by which a code is exchanged.
    pub token_method: Method,
    /// Method and path of the revocation.
    pub revoke: Option<(Method, &'static str)>,
    /// Path where apps are registered.
    pub register: Option<&'static str>,
    /// Whether an app that is registered by call is a public one, without secret.
    pub registers_public: bool,
    /// Where one access token is traded for another.
    pub trades: &'static [TradeRule],
    /// The app that it knows.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Its RSA key (PKCS#8 PEM), against which assertions are checked.
    pub key: Option<&'static str>,
    /// The audience that assertions have to name.
    pub audience: &'static str,
    /// Where the app may be called back.
    pub redirect_uris: Vec<String>,
    /// The name of the client id.
    pub client_id_param: &'static str,
    /// How the app has to prove who it is.
    pub client: ClientAuth,
    /// What it asks for as proof of the exchange.
    pub pkce: Pkce,
    /// What stands between scopes in the request.
    pub separator: &'static str,
    /// What else the callback carries.
    pub callback: &'static [(&'static str, &'static str)],
    /// The life of a code in seconds.
    pub code_seconds: i64,
    /// The life of an access token in seconds; 0 is for ever.
    pub access_seconds: i64,
    /// Whether it gives refresh tokens.
    pub refresh_token: bool,
    /// The life of a refresh token in seconds; 0 is for ever.
    pub refresh_seconds: i64,
    /// Whether each refresh gives a new refresh token and kills the old. Using a killed one revokes the whole
    /// family.
    pub rotates: bool,
    /// How it writes a token reply.
    pub reply: fn(&Issued) -> Response<Bytes>,
    /// How it says an error of RFC 6749.
    pub error: fn(&str) -> Response<Bytes>,
    /// The accounts that a token speaks for: `GET /me` lists them with id and name.
    pub accounts: Vec<(String, String)>,
    /// Whether each account has a token of its own.
    pub account_tokens: bool,
}

impl AuthRules {
    /// A server that keeps to the standard, on one host, with the app `app` and `app-secret`.
    #[must_use]
    pub fn new(platform: Platform, host: &str) -> Self {
        Self {
            platform,
            hosts: vec![host.to_owned()],
            authorize: "/authorize",
            token: "/token",
            token_method: Method::Post,
            revoke: None,
            register: None,
            registers_public: false,
            trades: &[],
            client_id: "app".to_owned(),
            client_secret: "app-secret".to_owned(),
            key: None,
            audience: "",
            redirect_uris: vec!["https://acme.dev/callback".to_owned()],
            client_id_param: "client_id",
            client: ClientAuth::Body,
            pkce: Pkce::S256,
            separator: " ",
            callback: &[],
            code_seconds: 60,
            access_seconds: 3600,
            refresh_token: true,
            refresh_seconds: 0,
            rotates: false,
            reply: standard_reply,
            error: standard_error,
            accounts: vec![("1".to_owned(), "Acme".to_owned())],
            account_tokens: false,
        }
    }

    /// Whether a page of the login is at this path.
    pub(super) fn has_page(&self, path: &str) -> bool {
        let revoke = self.revoke.map(|(_, path)| path);
        [self.authorize, self.token].contains(&path)
            || [revoke, self.register].contains(&Some(path))
            || self.trades.iter().any(|rule| rule.path == path)
    }
}

/// Where one access token is traded for another.
#[derive(Clone, Copy, Debug)]
pub struct TradeRule {
    /// Path of the `GET`.
    pub path: &'static str,
    /// The `grant_type` that it takes.
    pub grant: &'static str,
    /// The parameter of the old token.
    pub token_param: &'static str,
    /// Whether it wants the app's id.
    pub id: bool,
    /// Whether it wants the app's secret.
    pub secret: bool,
    /// The life of the new one in seconds.
    pub seconds: i64,
}

/// Tokens that were just given.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are what they are")]
pub struct Issued {
    pub access_token: String,
    pub refresh_token: Option<String>,
    /// The life of the access token in seconds; 0 is for ever.
    pub seconds: i64,
    pub scopes: Vec<String>,
}

/// What the user does on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserSays {
    /// Agrees to everything.
    #[default]
    Yes,
    /// Declines.
    No,
    /// Agrees to these scopes only.
    Only(Vec<String>),
}

/// A token reply by the standard.
#[must_use]
pub fn standard_reply(issued: &Issued) -> Response<Bytes> {
    let mut body = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "scope": issued.scopes.join(" "),
    });
    if issued.seconds > 0 {
        body["expires_in"] = issued.seconds.into();
    }
    if let Some(refresh) = &issued.refresh_token {
        body["refresh_token"] = Value::String(refresh.clone());
    }
    json_reply(200, &body)
}

/// An error by the standard.
#[must_use]
pub fn standard_error(code: &str) -> Response<Bytes> {
    let status = if code == "invalid_client" { 401 } else { 400 };
    json_reply(
        status,
        &json!({"error": code, "error_description": "see the standard"}),
    )
}
