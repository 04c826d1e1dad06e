//! Golden requests and recorded replies.

use automarket_connector_firecrawl::{Firecrawl, FirecrawlConfig};
use automarket_core::{Context, ErrorKind, PageSource as _, testing::Script};
use serde_json::json;

#[tokio::test]
async fn a_scrape_asks_for_fresh_main_content() {
    let wire = Script::new()
        .expect("POST", "https://api.firecrawl.dev/v2/scrape")
        .header("authorization", "Bearer test-token")
        .json(json!({"url": "https://example.com/", "formats": [{"type": "markdown"}, {"type": "branding"}],
                     "onlyMainContent": true, "maxAge": 0, "timeout": 60000, "skipTlsVerification": false}))
        .reply(
            200,
            json!({"success": true, "warning": null, "data": {"markdown": "# Example", "branding": null,
                   "metadata": {"title": "Example", "sourceURL": "https://example.com", "url": "https://example.com/",
                                "statusCode": 200, "contentType": "text/html", "scrapeId": "uuid", "error": null}}})
            .to_string(),
        );
    let page = Firecrawl::new()
        .read(&wire.context(), "https://example.com")
        .await
        .unwrap();
    assert_eq!(page.title.as_deref(), Some("Example"));
    wire.finished();
}

#[tokio::test]
async fn a_self_hosted_instance_gets_no_key() {
    let mut config = FirecrawlConfig::default();
    config.base_url = "http://localhost:3002/".into();
    config.branding = false;
    let wire = Script::new()
        .expect("POST", "http://localhost:3002/v2/scrape")
        .reply(
            200,
            r#"{"success":true,"data":{"markdown":"x","metadata":{"statusCode":200}}}"#,
        );
    let page = Firecrawl::with_config(config)
        .read(&Context::new(wire.clone()), "https://example.com/")
        .await
        .unwrap();
    assert_eq!(page.markdown, "x");
    assert!(wire.requests()[0].headers().get("authorization").is_none());
}

#[tokio::test]
async fn recorded_refusals_map_to_kinds() {
    let table = [
        (
            402,
            r#"{"success":false,"error":"Insufficient credits to perform this request."}"#,
            ErrorKind::QuotaExhausted,
        ),
        (
            408,
            r#"{"success":false,"code":"SCRAPE_TIMEOUT","error":"The scrape operation timed out"}"#,
            ErrorKind::Timeout,
        ),
        (
            403,
            r#"{"success":false,"error":"This website is not supported"}"#,
            ErrorKind::Forbidden,
        ),
        (500, r#"{"error":"Internal"}"#, ErrorKind::Unavailable),
        (
            200,
            r#"{"success":false,"error":"odd"}"#,
            ErrorKind::UnexpectedReply,
        ),
        (200, "<html>", ErrorKind::UnexpectedReply),
    ];
    for (status, body, kind) in table {
        let wire = Script::new()
            .expect("POST", "https://api.firecrawl.dev/v2/scrape")
            .reply(status, body);
        let error = Firecrawl::new()
            .read(&wire.context(), "https://example.com/")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
}

/// How its converter breaks a line in a table's cell.
#[tokio::test]
async fn a_line_break_in_a_cell_is_no_text() {
    let markdown = "| a | b |\n| --- | --- |\n| Pro | Up to 5 users.<br>Write `<br>` for more. |";
    let wire = Script::new()
        .expect("POST", "https://api.firecrawl.dev/v2/scrape")
        .reply(
            200,
            json!({"success": true, "data": {"markdown": markdown, "metadata": {"statusCode": 200}}})
                .to_string(),
        );
    let page = Firecrawl::new()
        .read(&wire.context(), "https://example.com/")
        .await
        .unwrap();
    assert!(
        page.text.contains("Up to 5 users.\nWrite <br> for more."),
        "{}",
        page.text
    );
    assert_eq!(page.markdown, markdown);
}
