use std::{
    fmt::{Debug, Display, Write as _},
    sync::Arc,
};

use chrono::{DateTime, Duration, Utc};

use super::{AuthRules, AuthServer, UserSays};
use crate::{
    Context, Result, Secret,
    http::{Call, Reply},
    oauth::{
        App, Callback, Cause, Grant, Provider, Refresh, TokenSet, authorize_url,
        client_credentials_call, exchange_call, jwt_bearer_call, long_lived_call, missing_scopes,
        read_callback, read_registration, read_revocation, read_token_reply, refresh_call,
        register_call, requested_scopes, revoke_call, rule,
    },
    testing::{
        ManualClock, Sandbox,
        outcome::{err, ok},
    },
};

const REDIRECT: &str = "https://acme.dev/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A platform's login twice: as it is declared, and as the platform's authorization server behaves.
pub struct LoginUnderTest {
    /// The login as it is declared.
    pub provider: Provider,
    /// Our app there.
    pub app: App,
    /// How the server behaves.
    pub rules: AuthRules,
    /// How tokens are had.
    pub grant: Grant,
}

impl LoginUnderTest {
    /// A user's login for the app that [`AuthRules::new`] knows.
    #[must_use]
    pub fn new(provider: Provider, rules: AuthRules) -> Self {
        Self {
            provider,
            app: App::new("app", "app-secret"),
            rules,
            grant: Grant::Code,
        }
    }

    /// Drives it through its whole life: a user who declines, a wrong secret, a dead code, the exchange, the renewal, the
    /// revocation. Gives what was sent and what was read of it, line by line, to be held against a golden text.
    ///
    /// # Panics
    /// When a step ends otherwise than it has to.
    pub async fn live(self) -> String {
        let mut life = Life::new(self);
        life.whole().await;
        life.transcript
    }
}

impl Debug for LoginUnderTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginUnderTest")
            .field("platform", &self.provider.platform)
            .finish_non_exhaustive()
    }
}

/// A login and its server, with what was sent so far.
struct Life {
    login: LoginUnderTest,
    server: Arc<AuthServer>,
    clock: ManualClock,
    cx: Context,
    transcript: String,
}

impl Life {
    fn new(login: LoginUnderTest) -> Self {
        let server = Arc::new(AuthServer::new(login.rules.clone()));
        let clock = ManualClock::parse("2026-11-25T12:00:00Z");
        let sandbox = Sandbox::new()
            .with(server.clone())
            .with_clock(Arc::new(clock.clone()));
        let cx = Context::new(sandbox).with_clock(Arc::new(clock.clone()));
        Self {
            login,
            server,
            clock,
            cx,
            transcript: String::new(),
        }
    }

    async fn whole(&mut self) {
        if self.login.provider.registration.is_some() {
            self.registered().await;
        }
        let (provider, app, now) = (&self.login.provider, &self.login.app, self.cx.now());
        let grant = self.login.grant.clone();
        let call = match &grant {
            Grant::ClientCredentials => Some(client_credentials_call(provider, app, now)),
            Grant::JwtBearer { subject } => Some(jwt_bearer_call(provider, app, subject, now)),
            Grant::Code | Grant::Derived => None,
        };
        let tokens = match call {
            Some(call) => {
                let tokens = ok(self.tokens(ok(call, "the call for tokens")).await, "tokens");
                TokenSet { grant, ..tokens }
            }
            None => {
                self.refusals().await;
                self.connected().await
            }
        };
        assert!(self.works(&tokens));
        let tokens = self.renewed(tokens).await;
        self.revoked(tokens).await;
    }

    /// An app of its own for the instance.
    async fn registered(&mut self) {
        let (provider, app) = (&self.login.provider, &self.login.app);
        let call = register_call(provider, app, "Acme", REDIRECT);
        let call = ok(call, "the call that registers an app");
        self.show(&call);
        let reply = self.call(call).await;
        let app = read_registration(&self.login.app, REDIRECT, &reply, self.cx.now());
        self.login.app = ok(app, "the registration");
    }

    /// The browser goes to the platform and comes back.
    async fn browser(&mut self, state: &str) -> Result<Callback> {
        let (state, verifier) = (Secret::new(state), Secret::new(VERIFIER));
        let (provider, app) = (&self.login.provider, &self.login.app);
        let url = authorize_url(provider, app, REDIRECT, None, &state, &verifier);
        let url = ok(url, "the address of the login");
        let call = ok(Call::get("browser", url.as_str()), "the browser's call");
        let last = self.transcript.lines().last();
        if last.is_none_or(|last| !last.starts_with("GET")) {
            self.show(&call);
        }
        let reply = self.call(call).await;
        assert_eq!(reply.status, 302, "{}", reply.excerpt());
        let back = reply.header("location").and_then(|to| to.split_once('?'));
        let Some((REDIRECT, query)) = back else {
            panic!("the browser is sent to {back:?}");
        };
        read_callback(query, state.expose(), self.login.provider.issuer)
    }

    fn exchange(&self, app: &App, callback: &Callback) -> Call {
        let provider = &self.login.provider;
        let places = ok(callback.places(provider, app), "places");
        let (code, verifier) = (&callback.code, Secret::new(VERIFIER));
        let now = self.cx.now();
        let call = exchange_call(provider, app, &places, code, REDIRECT, &verifier, now);
        ok(call, "the exchange")
    }

    async fn connected(&mut self) -> TokenSet {
        let callback = ok(self.browser("state-1").await, "the callback");
        let call = self.exchange(&self.login.app, &callback);
        self.show(&call);
        let mut tokens = ok(self.tokens(call).await, "the exchange's reply");
        let (provider, app) = (&self.login.provider, &self.login.app);
        let places = ok(callback.places(provider, app), "places");
        if !places.is_null() {
            tokens = tokens.at_places(places);
        }
        let asked = ok(requested_scopes(provider, app, None), "scopes");
        let missing = missing_scopes(provider, &asked, tokens.scopes.as_deref());
        let unnamed = provider.reply_at.is_empty();
        assert!(missing.is_empty() || !unnamed, "{missing:?}");
        let long = long_lived_call(provider, app, &tokens);
        if let Some(call) = ok(long, "the call for a long-lived token") {
            self.show(&call);
            let long = ok(self.tokens(call).await, "a long-lived token");
            tokens = tokens.renewed(long);
        }
        tokens
    }

    /// What users, wrong codes and wrong secrets are answered.
    async fn refusals(&mut self) {
        self.server.user(UserSays::No);
        let denied = err(self.browser("state-0").await, "a login that is declined");
        assert_eq!(denied.rule(), Some(rule::DENIED));
        assert_eq!(Cause::of(&denied), Cause::User);
        self.server.user(UserSays::Yes);

        let callback = ok(self.browser("state-0").await, "the callback");
        let wrong_app = App {
            client_secret: Some(Secret::new("wrong-secret")),
            key: None,
            ..self.login.app.clone()
        };
        let call = self.exchange(&wrong_app, &callback);
        let refused = err(self.tokens(call).await, "a wrong secret");
        assert_eq!(refused.rule(), Some(rule::CLIENT), "{refused:?}");
        assert_eq!(Cause::of(&refused), Cause::Configuration);

        // The code has died meanwhile.
        let life = Duration::seconds(self.login.rules.code_seconds + 1);
        self.clock.advance(life);
        let call = self.exchange(&self.login.app, &callback);
        let refused = err(self.tokens(call).await, "a dead code");
        assert_eq!(refused.rule(), Some(rule::INVALID_GRANT), "{refused:?}");
        let text = format!("{refused:?} {}", refused.report());
        assert!(!text.contains(callback.code.expose()), "{text}");
        assert!(!text.contains("app-secret"), "{text}");
    }

    /// Renewed once when it has died, and never by a token that was used.
    async fn renewed(&mut self, old: TokenSet) -> TokenSet {
        let Some(call) = self.renewal(&old) else {
            match self.login.provider.refresh {
                Refresh::None => {}
                Refresh::Token { .. } => assert!(old.refresh_token.is_none()),
                Refresh::Trade(_) => panic!("no trade for its successor"),
            }
            return old;
        };
        let trades = matches!(self.login.provider.refresh, Refresh::Trade(_));
        // A trade is made while the old one lives, a refresh after.
        let now = self.cx.now();
        let life = old.expires_at.map_or(Duration::hours(2), |end| end - now);
        self.clock.advance(match trades {
            true => life / 2,
            false => life + Duration::seconds(1),
        });
        assert_eq!(self.works(&old), trades);
        // An assertion is made anew, and the golden one is of the first second.
        let again = self.renewal(&old).unwrap_or_else(|| call.clone());
        self.show(&call);
        let new = ok(self.tokens(again).await, "the renewal");
        let tokens = old.clone().renewed(new);
        assert!(self.works(&tokens));
        assert_eq!(tokens.refresh_token.is_some(), old.refresh_token.is_some());
        assert_eq!(tokens.scopes, old.scopes);
        assert_eq!(tokens.base_url, old.base_url);
        assert_eq!(tokens.extra, old.extra);

        let used = self.login.rules.rotates && old.refresh_token.is_some();
        match self.renewal(&old).filter(|_| used) {
            None => tokens,
            Some(call) => {
                // Somebody uses the old one again: the server takes everything back.
                let refused = err(self.tokens(call).await, "a refresh token that was used");
                assert_eq!(refused.rule(), Some(rule::INVALID_GRANT));
                assert!(!self.works(&tokens));
                self.connected().await
            }
        }
    }

    fn renewal(&self, tokens: &TokenSet) -> Option<Call> {
        let (provider, app) = (&self.login.provider, &self.login.app);
        let call = refresh_call(provider, app, tokens, self.cx.now());
        ok(call, "the call that renews")
    }

    async fn revoked(&mut self, tokens: TokenSet) {
        let (provider, app) = (&self.login.provider, &self.login.app);
        let call = revoke_call(provider, app, &tokens, self.cx.now());
        let Some(call) = ok(call, "the call that revokes") else {
            return;
        };
        if self.login.grant != Grant::Code {
            return;
        }
        self.show(&call);
        let reply = self.call(call.clone()).await;
        let read = |reply| read_revocation(&self.login.provider, reply, self.cx.now());
        assert!(read(&reply).is_ok(), "{}", reply.excerpt());
        assert!(!self.works(&tokens));
        // A token that nobody knows is an error, and never taken for revoked.
        let unknown = AuthServer::new(self.login.rules.clone());
        let elsewhere = Context::new(Sandbox::new().with(Arc::new(unknown)));
        let reply = ok(elsewhere.call(call).await, "the server's answer");
        assert!(read(&reply).is_err(), "{}", reply.excerpt());
    }

    fn works(&self, tokens: &TokenSet) -> bool {
        let token = tokens.access_token.expose();
        self.server.works(token, self.cx.now())
    }

    async fn call(&self, call: Call) -> Reply {
        ok(self.cx.call(call).await, "the server's answer")
    }

    /// Makes the call, reads the tokens and writes down what was read.
    async fn tokens(&mut self, call: Call) -> Result<TokenSet> {
        let reply = self.call(call).await;
        let now = self.cx.now();
        let tokens = read_token_reply(&self.login.provider, &reply, now)?;
        let life = |end: Option<DateTime<Utc>>| {
            end.map_or("?".to_owned(), |end| (end - now).num_seconds().to_string())
        };
        self.line(format_args!(
            "   read {} for {}s, refresh {} for {}s, scopes {:?}, type {:?}, base {}, extra {}",
            tokens.access_token.expose(),
            life(tokens.expires_at),
            tokens.refresh_token.as_ref().map_or("none", Secret::expose),
            life(tokens.refresh_expires_at),
            tokens.scopes,
            tokens.token_type,
            tokens.base_url.as_ref().map_or("none", |url| url.as_str()),
            tokens.extra,
        ));
        Ok(tokens)
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a text does not fail.
        let _ = writeln!(self.transcript, "{line}");
    }

    fn show(&mut self, call: &Call) {
        let request = call.request();
        self.line(format_args!("{} {}", request.method(), request.uri()));
        if let Some(value) = request.headers().get("authorization") {
            let value = String::from_utf8_lossy(value.as_bytes());
            self.line(format_args!("   authorization: {value}"));
        }
        if !request.body().is_empty() {
            let body = String::from_utf8_lossy(request.body());
            // Signatures differ with the key and the second.
            let pairs = body.split('&').map(|pair| match pair.split_once('=') {
                Some((name @ ("assertion" | "client_assertion"), _)) => format!("{name}=<jwt>"),
                _ => pair.to_owned(),
            });
            let body = pairs.collect::<Vec<_>>().join("&");
            self.line(format_args!("   {body}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Platform, oauth::Pkce, testing::Fake as _};

    fn standard() -> Life {
        let platform = Platform::from_static("standard");
        let rules = AuthRules::new(platform.clone(), "as.example");
        let provider = Provider {
            pkce: Pkce::S256,
            scopes: &["read", "write", "offline"],
            ..Provider::new(
                platform,
                "https://as.example/authorize",
                "https://as.example/token",
            )
        };
        Life::new(LoginUnderTest::new(provider, rules))
    }

    #[tokio::test]
    async fn a_code_used_twice_costs_the_tokens_of_both() {
        let mut life = standard();
        let callback = life.browser("s").await.unwrap();
        let call = |life: &Life| life.exchange(&life.login.app, &callback);
        let first = life.tokens(call(&life)).await.unwrap();
        let refused = life.tokens(call(&life)).await.unwrap_err();
        assert_eq!(refused.rule(), Some(rule::INVALID_GRANT));
        assert!(!life.works(&first));
        assert_eq!(life.server.effects().len(), 2);
    }

    #[tokio::test]
    async fn scopes_that_were_not_granted_are_named() {
        let mut life = standard();
        life.server.user(UserSays::Only(vec!["read".to_owned()]));
        let callback = life.browser("s").await.unwrap();
        let call = life.exchange(&life.login.app, &callback);
        let tokens = life.tokens(call).await.unwrap();
        let (provider, app) = (&life.login.provider, &life.login.app);
        let asked = requested_scopes(provider, app, None).unwrap();
        assert_eq!(
            missing_scopes(provider, &asked, tokens.scopes.as_deref()),
            ["write", "offline"]
        );
    }
}
