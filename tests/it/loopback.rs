//! Every connector through the real transport, with an address of this machine where its platform would be: the guard
//! refuses it, and nothing knocks there.

use std::{future::Future, net::TcpListener, pin::Pin};

use automarket::{
    Credential, ErrorKind, Media, Notice, Post, Publisher as _,
    connectors::{
        claude::{Claude, ClaudeConfig},
        facebook::{Facebook, FacebookConfig},
        firecrawl::{Firecrawl, FirecrawlConfig},
        instagram::{Instagram, InstagramConfig},
        linkedin::{LinkedIn, LinkedInConfig},
        mixpost::{Mixpost, MixpostConfig},
        slack::{Slack, SlackConfig},
        twenty::{Twenty, TwentyConfig},
        web::Web,
        x::{X, XConfig},
    },
    content::MediaKind,
    core::{Context, CrmProvider as _, Notifier as _, PageSource as _, ai::LanguageModel as _},
    http::{Guard, ReqwestTransport},
};

use crate::workspace::connector_folders;

/// A call of a connector to this address.
type Call = fn(Context, String) -> Pin<Box<dyn Future<Output = automarket::Result<()>> + Send>>;

const CALLS: [(&str, Call); 12] = [
    ("claude", |cx, base| {
        Box::pin(async move {
            let claude = Claude::new(ClaudeConfig::default().base_url(base));
            claude.identify(&cx).await.map(drop)
        })
    }),
    ("facebook", |cx, base_url| {
        Box::pin(async move {
            let config = FacebookConfig {
                base_url,
                ..FacebookConfig::default()
            };
            Facebook::new(config).identify(&cx).await.map(drop)
        })
    }),
    ("firecrawl", |cx, base_url| {
        Box::pin(async move {
            let mut config = FirecrawlConfig::default();
            config.base_url = base_url;
            let firecrawl = Firecrawl::with_config(config);
            firecrawl.read(&cx, "https://acme.dev/").await.map(drop)
        })
    }),
    ("instagram", |cx, base_url| {
        Box::pin(async move {
            let config = InstagramConfig {
                base_url: Some(base_url),
                ..InstagramConfig::default()
            };
            Instagram::new(config).identify(&cx).await.map(drop)
        })
    }),
    ("linkedin", |cx, base_url| {
        Box::pin(async move {
            let config = LinkedInConfig {
                base_url,
                ..LinkedInConfig::default()
            };
            LinkedIn::new(config).identify(&cx).await.map(drop)
        })
    }),
    ("mixpost", |cx, base| {
        Box::pin(async move {
            let mixpost = Mixpost::new(MixpostConfig::new(base, "workspace"))?;
            mixpost.identify(&cx).await.map(drop)
        })
    }),
    ("slack", |cx, base_url| {
        Box::pin(async move {
            let mut config = SlackConfig::default();
            config.base_url = base_url;
            Slack::with_config(config).identify(&cx).await.map(drop)
        })
    }),
    // A webhook is an address of the tenant's own.
    ("slack", |cx, base| {
        Box::pin(async move {
            let cx = cx.with_credential(Credential::address(base));
            let notice = Notice::new("Title", "Text");
            Slack::new().notify(&cx, &notice).await.map(drop)
        })
    }),
    ("twenty", |cx, base| {
        Box::pin(async move {
            let twenty = Twenty::new(TwentyConfig::at(&base)?);
            twenty.identify(&cx).await.map(drop)
        })
    }),
    ("web", |cx, base| {
        Box::pin(async move { Web::new().read(&cx, &base).await.map(drop) })
    }),
    ("x", |cx, base_url| {
        Box::pin(async move {
            let config = XConfig {
                base_url,
                ..XConfig::default()
            };
            X::new(config).identify(&cx).await.map(drop)
        })
    }),
    // So is that of a picture.
    ("x", |cx, base| {
        Box::pin(async move {
            let picture = Media::address(MediaKind::Image, base.parse().unwrap());
            let post = Post::text("Look").media(picture.alt("A picture"));
            X::new(XConfig::default())
                .publish(&cx, &post)
                .await
                .map(drop)
        })
    }),
];

#[tokio::test]
async fn no_connector_reaches_this_machine() {
    let asked = CALLS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(connector_folders(), asked, "each connector, and no other");
    // Without this, plain http would be the reason.
    let guard = Guard::default().allow_http(true);
    let transport = ReqwestTransport::builder().guard(guard).build().unwrap();
    for (n, (name, call)) in CALLS.into_iter().enumerate() {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        door.set_nonblocking(true).unwrap();
        let cx = Context::new(transport.clone()).with_credential(Credential::token("t"));
        let base = format!("http://{}", door.local_addr().unwrap());
        let error = call(cx, base).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{name} ({n}): {error:?}");
        assert!(door.accept().is_err(), "{name} ({n}) knocked");
    }
}
