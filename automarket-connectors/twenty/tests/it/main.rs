//! Twenty, held against its sandbox and against recorded answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod changes;
mod conformance;
mod edges;
mod faults;
mod races;
mod sandbox;
mod spellings;
mod wire;

use std::sync::Arc;

use automarket_connector_twenty::{Twenty, TwentyConfig, testing::FakeTwenty};
use automarket_core::{
    Context, Credential,
    crm::Contact,
    testing::{ManualClock, Sandbox},
};

/// A workspace, its world, and a way in.
pub(crate) struct World {
    pub(crate) twenty: Twenty,
    pub(crate) fake: Arc<FakeTwenty>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) cx: Context,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(FakeTwenty::new())
    }

    pub(crate) fn with(fake: FakeTwenty) -> Self {
        let fake = Arc::new(fake);
        let clock = ManualClock::parse("2026-11-20T10:00:00Z");
        let sandbox = Sandbox::new()
            .with(fake.clone())
            .with_clock(Arc::new(clock.clone()));
        let cx = Context::new(sandbox.clone())
            .with_clock(Arc::new(clock.clone()))
            .with_credential(Credential::token(FakeTwenty::TOKEN));
        Self {
            twenty: twenty(),
            fake,
            sandbox,
            clock,
            cx,
        }
    }

    pub(crate) fn effects(&self) -> usize {
        self.sandbox
            .effects(&automarket_connector_twenty::PLATFORM)
            .len()
    }
}

pub(crate) fn twenty() -> Twenty {
    Twenty::new(TwentyConfig::at(FakeTwenty::BASE_URL).unwrap())
}

pub(crate) fn contact(email: &str) -> Contact {
    Contact {
        email: email.into(),
        first_name: Some("Ann".into()),
        last_name: Some("Lee".into()),
        ..Contact::default()
    }
}
