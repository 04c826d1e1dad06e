//! A fake X with a clock of its own.

use std::sync::Arc;

use automarket_connector_x::XOptions;
use automarket_connector_x::{PLATFORM, X, XConfig, testing};
pub(crate) use automarket_core::testing::done;
use automarket_core::{
    Context, Credential, Post, TenantId,
    content::Variant,
    store::Account,
    testing::{ManualClock, Sandbox},
};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeX>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) x: X,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(XConfig::default())
    }

    pub(crate) fn with(config: XConfig) -> Self {
        let fake = Arc::new(testing::FakeX::new());
        let clock = ManualClock::parse("2026-11-20T09:00:00Z");
        Self {
            sandbox: Sandbox::new()
                .with(fake.clone())
                .with_clock(Arc::new(clock.clone())),
            fake,
            clock,
            x: X::new(config),
        }
    }

    /// A context for a new intent of the first user.
    pub(crate) fn cx(&self) -> Context {
        self.of(testing::USER, testing::TOKEN)
    }

    pub(crate) fn of(&self, user: &str, token: &str) -> Context {
        let tenant = TenantId::new("acme").unwrap();
        let account = Account::new(tenant, PLATFORM, user)
            .with_settings(json!({"username": "acme", "long_posts": false}));
        Context::new(self.sandbox.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_credential(Credential::token(token))
            .with_account(account)
            .with_key("key")
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&PLATFORM)
    }

    /// The texts of the posts, each of which has to answer the one before it.
    pub(crate) fn chain(&self) -> Vec<String> {
        chain(&self.effects())
    }
}

pub(crate) fn chain(effects: &[Value]) -> Vec<String> {
    for pair in effects.windows(2) {
        assert_eq!(pair[1]["reply_to"], pair[0]["id"], "{effects:?}");
    }
    let text = |post: &Value| post["text"].as_str().unwrap().to_owned();
    effects.iter().map(text).collect()
}

pub(crate) fn hello() -> Post {
    Post::text("Hello from Acme & friends")
}

pub(crate) fn thread() -> Post {
    let mut post = Post::text("One <first>");
    post.base.thread = Some(vec!["Two acme.dev".to_owned(), "Three".to_owned()]);
    post
}

pub(crate) fn with_options(text: &str, options: &XOptions) -> Post {
    let variant = Variant::text(text).with_options(options).unwrap();
    Post::text("elsewhere").variant(PLATFORM, variant)
}
