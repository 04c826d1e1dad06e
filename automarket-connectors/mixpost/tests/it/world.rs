//! A fake instance with a clock of its own.

use std::sync::Arc;

use automarket_connector_mixpost::{Mixpost, MixpostConfig, PLATFORM, testing};
use automarket_core::{
    Context, Credential, Platform, Post, TenantId,
    chrono::{DateTime, Utc},
    store::Account,
    testing::{ManualClock, Sandbox},
};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeMixpost>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) mixpost: Mixpost,
    pub(crate) token: &'static str,
}

impl World {
    pub(crate) fn new() -> Self {
        let fake = Arc::new(testing::FakeMixpost::new());
        let clock = ManualClock::parse("2026-11-20T09:00:00Z");
        Self {
            sandbox: Sandbox::new()
                .with(fake.clone())
                .with_clock(Arc::new(clock.clone())),
            fake,
            clock,
            mixpost: mixpost(),
            token: testing::TOKEN,
        }
    }

    /// A context on the sandbox: this account, this key, fresh steps.
    pub(crate) fn context(&self, account: u64, network: Platform, key: &str) -> Context {
        Context::new(self.sandbox.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_credential(Credential::token(self.token))
            .with_account(account_on(account, network))
            .with_key(key)
    }

    /// The X account with this key.
    pub(crate) fn x(&self, key: &str) -> Context {
        self.context(testing::X_ACCOUNT, Platform::X, key)
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&PLATFORM)
    }

    pub(crate) fn the_effect(&self) -> Value {
        let effects = self.effects();
        assert_eq!(effects.len(), 1, "{effects:?}");
        effects[0].clone()
    }
}

pub(crate) fn mixpost() -> Mixpost {
    Mixpost::new(MixpostConfig::new(testing::BASE_URL, testing::WORKSPACE)).unwrap()
}

pub(crate) fn account_on(number: u64, network: Platform) -> Account {
    let tenant = TenantId::new("acme").unwrap();
    Account::new(tenant, PLATFORM, number.to_string()).on_network(network)
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn hello() -> Post {
    Post::text("Hello from Acme & friends")
}
