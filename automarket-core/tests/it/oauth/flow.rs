use std::{fmt::Write as _, sync::Arc};

use automarket_core::{
    Context, Error, Secret,
    chrono::{DateTime, Duration, Utc},
    http::Call,
    oauth::{
        App, Callback, Cause, Grant, Provider, Refresh, TokenSet, authorize_url,
        client_credentials_call, exchange_call, jwt_bearer_call, long_lived_call, missing_scopes,
        read_callback, read_registration, read_revocation, read_token_reply, refresh_call,
        register_call, requested_scopes, revoke_call, rule,
    },
    testing::{AuthRules, AuthServer, Fake as _, ManualClock, Sandbox, UserSays},
};

use super::platforms::{Case, KEY, Way, cases};

const REDIRECT: &str = "https://acme.dev/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const GOLDEN: &str = include_str!("../../fixtures/oauth_requests.txt");

/// Drives each platform through its whole life, and writes down every request and what was read.
#[tokio::test]
async fn each_platform_is_data() {
    let mut transcript = String::new();
    for case in cases() {
        let name = case.name;
        let mut world = World::new(case);
        world.line(&format!("== {name}"));
        world.live().await;
        transcript.push_str(&world.transcript);
    }
    if transcript != GOLDEN {
        let path = std::env::temp_dir().join("oauth_requests.txt");
        std::fs::write(&path, &transcript).unwrap();
        let line = transcript.lines().zip(GOLDEN.lines());
        let differs = line.clone().find(|(new, old)| new != old);
        panic!(
            "the requests are not the golden ones, first {differs:?}; the new ones are in {}",
            path.display()
        );
    }
}

struct World {
    provider: Provider,
    app: App,
    rules: AuthRules,
    dead_code: &'static str,
    way: Way,
    server: Arc<AuthServer>,
    clock: ManualClock,
    cx: Context,
    transcript: String,
}

impl World {
    fn new(case: Case) -> Self {
        let server = Arc::new(AuthServer::new(case.rules.clone()));
        let clock = ManualClock::parse("2026-11-25T12:00:00Z");
        let sandbox = Sandbox::new()
            .with(server.clone())
            .with_clock(Arc::new(clock.clone()));
        let cx = Context::new(sandbox).with_clock(Arc::new(clock.clone()));
        Self {
            provider: case.provider,
            app: case.app,
            rules: case.rules,
            dead_code: case.dead_code,
            way: case.way,
            server,
            clock,
            cx,
            transcript: String::new(),
        }
    }

    async fn live(&mut self) {
        if self.provider.registration.is_some() {
            self.registered().await;
        }
        let mut tokens = match self.way {
            Way::Browser => {
                self.refusals().await;
                self.connected().await
            }
            Way::ClientCredentials => {
                let call = client_credentials_call(&self.provider, &self.app, self.cx.now());
                TokenSet {
                    grant: Grant::ClientCredentials,
                    ..self.tokens(call.unwrap()).await.unwrap()
                }
            }
            Way::JwtBearer => {
                let now = self.cx.now();
                let call = jwt_bearer_call(&self.provider, &self.app, "ada@acme.dev", now);
                TokenSet {
                    grant: Grant::JwtBearer {
                        subject: "ada@acme.dev".to_owned(),
                    },
                    ..self.tokens(call.unwrap()).await.unwrap()
                }
            }
        };
        assert!(self.works(&tokens));
        tokens = self.renewed(tokens).await;
        self.revoked(tokens).await;
    }

    /// An app of its own for the instance.
    async fn registered(&mut self) {
        let call = register_call(&self.provider, &self.app, "Acme", REDIRECT).unwrap();
        self.show(&call);
        let reply = self.cx.call(call).await.unwrap();
        self.app = read_registration(&self.app, REDIRECT, &reply, self.cx.now()).unwrap();
    }

    /// The browser goes to the platform and comes back.
    async fn browser(&mut self, state: &Secret) -> Result<Callback, Error> {
        let verifier = Secret::new(VERIFIER);
        let url = authorize_url(&self.provider, &self.app, REDIRECT, None, state, &verifier);
        let url = url.unwrap();
        let call = Call::get("browser", url.as_str()).unwrap();
        if self
            .transcript
            .lines()
            .last()
            .is_some_and(|last| !last.starts_with("GET"))
        {
            self.show(&call);
        }
        let reply = self.cx.call(call).await.unwrap();
        assert_eq!(reply.status, 302, "{}", reply.excerpt());
        let back = reply.header("location").unwrap();
        let (place, query) = back.split_once('?').unwrap();
        assert_eq!(place, REDIRECT);
        read_callback(query, state.expose(), self.provider.issuer)
    }

    fn exchange(&self, app: &App, callback: &Callback) -> Call {
        let places = callback.places(&self.provider, app).unwrap();
        let verifier = Secret::new(VERIFIER);
        let now = self.cx.now();
        exchange_call(
            &self.provider,
            app,
            &places,
            &callback.code,
            REDIRECT,
            &verifier,
            now,
        )
        .unwrap()
    }

    async fn connected(&mut self) -> TokenSet {
        let callback = self.browser(&Secret::new("state-1")).await.unwrap();
        let call = self.exchange(&self.app, &callback);
        self.show(&call);
        let mut tokens = self.tokens(call).await.unwrap();
        let places = callback.places(&self.provider, &self.app).unwrap();
        if !places.is_null() {
            tokens = tokens.at_places(places);
        }
        let asked = requested_scopes(&self.provider, &self.app, None).unwrap();
        let missing = missing_scopes(&self.provider, &asked, tokens.scopes.as_deref());
        let unnamed = self.provider.reply_at.is_empty();
        assert!(missing.is_empty() || !unnamed, "{missing:?}");
        if let Some(call) = long_lived_call(&self.provider, &self.app, &tokens).unwrap() {
            self.show(&call);
            let long = self.tokens(call).await.unwrap();
            tokens = tokens.renewed(long);
        }
        tokens
    }

    /// What users, wrong codes and wrong secrets are answered.
    async fn refusals(&mut self) {
        self.server.user(UserSays::No);
        let denied = self.browser(&Secret::new("state-0")).await.unwrap_err();
        assert_eq!(denied.rule(), Some(rule::DENIED));
        assert_eq!(Cause::of(&denied), Cause::User);
        self.server.user(UserSays::Yes);

        let callback = self.browser(&Secret::new("state-0")).await.unwrap();
        let wrong_app = App {
            client_secret: Some(Secret::new("wrong-secret")),
            key: None,
            ..self.app.clone()
        };
        let call = self.exchange(&wrong_app, &callback);
        let refused = self.tokens(call).await.unwrap_err();
        assert_eq!(refused.rule(), Some(rule::CLIENT), "{refused:?}");
        assert_eq!(Cause::of(&refused), Cause::Configuration);

        // The code has died meanwhile.
        self.clock
            .advance(Duration::seconds(self.rules.code_seconds + 1));
        let call = self.exchange(&self.app, &callback);
        let refused = self.tokens(call).await.unwrap_err();
        assert_eq!(refused.rule(), Some(self.dead_code), "{refused:?}");
        let text = format!("{refused:?} {}", refused.report());
        assert!(!text.contains(callback.code.expose()), "{text}");
        assert!(!text.contains("app-secret"), "{text}");
    }

    /// Renewed once when it has died, and never by a token that was used.
    async fn renewed(&mut self, old: TokenSet) -> TokenSet {
        let now = self.cx.now();
        let Some(call) = refresh_call(&self.provider, &self.app, &old, now).unwrap() else {
            assert_eq!(self.provider.refresh, Refresh::None);
            return old;
        };
        let trades = matches!(self.provider.refresh, Refresh::Trade(_));
        // A trade is made while the old one lives, a refresh after.
        let life = old.expires_at.map_or(Duration::hours(2), |end| end - now);
        let wait = if trades {
            life / 2
        } else {
            life + Duration::seconds(1)
        };
        self.clock.advance(wait);
        assert_eq!(self.works(&old), trades);
        // An assertion is made anew, and the golden one is of the first second.
        let again = refresh_call(&self.provider, &self.app, &old, self.cx.now());
        self.show(&call);
        let new = self.tokens(again.unwrap().unwrap()).await.unwrap();
        let tokens = old.clone().renewed(new);
        assert!(self.works(&tokens));
        assert_eq!(tokens.refresh_token.is_some(), old.refresh_token.is_some());
        assert_eq!(tokens.scopes, old.scopes);
        assert_eq!(tokens.base_url, old.base_url);
        assert_eq!(tokens.extra, old.extra);

        if self.rules.rotates && old.refresh_token.is_some() {
            // Somebody uses the old one again: the server takes everything back.
            let call = refresh_call(&self.provider, &self.app, &old, self.cx.now()).unwrap();
            let refused = self.tokens(call.unwrap()).await.unwrap_err();
            assert_eq!(refused.rule(), Some(rule::INVALID_GRANT));
            assert!(!self.works(&tokens));
            return self.connected().await;
        }
        tokens
    }

    async fn revoked(&mut self, tokens: TokenSet) {
        let now = self.cx.now();
        let Some(call) = revoke_call(&self.provider, &self.app, &tokens, now).unwrap() else {
            return;
        };
        if self.way != Way::Browser {
            return;
        }
        self.show(&call);
        let again = call.clone();
        let reply = self.cx.call(call).await.unwrap();
        let read = |reply| read_revocation(&self.provider, reply, self.cx.now());
        assert!(read(&reply).is_ok(), "{}", reply.excerpt());
        assert!(!self.works(&tokens));
        // A token that nobody knows is an error, and never taken for revoked.
        let unknown = AuthServer::new(self.rules.clone());
        let sandbox = Sandbox::new().with(Arc::new(unknown));
        let reply = Context::new(sandbox).call(again).await.unwrap();
        assert!(read(&reply).is_err(), "{}", reply.excerpt());
    }

    fn works(&self, tokens: &TokenSet) -> bool {
        self.server
            .works(tokens.access_token.expose(), self.cx.now())
    }

    /// Makes the call, reads the tokens and writes down what was read.
    async fn tokens(&mut self, call: Call) -> Result<TokenSet, Error> {
        let reply = self.cx.call(call).await.unwrap();
        let now = self.cx.now();
        let tokens = read_token_reply(&self.provider, &reply, now)?;
        let life = |end: Option<DateTime<Utc>>| {
            end.map_or("?".to_owned(), |end| (end - now).num_seconds().to_string())
        };
        let line = format!(
            "   read {} for {}s, refresh {} for {}s, scopes {:?}, type {:?}, base {}, extra {}",
            tokens.access_token.expose(),
            life(tokens.expires_at),
            tokens.refresh_token.as_ref().map_or("none", Secret::expose),
            life(tokens.refresh_expires_at),
            tokens.scopes,
            tokens.token_type,
            tokens.base_url.as_ref().map_or("none", |url| url.as_str()),
            tokens.extra,
        );
        self.line(&line);
        Ok(tokens)
    }

    fn line(&mut self, line: &str) {
        writeln!(self.transcript, "{line}").unwrap();
    }

    fn show(&mut self, call: &Call) {
        let request = call.request();
        let mut line = format!("{} {}", request.method(), request.uri());
        if let Some(value) = request.headers().get("authorization") {
            write!(line, "\n   authorization: {}", value.to_str().unwrap()).unwrap();
        }
        if !request.body().is_empty() {
            let body = std::str::from_utf8(request.body()).unwrap();
            // Signatures differ with the key and the second.
            let pairs = body.split('&').map(|pair| match pair.split_once('=') {
                Some((name @ ("assertion" | "client_assertion"), _)) => format!("{name}=<jwt>"),
                _ => pair.to_owned(),
            });
            let body = pairs.collect::<Vec<_>>().join("&");
            write!(line, "\n   {body}").unwrap();
        }
        self.line(&line);
    }
}

#[tokio::test]
async fn a_code_used_twice_costs_the_tokens_of_both() {
    let mut world = World::new(cases().remove(0));
    let callback = world.browser(&Secret::new("s")).await.unwrap();
    let first = world
        .tokens(world.exchange(&world.app, &callback))
        .await
        .unwrap();
    let again = world.exchange(&world.app, &callback);
    let refused = world.tokens(again).await.unwrap_err();
    assert_eq!(refused.rule(), Some(rule::INVALID_GRANT));
    assert!(!world.works(&first));
    assert_eq!(world.server.effects().len(), 2);
}

#[tokio::test]
async fn scopes_that_were_not_granted_are_named() {
    let mut world = World::new(cases().remove(0));
    world
        .server
        .user(UserSays::Only(vec!["tweet.read".to_owned()]));
    let callback = world.browser(&Secret::new("s")).await.unwrap();
    let tokens = world
        .tokens(world.exchange(&world.app, &callback))
        .await
        .unwrap();
    let asked = requested_scopes(&world.provider, &world.app, None).unwrap();
    assert_eq!(
        missing_scopes(&world.provider, &asked, tokens.scopes.as_deref()),
        ["tweet.write", "users.read", "offline.access"]
    );
}

#[test]
fn an_app_is_called_back_where_it_is_registered_and_nowhere_else() {
    let case = cases().remove(0);
    let app = case.app.redirect_uri(REDIRECT);
    let (state, verifier) = (Secret::new("s"), Secret::new(VERIFIER));
    let to = |uri| authorize_url(&case.provider, &app, uri, None, &state, &verifier);
    assert!(to(REDIRECT).is_ok());
    let refused = to("https://acme.dev/callback/other").unwrap_err();
    assert_eq!(refused.rule(), Some(rule::REDIRECT_URI));
}

#[test]
fn an_instance_is_https_and_no_more_than_an_address() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "mautic")
        .unwrap();
    let (state, verifier) = (Secret::new("s"), Secret::new(VERIFIER));
    for site in [
        "http://mkt.acme.dev",
        "https://mkt.acme.dev/?a=",
        "https://mkt.acme.dev/#",
        "https://user:pass@mkt.acme.dev",
        "javascript:alert(1)//",
        "mkt.acme.dev",
        "",
    ] {
        let app = App::new("app", "secret").place("site", site);
        let url = authorize_url(&case.provider, &app, REDIRECT, None, &state, &verifier);
        assert_eq!(url.unwrap_err().rule(), Some(rule::PLACE), "{site}");
    }
}

#[test]
fn a_tenant_of_entra_stays_one_segment() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "dynamics")
        .unwrap();
    let (state, verifier) = (Secret::new("s"), Secret::new(VERIFIER));
    let app = App::public("app")
        .key(KEY)
        .place("org", "https://a.crm.dynamics.com");
    let of = |tenant: &str| {
        let app = app.clone().place("tenant", tenant);
        authorize_url(&case.provider, &app, REDIRECT, None, &state, &verifier)
    };
    assert_eq!(of("a/b").unwrap().path(), "/a%2Fb/oauth2/v2.0/authorize");
    assert!(of("..").is_err());
}
