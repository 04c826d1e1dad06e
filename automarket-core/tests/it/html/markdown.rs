//! Markdown out of HTML, and nothing that the page's own text makes of it.

use automarket_core::{Url, html::to_markdown};
use proptest::prelude::*;

fn markdown(html: &str) -> String {
    let base: Url = "https://acme.example/".parse().unwrap();
    to_markdown(html, Some(&base))
}

#[test]
fn elements_become_their_marks() {
    let cases = [
        ("<h1>A</h1><h3>B</h3>", "# A\n\n### B"),
        ("<p>a<br>b", "a\\\nb"),
        ("<p><b>a </b><i>b</i><code>c*d</code>", "**a** *b*`c*d`"),
        (
            "<ul><li>a<li>b<ul><li>c</ul></ul><p>d",
            "- a\n- b\n  - c\n\nd",
        ),
        ("<ol start=3><li>a<li><p>b<p>c</ol>", "3. a\n4. b\n\n   c"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n>\n> b"),
        ("<pre>x\n  y</pre>", "```\nx\n  y\n```"),
        ("<pre>```</pre>", "````\n```\n````"),
        (
            "<table><tr><th>a<th>b<tr><td>1|<td>2</table>",
            "| a | b |\n| --- | --- |\n| 1\\\\| | 2 |",
        ),
        (
            "<p>a<img src=/i.png alt='the [i]'>",
            "a![the \\[i\\]](https://acme.example/i.png)",
        ),
        (
            "<p><a href='/x(1)'>a</a>",
            "[a](https://acme.example/x%281%29)",
        ),
        ("<hr><p>a", "---\n\na"),
    ];
    for (html, expected) in cases {
        assert_eq!(markdown(html), expected, "{html}");
    }
}

#[test]
fn text_cannot_fake_structure() {
    let cases = [
        ("<p># a", "\\# a"),
        ("<p>1. a", "1\\. a"),
        ("<p>12) a", "12\\) a"),
        ("<p>1.", "1\\."),
        // No list without a blank behind its mark.
        ("<p>49.50 USD", "49.50 USD"),
        ("<ul><li>1.299 €</ul>", "- 1.299 €"),
        ("<p>- a<br>- b", "\\- a\\\n\\- b"),
        ("<p>[a](javascript:x)", "\\[a\\](javascript:x)"),
        ("<p>&lt;script&gt; &amp;lt;", "\\<script\\> \\&lt;"),
        ("<p>```", "\\`\\`\\`"),
        ("<p>a_b*c", "a\\_b\\*c"),
    ];
    for (html, expected) in cases {
        assert_eq!(markdown(html), expected, "{html}");
    }
}

proptest! {
    /// Whatever stands in a paragraph, a reader of the Markdown sees one paragraph of that text.
    #[test]
    fn any_text_stays_text(text in "[ -~\n]{0,40}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        let rendered = markdown(&format!("<p>{escaped}</p>"));
        let mut seen = String::new();
        for event in pulldown_cmark::Parser::new_ext(&rendered, pulldown_cmark::Options::ENABLE_TABLES | pulldown_cmark::Options::ENABLE_STRIKETHROUGH) {
            use pulldown_cmark::{Event, Tag, TagEnd};
            match event {
                Event::Text(text) => seen.push_str(&text),
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
                other => prop_assert!(false, "{other:?} in {rendered:?}"),
            }
        }
        let words: Vec<_> = text.split_whitespace().collect();
        prop_assert_eq!(seen, words.join(" "));
    }
}

#[test]
fn a_figure_stands_under_its_own_heading() {
    let cases = [
        (
            "<table><tr><th></th><th>Basic</th><th>Pro</th></tr><tr><td>Users</td><td>5</td><td>50</td></tr></table>",
            "|  | Basic | Pro |\n| --- | --- | --- |\n| Users | 5 | 50 |",
        ),
        (
            "<table><tr><th>a<th>b<th>c<tr><td>1<td><td>3<tr><td> </table>",
            "| a | b | c |\n| --- | --- | --- |\n| 1 |  | 3 |",
        ),
        (
            "<table><tr><th colspan=2>both</th><th>c</th></tr><tr><td>1</td><td>2</td><td>3</td></tr></table>",
            "| both |  | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |",
        ),
        // What only lays out is no table, and columns without anything are not shown.
        (
            "<table><tr><td></td><td>one</td></tr><tr><td colspan=2>two</td></tr></table>",
            "one\n\ntwo",
        ),
        (
            "<table><tr><td></td><td>one</td></tr><tr><td></td><td>two</td></tr></table>",
            "one\n\ntwo",
        ),
        (
            "<table><tr><td>a</td><td></td><td>b</td></tr></table>",
            "| a | b |\n| --- | --- |",
        ),
        (
            "<table><tr><td colspan=4000000000>a<td>b<tr><td colspan=x>1<td>2</table>",
            "| a |  | b |\n| --- | --- | --- |\n| 1 | 2 |  |",
        ),
    ];
    for (html, expected) in cases {
        assert_eq!(markdown(html), expected, "{html}");
    }
}

#[test]
fn an_exclamation_mark_makes_no_picture_of_a_link() {
    let link = "[more](https://acme.example/)";
    for (html, expected) in [
        ("<p>Wow!<a href=/>more</a>", format!("Wow\\!{link}")),
        ("<p>Wow! <a href=/>more</a>", format!("Wow! {link}")),
        (
            "<p>Wow!<b><a href=/>more</a></b>",
            format!("Wow!**{link}**"),
        ),
        ("<p><b>!<a href=/>more</a></b>", format!("**\\!{link}**")),
        ("<p>\\!<a href=/>more</a>", format!("\\\\\\!{link}")),
        ("<p>Wow!<a href=/> </a>", "Wow!".to_owned()),
    ] {
        let rendered = markdown(html);
        assert_eq!(rendered, expected, "{html}");
        let picture = |event| {
            matches!(
                event,
                pulldown_cmark::Event::Start(pulldown_cmark::Tag::Image { .. })
            )
        };
        assert!(!pulldown_cmark::Parser::new(&rendered).any(picture));
    }
}

/// What a reader of the Markdown sees, as plain text.
fn read(markdown: &str) -> String {
    let html = automarket_core::text::render(markdown, automarket_core::profile::Markup::Html);
    automarket_core::html::to_text(&html)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn marks_that_could_not_open_or_close_are_moved_joined_or_left_out() {
    for (html, expected) in [
        // White space stands outside.
        ("<p>It is<strong> free</strong>.", "It is **free**."),
        ("<p>Hi <b> bold</b> a", "Hi **bold** a"),
        ("<p>see<a href=/> it</a>", "see [it](https://acme.example/)"),
        ("<p>a<b><br>b</b>", "a\\\n**b**"),
        ("<p>a <b> </b> b", "a b"),
        // The same twice is one.
        (
            "<p><strong>Fast</strong><strong> and safe</strong>",
            "**Fast** **and safe**",
        ),
        ("<p><b>a</b><b>b</b>", "**ab**"),
        ("<p><em>a</em><em>b</em>", "*ab*"),
        ("<p><b><i>a</i></b><b><i>b</i></b>", "***ab***"),
        ("<p><code>a</code><code>b</code>", "`ab`"),
        // Beside a letter a mark within punctuation is none.
        ("<p><b>Note:</b>text", "Note:text"),
        ("<p><b>Note:</b> text", "**Note:** text"),
        ("<p><b><i>Note:</i></b>text", "Note:text"),
        ("<p><b>「重要」</b>です", "「重要」です"),
        ("<p>a<b>(b)</b>", "a(b)"),
        ("<p><b>Note:</b><i>text</i>", "Note:*text*"),
        (
            "<p><b>Note:</b><a href=/>a</a>",
            "**Note:**[a](https://acme.example/)",
        ),
        // Two kinds that touch: which star is whose is not to be told.
        ("<p><b>a</b><i>b</i>", "**a**b"),
        ("<p>a<b>x<i>y</i></b><i>z</i>", "a**xy**z"),
        ("<p><b><i>a</i>b<i>c</i></b>d", "**abc**d"),
        ("<p><b><i>a</i> b <i>c</i></b>", "***a* b *c***"),
        ("<p><b>un</b>do <b>re<i>do</i></b> x", "**un**do **redo** x"),
        ("<p><code>a<br>b</code>", "`a b`"),
        // Nothing of the text is lost, and marks of a heading's own text close nothing.
        ("<p><b>a\\</b> <code>C:\\</code>", "**a\\\\** `C:\\`"),
        ("<h2>#1 in the world #</h2>", "## #1 in the world \\#"),
        ("<h2>#</h2>", "## \\#"),
        ("<h2>C#</h2>", "## C#"),
    ] {
        let rendered = markdown(html);
        assert_eq!(rendered, expected, "{html}");
        let text = automarket_core::html::to_text(html);
        assert_eq!(one_line(&read(&rendered)), one_line(&text), "{html}");
    }
}

proptest! {
    /// Whatever inline elements a paragraph holds, its Markdown says the words of the page and no marks.
    #[test]
    fn inline_elements_leave_no_marks(
        pieces in prop::collection::vec(
            ("(<b>|<i>|</b>|</i>|<s>|</s>|<code>|</code>|<a href=/x>|</a>|<br>){0,3}", "[a-c .:(é「!*~`\\\\]{0,3}"), 0..8,
        )
    ) {
        let html: String = pieces.into_iter().map(|(tags, text)| tags + &text).collect();
        let rendered = markdown(&format!("<p>{html}</p>"));
        let expected = automarket_core::html::to_text(&format!("<p>{html}</p>"));
        prop_assert_eq!(one_line(&read(&rendered)), one_line(&expected), "{:?}", rendered);
    }
}

#[test]
fn raised_and_lowered_figures_are_no_part_of_the_number_before() {
    for (html, expected) in [
        ("From $99<sup>1</sup> a month", "From $99¹ a month"),
        ("Over 2,000<sup>3</sup> teams", "Over 2,000³ teams"),
        ("20%<sup>2, 3</sup> less", "20%², ³ less"),
        ("10<sup>6</sup> and 10<sup>−3</sup>", "10⁶ and 10⁻³"),
        ("$49<sup>99</sup>", "$49⁹⁹"),
        ("$99<sup>1a</sup>", "$99¹a"),
        ("$99<sup>1 see below</sup>", "$99¹ see below"),
        ("H<sub>2</sub>O, x<sub>i+1</sub>", "H₂O, xᵢ₊₁"),
        ("the 99<sup>th</sup> time", "the 99th time"),
        // The rest of a number, and small print.
        ("$49<sup>.99</sup>", "$49.99"),
        ("Only $<sup>49</sup> a month", "Only $49 a month"),
        ("Save <sub>20</sub>% now", "Save 20% now"),
        ("Up to <sup>50</sup>% off", "Up to 50% off"),
        ("Now <sup>Save 20% today</sup>", "Now Save 20% today"),
        ("<sup>$</sup>99", "$99"),
        // Behind a sign that stands behind its price.
        ("ab 9,99&nbsp;€<sup>12</sup> mtl.", "ab 9,99 €¹² mtl."),
        ("ab 9,99&#8239;€<sup>1, 2</sup>", "ab 9,99\u{202f}€¹, ²"),
        ("9,99€<sup>42</sup>", "9,99€⁴²"),
        ("349€<sup>2</sup>, 49 £<sup>1)</sup>", "349€², 49 £¹⁾"),
        (
            "CHF 9.90<sup>3</sup>, 9.90 CHF<sup>3</sup>",
            "CHF 9.90³, 9.90 CHF³",
        ),
        ("€9<sup>99</sup>, 19<sup>99</sup> €", "€9⁹⁹, 19⁹⁹ €"),
        ("80 m<sup>2</sup>", "80 m²"),
        ("9,99 €<sup>inkl. MwSt.</sup>", "9,99 €inkl. MwSt."),
        // The cents of French shops, and a price of its own.
        ("à 349€<sup>99</sup>", "à 349€99"),
        ("à 1.349€<sup>00</sup>", "à 1.349€00"),
        ("Plan A: €<sup>49</sup>", "Plan A: €49"),
        ("iPhone 15 $<sup>799</sup> now", "iPhone 15 $799 now"),
        ("Pack of 6 $<sup>4</sup>99", "Pack of 6 $499"),
        ("9,99 $<sup>1</sup> mtl.", "9,99 $¹ mtl."),
    ] {
        let html = format!("<p>{html}</p>");
        let expected = expected.replace("ᵢ", "i");
        assert_eq!(automarket_core::html::to_text(&html), expected);
        assert_eq!(read(&markdown(&html)), expected);
    }
    let linked = markdown("<p>$99<sup><a href=/n>1</a></sup> a month");
    assert_eq!(linked, "$99[¹](https://acme.example/n) a month");
    let page = "<title>Acme</title><main><p>From $99<sup>1</sup> a month</p></main>".as_bytes();
    let page = automarket_core::html::extract(page, None, None).unwrap();
    let source = automarket_core::ai::source_text(&page);
    let ungrounded = |text| automarket_core::ai::ungrounded(&source, text);
    assert_eq!(ungrounded("Now from $99 a month"), []);
    assert_ne!(ungrounded("Now from $991 a month"), []);
}

#[test]
fn a_page_says_no_part_of_its_figures() {
    let page = "<title>Acme</title><main><ul><li>19.99 € im Monat</li><li>49.50 € im Monat</li>\
        <li><b>1</b>.299 €</li><li><a href=/plan>79</a>.80 € <a href='/2019/plan'>mehr</a></li></ul>\
        <h2>7. Schneller</h2><p>3.5 Millionen Menschen nutzen es. 1_000 Teams.</p><p>12. März: es geht los.</p>\
        <p>Ein <img src=/i.png alt='41.5 % mehr'> Bild.</p><ol start=6><li>eins</ol></main>";
    let base: Url = "https://acme.example/".parse().unwrap();
    let page = automarket_core::html::extract(page.as_bytes(), Some(&base), None).unwrap();
    let source = automarket_core::ai::source_text(&page);
    for text in [
        "Jetzt für 50 € im Monat",
        "für 99 €",
        "5 Millionen Menschen nutzen es",
        "Nur 299 €",
        "für 80 €",
        "seit 2019",
        "5 % mehr",
        "6 Schritte",
    ] {
        assert_ne!(automarket_core::ai::ungrounded(&source, text), [], "{text}");
    }
    for text in [
        "Jetzt für 49,50 € im Monat",
        "für 19.99 €",
        "3,5 Millionen Menschen nutzen es",
        "Nur 1.299 €",
        "für 79,80 €",
        "1000 Teams",
        "41,5 % mehr",
        "am 12. März",
        "die 7 Punkte",
        "https://acme.example/2019/plan",
    ] {
        assert_eq!(automarket_core::ai::ungrounded(&source, text), [], "{text}");
    }
    // A page that others turned into Markdown brings their escapes and marks.
    let markdown = r"49\.50 € or **1**.299 €, 20\-30 users, [Acme](https://acme.example/a_b), from $99[1](#one), ~~69~~59 €, 5![000 teams](/i.png)";
    let page = automarket_core::source::Page {
        markdown: markdown.to_owned(),
        ..Default::default()
    };
    let source = automarket_core::ai::source_text(&page);
    let found = |text| automarket_core::ai::ungrounded(&source, text).len();
    assert_eq!(found("50 € or 299 €, $991, 6959 €, 5000 teams"), 5);
    assert_eq!(
        found("49.50 € or 1299 € for 20 users, $99, 59 €: https://acme.example/a_b"),
        0
    );
}
