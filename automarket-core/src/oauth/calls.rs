//! The calls of the flow, and the address where it begins.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::Method as HttpMethod;
use serde_json::{Value, json};
use url::Url;

use super::{
    App, ClientAuth, Grant, Method, Pkce, Provider, Refresh, RevokeBy, TokenSet, Trade,
    TradeClient, jwt, pkce::challenge_of, places::Places, random, redirect::check_registered, rule,
};
use crate::{Error, ErrorKind, Result, Secret, http::Call};

/// More than any token reply has.
const MAX_BODY: usize = 256 * 1024;
/// How long an assertion is good for, in seconds.
const ASSERTION: i64 = 180;

/// Where the browser is sent. `scopes` of `None` are the provider's.
///
/// # Errors
/// `InvalidInput` for a redirect address that is none, or that the app is not registered with
/// ([`rule::REDIRECT_URI`]), and for a verifier that is none; `Config` for a place without value
/// ([`rule::PLACE`]).
pub fn authorize_url(
    provider: &Provider,
    app: &App,
    redirect_uri: &str,
    scopes: Option<&[String]>,
    state: &Secret,
    verifier: &Secret,
) -> Result<Url> {
    check_registered(app, redirect_uri)?;
    let places = Places::of(provider, app, &Value::Null);
    let mut url = places.address(&provider.authorize_url)?;
    let scopes = requested_scopes(provider, app, scopes)?;
    let challenge = challenge_of(provider.pkce, verifier.expose())?;
    let mut pairs = vec![
        ("response_type", "code".to_owned()),
        (provider.client_id_param, app.client_id.clone()),
        ("redirect_uri", redirect_uri.to_owned()),
    ];
    if let Some(param) = provider.scope_param
        && !scopes.is_empty()
    {
        pairs.push((param, scopes.join(provider.scope_separator)));
    }
    pairs.push(("state", state.expose().to_owned()));
    if let Some(challenge) = challenge {
        pairs.push(("code_challenge", challenge));
        pairs.push(("code_challenge_method", "S256".to_owned()));
    }
    for (name, value) in provider.authorize_params {
        if let Ok(value) = places.text(value) {
            pairs.push((name, value));
        }
    }
    url.query_pairs_mut().extend_pairs(pairs);
    // A space as `%20`: not every page reads `+` so.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Ok(url)
}

/// The scopes that are asked for: the host's or the provider's, with their places filled in.
///
/// # Errors
/// `Config` for a place without value.
pub fn requested_scopes(
    provider: &Provider,
    app: &App,
    scopes: Option<&[String]>,
) -> Result<Vec<String>> {
    let places = Places::of(provider, app, &Value::Null);
    match scopes {
        Some(scopes) => Ok(scopes.to_vec()),
        None => provider.scopes.iter().map(|s| places.text(s)).collect(),
    }
}

/// Which of the scopes that were asked for were not granted; none where the platform does not say.
#[must_use]
pub fn missing_scopes(
    provider: &Provider,
    requested: &[String],
    granted: Option<&[String]>,
) -> Vec<String> {
    let Some(granted) = granted else {
        return Vec::new();
    };
    let has = |scope: &String| {
        granted.contains(scope)
            || provider.scope_aliases.iter().any(|(asked, named)| {
                asked == scope && (named.is_empty() || granted.iter().any(|g| g == named))
            })
    };
    requested
        .iter()
        .filter(|scope| !has(scope))
        .cloned()
        .collect()
}

/// Exchanges a code for tokens. `places` are the callback's ([`Callback::places`](super::Callback::places)).
/// A code is good once: never repeat the call.
///
/// # Errors
/// `Config` for a place without value, or a key that cannot sign.
pub fn exchange_call(
    provider: &Provider,
    app: &App,
    places: &Value,
    code: &Secret,
    redirect_uri: &str,
    verifier: &Secret,
    now: DateTime<Utc>,
) -> Result<Call> {
    let mut form = Form::of("oauth.exchange", provider, app, places);
    form.add("grant_type", "authorization_code");
    form.secret("code", code);
    form.add("redirect_uri", redirect_uri);
    if provider.pkce != Pkce::None {
        form.secret("code_verifier", verifier);
    }
    form.client(now)?;
    form.call(&provider.token_url, provider.exchange)
}

/// Trades a fresh token for a long-lived one; `None` where the platform has no such thing.
///
/// # Errors
/// `Config` for a place without value, or an app without secret.
pub fn long_lived_call(provider: &Provider, app: &App, tokens: &TokenSet) -> Result<Option<Call>> {
    let trade = |trade| trade_call("oauth.long_lived", provider, app, tokens, trade);
    provider.long_lived.as_ref().map(trade).transpose()
}

/// Renews tokens in the way in which they were had; `None` when they cannot be renewed. The reply is read with
/// [`read_token_reply`](super::read_token_reply), and what comes is laid over the old with
/// [`TokenSet::renewed`].
///
/// Where refresh tokens rotate the call is a write: a lost answer may have used the token up.
///
/// # Errors
/// `Config` for a place without value, or a key that cannot sign.
pub fn refresh_call(
    provider: &Provider,
    app: &App,
    tokens: &TokenSet,
    now: DateTime<Utc>,
) -> Result<Option<Call>> {
    match (&tokens.grant, &provider.refresh) {
        (Grant::ClientCredentials, _) => client_credentials_call(provider, app, now).map(Some),
        (Grant::JwtBearer { subject }, _) => jwt_bearer_call(provider, app, subject, now).map(Some),
        (Grant::Derived, _) | (Grant::Code, Refresh::None) => Ok(None),
        (Grant::Code, Refresh::Trade(trade)) => {
            trade_call("oauth.refresh", provider, app, tokens, trade).map(Some)
        }
        (Grant::Code, Refresh::Token { rotates }) => {
            let Some(token) = &tokens.refresh_token else {
                return Ok(None);
            };
            let mut form = Form::of("oauth.refresh", provider, app, &tokens.extra["places"]);
            form.add("grant_type", "refresh_token");
            form.secret("refresh_token", token);
            form.client(now)?;
            let call = form.call(&provider.token_url, Method::Post)?;
            Ok(Some(if *rotates { call } else { call.repeatable() }))
        }
    }
}

/// Tokens for the app itself, with [`Provider::service_scopes`].
///
/// # Errors
/// `Config` for a place without value, or a key that cannot sign.
pub fn client_credentials_call(provider: &Provider, app: &App, now: DateTime<Utc>) -> Result<Call> {
    let mut form = Form::of("oauth.client_credentials", provider, app, &Value::Null);
    let scopes = provider.service_scopes.iter();
    let scopes: Vec<String> = scopes.map(|s| form.places.text(s)).collect::<Result<_>>()?;
    form.add("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.add("scope", scopes.join(provider.scope_separator));
    }
    form.client(now)?;
    Ok(form.call(&provider.token_url, Method::Post)?.repeatable())
}

/// Tokens for the app in the name of a user who, or whose administrator, agreed beforehand (RFC 7523).
///
/// # Errors
/// `Config` for a place without value, or a key that cannot sign.
pub fn jwt_bearer_call(
    provider: &Provider,
    app: &App,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<Call> {
    let mut form = Form::of("oauth.jwt_bearer", provider, app, &Value::Null);
    form.add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = json!({
        "iss": app.client_id,
        "sub": subject,
        "aud": form.audience()?,
        "exp": now.timestamp() + ASSERTION,
    });
    form.secret("assertion", &jwt::sign(app, &claims)?);
    Ok(form.call(&provider.token_url, Method::Post)?.repeatable())
}

/// Revokes tokens; `None` where the platform cannot. The reply is read with
/// [`read_revocation`](super::read_revocation).
///
/// # Errors
/// `Config` for a place without value, or a key that cannot sign.
pub fn revoke_call(
    provider: &Provider,
    app: &App,
    tokens: &TokenSet,
    now: DateTime<Utc>,
) -> Result<Option<Call>> {
    let Some(revoke) = provider
        .revoke
        .as_ref()
        .filter(|_| tokens.grant != Grant::Derived)
    else {
        return Ok(None);
    };
    let token = match &tokens.refresh_token {
        Some(token) if revoke.refresh_token => token,
        _ => &tokens.access_token,
    };
    let mut form = Form::of("oauth.revoke", provider, app, &tokens.extra["places"]);
    if revoke.by != RevokeBy::Bearer {
        form.secret("token", token);
    }
    if revoke.by == RevokeBy::Client {
        form.client(now)?;
    }
    let call = form.call(revoke.url, revoke.method)?.repeatable();
    Ok(Some(match revoke.by {
        RevokeBy::Bearer => call.bearer(token),
        RevokeBy::Client | RevokeBy::Anyone => call,
    }))
}

fn trade_call(
    operation: &'static str,
    provider: &Provider,
    app: &App,
    tokens: &TokenSet,
    trade: &Trade,
) -> Result<Call> {
    let mut form = Form::of(operation, provider, app, &tokens.extra["places"]);
    form.add("grant_type", trade.grant);
    if trade.client == TradeClient::IdAndSecret {
        form.add(provider.client_id_param, &app.client_id);
    }
    if trade.client != TradeClient::None {
        let secret = app.client_secret.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "this platform wants an app with a secret",
            )
            .with_rule(rule::CLIENT)
        })?;
        form.secret("client_secret", secret);
    }
    form.secret(trade.token_param, &tokens.access_token);
    form.call(trade.url, Method::Get)
}

/// The parameters of a call to the token address, with the app's proof.
struct Form<'a> {
    operation: &'static str,
    provider: &'a Provider,
    app: &'a App,
    places: Places,
    pairs: Vec<(&'static str, String)>,
    secrets: Vec<Secret>,
    basic: bool,
}

impl<'a> Form<'a> {
    fn of(operation: &'static str, provider: &'a Provider, app: &'a App, account: &Value) -> Self {
        Self {
            operation,
            provider,
            app,
            places: Places::of(provider, app, account),
            pairs: Vec::new(),
            secrets: Vec::new(),
            basic: false,
        }
    }

    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.pairs.push((name, value.into()));
    }

    fn secret(&mut self, name: &'static str, value: &Secret) {
        self.add(name, value.expose());
        self.secrets.push(value.clone());
    }

    /// The app's proof of who it is.
    fn client(&mut self, now: DateTime<Utc>) -> Result<()> {
        let app = self.app;
        let id = self.provider.client_id_param;
        match (self.provider.client, &app.client_secret) {
            (ClientAuth::PrivateKeyJwt, _) if app.key.is_some() => {
                self.add(id, &app.client_id);
                let claims = json!({
                    "iss": app.client_id,
                    "sub": app.client_id,
                    "aud": self.audience()?,
                    "jti": random()?.expose(),
                    "iat": now.timestamp(),
                    "exp": now.timestamp() + ASSERTION,
                });
                self.add(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                self.secret("client_assertion", &jwt::sign(app, &claims)?);
            }
            (_, None) => self.add(id, &app.client_id),
            (ClientAuth::Body | ClientAuth::PrivateKeyJwt, Some(secret)) => {
                self.add(id, &app.client_id);
                self.secret("client_secret", secret);
            }
            (ClientAuth::Basic, Some(_)) => self.basic = true,
            (ClientAuth::BasicAndBody, Some(secret)) => {
                self.basic = true;
                self.add(id, &app.client_id);
                self.secret("client_secret", secret);
            }
        }
        Ok(())
    }

    fn audience(&self) -> Result<String> {
        let address = self.provider.jwt_audience;
        match address {
            Some(audience) => self.places.text(audience),
            None => Ok(self.places.address(&self.provider.token_url)?.to_string()),
        }
    }

    fn call(self, url: &str, method: Method) -> Result<Call> {
        let mut url = self.places.address(url)?;
        let pairs = self
            .pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let in_query = method != Method::Post;
        let method = match method {
            Method::Get => HttpMethod::GET,
            Method::Post | Method::PostQuery => HttpMethod::POST,
            Method::Delete => HttpMethod::DELETE,
        };
        if in_query && !self.pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs.clone());
        }
        let mut call = Call::new(self.operation, method, url.as_str())?
            .max_body(MAX_BODY)
            .header("accept", "application/json")?;
        if !in_query {
            call = call.form(pairs);
        }
        if let (true, Some(secret)) = (self.basic, &self.app.client_secret) {
            let (id, escaped) = (basic(&self.app.client_id), basic(secret.expose()));
            let pair = STANDARD.encode(format!("{id}:{escaped}"));
            call = call
                .basic(&id, &Secret::new(escaped))
                .masking(secret)
                .masking(&Secret::new(pair));
        }
        Ok(self
            .secrets
            .iter()
            .fold(call, |call, secret| call.masking(secret)))
    }
}

/// A half of a Basic pair, with what would be read otherwise escaped (RFC 6749, 2.3.1).
fn basic(half: &str) -> String {
    let mut out = String::new();
    for c in half.chars() {
        match c {
            '%' | ':' | '+' | '&' | '=' | ' ' => out.push_str(&format!("%{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
