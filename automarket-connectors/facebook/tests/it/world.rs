//! A fake Facebook with a clock of its own.

use std::sync::Arc;

use automarket_connector_facebook::{Facebook, FacebookConfig, FacebookOptions, PLATFORM, testing};
use automarket_core::{
    Context, Credential, Outcome, Post, Receipt, TenantId,
    chrono::TimeDelta,
    content::Variant,
    publisher::Publisher as _,
    steps::MemorySteps,
    store::Account,
    testing::{Fault, FaultRule, ManualClock, Sandbox},
};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeFacebook>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) facebook: Facebook,
}

impl World {
    pub(crate) fn new() -> Self {
        let fake = Arc::new(testing::FakeFacebook::new());
        let clock = ManualClock::parse("2026-11-20T09:00:00Z");
        Self {
            sandbox: Sandbox::new()
                .with(fake.clone())
                .with_clock(Arc::new(clock.clone())),
            fake,
            clock,
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
            .with_clock(Arc::new(self.clock.clone()))
            .with_credential(Credential::token(token))
            .with_account(Account::new(tenant, PLATFORM, page))
            .with_steps(Arc::new(MemorySteps::default()))
            .with_key("key")
    }

    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.sandbox.faults().add(FaultRule::on(path, fault));
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

pub(crate) fn done(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Done(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}
