//! A fake Instagram with a clock of its own, which fetches media from a host of its own.

use std::sync::Arc;

use automarket_connector_instagram::{
    Instagram, InstagramConfig, InstagramOptions, Login, PLATFORM, testing,
};
pub(crate) use automarket_core::testing::done;
use automarket_core::{
    Context, Credential, Media, Post, TenantId,
    content::{MediaKind, MediaSource, Variant},
    store::Account,
    testing::{LocalMediaHost, ManualClock, Sandbox},
};
use serde_json::{Value, json};

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF";
const FILM: &[u8] = b"\0\0\0\x14ftypisom\0\0\x02\0isom\0\0\0\0mdat";

pub(crate) struct World {
    pub(crate) fake: Arc<testing::FakeInstagram>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) host: LocalMediaHost,
    pub(crate) instagram: Instagram,
    login: Login,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of_login(Login::Instagram)
    }

    pub(crate) fn of_login(login: Login) -> Self {
        let host = LocalMediaHost::new();
        let fake = testing::FakeInstagram::new(login).fetching(host.clone());
        let fake = Arc::new(fake);
        let clock = ManualClock::parse("2026-11-20T09:00:00Z");
        Self {
            sandbox: Sandbox::new()
                .with(fake.clone())
                .with(Arc::new(host.clone()))
                .with_clock(Arc::new(clock.clone())),
            fake,
            clock,
            host,
            instagram: Instagram::new(InstagramConfig::of(login)),
            login,
        }
    }

    /// A context for a new intent of the first account.
    pub(crate) fn cx(&self) -> Context {
        self.of(testing::ACCOUNT, testing::TOKEN)
    }

    pub(crate) fn of(&self, account: &str, token: &str) -> Context {
        let tenant = TenantId::new("acme").unwrap();
        let account =
            Account::new(tenant, PLATFORM, account).with_settings(json!({"login": self.login}));
        Context::new(self.sandbox.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_credential(Credential::token(token))
            .with_account(account)
            .with_media_host(Arc::new(self.host.clone()))
            .with_key("key")
    }

    pub(crate) fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&PLATFORM)
    }
}

pub(crate) fn photo() -> Media {
    Media::image(JPEG, "image/jpeg").alt("A crab")
}

pub(crate) fn film() -> Media {
    let film = MediaSource::Bytes(FILM.into());
    Media {
        mime: Some("video/mp4".into()),
        ..Media::new(MediaKind::Video, film)
    }
}

pub(crate) fn hello() -> Post {
    Post::text("Hello from Acme & friends #rust").media(photo())
}

pub(crate) fn with_options(post: Post, options: &InstagramOptions) -> Post {
    let variant = Variant::default().with_options(options).unwrap();
    post.variant(PLATFORM, variant)
}

pub(crate) fn story() -> InstagramOptions {
    InstagramOptions {
        story: true,
        ..InstagramOptions::default()
    }
}
