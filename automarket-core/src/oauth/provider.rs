use serde_json::Value;

use super::places::Places;
use crate::{Platform, Secret};

/// A platform's OAuth as data: endpoints and the ways in which it differs from the standard. Each connector
/// has one; core has no code for any platform.
///
/// Addresses, scopes and parameters may hold places in braces (`{login}`), see [`places`](Self::places).
///
/// ```
/// use automarket_core::{Platform, oauth::{Pkce, Provider}};
/// let provider = Provider {
///     pkce: Pkce::S256,
///     scopes: &["tweet.write", "offline.access"],
///     ..Provider::new(Platform::X, "https://x.com/i/oauth2/authorize", "https://api.x.com/2/oauth2/token")
/// };
/// # let _ = provider;
/// ```
#[derive(Clone, Debug)]
pub struct Provider {
    /// Which platform.
    pub platform: Platform,
    /// Where the browser is sent.
    pub authorize_url: String,
    /// Where codes are exchanged and tokens refreshed.
    pub token_url: String,
    /// The method of the exchange of a code.
    pub exchange: Method,
    /// How a token is revoked, where that is possible.
    pub revoke: Option<Revocation>,
    /// How an app is registered by call, where each instance wants its own.
    pub registration: Option<Registration>,
    /// Parts of addresses that differ between apps and accounts.
    pub places: &'static [Place],
    /// How the exchange is bound to the browser's request.
    pub pkce: Pkce,
    /// What is asked for unless the host says otherwise.
    pub scopes: &'static [&'static str],
    /// What is asked for by client credentials.
    pub service_scopes: &'static [&'static str],
    /// What stands between scopes.
    pub scope_separator: &'static str,
    /// The name of the parameter; `None` where scopes are fixed in the app's settings.
    pub scope_param: Option<&'static str>,
    /// Scopes that a reply names otherwise: (asked for, granted as). An empty second name: the reply never
    /// names it.
    pub scope_aliases: &'static [(&'static str, &'static str)],
    /// More parameters of the authorize address. One whose place has no value is left out.
    pub authorize_params: &'static [(&'static str, &'static str)],
    /// The name of the client id: `client_id`, or TikTok's `client_key`.
    pub client_id_param: &'static str,
    /// How the app proves who it is.
    pub client: ClientAuth,
    /// What a fresh token is traded for at once: Meta's long-lived tokens.
    pub long_lived: Option<Trade>,
    /// How tokens are renewed.
    pub refresh: Refresh,
    /// The audience of assertions, where the token address is not it.
    pub jwt_audience: Option<&'static str>,
    /// The issuer that the platform names in each callback (RFC 9207).
    pub issuer: Option<&'static str>,
    /// Where in a token reply the tokens stand, as a JSON pointer: Slack's `/authed_user`.
    pub reply_at: &'static str,
    /// Fields of the token reply that the connector needs later, kept in [`TokenSet::extra`](super::TokenSet::extra).
    /// Only name what is no secret.
    pub keep: &'static [&'static str],
    /// An `expires_in` above this is in milliseconds (Zoho's old replies).
    pub milliseconds_above: Option<i64>,
    /// How long a refresh token lives, in seconds, where replies do not say.
    pub refresh_token_seconds: Option<i64>,
    /// The platform's own error codes, beside the standard ones. `code: words` is that code only where the
    /// `error_description`, or Meta's message, begins with these words; of several that fit the first counts.
    pub codes: &'static [(&'static str, Meaning)],
}

impl Provider {
    /// The standard: a code by POST, client in the body, scopes separated by spaces, no PKCE, a refresh
    /// token that stays.
    #[must_use]
    pub fn new(
        platform: Platform,
        authorize_url: impl Into<String>,
        token_url: impl Into<String>,
    ) -> Self {
        Self {
            platform,
            authorize_url: authorize_url.into(),
            token_url: token_url.into(),
            exchange: Method::Post,
            revoke: None,
            registration: None,
            places: &[],
            pkce: Pkce::None,
            scopes: &[],
            service_scopes: &[],
            scope_separator: " ",
            scope_param: Some("scope"),
            scope_aliases: &[],
            authorize_params: &[],
            client_id_param: "client_id",
            client: ClientAuth::Body,
            long_lived: None,
            refresh: Refresh::Token { rotates: false },
            jwt_audience: None,
            issuer: None,
            reply_at: "",
            keep: &[],
            milliseconds_above: None,
            refresh_token_seconds: None,
            codes: &[],
        }
    }
}

/// With which method, and where the parameters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`, in the query.
    Get,
    /// `POST`, as a form.
    Post,
    /// `POST`, in the query (Zoho).
    PostQuery,
    /// `DELETE`, in the query.
    Delete,
}

/// How the exchange of a code is bound to the request that asked for it (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// Not at all: the platform does not take it.
    None,
    /// base64url of SHA-256.
    S256,
    /// Lower-case hex of SHA-256, named S256: TikTok's desktop login.
    S256Hex,
}

/// How an app proves who it is at the token address. An app without secret only names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Id and secret in the form.
    Body,
    /// `Authorization: Basic`.
    Basic,
    /// Both.
    BasicAndBody,
    /// An assertion signed with the app's key (RFC 7523). An app that has a secret instead uses the form.
    PrivateKeyJwt,
}

/// How tokens are renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// They are not: they last until revoked, or end.
    None,
    /// `grant_type=refresh_token`.
    Token {
        /// Whether each reply brings a new refresh token and kills the old one. Such a refresh is never
        /// repeated blindly.
        rotates: bool,
    },
    /// The access token is traded for its successor while it lives.
    Trade(Trade),
}

/// One access token for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Where.
    pub url: &'static str,
    /// The `grant_type`.
    pub grant: &'static str,
    /// The parameter that holds the token to be traded.
    pub token_param: &'static str,
    /// What of the app goes along.
    pub client: TradeClient,
}

/// What of the app goes along with a [`Trade`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeClient {
    /// Nothing.
    None,
    /// The secret.
    Secret,
    /// Id and secret.
    IdAndSecret,
}

/// How a token is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Where.
    pub url: &'static str,
    /// With which method.
    pub method: Method,
    /// Who asks.
    pub by: RevokeBy,
    /// Whether the refresh token is named rather than the access token, where there is one.
    pub refresh_token: bool,
}

/// Who asks for a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeBy {
    /// The app, with its proof, and the parameter `token`.
    Client,
    /// Whoever knows the token: the parameter `token` alone.
    Anyone,
    /// The token itself, as `Authorization: Bearer`.
    Bearer,
}

/// How an app is registered by call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where.
    pub url: &'static str,
    /// Whether as JSON (RFC 7591) or as a form (Mastodon).
    pub json: bool,
    /// The field of the scopes: `scope`, or Mastodon's `scopes`.
    pub scope_field: &'static str,
}

/// A part of addresses that differs between apps (an own instance, an Entra tenant) or accounts (a data
/// centre). At the beginning of an address it is an origin, with or without a path; elsewhere a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, in braces in addresses and bare in [`App::extra`].
    pub name: &'static str,
    /// What it is unless the app says otherwise.
    pub default: Option<&'static str>,
    /// The parameter of the callback that sets it for the account, and the only values that are believed:
    /// the app's secret is sent there. An empty list believes none.
    pub callback: Option<(&'static str, &'static [&'static str])>,
}

/// What a platform's own error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Code or refresh token are expired, used or revoked: the account has to be connected again.
    GrantDead,
    /// The user said no.
    Denied,
    /// The app's id, secret or key are wrong, or it may not do this.
    Client,
    /// The redirect address is not the registered one.
    RedirectUri,
    /// A scope that the app may not ask for.
    Scope,
    /// The request is wrong.
    Request,
    /// Too many requests.
    Wait,
    /// The platform is failing.
    Failing,
}

/// The host's own app on a platform, or a tenant's.
#[derive(Clone, Debug)]
pub struct App {
    /// Tells several apps of one platform apart; empty for the only one.
    pub name: String,
    /// Its id.
    pub client_id: String,
    /// Its secret; a public client has none.
    pub client_secret: Option<Secret>,
    /// Its RSA key as PKCS#8 PEM, for platforms that take signed assertions.
    pub key: Option<Secret>,
    /// The redirect addresses that it is registered with. When there are any, no other is used.
    pub redirect_uris: Vec<String>,
    /// Values of [`Provider::places`], and what else the connector needs. Never a secret.
    pub extra: Value,
}

impl App {
    /// An app with id and secret.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            client_secret: Some(Secret::new(client_secret)),
            ..Self::public(client_id)
        }
    }

    /// An app without secret.
    #[must_use]
    pub fn public(client_id: impl Into<String>) -> Self {
        Self {
            name: String::new(),
            client_id: client_id.into(),
            client_secret: None,
            key: None,
            redirect_uris: Vec::new(),
            extra: Value::Null,
        }
    }

    /// Names it, to tell it from others of its platform.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets its RSA key (PKCS#8 PEM).
    #[must_use]
    pub fn key(mut self, pem: impl Into<String>) -> Self {
        self.key = Some(Secret::new(pem));
        self
    }

    /// Adds a redirect address that it is registered with.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// The values of the platform's places, as this app or the platform's data say them; `Null` where there
    /// are none. They go into [`TokenSet::at_places`](super::TokenSet::at_places), so that the connector knows
    /// where an account lives.
    #[must_use]
    pub fn places(&self, provider: &Provider) -> Value {
        let places = Places::of(provider, self, &Value::Null);
        places.into_value()
    }

    /// Sets the value of a place.
    #[must_use]
    pub fn place(mut self, name: &str, value: impl Into<String>) -> Self {
        if !self.extra.is_object() {
            self.extra = Value::Object(serde_json::Map::new());
        }
        self.extra[name] = Value::String(value.into());
        self
    }
}
