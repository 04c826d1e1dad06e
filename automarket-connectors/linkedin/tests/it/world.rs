//! A fake LinkedIn with a clock of its own.

use std::sync::Arc;

use automarket_connector_linkedin::{LinkedIn, LinkedInConfig, LinkedInOptions, PLATFORM, testing};
pub(crate) use automarket_core::testing::{accepted, done};
use automarket_core::{
    Clock, Context, Credential, Post, TenantId,
    content::Variant,
    store::Account,
    testing::{ManualClock, Sandbox, TokioClock},
};
use serde_json::Value;

const BEGINNING: &str = "2026-11-20T09:00:00Z";

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeLinkedIn>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    /// Whose time it is: the clock's, or tokio's.
    time: Arc<dyn Clock>,
    pub(crate) linkedin: LinkedIn,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(LinkedInConfig::default())
    }

    pub(crate) fn with(config: LinkedInConfig) -> Self {
        let clock = ManualClock::parse(BEGINNING);
        Self::at(config, clock.clone(), Arc::new(clock))
    }

    /// A world whose time goes with every sleep.
    pub(crate) fn ticking() -> Self {
        let clock = ManualClock::parse(BEGINNING);
        let time = TokioClock::from(clock.now());
        Self::at(LinkedInConfig::default(), clock, Arc::new(time))
    }

    fn at(config: LinkedInConfig, clock: ManualClock, time: Arc<dyn Clock>) -> Self {
        let fake = Arc::new(testing::FakeLinkedIn::new());
        Self {
            sandbox: Sandbox::new().with(fake.clone()).with_clock(time.clone()),
            fake,
            clock,
            time,
            linkedin: LinkedIn::new(config),
        }
    }

    /// A context for a new intent of Acme.
    pub(crate) fn cx(&self) -> Context {
        self.of(testing::ORGANIZATION, testing::TOKEN)
    }

    /// A context for a new intent of Anna.
    pub(crate) fn anna(&self) -> Context {
        self.of(testing::MEMBER, testing::TOKEN)
    }

    pub(crate) fn of(&self, author: &str, token: &str) -> Context {
        let tenant = TenantId::new("acme").unwrap();
        Context::new(self.sandbox.clone())
            .with_clock(self.time.clone())
            .with_credential(Credential::token(token))
            .with_account(Account::new(tenant, PLATFORM, author))
            .with_key("key")
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&PLATFORM)
    }
}

/// What is posted, and as LinkedIn is sent it: with a link that it lists in another way.
pub(crate) const TEXT: &str =
    "Hello (from Acme) & friends #launch https://acme.dev/blog/a_long-title!";
pub(crate) const LITTLE: &str =
    r"Hello \(from Acme\) & friends #launch https://acme.dev/blog/a\_long-title!";
pub(crate) const COMMENT: &str = "More (soon): https://acme.dev/blog/a_long-title, and acme.dev";

pub(crate) fn hello() -> Post {
    Post::text(TEXT)
}

pub(crate) fn commented() -> Post {
    let mut post = hello();
    post.base.first_comment = Some(COMMENT.to_owned());
    post
}

pub(crate) fn with_options(text: &str, options: &LinkedInOptions) -> Post {
    let variant = Variant::text(text).with_options(options).unwrap();
    Post::text("elsewhere").variant(PLATFORM, variant)
}
