//! A fake Facebook with a clock of its own.

use std::sync::Arc;

use automarket_connector_facebook::{Facebook, FacebookConfig, FacebookOptions, PLATFORM, testing};
pub(crate) use automarket_core::testing::{accepted, done};
use automarket_core::{
    Clock, Context, Credential, Outcome, Post, Receipt, TenantId,
    chrono::TimeDelta,
    content::Variant,
    publisher::Publisher as _,
    store::Account,
    testing::{ManualClock, Sandbox, TokioClock},
};
use serde_json::Value;

const BEGINNING: &str = "2026-11-20T09:00:00Z";

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeFacebook>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    /// Whose time it is: the clock's, or tokio's.
    time: Arc<dyn Clock>,
    pub(crate) facebook: Facebook,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::parse(BEGINNING);
        Self::at(clock.clone(), Arc::new(clock))
    }

    /// A world whose time goes with every sleep.
    pub(crate) fn ticking() -> Self {
        let clock = ManualClock::parse(BEGINNING);
        let time = TokioClock::from(clock.now());
        Self::at(clock, Arc::new(time))
    }

    fn at(clock: ManualClock, time: Arc<dyn Clock>) -> Self {
        let fake = Arc::new(testing::FakeFacebook::new());
        Self {
            sandbox: Sandbox::new().with(fake.clone()).with_clock(time.clone()),
            fake,
            clock,
            time,
            facebook: Facebook::new(FacebookConfig::default()),
        }
    }

    /// A context for a new intent of the first page.
    pub(crate) fn cx(&self) -> Context {
        self.of(testing::PAGE, testing::TOKEN)
    }

    pub(crate) fn of(&self, page: &str, token: &str) -> Context {
        let tenant = TenantId::new("acme").unwrap();
        Context::new(self.sandbox.clone())
            .with_clock(self.time.clone())
            .with_credential(Credential::token(token))
            .with_account(Account::new(tenant, PLATFORM, page))
            .with_key("key")
    }

    /// As [`cx`](Self::cx), of a token whose page is not named.
    pub(crate) fn nameless(&self) -> Context {
        Context::new(self.sandbox.clone())
            .with_clock(self.time.clone())
            .with_credential(Credential::token(testing::TOKEN))
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&PLATFORM)
    }

    /// Asks for what was accepted until it is public.
    pub(crate) async fn public(&self, cx: &Context, outcome: Outcome) -> Receipt {
        let mut outcome = outcome;
        for _ in 0..20 {
            match outcome {
                Outcome::Done(receipt) => return receipt,
                Outcome::Accepted(handle) => {
                    self.clock.advance(TimeDelta::minutes(1));
                    outcome = self.facebook.poll(cx, &handle).await.unwrap();
                }
            }
        }
        panic!("never public: {outcome:?}")
    }
}

pub(crate) fn hello() -> Post {
    Post::text("Hello from Acme & friends")
}

pub(crate) fn with_options(post: Post, options: &FacebookOptions) -> Post {
    let variant = Variant::default().with_options(options).unwrap();
    post.variant(PLATFORM, variant)
}
