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
    /// Live, the token is in `<name>_TOKEN` and the account's id in `<name>_ACCOUNT`; an API that is not at its
    /// usual address is in `<name>_URL`.
    pub(crate) name: &'static str,
    pub(crate) register: fn(Builder, Option<String>) -> Builder,
    /// The fake, with the place where it fetches media.
    pub(crate) fake: fn(&LocalMediaHost) -> Arc<dyn Fake>,
    /// The fake's account and its token.
    pub(crate) sandbox: (&'static str, &'static str),
}

pub(crate) const ALL: &[Network] = &[
    Network {
        platform: x::PLATFORM,
        name: "X",
        register: |builder, url| {
            let mut config = XConfig::default();
            config.base_url = url.unwrap_or(config.base_url);
            builder.publisher(X::new(config))
        },
        fake: |_| Arc::new(x::testing::FakeX::new()),
        sandbox: (x::testing::USER, x::testing::TOKEN),
    },
    Network {
        platform: linkedin::PLATFORM,
        name: "LINKEDIN",
        register: |builder, url| {
            let mut config = LinkedInConfig::default();
            config.base_url = url.unwrap_or(config.base_url);
            builder.publisher(LinkedIn::new(config))
        },
        fake: |_| Arc::new(linkedin::testing::FakeLinkedIn::new()),
        sandbox: (linkedin::testing::ORGANIZATION, linkedin::testing::TOKEN),
    },
    Network {
        platform: facebook::PLATFORM,
        name: "FACEBOOK",
        register: |builder, url| {
            let mut config = FacebookConfig::default();
            config.base_url = url.unwrap_or(config.base_url);
            builder.publisher(Facebook::new(config))
        },
        fake: |_| Arc::new(facebook::testing::FakeFacebook::new()),
        sandbox: (facebook::testing::PAGE, facebook::testing::TOKEN),
    },
    Network {
        platform: instagram::PLATFORM,
        name: "INSTAGRAM",
        register: |builder, url| {
            let config = InstagramConfig {
                base_url: url,
                ..InstagramConfig::default()
            };
            builder.publisher(Instagram::new(config))
        },
        fake: |host| {
            let fake = instagram::testing::FakeInstagram::new(Login::Instagram);
            Arc::new(fake.fetching(host.clone()))
        },
        sandbox: (instagram::testing::ACCOUNT, instagram::testing::TOKEN),
    },
];
