use std::sync::Arc;

use automarket_connector_web::{Web, testing::FakeSite};
use automarket_core::{
    Context, Credential, ErrorKind, PageSource,
    testing::{Sandbox, Script, conformance::source::SourceUnderTest},
};

const GOOD: &str = "https://acme.example/news";
const HTML: &str = "<title>News</title><h1>News</h1><p>We shipped it.</p><a href=x>more</a>";

fn site() -> Sandbox {
    let site = FakeSite::new()
        .with_page(GOOD, HTML)
        .with_redirect("https://acme.example/old", "/news")
        .with_redirect("https://acme.example/loop", "/loop")
        .with_redirect("https://acme.example/away", "file:///etc/passwd")
        .with_file("https://acme.example/a.pdf", "application/pdf", b"%PDF-1.7")
        .with_file("https://acme.example/a.html", "text/html", b"%PDF-1.7")
        .with_file("https://acme.example/a.png", "image/png", b"png")
        .with_file("https://acme.example/a.json", "application/json", b"{}")
        .with_file(
            "https://acme.example/latin1",
            "text/html; charset=iso-8859-1",
            b"<p>gr\xfcn",
        )
        .with_file("https://acme.example/empty", "text/html", b"");
    Sandbox::new().with(Arc::new(site))
}

#[tokio::test]
async fn keeps_the_contract_of_page_sources() {
    let sandbox = site();
    let world = sandbox.clone();
    SourceUnderTest {
        source: &Web::new(),
        context: &move || Context::new(world.clone()),
        sandbox,
        good: GOOD,
        missing: "https://acme.example/nothing",
        read_path: "/news",
    }
    .run()
    .await;
}

#[tokio::test]
async fn asks_for_a_page_and_sends_no_credential() {
    let wire = Script::new()
        .expect("GET", GOOD)
        .header(
            "accept",
            "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.5",
        )
        .reply(200, HTML)
        .reply_header("content-type", "text/html");
    let cx = wire
        .context()
        .with_credential(Credential::token("marker-secret"));
    let page = Web::new().read(&cx, GOOD).await.unwrap();
    assert_eq!(page.url.unwrap().as_str(), GOOD);
    assert_eq!(
        page.markdown,
        "We shipped it.\n\n[more](https://acme.example/x)"
    );
    assert!(wire.requests()[0].headers().get("authorization").is_none());
    wire.finished();
}

#[tokio::test]
async fn follows_redirects_and_names_where_it_ended() {
    let cx = Context::new(site());
    let page = Web::new()
        .read(&cx, "https://acme.example/old")
        .await
        .unwrap();
    assert_eq!(page.url.unwrap().as_str(), GOOD);
    for address in ["https://acme.example/loop", "https://acme.example/away"] {
        let error = Web::new().read(&cx, address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedReply, "{address}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_said_to_be_what_it_is() {
    let cx = Context::new(site());
    for (address, what) in [
        ("a.pdf", "pdf"),
        ("a.html", "PDF"),
        ("a.png", "image/png"),
        ("a.json", "json"),
    ] {
        let address = format!("https://acme.example/{address}");
        let error = Web::new().read(&cx, &address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedReply, "{address}");
        assert_eq!(error.rule(), Some("not-a-page"));
        assert!(error.message().contains(what), "{error}");
    }
}

#[tokio::test]
async fn the_charset_of_the_answer_counts_and_nothing_is_no_error() {
    let cx = Context::new(site());
    let page = Web::new()
        .read(&cx, "https://acme.example/latin1")
        .await
        .unwrap();
    assert_eq!(page.text, "grün");
    let page = Web::new()
        .read(&cx, "https://acme.example/empty")
        .await
        .unwrap();
    assert_eq!((page.title, page.text.as_str()), (None, ""));
}

#[tokio::test]
async fn more_than_allowed_is_too_large() {
    let cx = Context::new(site());
    let error = Web::new().max_bytes(10).read(&cx, GOOD).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

/// Behind a login or a wall against robots: there is no account to be connected again.
#[tokio::test]
async fn what_a_page_answers_is_the_pages_and_no_credentials() {
    use ErrorKind::{Forbidden, NotFound, Unavailable};
    for (status, kind) in [
        (401, Forbidden),
        (402, Forbidden),
        (403, Forbidden),
        (451, Forbidden),
        (410, NotFound),
        (503, Unavailable),
    ] {
        let wire = Script::new().expect("GET", GOOD).reply(status, "no");
        let error = Web::new().read(&wire.context(), GOOD).await.unwrap_err();
        assert_eq!((error.kind(), error.is_elsewhere()), (kind, true));
        if kind == Forbidden {
            assert!(error.message().contains(&status.to_string()), "{error}");
        }
    }
    let wire = Script::new().expect("GET", GOOD).reply(429, "slow");
    let wire = wire.reply_header("retry-after", "30");
    let error = Web::new().read(&wire.context(), GOOD).await.unwrap_err();
    assert_eq!(error.wait(), Some(std::time::Duration::from_secs(30)));
}
