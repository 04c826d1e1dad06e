//! The networks: one entry each.

use std::sync::Arc;

use automarket::{
    Builder, Platform,
    connectors::{
        facebook::{self, Facebook, FacebookConfig},
        instagram::{self, Instagram, InstagramConfig, Login},
        linkedin::{self, LinkedIn, LinkedInConfig},
        x::{self, X, XConfig},
    },
    testing::{Fake, LocalMediaHost},
};

pub(crate) struct Network {
    pub(crate) platform: Platform,
    /// Live, the token is in `<name>_TOKEN` and the account's id in `<name>_ACCOUNT`.
    pub(crate) name: &'static str,
    pub(crate) register: fn(Builder) -> Builder,
    /// The fake, with the place where it fetches media.
    pub(crate) fake: fn(&LocalMediaHost) -> Arc<dyn Fake>,
    /// The fake's account and its token.
    pub(crate) sandbox: (&'static str, &'static str),
}

pub(crate) const ALL: &[Network] = &[
    Network {
        platform: x::PLATFORM,
        name: "X",
        register: |builder| builder.publisher(X::new(XConfig::default())),
        fake: |_| Arc::new(x::testing::FakeX::new()),
        sandbox: (x::testing::USER, x::testing::TOKEN),
    },
    Network {
        platform: linkedin::PLATFORM,
        name: "LINKEDIN",
        register: |builder| builder.publisher(LinkedIn::new(LinkedInConfig::default())),
        fake: |_| Arc::new(linkedin::testing::FakeLinkedIn::new()),
        sandbox: (linkedin::testing::ORGANIZATION, linkedin::testing::TOKEN),
    },
    Network {
        platform: facebook::PLATFORM,
        name: "FACEBOOK",
        register: |builder| builder.publisher(Facebook::new(FacebookConfig::default())),
        fake: |_| Arc::new(facebook::testing::FakeFacebook::new()),
        sandbox: (facebook::testing::PAGE, facebook::testing::TOKEN),
    },
    Network {
        platform: instagram::PLATFORM,
        name: "INSTAGRAM",
        register: |builder| builder.publisher(Instagram::new(InstagramConfig::default())),
        fake: |host| {
            let fake = instagram::testing::FakeInstagram::new(Login::Instagram);
            Arc::new(fake.fetching(host.clone()))
        },
        sandbox: (instagram::testing::ACCOUNT, instagram::testing::TOKEN),
    },
];
