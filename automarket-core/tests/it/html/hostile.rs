//! Pages made to hang, crash or bloat. They end, and in the expected shape; how long they take is measured
//! elsewhere.

use std::time::Duration;

use automarket_core::{Bytes, ErrorKind, html};
use proptest::prelude::*;

fn extract(html: &str) -> automarket_core::source::Page {
    let _ = html::sanitize(html);
    html::extract(html.as_bytes(), None, None).unwrap()
}

#[test]
fn an_empty_page_is_empty() {
    for html in [
        "",
        " \n",
        "<html></html>",
        "<script>var a = 1</script>",
        "<!-- only a comment",
    ] {
        let page = extract(html);
        assert_eq!(
            (page.title, page.text.as_str(), page.markdown.as_str()),
            (None, "", "")
        );
        assert!(!page.truncated);
    }
}

#[test]
fn deep_nesting_keeps_the_text() {
    for tag in [
        "div",
        "b",
        "a",
        "table",
        "span",
        "font",
        "p",
        "li",
        "ul",
        "blockquote",
        "form",
        "section",
        "x-y",
    ] {
        for repeat in [300, 100_000] {
            let page = extract(&format!("<body>{}hello", format!("<{tag}>").repeat(repeat)));
            assert!(
                repeat > 50_000 || page.text.contains("hello"),
                "{tag}: {:?}",
                page.text
            );
            assert!(repeat < 50_000 || page.truncated, "{tag}");
        }
    }
}

#[test]
fn deep_nesting_of_what_is_not_shown_shows_nothing() {
    for tag in ["svg", "select", "template"] {
        let page = extract(&format!(
            "<body><p>before</p>{}hidden",
            format!("<{tag}>").repeat(100_000)
        ));
        assert_eq!(page.text, "before", "{tag}");
    }
}

#[test]
fn wide_pages_are_cut() {
    let cases = [
        ("siblings", "<i></i>".repeat(1_000_000)),
        ("paragraphs", "<p>word, word word word</p>".repeat(100_000)),
        ("breaks", "<br>a".repeat(300_000)),
        ("tables", "<table><tr><td>x".repeat(50_000)),
        ("cells", "<td>x".repeat(500_000)),
        ("links", "<a href=x>x".repeat(100_000)),
        ("misnested", "<b><p>x</b></p>".repeat(60_000)),
        (
            "unmatched ends",
            format!("<b>{}{}", "<span>".repeat(300), "</b>".repeat(900_000)),
        ),
        (
            "20 MB",
            "<p>some words, and more of them</p>\n".repeat(600_000),
        ),
    ];
    for (name, html) in cases {
        assert!(extract(&html).truncated, "{name}");
    }
}

#[test]
fn odd_sizes_end() {
    let attributes: String = (0..300_000).map(|i| format!(" a{i}=x")).collect();
    let cases = [
        ("attributes", format!("<div{attributes}>text")),
        (
            "one attribute",
            format!("<div title=\"{}\">text", "x".repeat(3_000_000)),
        ),
        ("entities", format!("text{}", "&amp;".repeat(400_000))),
        ("ampersands", format!("text{}", "&".repeat(1_000_000))),
        (
            "no entities",
            format!("text{}", "&#x110000;&nope;".repeat(100_000)),
        ),
        ("brackets", format!("text{}", "< ".repeat(1_000_000))),
        ("comments", format!("text{}", "<!--".repeat(500_000))),
        ("bogus", format!("text{}", "<![CDATA[".repeat(200_000))),
        ("marks", format!("text{}", "*_[]`".repeat(200_000))),
        (
            "styles",
            format!("text{}", "<p style=\"a:b;c:d;/*\">x</p>".repeat(20_000)),
        ),
    ];
    for (name, html) in cases {
        assert!(extract(&html).text.contains("text"), "{name}");
    }
    let json = format!(
        "<script type=application/ld+json>{}</script><p>text",
        "[".repeat(200_000)
    );
    assert_eq!(extract(&json).text, "text");
}

#[test]
fn broken_utf8_is_a_page() {
    let page = html::extract(
        b"<title>a\xff</title><p>b\xc3(\xe2\x82 c</p>",
        None,
        Some("text/html; charset=utf-8"),
    );
    let page = page.unwrap();
    assert_eq!(page.title.as_deref(), Some("a\u{fffd}"));
    assert!(page.text.starts_with("b\u{fffd}("));
}

#[test]
fn no_page_is_named_as_what_it_is() {
    let error = html::extract(b"%PDF-1.7 ...", None, Some("text/html")).unwrap_err();
    assert_eq!(
        (error.kind(), error.rule()),
        (ErrorKind::UnexpectedReply, Some("not-a-page"))
    );
    assert!(error.message().contains("PDF"));
    assert!(html::extract(&[0; 5000], None, None).is_err());
}

#[test]
fn hidden_text_stays_hidden_at_any_depth_and_misnested() {
    for html in [
        "<div hidden><p>secret</div>",
        "<div aria-hidden=true>secret</div>",
        "<p style='VISIBILITY:hidden'>secret</p>",
        "<p style='position:absolute;left:-9999px'>secret</p>",
        "<noscript>secret</noscript><template>secret</template>",
        "<div style='display:none'><b>secret</div></b>",
        "<table><tr hidden><td>secret</table>",
        "<style>secret</style><!-- secret --><textarea>secret</textarea>",
    ] {
        let page = extract(&format!("<p>before</p>{html}<p>after</p>"));
        assert!(!page.text.contains("secret"), "{html}: {}", page.text);
        assert!(
            page.text.contains("before") && page.text.contains("after"),
            "{html}: {}",
            page.text
        );
        let deep = extract(&format!("{}{html}<p>after", "<div>".repeat(400)));
        assert!(!deep.text.contains("secret"), "{html} deep");
    }
}

#[tokio::test]
async fn the_bounded_form_reads_the_same() {
    let html = Bytes::from_static(b"<title>T</title><p>text</p>");
    let url: automarket_core::Url = "https://acme.example/".parse().unwrap();
    let expected = html::extract(&html, Some(&url), None).unwrap();
    let page = html::extract_bounded(html, Some(url), None, Duration::from_secs(60)).await;
    assert_eq!(page.unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any soup of tags is read, and comes out clean.
    #[test]
    fn any_soup_is_read(parts in prop::collection::vec(prop::sample::select(vec![
        "<p>", "</p>", "<div>", "</div>", "<a href=/x>", "</a>", "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "<ul>", "<li>",
        "</ul>", "<h1>", "</h1>", "<pre>", "</pre>", "<script>", "</script>", "<svg>", "</svg>", "<!--", "-->", "<title>", "</title>",
        "text ", "&amp;", "&", "<", "\"", "é", "<p hidden>", "<form>", "</form>", "<br>", "<img alt=x src=/y>", "<blockquote>", "</blockquote>",
    ]), 0..60)) {
        let html = parts.concat();
        let page = html::extract(html.as_bytes(), None, None);
        prop_assert!(page.is_ok());
        let clean = html::sanitize(&html);
        for bad in ["<script", "<svg", "<form", "hidden", "<!--", "<title"] {
            prop_assert!(!clean.contains(bad), "{} in {}", bad, clean);
        }
    }
}
