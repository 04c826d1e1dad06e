use std::sync::Arc;

use automarket_connector_firecrawl::{
    Firecrawl,
    testing::{FakeFirecrawl, FakePage, KEY},
};
use automarket_core::{
    Context, Credential, ErrorKind, PageSource as _, Retry,
    ai::{Generator as _, TemplateGenerator},
    http::Guard,
    testing::{
        Fake as _, Fault, FaultRule, Sandbox,
        conformance::{generator::brief, source::SourceUnderTest},
    },
};
use serde_json::json;

const PAGE: &str = "https://acme.example/launch";

fn world() -> (Sandbox, Arc<FakeFirecrawl>, Context) {
    let page = FakePage {
        markdown: "# Launch\n\nWe **shipped** it.".into(),
        metadata: json!({"title": ["Launch", "Launch"], "description": "We shipped.", "language": "en", "ogImage": "/og.png"}),
        branding: Some(
            json!({"colors": {"primary": "#FF6B35", "accent": "#FF6B35", "secondary": "teal"}, "images": {"favicon": "/i.ico"}}),
        ),
        status: 0,
    };
    let plain = FakePage {
        markdown: "PDF".into(),
        metadata: json!({}),
        ..FakePage::default()
    };
    let gone = FakePage {
        metadata: json!({}),
        status: 404,
        branding: Some(json!({})),
        ..FakePage::default()
    };
    let fake = FakeFirecrawl::new().with_page(PAGE, page);
    let fake = Arc::new(
        fake.with_page("https://acme.example/pdf", plain)
            .with_page("https://acme.example/gone", gone),
    );
    let sandbox = Sandbox::new().with(fake.clone());
    let cx = Context::new(sandbox.clone()).with_credential(Credential::token(KEY));
    (sandbox, fake, cx)
}

/// A context in which this page is there to be read.
fn with_page(page: FakePage) -> Context {
    let fake = Arc::new(FakeFirecrawl::new().with_page(PAGE, page));
    let cx = Context::new(Sandbox::new().with(fake));
    cx.with_credential(Credential::token(KEY))
}

#[tokio::test]
async fn keeps_the_page_source_contract() {
    let (sandbox, _, cx) = world();
    let suite = SourceUnderTest {
        source: &Firecrawl::new(),
        sandbox,
        context: &move || cx.clone(),
        good: PAGE,
        missing: "https://acme.example/gone",
        read_path: "/v2/scrape",
    };
    suite.run().await;
}

#[tokio::test]
async fn a_page_comes_with_text_metadata_and_branding() {
    let (_, _, cx) = world();
    let page = Firecrawl::new().read(&cx, PAGE).await.unwrap();
    assert_eq!(page.title.as_deref(), Some("Launch"));
    assert_eq!(page.url.unwrap().as_str(), PAGE);
    assert_eq!(page.image.unwrap().as_str(), "https://acme.example/og.png");
    assert_eq!(page.icon.unwrap().as_str(), "https://acme.example/i.ico");
    assert_eq!(page.colors, ["#ff6b35"]);
    assert_eq!(page.markdown, "# Launch\n\nWe **shipped** it.");
    assert!(page.text.contains("We shipped it."), "{}", page.text);
}

#[tokio::test]
async fn its_text_is_what_a_reader_sees() {
    let picture = "![Acme logo](https://cdn.acme.example/wp-content/uploads/2025/03/l.png)\n\n";
    let markdown = format!(
        "{}# Acme Cloud 2\n\nAcme Cloud 2 halves build times for [large teams](https://acme.example/teams) and\n\
         needs **no new hardware** at all.\n\n- [Start now](https://acme.example/start)\n- From \\$9 a month",
        picture.repeat(6)
    );
    let page = FakePage {
        markdown,
        metadata: json!({"title": "Acme Cloud 2", "language": "en"}),
        branding: Some(json!({})),
        status: 0,
    };
    let cx = with_page(page);
    let page = Firecrawl::new().read(&cx, PAGE).await.unwrap();
    assert_eq!(
        page.text,
        "Acme Cloud 2\n\nAcme Cloud 2 halves build times for large teams and needs no new hardware at all.\n\n\
         Start now\nFrom $9 a month"
    );
    let line = page.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(page.excerpt.as_ref(), Some(&line));
    let drafts = TemplateGenerator.generate(&cx, &brief(page)).await.unwrap();
    for draft in drafts.texts {
        assert!(draft.text.contains("large teams and needs"), "{draft:?}");
        assert!(!draft.text.contains("acme.example"), "{draft:?}");
        assert!(!draft.text.contains("#Uploads"), "{draft:?}");
    }
}

#[tokio::test]
async fn of_a_page_without_end_the_beginning_is_kept() {
    // 600 KB; and of letters that take three bytes.
    for line in ["[item](https://e.example/p/1)\n\n", "一覧です。\n\n"] {
        let page = FakePage {
            markdown: line.repeat(600_000 / line.len()),
            metadata: json!({"title": "List"}),
            branding: Some(json!({})),
            status: 0,
        };
        let cx = with_page(page);
        let page = Firecrawl::new().read(&cx, PAGE).await.unwrap();
        assert!(page.truncated);
        assert!(page.text.chars().count() <= 200_000);
        assert!(page.markdown.chars().count() <= 200_000);
        assert!(page.markdown.trim_end().ends_with(line.trim_end()));
        assert!(!page.text.contains("]("), "the text is no Markdown");
    }
}

/// How long it is would be the page's to say, and who pays the model is not the page.
#[tokio::test]
async fn what_a_page_says_of_itself_is_bounded() {
    let long = "Acme ".repeat(200_000);
    let names = ["title", "description", "author", "ogSiteName", "language"];
    let said = names.map(|name| (name.to_owned(), json!(long)));
    let page = FakePage {
        markdown: "Hello".into(),
        metadata: said.into_iter().collect(),
        branding: Some(json!({})),
        status: 0,
    };
    let page = Firecrawl::new().read(&with_page(page), PAGE).await.unwrap();
    assert_eq!(page.language, None);
    for said in [page.title, page.description, page.byline, page.site_name] {
        let said = said.unwrap();
        assert!((1_000..=2_000).contains(&said.len()) && said.ends_with("Acme"));
    }
}

#[tokio::test]
async fn only_addresses_of_the_web_are_pictures() {
    for bad in [
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://user:word@acme.example/og.png",
    ] {
        let page = FakePage {
            markdown: "Hello".into(),
            metadata: json!({"ogImage": bad, "favicon": bad, "url": bad}),
            branding: Some(json!({"images": {"ogImage": bad, "favicon": bad}})),
            status: 0,
        };
        let page = Firecrawl::new().read(&with_page(page), PAGE).await.unwrap();
        assert_eq!((page.image, page.icon), (None, None), "{bad}");
        assert_eq!(page.url.unwrap().as_str(), PAGE);
    }
}

/// The first half of a price is another one.
#[tokio::test]
async fn an_excerpt_ends_with_a_word() {
    let page = FakePage {
        markdown: format!("{} $4,900 a year", "a".repeat(296)),
        metadata: json!({}),
        branding: Some(json!({})),
        status: 0,
    };
    let page = Firecrawl::new().read(&with_page(page), PAGE).await.unwrap();
    assert_eq!(page.excerpt.unwrap(), format!("{}…", "a".repeat(296)));
}

#[tokio::test]
async fn a_page_that_could_not_be_read_is_no_empty_one() {
    let of = |markdown: &str, error: &str| FakePage {
        markdown: markdown.into(),
        metadata: json!({"error": error}),
        branding: Some(json!({})),
        status: 0,
    };
    for (page, kind) in [
        (
            of("", "net::ERR_CONNECTION_RESET"),
            Some(ErrorKind::Unavailable),
        ),
        (of("", ""), None),
        (of("Some of it", "a picture is missing"), None),
    ] {
        let cx = with_page(page);
        let read = Firecrawl::new().read(&cx, PAGE).await;
        let error = read.err();
        assert_eq!(error.as_ref().map(|error| error.kind()), kind);
        let retry = error.map(|error| error.retry());
        assert_eq!(retry, kind.map(|_| Retry::After(None)));
    }
}

#[tokio::test]
async fn a_page_without_branding_is_read_again_without_it() {
    let (_, fake, cx) = world();
    let page = Firecrawl::new()
        .read(&cx, "https://acme.example/pdf")
        .await
        .unwrap();
    assert_eq!(page.markdown, "PDF");
    assert_eq!(fake.effects().len(), 1, "the refused scrape cost nothing");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let (sandbox, fake, cx) = world();
    let firecrawl = Firecrawl::new();
    let kind = async |address: &str| firecrawl.read(&cx, address).await.unwrap_err().kind();
    assert_eq!(kind("https://acme.example/gone").await, ErrorKind::NotFound);
    let nowhere = firecrawl.read(&cx, "https://nowhere.example/").await;
    let nowhere = nowhere.unwrap_err();
    assert_eq!(
        (nowhere.kind(), nowhere.retry()),
        (ErrorKind::NotFound, Retry::Never)
    );
    assert_eq!(kind("not an address").await, ErrorKind::InvalidInput);
    assert_eq!(kind("file:///etc/passwd").await, ErrorKind::InvalidInput);
    sandbox.fault("/v2/scrape", Fault::RateLimited(Some("7")));
    let limited = firecrawl.read(&cx, PAGE).await.unwrap_err();
    assert_eq!(
        limited.retry(),
        Retry::After(Some(std::time::Duration::from_secs(7)))
    );
    sandbox.fault("/v2/scrape", Fault::CutAfter);
    let cut = firecrawl.read(&cx, PAGE).await.unwrap_err();
    assert_eq!(cut.retry(), Retry::After(None), "a read may be repeated");
    fake.use_up_credits();
    assert_eq!(kind(PAGE).await, ErrorKind::QuotaExhausted);
    let stranger = Context::new(sandbox).with_credential(Credential::token("fc-marker-secret"));
    let error = firecrawl.read(&stranger, PAGE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error:?}").contains("fc-marker-secret"));
}

#[tokio::test]
async fn what_is_the_matter_with_a_page_says_nothing_against_firecrawl() {
    let after = Retry::After(None);
    for (code, kind, retry) in [
        (
            "SCRAPE_DNS_RESOLUTION_ERROR",
            ErrorKind::NotFound,
            Retry::Never,
        ),
        ("SCRAPE_SSL_ERROR", ErrorKind::Unsupported, Retry::Never),
        (
            "SCRAPE_UNSUPPORTED_FILE_ERROR",
            ErrorKind::Unsupported,
            Retry::Never,
        ),
        (
            "SCRAPE_PDF_INSUFFICIENT_TIME_ERROR",
            ErrorKind::Unsupported,
            Retry::Never,
        ),
        ("SCRAPE_SITE_ERROR", ErrorKind::Unavailable, after),
        ("SCRAPE_ALL_ENGINES_FAILED", ErrorKind::Unavailable, after),
        ("SCRAPE_TIMEOUT", ErrorKind::Timeout, after),
    ] {
        let fake = Arc::new(FakeFirecrawl::new().with_unreadable(PAGE, code));
        let cx = Context::new(Sandbox::new().with(fake));
        let cx = cx.with_credential(Credential::token(KEY));
        let error = Firecrawl::new().read(&cx, PAGE).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{error:?}");
        assert_eq!(error.platform_code(), Some(code));
        assert!(error.is_elsewhere(), "{error:?}");
    }
    for status in [400, 401, 402, 403, 406, 451, 500] {
        let page = FakePage {
            metadata: json!({}),
            status,
            branding: Some(json!({})),
            ..FakePage::default()
        };
        let error = Firecrawl::new().read(&with_page(page), PAGE).await;
        assert!(error.unwrap_err().is_elsewhere(), "{status}");
    }
    // The rest is Firecrawl's own.
    for code in ["UNKNOWN_ERROR", "SCRAPE_PROXY_SELECTION_ERROR"] {
        let fake = Arc::new(FakeFirecrawl::new().with_unreadable(PAGE, code));
        let cx = Context::new(Sandbox::new().with(fake));
        let cx = cx.with_credential(Credential::token(KEY));
        let error = Firecrawl::new().read(&cx, PAGE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_elsewhere(), "{error:?}");
    }
}

#[tokio::test]
async fn credits_are_told() {
    let (_, _, cx) = world();
    Firecrawl::new().read(&cx, PAGE).await.unwrap();
    assert!((Firecrawl::new().credits(&cx).await.unwrap() - 499.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn what_only_our_network_reaches_is_not_handed_over() {
    let (sandbox, _, cx) = world();
    let any = FaultRule::on("", Fault::NotSent).times(u32::MAX);
    sandbox.faults().add(any);
    for address in [
        "http://169.254.169.254/latest/meta-data/iam/",
        "http://10.0.0.7:8500/v1/kv",
        "http://[::1]/",
        "http://0x7f.1/",
        "https://localhost/",
        "http://consul.internal/",
        "https://user:word@acme.example/",
    ] {
        let error = Firecrawl::new().read(&cx, address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{address}: {error:?}");
        assert_eq!(error.retry(), Retry::Never);
    }
    assert!(sandbox.faults().hits().is_empty(), "a request left");
    // The host says what else may be read.
    let guard = Guard::default().allow("10.0.0.0/8".parse().unwrap());
    let open = Firecrawl::new().with_guard(guard);
    open.read(&cx, "http://10.0.0.7/").await.unwrap_err();
    assert_eq!(sandbox.faults().hits().len(), 1);
}
