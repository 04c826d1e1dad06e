use automarket_core::{
    AccountId, Content, Media, Platform, Post, Url, Variant,
    content::{MediaKind, MediaSource, PlatformOptions, Utm, untag},
    networks,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn utm() -> Utm {
    Utm {
        term: Some("a b&c".into()),
        content: Some("é".into()),
        ..Utm::campaign("launch").with_source("x")
    }
}

#[test]
fn tagging_keeps_every_other_byte() {
    let tags =
        "utm_source=x&utm_medium=social&utm_campaign=launch&utm_term=a+b%26c&utm_content=%C3%A9";
    for (before, after) in [
        ("https://acme.dev", "https://acme.dev/?TAGS"),
        ("https://acme.dev/?", "https://acme.dev/?TAGS"),
        ("https://acme.dev/#top", "https://acme.dev/?TAGS#top"),
        (
            "https://acme.dev:8443/a%2Fb?x=1",
            "https://acme.dev:8443/a%2Fb?x=1&TAGS",
        ),
        (
            "http://user:pass@acme.dev/?a=1&a=2&&b=",
            "http://user:pass@acme.dev/?a=1&a=2&&b=&TAGS",
        ),
        (
            "https://acme.dev/?utm_source=old&x=1&utm_medium=mail",
            "https://acme.dev/?x=1&TAGS",
        ),
        ("https://acme.dev/?UTM_Source=old", "https://acme.dev/?TAGS"),
        (
            "https://acme.dev/?utm%5Fsource=old",
            "https://acme.dev/?TAGS",
        ),
        (
            "https://acme.dev/?utm_sources=1&my_utm_source=2&utm_id=3",
            "https://acme.dev/?utm_sources=1&my_utm_source=2&utm_id=3&TAGS",
        ),
        (
            "https://acme.dev/?q=a+b%20c&eq=a=b",
            "https://acme.dev/?q=a+b%20c&eq=a=b&TAGS",
        ),
        (
            "https://xn--mnchen-3ya.de/stra%C3%9Fe?ä=ö",
            "https://xn--mnchen-3ya.de/stra%C3%9Fe?%C3%A4=%C3%B6&TAGS",
        ),
        (
            "https://[2001:db8::1]/?x#?utm_source=frag",
            "https://[2001:db8::1]/?x&TAGS#?utm_source=frag",
        ),
        (
            "mailto:me@acme.dev?subject=hi",
            "mailto:me@acme.dev?subject=hi",
        ),
        ("ftp://acme.dev/?x=1", "ftp://acme.dev/?x=1"),
    ] {
        let url: Url = before.parse().unwrap();
        let once = utm().tag(&url);
        assert_eq!(once.as_str(), after.replace("TAGS", tags), "{before}");
        assert_eq!(utm().tag(&once), once, "{before}");
    }
}

#[test]
fn untagging_without_tags_changes_nothing() {
    for url in [
        "https://acme.dev/?",
        "https://acme.dev/?&&a#",
        "mailto:a@b.c?utm=1",
    ] {
        let url: Url = url.parse().unwrap();
        assert_eq!(untag(&url), url);
    }
}

#[test]
fn empty_parameters_are_not_written() {
    let utm = Utm {
        term: Some(String::new()),
        ..Utm::default()
    };
    let url: Url = "https://acme.dev/?a".parse().unwrap();
    assert_eq!(utm.tag(&url), url);
}

#[test]
fn the_link_stands_in_the_text_once() {
    let x = networks::profile(&Platform::X).unwrap();
    let says = |text: &str, link: &str| {
        let content = Content {
            link: link.parse().ok(),
            ..Content::text(text)
        };
        content.final_text(&x)
    };
    for (text, link) in [
        ("See https://acme.dev/p now", "https://acme.dev/p"),
        ("See https://acme.dev", "https://acme.dev/"),
        ("See https://acme.dev/p/.", "https://acme.dev/p"),
        ("(https://acme.dev/p)", "https://acme.dev/p/"),
        ("看https://acme.dev/p。", "https://acme.dev/p"),
        (
            "詳細はhttps://acme.dev/pをご覧ください",
            "https://acme.dev/p",
        ),
        ("详情见https://acme.dev/p，欢迎", "https://acme.dev/p"),
        ("詳細はhttps://acme.dev/、または", "https://acme.dev/"),
        ("https://ACME.dev/p", "https://acme.dev/p"),
        ("https://münchen.de!", "https://münchen.de"),
        (
            "https://en.example.org/Foo_(bar)",
            "https://en.example.org/Foo_(bar)",
        ),
    ] {
        assert_eq!(says(text, link), text);
    }
    for (text, link) in [
        ("See https://acme.dev/pricing", "https://acme.dev/p"),
        ("See https://acme.dev/p?x=1", "https://acme.dev/p"),
        ("See https://acme.dev/café", "https://acme.dev/caf"),
        ("See acme.dev/p", "https://acme.dev/p"),
        ("http", "https://acme.dev/p"),
        // Where the path goes on in letters that no pattern takes.
        ("新商品 https://acme.jp/商品", "https://acme.jp/"),
        ("Δείτε https://acme.gr/νέα τώρα", "https://acme.gr/"),
        ("https://acme.jp/p/商品", "https://acme.jp/p"),
        ("https://acme.jp/p?商品=1", "https://acme.jp/p"),
        ("https://acme.jp/p#商品", "https://acme.jp/p"),
    ] {
        assert_eq!(says(text, link), format!("{text}\n\n{link}"));
    }
    assert_eq!(says(" ", "https://acme.dev/p"), "https://acme.dev/p");
}

#[test]
fn media_takes_the_place_of_a_link_beside_the_text() {
    let content = Content {
        link: "https://acme.dev/p".parse().ok(),
        ..Content::text("We shipped.")
    };
    let pictured = Content {
        media: vec![Media::image(&b"a"[..], "image/png")],
        ..content.clone()
    };
    let linkedin = networks::profile(&Platform::LINKEDIN).unwrap();
    assert_eq!(content.final_text(&linkedin), "We shipped.");
    assert_eq!(
        pictured.final_text(&linkedin),
        "We shipped.\n\nhttps://acme.dev/p"
    );
    let instagram = networks::profile(&Platform::INSTAGRAM).unwrap();
    assert_eq!(pictured.final_text(&instagram), "We shipped.");
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Visibility {
    public: bool,
    audience: Vec<String>,
}

impl PlatformOptions for Visibility {
    const PLATFORM: Platform = Platform::LINKEDIN;
}

#[test]
fn options_come_back_typed() {
    let options = Visibility {
        public: true,
        audience: vec!["de".into()],
    };
    let variant = Variant::text("a").with_options(&options).unwrap();
    let post = Post::text("b").variant(Platform::LINKEDIN, variant);
    let json = serde_json::to_string(&post).unwrap();
    let post: Post = serde_json::from_str(&json).unwrap();
    let content = post.content_for(&Platform::LINKEDIN, None);
    assert_eq!(content.options::<Visibility>().unwrap(), options);
    let elsewhere = post.content_for(&Platform::X, None);
    assert_eq!(
        elsewhere.options::<Visibility>().unwrap(),
        Visibility::default()
    );

    let mut odd = content;
    odd.options
        .insert(Platform::LINKEDIN, serde_json::json!({ "publik": true }));
    let error = odd.options::<Visibility>().unwrap_err();
    assert_eq!(error.kind(), automarket_core::ErrorKind::InvalidInput);
}

#[test]
fn links_of_a_post_are_web_addresses() {
    for link in [
        "",
        "acme.dev",
        "javascript:alert(1)",
        "ftp://acme.dev",
        "/p",
        "https://",
    ] {
        assert!(Post::text("a").link(link).is_err(), "{link:?}");
    }
    assert!(Post::text("a").link("https://acme.dev/p?x#y").is_ok());
}

fn any_url() -> impl Strategy<Value = Url> {
    let pair = prop_oneof![
        Just(String::new()),
        "[a-z]{1,3}",
        "[a-z]{1,3}=[a-z0-9%+=]{0,4}",
        "(utm|UTM)_(source|medium|campaign|term|content|id)=[a-z]{0,3}",
        "utm%5[fF]source=[a-z]",
    ];
    let query = proptest::option::of(proptest::collection::vec(pair, 0..6));
    let host = prop_oneof![
        Just("acme.dev"),
        Just("acme.dev:8080"),
        Just("münchen.de"),
        Just("[::1]"),
        Just("u:p@acme.dev")
    ];
    (
        host,
        "(/[a-z%é ]{0,5}){0,3}",
        query,
        proptest::option::of("[a-z?&=]{0,5}"),
    )
        .prop_filter_map("an address", |(host, path, query, fragment)| {
            let query = query.map_or(String::new(), |pairs| format!("?{}", pairs.join("&")));
            let fragment = fragment.map_or(String::new(), |fragment| format!("#{fragment}"));
            Url::parse(&format!("https://{host}{path}{query}{fragment}")).ok()
        })
}

fn others(url: &Url) -> Vec<(String, String)> {
    let ours = |name: &str| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("utm_").unwrap_or_default();
        ["source", "medium", "campaign", "term", "content"].contains(&name)
    };
    url.query_pairs()
        .filter(|(name, _)| !ours(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn any_variant() -> impl Strategy<Value = Variant> {
    (
        proptest::option::of("[a-z]{0,4}"),
        proptest::option::of(proptest::collection::vec("[a-z]{0,4}", 0..2)),
        proptest::option::of(any_url()),
        proptest::option::of(Just(vec![Media::image(&b"a"[..], "image/png")])),
        proptest::option::of("[a-z]{0,4}"),
    )
        .prop_map(|(text, thread, link, media, first_comment)| Variant {
            text,
            thread,
            link,
            media,
            first_comment,
            ..Variant::default()
        })
}

proptest! {
    #[test]
    fn tags_are_set_once_and_taken_off_again(url in any_url(), source in "[a-z &=#é]{1,6}", term in proptest::option::of("(?s).{0,4}")) {
        let utm = Utm { term, ..Utm::campaign("c").with_source(source.clone()) };
        let once = utm.tag(&url);
        prop_assert_eq!(&utm.tag(&once), &once);
        prop_assert_eq!(others(&once), others(&url));
        prop_assert_eq!(once.fragment(), url.fragment());
        prop_assert_eq!(once.path(), url.path());
        let sources: Vec<_> = once.query_pairs().filter(|(name, _)| name == "utm_source").collect();
        prop_assert_eq!(sources.len(), 1);
        prop_assert_eq!(&sources[0].1, &source);
        let (cleaned, bare) = (untag(&once), untag(&url));
        prop_assert_eq!(cleaned.query().unwrap_or_default(), bare.query().unwrap_or_default());
        prop_assert_eq!(&untag(&bare), &bare);
    }

    #[test]
    fn the_nearest_layer_wins(base in any_variant(), network in any_variant(), account in any_variant()) {
        let id = AccountId::new();
        let mut post = Post::text("").variant(Platform::X, network.clone()).account_variant(id, account.clone());
        post.base = base.clone();
        let content = post.content_for(&Platform::X, Some(id));
        let text = account.text.clone().or(network.text.clone()).or(base.text.clone());
        prop_assert_eq!(content.text, text.unwrap_or_default());
        let link = account.link.clone().or(network.link.clone()).or(base.link.clone());
        prop_assert_eq!(content.link, link);
        let media = account.media.or(network.media.clone()).or(base.media.clone());
        prop_assert_eq!(content.media, media.unwrap_or_default());
        let elsewhere = post.content_for(&Platform::LINKEDIN, Some(AccountId::new()));
        prop_assert_eq!(elsewhere.text, base.text.unwrap_or_default());
        let json = serde_json::to_string(&post).unwrap();
        prop_assert_eq!(serde_json::from_str::<Post>(&json).unwrap(), post);
    }

    #[test]
    fn media_survives_json(bytes in any::<Vec<u8>>(), alt in proptest::option::of("(?s).{0,9}"), millis in proptest::option::of(0..1_000_000_000_u32)) {
        let seconds = millis.map(|millis| f64::from(millis) / 1000.0);
        let sources = [
            MediaSource::Bytes(bytes.into()),
            MediaSource::File("a/b.png".into()),
            MediaSource::Address("https://acme.dev/a.png".parse().unwrap()),
            MediaSource::Host("a/b".into()),
        ];
        for source in sources {
            let media = Media { alt: alt.clone(), seconds, ..Media::new(MediaKind::Gif, source) };
            let json = serde_json::to_string(&media).unwrap();
            prop_assert_eq!(serde_json::from_str::<Media>(&json).unwrap(), media);
        }
    }
}
