//! Connecting accounts, from the browser's way out to the account that calls are made for.

mod apps;
mod browser;
mod ledger;
mod logins;
mod picking;

use std::sync::Arc;

use automarket::{
    AccountId, Automarket, Builder, Context, Credential, Error, ErrorKind, Identity, Keyring,
    Notice, Notifier, Platform, Profile, Result, Secret, Tenant,
    accounts::Offered,
    core::{Outcome, async_trait, chrono::TimeDelta, oauth::Grant},
    http::{Call, classify},
    oauth::{App, Cause, Pkce, Place, Provider, Refresh, Registration, rule},
    profile::{ApiVersion, Status},
    store::{Account, AuditAction, MemoryStore},
    testing::{
        AuthRules, AuthServer, Fake as _, FaultStore, ManualClock, RecordingEmail, Sandbox,
        StoreFault, StoreRule, UserSays,
    },
};
use serde_json::{Value, json};

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
                settings: json!({"page": id}),
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
    store: Arc<FaultStore>,
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
        let store = Arc::new(FaultStore::new(Arc::new(store)));
        let api = ApiVersion::new("v1", "https://pages.example/docs");
        let market = Automarket::shared(store.clone())
            .transport(sandbox.clone())
            .clock(Arc::new(clock.clone()))
            .notifier(Pages(Profile::new(PLATFORM, "Pages", api)));
        let market = set(market).build().unwrap();
        Self {
            server,
            clock: clock.clone(),
            browser: Context::new(sandbox).with_clock(Arc::new(clock)),
            store,
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
