//! Pages as people write them: what they say, and what they declare.

use automarket_core::{
    Url,
    ai::{source_text, ungrounded},
    html,
    source::Page,
};

fn page(bytes: &[u8], url: &str) -> Page {
    let url: Url = url.parse().unwrap();
    html::extract(bytes, Some(&url), None).unwrap()
}

fn says(page: &Page, wanted: &[&str], unwanted: &[&str]) {
    for text in wanted {
        assert!(
            page.text.contains(text),
            "{text:?} is missing in {}",
            page.text
        );
    }
    for text in unwanted {
        assert!(!page.text.contains(text), "{text:?} is in {}", page.text);
        assert!(
            !page.markdown.contains(text),
            "{text:?} is in {}",
            page.markdown
        );
    }
}

#[test]
fn the_readings_over_words_are_no_part_of_the_text() {
    let ruby = "<ruby>京都<rp>(</rp><rt>きょうと</rt><rp>)</rp></ruby>で<ruby>紅<rt>こう<rb>葉<rt>よう</ruby>を見よう。";
    let said = "京都で紅葉を見よう。";
    let html = format!("<title>Acme</title><main><h1>{ruby}</h1><p>{ruby}</p></main>");
    let page = page(html.as_bytes(), "https://acme.example/");
    says(&page, &[said], &["きょう", "こう", "よう</", "("]);
    assert_eq!(html::to_text(ruby), said);
    assert_eq!(html::to_markdown(ruby, None), said);
    let untitled = html.replace("<title>Acme</title>", "");
    let untitled = html::extract(untitled.as_bytes(), None, None).unwrap();
    assert_eq!(untitled.title.as_deref(), Some(said));
    // To readers of HTML they stay.
    let clean = html::sanitize("<ruby>京都<rt>きょうと</rt></ruby>");
    assert_eq!(clean, "<ruby>京都<rt>きょうと</rt></ruby>");
}

#[test]
fn a_reading_that_nothing_ends_hides_no_more_than_its_line() {
    for (html, text) in [
        (
            "<div><ruby>漢<rt>かん<p>One</p><p>Two</p></div><p>rest",
            "漢\n\nOne\n\nTwo\n\nrest",
        ),
        (
            "<div><ruby>漢<rt>かん<div>One</div></ruby><p>rest</p></div>",
            "漢\n\nOne\n\nrest",
        ),
        ("<rt>かん<p>One</p>", "One"),
    ] {
        assert_eq!(html::to_text(html), text, "{html}");
        assert_eq!(html::to_markdown(html, None), text, "{html}");
    }
}

#[test]
fn a_blog_post_without_what_surrounds_and_hides_in_it() {
    let page = page(
        include_bytes!("../../fixtures/blog.html"),
        "https://bakery.example/bread",
    );
    says(
        &page,
        &[
            "Most bread is made in three hours",
            "What you need",
            "700 grams of water",
            "nobody has managed it yet",
        ],
        &[
            "About us",
            "partners",
            "Ten cakes",
            "All rights reserved",
            "Ignore all previous",
            "watches",
        ],
    );
    assert_eq!(page.title.as_deref(), Some("Why our bread is better"));
    assert_eq!(page.byline.as_deref(), Some("Ana Ruiz"));
    assert_eq!(page.language.as_deref(), Some("en-GB"));
    assert_eq!(
        page.description.as_deref(),
        Some("Flour, water, salt and three days.")
    );
    assert_eq!(
        page.icon.unwrap().as_str(),
        "https://bakery.example/favicon.ico"
    );
    assert!(
        page.markdown
            .contains("## What you need\n\n- One kilogram of flour\n- 700 grams")
    );
    assert!(!page.truncated);
}

#[test]
fn a_product_page_with_its_features() {
    let page = page(
        include_bytes!("../../fixtures/product.html"),
        "https://tally.example/",
    );
    says(
        &page,
        &[
            "Tally reads your calendar",
            "Connect a calendar once",
            "Late payers",
            "eleven countries",
        ],
        &["Log in", "Terms"],
    );
    assert_eq!(
        page.title.as_deref(),
        Some("Invoices that write themselves")
    );
    assert_eq!(page.colors, ["#00aa77"]);
    assert_eq!(
        page.image.unwrap().as_str(),
        "https://tally.example/img/share.png"
    );
    assert_eq!(
        page.icon.unwrap().as_str(),
        "https://tally.example/touch.png"
    );
    assert_eq!(
        page.description.as_deref(),
        Some("Invoices from your calendar.")
    );
}

#[test]
fn a_news_article_described_in_json_ld() {
    let page = page(
        include_bytes!("../../fixtures/news.html"),
        "https://harbour.example/ferry",
    );
    says(
        &page,
        &[
            "nine bicycles and a goat",
            "“We have waited",
            "around the fjord",
        ],
        &["Tweet"],
    );
    assert_eq!(
        page.title.as_deref(),
        Some("Ferry line opens between two islands")
    );
    assert_eq!(page.byline.as_deref(), Some("Lena Holm, Per Aas"));
    assert_eq!(page.site_name.as_deref(), Some("Harbour Times"));
    assert_eq!(
        page.published.unwrap().to_rfc3339(),
        "2026-05-04T06:30:00+02:00"
    );
    assert_eq!(
        page.description.as_deref(),
        Some("The first boat left at dawn.")
    );
    assert_eq!(
        page.image.unwrap().as_str(),
        "https://harbour.example/ferry.jpg"
    );
    assert_eq!(page.language.as_deref(), Some("en-US"));
}

#[test]
fn a_page_written_from_right_to_left() {
    let page = page(
        include_bytes!("../../fixtures/rtl.html"),
        "https://maktaba.example/",
    );
    assert_eq!(
        (page.language.as_deref(), page.direction.as_deref()),
        (Some("ar"), Some("rtl"))
    );
    says(&page, &["عشرة آلاف كتاب", "الدخول مجاني"], &["الرئيسية"]);
}

#[test]
fn a_page_in_latin_1() {
    let page = page(
        include_bytes!("../../fixtures/latin1.html"),
        "https://muenchen.example/",
    );
    assert_eq!(page.title.as_deref(), Some("Größere Fenster für München"));
    says(
        &page,
        &["die Räume heller werden", "zwölf Millionen Euro, über die"],
        &["\u{fffd}"],
    );
}

#[test]
fn the_bundled_page_of_the_quickstart() {
    let bytes = include_bytes!("../../../../examples/pages/acme.html");
    let page = page(bytes, "https://acme.example/blog/acme-cloud-2");
    assert_eq!(
        page.title.as_deref(),
        Some("Acme Cloud 2 deploys in 40 seconds")
    );
    assert_eq!(page.byline.as_deref(), Some("Mira Holt"));
    assert_eq!(page.colors, ["#0f766e"]);
    says(
        &page,
        &["commit to production in 40 seconds", "1,200 other teams"],
        &["Ignore all earlier", "Log in"],
    );
    assert!((400..=700).contains(&page.text.split_whitespace().count()));
}

#[test]
fn addresses_are_resolved_and_only_those_of_the_web_kept() {
    let html = b"<base href=/sub/><link rel=canonical href=x?utm=1><meta property=og:image content='javascript:alert(1)'>
        <link rel=icon href='data:image/png;base64,AA'><p><a href=y>one</a> <a href='javascript:z()'>two</a>";
    let page = page(html, "https://acme.example/a/b");
    assert_eq!(
        page.url.unwrap().as_str(),
        "https://acme.example/sub/x?utm=1"
    );
    assert_eq!((page.image, page.icon), (None, None));
    assert_eq!(page.markdown, "[one](https://acme.example/sub/y) two");
}

#[test]
fn a_body_hidden_until_its_script_runs_is_read() {
    let page = page(
        b"<body style='display:none'><p>Still here</p></body>",
        "https://acme.example/",
    );
    assert_eq!(page.text, "Still here");
}

#[test]
fn a_table_of_a_page_keeps_its_empty_corner() {
    let html = "<main><h1>Prices</h1><p>What our plans hold, side by side.</p><table><tr><th></th><th>Basic</th><th>Pro</th></tr>
        <tr><td>Users</td><td>5</td><td>50</td></tr></table></main>";
    let markdown = page(html.as_bytes(), "https://acme.example/").markdown;
    let table = "|  | Basic | Pro |\n| --- | --- | --- |\n| Users | 5 | 50 |";
    assert!(markdown.contains(table), "{markdown}");
}

fn text(html: &str) -> String {
    page(html.as_bytes(), "https://acme.example/").text
}

#[test]
fn a_drawing_hides_nothing_but_itself() {
    for shape in [r#"<path d="M0 0"/>"#, "<rect>", "<g><text>secret</text>"] {
        for shapes in [1, 255, 256, 10_000] {
            let drawing = format!("<svg>{}</svg>", shape.repeat(shapes));
            let html = format!("<p>Before</p>{drawing}<article><p>The article.</p></article>");
            assert_eq!(text(&html), "Before\n\nThe article.", "{shapes} {shape}");
            let clean = html::sanitize(&html);
            assert!(clean.contains("The article."), "{shapes} {shape}: {clean}");
        }
    }
    // What is hidden by itself stays so.
    for html in [
        "<object><template><div></object>secret</template></object>",
        "<svg><div hidden></svg>secret</div></svg>",
    ] {
        assert_eq!(text(&format!("<p>a{html}<p>b")), "a\n\nb", "{html}");
    }
    assert_eq!(
        text("<math><mi>x</mi><mspace/><mo>+</mo></math> is"),
        "x+ is"
    );
}

#[test]
fn a_pages_day_is_the_one_that_it_writes() {
    let html = b"<meta property=article:published_time content='2025-03-12T07:00:00+09:00'><p>a";
    let page = page(html, "https://acme.example/");
    let at = page.published.unwrap().to_utc();
    assert_eq!(at.to_rfc3339(), "2025-03-11T22:00:00+00:00");
    assert!(source_text(&page).contains("2025-03-12"));
    assert_eq!(ungrounded(&source_text(&page), "Out since 2025-03-12."), []);
}

#[test]
fn what_fades_in_is_content() {
    for (sheet, hides) in [
        (".late{visibility:hidden}", false),
        (
            ".late { opacity: 0; visibility: hidden !important; }",
            false,
        ),
        (".late{visibility:hidden;position:fixed}", true),
        (".invisible{visibility:hidden}", true),
        (".late{visibility:hidden;display:none}", true),
        (".late{display:none} .late{visibility:hidden}", true),
        ("#late{visibility:hidden}", true),
    ] {
        let html = format!(
            "<style>{sheet}</style><p>One.</p><section class='late invisible' id=late><p>Two.</p></section>"
        );
        assert_eq!(!text(&html).contains("Two."), hides, "{sheet}");
        assert!(text(&html).contains("One."));
    }
    let html = "<p>One.</p><p class=late style='visibility:hidden'>Two.</p>";
    assert_eq!(text(html), "One.");
}

#[test]
fn a_style_sheet_for_some_media_hides_nothing() {
    for (media, hides) in [
        ("print", false),
        ("(max-width:600px)", false),
        ("", true),
        (" Screen ", true),
        ("all", true),
        ("print, screen", true),
    ] {
        let sheet = format!("<style media='{media}'>.story{{display:none}}</style>");
        let html = format!("{sheet}<article class=story><p>Text.</p></article><p>End.");
        assert_eq!(!text(&html).contains("Text."), hides, "{media}");
    }
}

#[test]
fn a_reference_needs_no_semicolon() {
    for (html, expected) in [
        (
            "Fish &amp Chips &copy 2026, it&#8217s",
            "Fish & Chips © 2026, it’s",
        ),
        (
            "&#X41&#x1F600;&#xD800;&#0;&#99999999999",
            "A😀\u{fffd}\u{fffd}\u{fffd}",
        ),
        ("&#146; &#x92 &#150;", "’ ’ –"),
        ("&notit; &notin; &copyright", "¬it; ∉ ©right"),
        ("&fjlig;&NotEqualTilde;", "fj≂̸"),
        (
            "&; &# &#x; &nope; &hellip &a",
            "&; &# &#x; &nope; &hellip &a",
        ),
        ("&é &amp", "&é &"),
        ("AT&T R&D", "AT&T R&D"),
    ] {
        assert_eq!(text(&format!("<p>{html}</p>")), expected, "{html}");
    }
    // Once, and in an address only where nothing goes on.
    let page = page(
        b"<meta property=og:image content='/i?a=1&amp;copy=2&copy=3'><meta name=description content='&amp;copy; &amp;lt;'>
          <p><a href='/?a=1&copy=2&lang=en&ampx&amp'>a</a> <img src=/i alt='&amp;lt; &lt'>",
        "https://acme.example/",
    );
    assert_eq!(
        page.image.unwrap().as_str(),
        "https://acme.example/i?a=1&copy=2&copy=3"
    );
    assert_eq!(page.description.as_deref(), Some("&copy; &lt;"));
    assert_eq!(
        page.markdown,
        "[a](https://acme.example/?a=1&copy=2&lang=en&ampx&) ![\\&lt; \\<](https://acme.example/i)"
    );
    let clean = html::sanitize("<p>&copy 2026 &lt b &amp;copy</p>");
    assert_eq!(clean, "<p>© 2026 &lt; b &amp;copy</p>");
}

#[test]
fn the_author_is_the_first_name_and_no_address() {
    let byline = |html: &str| page(html.as_bytes(), "https://acme.example/").byline;
    let profile = "<meta property=article:author content='https://social.example/cesar'>";
    for (html, expected) in [
        ("", None),
        (
            "<a rel=author href=/c>By César Salza</a>",
            Some("César Salza"),
        ),
        (
            "<meta property=article:author content='Ana Ruiz'>",
            Some("Ana Ruiz"),
        ),
        (
            "<meta name=dc.creator content='Lena Holm'>",
            Some("Lena Holm"),
        ),
    ] {
        assert_eq!(byline(&format!("{profile}{html}<p>a")).as_deref(), expected);
    }
    let named = "Bradley M. Kuhn (http://ebb.org/bkuhn/)";
    let html = format!("<meta name=author content='{named}'><p>a");
    assert_eq!(byline(&html).as_deref(), Some(named));
}
