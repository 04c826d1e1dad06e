//! Accounts and their credentials, against an authorization server that rotates refresh tokens and revokes
//! the whole family when an old one comes back.

mod canary;
mod erasing;
mod issuer;
mod keeping;
mod processes;
mod provider;
mod refused;
mod renewing;
mod rotating;
mod storing;
mod unregistered;

use std::sync::Arc;

use automarket::{
    Automarket, Builder, Credential, Keyring, Platform, Secret, Store, Tenant,
    accounts::RefreshPolicy,
    core::chrono::{DateTime, Utc},
    http::Transport,
    oauth::{App, Pkce, Provider, Refresh, Revocation, TokenSet},
    store::{Account, AuditAction, MemoryStore},
    testing::ManualClock,
};
use issuer::{Issuer, Wall};

pub(crate) const PLATFORM: Platform = Platform::from_static("wall");
/// Two keys, as a host's environment would hold them.
const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn keyring(text: &str) -> Keyring {
    Keyring::from_base64(text).unwrap()
}

fn provider() -> Provider {
    Provider {
        pkce: Pkce::S256,
        refresh: Refresh::Token { rotates: true },
        revoke: Some(Revocation {
            url: "https://wall.example/revoke",
            method: automarket::oauth::Method::Post,
            by: automarket::oauth::RevokeBy::Client,
            refresh_token: true,
        }),
        ..Provider::new(
            PLATFORM,
            "https://wall.example/authorize",
            "https://wall.example/token",
        )
    }
}

fn market(store: Arc<dyn Store>, transport: impl Transport + 'static) -> Builder {
    Automarket::shared(store)
        .transport(transport)
        .publisher(Wall::new())
        .oauth(provider(), App::new("client", "client-secret"))
        .keyring(keyring(OLD))
}

fn tokens(access: &str, refresh: &str, expires_at: DateTime<Utc>) -> Credential {
    let mut tokens = TokenSet::new(Secret::new(access));
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens.expires_at = Some(expires_at);
    Credential::oauth(tokens)
}

/// What calls would carry.
fn token_of(credential: &Credential) -> &str {
    match credential {
        Credential::OAuth(tokens) => tokens.access_token.expose(),
        Credential::Token(token) => token.expose(),
        other => panic!("{other:?} has no token"),
    }
}

/// One account of one tenant on a clock that is moved by hand.
struct World {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    issuer: Issuer,
    tenant: Tenant,
    account: Account,
}

impl World {
    /// With an access token that lives for an hour.
    async fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
        let issuer = Issuer::new();
        let tenant = Self::process(&store, &clock, &issuer);
        let account = Account::new(tenant.id().clone(), PLATFORM, "1");
        let (access, refresh) = issuer.grant();
        let end = issuer::later(&clock, 3600);
        let account = tenant.add_account(account, tokens(&access, &refresh, end));
        let account = account.await.unwrap();
        Self {
            store,
            clock,
            issuer,
            tenant,
            account,
        }
    }

    /// What another process on the same store would be.
    fn process(store: &Arc<MemoryStore>, clock: &ManualClock, issuer: &Issuer) -> Tenant {
        let market = market(store.clone(), issuer.clone())
            .clock(Arc::new(clock.clone()))
            .refresh(RefreshPolicy::default())
            .build()
            .unwrap();
        market.tenant("acme").unwrap()
    }

    fn other_process(&self) -> Tenant {
        Self::process(&self.store, &self.clock, &self.issuer)
    }

    async fn token(&self) -> automarket::Result<String> {
        let context = self.tenant.context(self.account.id).await?;
        Ok(token_of(context.credential()).to_owned())
    }

    async fn needs_reauth(&self) -> bool {
        self.tenant.credentials().await.unwrap()[0].needs_reauth
    }

    async fn events_of(&self, kind: &str) -> usize {
        let events = self.tenant.events(0, 10_000).await.unwrap();
        events.iter().filter(|e| e.event.kind == kind).count()
    }

    async fn trail(&self) -> Vec<(AuditAction, String)> {
        let trail = self.tenant.audit(0, 1000).await.unwrap();
        let line = |row: automarket::store::Audit| (row.entry.action, row.entry.outcome);
        trail.into_iter().map(line).collect()
    }

    fn pass(&self, seconds: i64) {
        self.clock
            .advance(automarket::core::chrono::Duration::seconds(seconds));
    }
}
