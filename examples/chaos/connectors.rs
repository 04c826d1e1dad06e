//! Every connector that publishes, with its fake. A new one is one more entry.

use std::sync::Arc;

use automarket::{
    Builder, Credential, Error, Media, Platform, Post, Result, TenantId,
    connectors::{
        facebook::{self, Facebook, FacebookConfig},
        instagram::{self, Instagram, InstagramConfig, Login},
        linkedin::{self, LinkedIn, LinkedInConfig},
        mixpost::{self, Mixpost, MixpostConfig},
        x::{self, XConfig},
    },
    core::{
        content::{MediaKind, MediaSource},
        http_types::Method,
    },
    store::Account,
    testing::{Fake, LocalMediaHost},
};

pub(crate) struct Connector {
    pub(crate) name: &'static str,
    /// The host that its fake plays.
    pub(crate) host: &'static str,
    pub(crate) fake: fn() -> Arc<dyn Fake>,
    /// A good post of this text.
    pub(crate) post: fn(&str) -> Post,
    /// One with pictures, and with the second text as what else it takes: another part, or a comment.
    pub(crate) rich: fn(&str, &str) -> Post,
    /// One with what goes another way than pictures: a film, or a document where films have to be large.
    pub(crate) film: fn(&str) -> Post,
    /// How often its fake shows that second text apart from the post.
    pub(crate) apart: usize,
    /// The request whose effect is the post: its method and the end of its path.
    pub(crate) write: (Method, &'static str),
    /// Registers the connector, to reach its platform at this address.
    pub(crate) register: fn(Builder, &str) -> Result<Builder>,
    pub(crate) account: fn(TenantId) -> Account,
    pub(crate) credential: fn() -> Credential,
}

pub(crate) const ALL: &[Connector] = &[MIXPOST, X, LINKEDIN, FACEBOOK, INSTAGRAM];

const MIXPOST: Connector = Connector {
    name: "mixpost",
    host: mixpost::testing::HOST,
    fake: || Arc::new(mixpost::testing::FakeMixpost::new()),
    post: |text| Post::text(text),
    rich: |text, more| thread(pictures(text, 1), more),
    film: |text| Post::text(text).media(film()),
    apart: 0,
    write: (Method::POST, "/posts"),
    register: |builder, base| {
        let config = MixpostConfig::new(format!("{base}/mixpost"), mixpost::testing::WORKSPACE);
        Ok(builder.publisher(Mixpost::new(config)?))
    },
    account: |tenant| {
        let number = mixpost::testing::X_ACCOUNT.to_string();
        Account::new(tenant, mixpost::PLATFORM, number).on_network(Platform::X)
    },
    credential: || Credential::token(mixpost::testing::TOKEN),
};

const X: Connector = Connector {
    name: "x",
    host: x::testing::HOST,
    fake: || {
        let fake = x::testing::FakeX::new();
        fake.set_processing(0);
        Arc::new(fake)
    },
    post: |text| Post::text(text),
    rich: |text, more| thread(pictures(text, 1), more),
    film: |text| Post::text(text).media(film()),
    apart: 1,
    write: (Method::POST, "/2/tweets"),
    register: |builder, base| {
        let config = XConfig {
            base_url: base.to_owned(),
            ..XConfig::default()
        };
        Ok(builder.publisher(x::X::new(config)))
    },
    account: |tenant| Account::new(tenant, x::PLATFORM, x::testing::USER),
    credential: || Credential::token(x::testing::TOKEN),
};

const LINKEDIN: Connector = Connector {
    name: "linkedin",
    host: linkedin::testing::HOST,
    fake: || {
        let fake = linkedin::testing::FakeLinkedIn::new();
        fake.set_processing(0);
        Arc::new(fake)
    },
    post: |text| Post::text(text),
    rich: |text, more| commented(pictures(text, 2), more),
    film: |text| Post::text(text).media(document()),
    apart: 1,
    write: (Method::POST, "/rest/posts"),
    register: |builder, base| {
        let config = LinkedInConfig {
            base_url: base.to_owned(),
            ..LinkedInConfig::default()
        };
        Ok(builder.publisher(LinkedIn::new(config)))
    },
    account: |tenant| Account::new(tenant, linkedin::PLATFORM, linkedin::testing::ORGANIZATION),
    credential: || Credential::token(linkedin::testing::TOKEN),
};

const FACEBOOK: Connector = Connector {
    name: "facebook",
    host: facebook::testing::HOSTS[0],
    fake: || Arc::new(facebook::testing::FakeFacebook::new()),
    post: |text| Post::text(text),
    rich: |text, more| commented(pictures(text, 2), more),
    film: |text| Post::text(text).media(film()),
    apart: 1,
    write: (Method::POST, "/feed"),
    register: |builder, base| {
        let config = FacebookConfig {
            base_url: base.to_owned(),
            video_url: base.to_owned(),
            ..FacebookConfig::default()
        };
        Ok(builder.publisher(Facebook::new(config)))
    },
    account: |tenant| Account::new(tenant, facebook::PLATFORM, facebook::testing::PAGE),
    credential: || Credential::token(facebook::testing::TOKEN),
};

const INSTAGRAM: Connector = Connector {
    name: "instagram",
    host: instagram::testing::HOST,
    fake: || {
        let fake = instagram::testing::FakeInstagram::new(Login::Instagram);
        fake.set_processing(0);
        // A world publishes more than an account may in a day.
        fake.set_quota(usize::MAX);
        Arc::new(fake)
    },
    post: |text| pictures(text, 1),
    rich: |text, more| commented(pictures(text, 2), more),
    film: |text| Post::text(text).media(film()),
    apart: 1,
    write: (Method::POST, "/media_publish"),
    register: |builder, base| {
        let config = InstagramConfig {
            base_url: Some(base.to_owned()),
            ..InstagramConfig::default()
        };
        let builder = builder.media_host(LocalMediaHost::new());
        Ok(builder.publisher(Instagram::new(config)))
    },
    account: |tenant| Account::new(tenant, instagram::PLATFORM, instagram::testing::ACCOUNT),
    credential: || Credential::token(instagram::testing::TOKEN),
};

/// Enough of a film to be known as one.
const MP4: &[u8] = b"\0\0\0\x14ftypisom\0\0\x02\0isom\0\0\0\0mdat";

fn film() -> Media {
    let film = Media::new(MediaKind::Video, MediaSource::Bytes(MP4.into()));
    let mime = Some("video/mp4".to_owned());
    Media { mime, ..film }
}

fn document() -> Media {
    let pdf = MediaSource::Bytes("%PDF-1.4 a carousel".into());
    let name = Some("carousel.pdf".to_owned());
    Media {
        name,
        ..Media::new(MediaKind::Document, pdf)
    }
}

/// Enough of a picture to be known as one.
const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF";

fn pictures(text: &str, count: usize) -> Post {
    let picture = || Media::image(JPEG, "image/jpeg").alt("A dot");
    (0..count).fold(Post::text(text), |post, _| post.media(picture()))
}

fn thread(mut post: Post, more: &str) -> Post {
    post.base.thread = Some(vec![more.to_owned()]);
    post
}

fn commented(mut post: Post, more: &str) -> Post {
    post.base.first_comment = Some(more.to_owned());
    post
}

pub(crate) fn find(name: &str) -> Result<&'static Connector> {
    let found = ALL.iter().find(|connector| connector.name == name);
    found.ok_or_else(|| Error::invalid("connector", format!("there is no {name}")))
}
