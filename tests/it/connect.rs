//! Connecting accounts, from the browser's way out to the account that calls are made for.

use std::sync::Arc;

use automarket::{
    Automarket, Builder, Context, Credential, Error, ErrorKind, Identity, Keyring, Notice,
    Notifier, Platform, Profile, Result, Secret, Tenant,
    accounts::Offered,
    core::{Outcome, async_trait, chrono::TimeDelta, oauth::Grant},
    http::{Call, classify},
    oauth::{App, Cause, Pkce, Place, Provider, Refresh, Registration, rule},
    profile::{ApiVersion, Status},
    store::{Account, AuditAction, MemoryStore},
    testing::{AuthRules, AuthServer, Fake as _, ManualClock, RecordingEmail, Sandbox, UserSays},
};
use serde_json::Value;

const PLATFORM: Platform = Platform::from_static("pages");
const CALLBACK: &str = "https://acme.dev/callback";

/// Asks the server whom a token speaks for.
struct Pages(Profile);

#[async_trait]
impl Notifier for Pages {
    fn profile(&self) -> &Profile {
        &self.0
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let call = Call::get("me", "https://pages.example/me")?.bearer(cx.token()?);
        let reply = cx.call(call).await?;
        if !reply.ok() {
            return Err(classify(&reply, cx.now()));
        }
        let body: Value = reply.json()?;
        let text = |page: &Value, name: &str| page[name].as_str().map(str::to_owned);
        let pages = body["data"].as_array().into_iter().flatten().map(|page| {
            let id = text(page, "id").unwrap();
            Identity {
                credential: text(page, "access_token").map(Credential::token),
                ..Identity::new(id, PLATFORM, text(page, "name").unwrap())
            }
        });
        Ok(pages.collect())
    }

    async fn notify(&self, _: &Context, _: &Notice) -> Result<Outcome> {
        Err(Error::unsupported("not here"))
    }
}

fn provider() -> Provider {
    Provider {
        pkce: Pkce::S256,
        scopes: &["read", "write"],
        refresh: Refresh::Token { rotates: true },
        places: &[Place {
            name: "instance",
            default: Some("https://pages.example"),
            callback: None,
        }],
        registration: Some(Registration {
            url: "{instance}/apps",
            json: true,
            scope_field: "scope",
        }),
        ..Provider::new(PLATFORM, "{instance}/authorize", "{instance}/token")
    }
}

fn rules() -> AuthRules {
    AuthRules {
        register: Some("/apps"),
        redirect_uris: vec![CALLBACK.to_owned()],
        rotates: true,
        accounts: vec![("1".into(), "Acme".into()), ("2".into(), "Careers".into())],
        ..AuthRules::new(PLATFORM, "pages.example")
    }
}

struct World {
    server: Arc<AuthServer>,
    clock: ManualClock,
    browser: Context,
    acme: Tenant,
    other: Tenant,
}

impl World {
    fn new(rules: AuthRules, set: impl FnOnce(Builder) -> Builder) -> Self {
        let server = Arc::new(AuthServer::new(rules));
        let clock = ManualClock::parse("2026-11-25T12:00:00Z");
        let sandbox = Sandbox::new()
            .with(server.clone())
            .with_clock(Arc::new(clock.clone()));
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let api = ApiVersion::new("v1", "https://pages.example/docs");
        let market = Automarket::builder(store)
            .transport(sandbox.clone())
            .clock(Arc::new(clock.clone()))
            .notifier(Pages(Profile::new(PLATFORM, "Pages", api)));
        let market = set(market).build().unwrap();
        Self {
            server,
            clock: clock.clone(),
            browser: Context::new(sandbox).with_clock(Arc::new(clock)),
            acme: market.tenant("acme").unwrap(),
            other: market.tenant("other").unwrap(),
        }
    }

    fn usual() -> Self {
        Self::of(rules())
    }

    fn of(rules: AuthRules) -> Self {
        Self::new(rules, |market| {
            market
                .keyring(Keyring::random())
                .oauth(provider(), App::new("app", "app-secret"))
        })
    }

    /// Begins, and lets the user do as told; says with which query the browser comes back.
    async fn go(&self) -> String {
        let begun = self.acme.connect(PLATFORM).begin(CALLBACK, "session").await;
        self.agree(begun.unwrap().authorize_url.as_str()).await
    }

    async fn agree(&self, url: &str) -> String {
        let call = Call::get("browser", url).unwrap();
        let reply = self.browser.call(call).await.unwrap();
        let back = reply.header("location").expect("the way back");
        back.split_once('?').unwrap().1.to_owned()
    }

    async fn offered(&self) -> Offered {
        let query = self.go().await;
        let offered = self
            .acme
            .connect(PLATFORM)
            .complete(&query, "session")
            .await;
        offered.unwrap()
    }

    async fn pick(&self, offered: &Offered, ids: &[&str]) -> Result<Vec<Account>> {
        let connect = self.acme.connect(PLATFORM);
        connect.pick(&offered.handle, "session", ids).await
    }

    async fn token(&self, account: &Account) -> String {
        let cx = self.acme.context(account.id).await.unwrap();
        cx.token().unwrap().expose().to_owned()
    }
}

fn rule_of<T: std::fmt::Debug>(result: Result<T>) -> (String, Cause) {
    let error = result.unwrap_err();
    let rule = error.rule().unwrap_or_default().to_owned();
    (rule, Cause::of(&error))
}

#[tokio::test]
async fn a_user_agrees_and_picks_and_calls_are_made_for_the_account() {
    let world = World::usual();
    let offered = world.offered().await;
    let names: Vec<&str> = offered.accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["Acme", "Careers"]);
    assert!(
        world.acme.accounts().await.unwrap().is_empty(),
        "nothing yet"
    );

    let accounts = world.pick(&offered, &["2"]).await.unwrap();
    assert_eq!(accounts, world.acme.accounts().await.unwrap());
    assert_eq!(
        (&*accounts[0].remote_id, &*accounts[0].name),
        ("2", "Careers")
    );
    assert_eq!(world.token(&accounts[0]).await, "at-0-1");
    // An hour later it is renewed, through the same app.
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&accounts[0]).await, "at-0-2");
    assert!(world.other.accounts().await.unwrap().is_empty());
    // And the next login says that it is there already.
    let connected: Vec<bool> = world
        .offered()
        .await
        .accounts
        .iter()
        .map(|a| a.connected)
        .collect();
    assert_eq!(connected, [false, true]);
}

#[tokio::test]
async fn a_callback_is_good_once_in_its_own_session_for_its_own_tenant_and_ten_minutes() {
    let world = World::usual();
    let complete = |tenant: &Tenant, query: &str, session: &'static str| {
        let (connect, query) = (tenant.connect(PLATFORM), query.to_owned());
        async move { connect.complete(&query, session).await }
    };
    let expired = (rule::EXPIRED.to_owned(), Cause::User);
    let another = (rule::STATE.to_owned(), Cause::User);

    let query = world.go().await;
    assert_eq!(
        rule_of(complete(&world.other, &query, "session").await),
        expired
    );
    assert!(complete(&world.acme, &query, "session").await.is_ok());
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    let query = world.go().await;
    assert_eq!(
        rule_of(complete(&world.acme, &query, "thief").await),
        another
    );
    // It is burnt: whoever tried that is given no second try.
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    let query = world.go().await;
    let elsewhere = world
        .acme
        .connect(Platform::X)
        .complete(&query, "session")
        .await;
    assert_eq!(rule_of(elsewhere), another);

    let query = world.go().await;
    world.clock.advance(TimeDelta::seconds(601));
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    for forged in [
        "",
        "code=code-1",
        "code=code-1&state=",
        "code=code-1&state=AAAA",
    ] {
        assert_eq!(
            rule_of(complete(&world.acme, forged, "session").await),
            expired
        );
    }
    // No code was exchanged but the one that was answered in its place.
    assert_eq!(world.server.effects().len(), 1);
}

#[tokio::test]
async fn what_is_offered_is_picked_once_in_its_own_session() {
    let world = World::usual();
    let offered = world.offered().await;
    let stolen = world.other.connect(PLATFORM);
    let stolen = stolen.pick(&offered.handle, "session", ["1"]).await;
    assert_eq!(rule_of(stolen).0, rule::EXPIRED);
    let unknown = world.pick(&offered, &["3"]).await.unwrap_err();
    assert_eq!(unknown.field(), Some("accounts"));
    assert!(world.pick(&offered, &[]).await.is_err());
    // Those were slips: it can still be picked.
    assert_eq!(world.pick(&offered, &["1"]).await.unwrap().len(), 1);
    assert_eq!(rule_of(world.pick(&offered, &["1"]).await).0, rule::EXPIRED);

    let offered = world.offered().await;
    let thief = world.acme.connect(PLATFORM);
    let thief = thief.pick(&offered.handle, "thief", ["1"]).await;
    assert_eq!(rule_of(thief).0, rule::STATE);
    // What waits for a pick is no callback, and the other way round.
    let query = format!("code=c&state={}", world.offered().await.handle.expose());
    let mixed = world
        .acme
        .connect(PLATFORM)
        .complete(&query, "session")
        .await;
    assert_eq!(rule_of(mixed).0, rule::STATE);
}

#[tokio::test]
async fn what_the_user_did_is_told_from_what_is_set_up_wrongly() {
    let world = World::usual();
    let connect = world.acme.connect(PLATFORM);
    world.server.user(UserSays::No);
    let denied = connect.complete(&world.go().await, "session").await;
    assert_eq!(rule_of(denied), (rule::DENIED.to_owned(), Cause::User));

    world.server.user(UserSays::Only(vec!["read".into()]));
    let less = connect.complete(&world.go().await, "session").await;
    assert!(less.as_ref().unwrap_err().message().contains("write"));
    assert_eq!(
        rule_of(less),
        (rule::MISSING_SCOPES.to_owned(), Cause::User)
    );

    let unbound = connect.begin(CALLBACK, "").await.unwrap_err();
    assert_eq!(unbound.field(), Some("session"));
    let wrong = connect
        .begin("https://acme.dev/callback#x", "session")
        .await;
    let redirect = (rule::REDIRECT_URI.to_owned(), Cause::Configuration);
    assert_eq!(rule_of(wrong), redirect);

    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .oauth(provider(), App::new("app", "another-secret"))
    });
    let connect = world.acme.connect(PLATFORM);
    let refused = connect.complete(&world.go().await, "session").await;
    assert_eq!(
        rule_of(refused),
        (rule::CLIENT.to_owned(), Cause::Configuration)
    );
    let nobody = World::of(AuthRules {
        accounts: Vec::new(),
        ..rules()
    });
    let nobody = nobody
        .acme
        .connect(PLATFORM)
        .complete(&nobody.go().await, "session")
        .await;
    assert_eq!(rule_of(nobody), (rule::NO_ACCOUNT.to_owned(), Cause::User));
}

#[tokio::test]
async fn accounts_with_tokens_of_their_own_get_them_and_they_print_nowhere() {
    let world = World::of(AuthRules {
        account_tokens: true,
        ..rules()
    });
    let offered = world.offered().await;
    let printed = format!(
        "{offered:?} {}",
        serde_json::to_string(&offered.accounts).unwrap()
    );
    assert!(!printed.contains("account-token") && !printed.contains(offered.handle.expose()));
    let accounts = world.pick(&offered, &["1", "2"]).await.unwrap();
    assert_eq!(world.token(&accounts[0]).await, "account-token-0-1");
    assert_eq!(world.token(&accounts[1]).await, "account-token-0-2");
}

#[tokio::test]
async fn tokens_that_renew_themselves_for_one_holder_go_to_one_account() {
    let world = World::usual();
    let offered = world.offered().await;
    let both = world.pick(&offered, &["1", "2"]).await;
    assert_eq!(rule_of(both).0, "accounts.one_only");
    assert!(world.acme.accounts().await.unwrap().is_empty());
    assert_eq!(world.pick(&offered, &["1"]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_is_connected_again_as_itself_or_not_at_all() {
    let world = World::of(AuthRules {
        accounts: vec![("1".into(), "Acme".into())],
        ..rules()
    });
    let offered = world.offered().await;
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    let again = world.acme.connect(PLATFORM).again(account.id);
    let query = async || {
        let begun = again.begin(CALLBACK, "session").await.unwrap();
        world.agree(begun.authorize_url.as_str()).await
    };
    // Which account was meant is remembered from the beginning.
    let plain = world.acme.connect(PLATFORM);
    let offered = plain.complete(&query().await, "session").await.unwrap();
    assert!(offered.accounts[0].connected);
    let same = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    assert_eq!(same.id, account.id);
    assert_eq!(world.token(&same).await, "at-1-1");

    let stranger = Account::new(world.acme.id().clone(), PLATFORM, "9");
    let stranger = world
        .acme
        .add_account(stranger, Credential::token("t"))
        .await
        .unwrap();
    let again = world.acme.connect(PLATFORM).again(stranger.id);
    let begun = again.begin(CALLBACK, "session").await.unwrap();
    let query = world.agree(begun.authorize_url.as_str()).await;
    let wrong = again.complete(&query, "session").await;
    assert_eq!(
        rule_of(wrong),
        (rule::WRONG_ACCOUNT.to_owned(), Cause::User)
    );
    assert_eq!(world.token(&stranger).await, "t", "nothing changed");

    let theirs = world.other.connect(PLATFORM).again(account.id);
    let theirs = theirs.begin(CALLBACK, "session").await.unwrap_err();
    assert_eq!(theirs.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_tenant_brings_its_own_app_and_its_tokens_live_by_it() {
    let world = World::new(rules(), |market| {
        market.keyring(Keyring::random()).provider(provider())
    });
    let connect = world.acme.connect(PLATFORM);
    let none = connect.begin(CALLBACK, "session").await;
    assert_eq!(rule_of(none).0, "oauth.no_app");

    let app = App::new("app", "app-secret").named("ours");
    world.acme.put_app(&PLATFORM, &app).await.unwrap();
    let connect = connect.own_app("ours");
    let begun = connect.begin(CALLBACK, "session").await.unwrap();
    let query = world.agree(begun.authorize_url.as_str()).await;
    let offered = connect.complete(&query, "session").await.unwrap();
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&account).await, "at-0-2");

    let apps = world.acme.apps().await.unwrap();
    let seen: Vec<_> = apps
        .iter()
        .map(|app| (&*app.name, &*app.client_id))
        .collect();
    assert_eq!(seen, [("ours", "app")]);
    let credentials = world.acme.credentials().await.unwrap();
    let of: Vec<_> = credentials
        .iter()
        .map(|credential| credential.account)
        .collect();
    assert_eq!(of, [account.id], "an app is no account");

    // Another tenant does not have it.
    assert!(world.other.apps().await.unwrap().is_empty());
    let theirs = world.other.connect(PLATFORM).own_app("ours");
    assert_eq!(
        rule_of(theirs.begin(CALLBACK, "session").await).0,
        "oauth.no_app"
    );
    assert!(!world.other.remove_app(&PLATFORM, "ours").await.unwrap());
    assert!(
        world
            .acme
            .by("ada")
            .remove_app(&PLATFORM, "ours")
            .await
            .unwrap()
    );
    let trail = world.acme.audit(0, 100).await.unwrap();
    let of_app = trail
        .iter()
        .filter(|row| row.entry.why.contains("\"ours\" on pages"));
    let of_app: Vec<_> = of_app
        .map(|row| (row.entry.action, &*row.entry.who))
        .collect();
    assert_eq!(
        of_app,
        [(AuditAction::Connect, "host"), (AuditAction::Forget, "ada")]
    );
    assert_eq!(
        rule_of(connect.begin(CALLBACK, "session").await).0,
        "oauth.no_app"
    );
}

#[tokio::test]
async fn an_instance_gives_an_app_by_call() {
    let world = World::new(rules(), |market| {
        market.keyring(Keyring::random()).provider(provider())
    });
    let template = App::public("")
        .named("pages.example")
        .place("instance", "https://pages.example");
    let connect = world.acme.connect(PLATFORM).own_app("pages.example");
    connect.register(&template, "Acme", CALLBACK).await.unwrap();
    let begun = connect.begin(CALLBACK, "session").await.unwrap();
    assert!(begun.authorize_url.as_str().contains("client_id=app-1"));
    let query = world.agree(begun.authorize_url.as_str()).await;
    assert_eq!(
        connect
            .complete(&query, "session")
            .await
            .unwrap()
            .accounts
            .len(),
        2
    );
    // It was registered with one address to come back to.
    let other = connect.begin("https://acme.dev/other", "session").await;
    assert_eq!(rule_of(other).0, rule::REDIRECT_URI);
}

#[tokio::test]
async fn an_app_connects_as_itself_without_a_browser() {
    let world = World::usual();
    let connect = world.acme.connect(PLATFORM);
    let offered = connect
        .directly(Grant::ClientCredentials, "session")
        .await
        .unwrap();
    // Each account asks anew for its own tokens: nothing is shared.
    let accounts = world.pick(&offered, &["1", "2"]).await.unwrap();
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&accounts[0]).await, "at-1-1");
    assert_eq!(world.token(&accounts[1]).await, "at-2-1");
    assert!(connect.directly(Grant::Code, "session").await.is_err());
}

#[tokio::test]
async fn an_e_mail_provider_is_connected_like_any_other() {
    let platform = Platform::from_static("post");
    let provider = Provider {
        platform: platform.clone(),
        ..provider()
    };
    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .oauth(provider, App::new("app", "app-secret"))
            .email(RecordingEmail::new(platform.clone()))
    });
    let connect = world.acme.connect(platform);
    // The recording one has no senders: it was asked, and that is what it said.
    let asked = connect.directly(Grant::ClientCredentials, "session").await;
    assert_eq!(rule_of(asked).0, rule::NO_ACCOUNT);
}

#[tokio::test]
async fn nobody_connects_to_a_closed_platform_or_without_a_key() {
    const WHY: &str = "the platform gives no new access since 2023";
    let api = ApiVersion::new("v1", "https://pages.example/docs");
    let mut profile = Profile::new(PLATFORM, "Pages", api);
    profile.status = Status::Closed(WHY);
    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .notifier(Pages(profile))
            .oauth(provider(), App::new("app", "app-secret"))
    });
    let closed = world
        .acme
        .connect(PLATFORM)
        .begin(CALLBACK, "session")
        .await;
    let closed = closed.unwrap_err();
    assert_eq!(
        (closed.kind(), closed.message()),
        (ErrorKind::Disabled, WHY)
    );
    assert_eq!(closed.rule(), Some("platform.closed"));
    let account = Account::new(world.acme.id().clone(), PLATFORM, "1");
    let by_hand = world
        .acme
        .add_account(account, Credential::token("t"))
        .await;
    assert_eq!(rule_of(by_hand).0, "platform.closed");
    assert!(world.acme.accounts().await.unwrap().is_empty());

    let world = World::new(rules(), |market| {
        market.oauth(provider(), App::new("app", "app-secret"))
    });
    let keyless = world
        .acme
        .connect(PLATFORM)
        .begin(CALLBACK, "session")
        .await;
    assert_eq!(rule_of(keyless).0, "vault.no_key");
}

#[tokio::test]
async fn a_state_is_long_and_new_each_time_and_is_not_what_is_stored() {
    let world = World::usual();
    let mut states = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let begun = world
            .acme
            .connect(PLATFORM)
            .begin(CALLBACK, "session")
            .await;
        let begun = begun.unwrap();
        let printed = format!("{begun:?}");
        let url = begun.authorize_url;
        let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs["code_challenge_method"], "S256");
        assert_eq!(pairs["state"].len(), 43, "256 bits");
        assert!(!printed.contains(&pairs["state"]));
        states.insert(pairs["state"].clone());
    }
    assert_eq!(states.len(), 50);
    let store = world.acme.market().store();
    let state = states.first().unwrap();
    assert!(
        store
            .take_flow(world.acme.id(), state)
            .await
            .unwrap()
            .is_none()
    );
    let secret = Secret::new(state.clone());
    assert_eq!(format!("{secret:?}"), "[REDACTED]");
}
