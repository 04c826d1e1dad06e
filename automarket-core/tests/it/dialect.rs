mod hostile;

use automarket_core::{
    profile::Markup::{self, Html, LittleText, Markdown, MarkdownV2, Mrkdwn, Plain},
    text::{escape, render},
};
use proptest::prelude::*;

const ALL: [Markup; 6] = [Plain, Html, Markdown, MarkdownV2, Mrkdwn, LittleText];

#[track_caller]
fn renders(markdown: &str, expected: &[(Markup, &str)]) {
    for (markup, text) in expected {
        assert_eq!(
            &render(markdown, *markup),
            text,
            "{markup:?} of {markdown:?}"
        );
    }
}

#[test]
fn styles() {
    renders(
        "**bold** *italic* ~~gone~~ `a<b`",
        &[
            (Plain, "bold italic gone a<b"),
            (
                Html,
                "<p><strong>bold</strong> <em>italic</em> <del>gone</del> <code>a&lt;b</code></p>\n",
            ),
            (Markdown, "**bold** *italic* ~~gone~~ `a<b`"),
            (MarkdownV2, "*bold* _italic_ ~gone~ `a<b`"),
            (Mrkdwn, "*bold* _italic_ ~gone~ `a&lt;b`"),
            (LittleText, "bold italic gone a\\<b"),
        ],
    );
}

#[test]
fn nested_and_touching_styles() {
    renders(
        "***both** one* and *a*_b_ end",
        &[
            (Markdown, "***both** one* and *ab* end"),
            (MarkdownV2, "_*both* one_ and _ab_ end"),
            (Mrkdwn, "_*both* one_ and _ab_ end"),
        ],
    );
    // Telegram takes no code within bold, and `__` would be underline.
    renders(
        "**see `x` now** *`y`*",
        &[
            (MarkdownV2, "*see* `x` *now* `y`"),
            (Mrkdwn, "*see* `x` *now* `y`"),
            (Markdown, "**see `x` now** *`y`*"),
        ],
    );
    renders(
        "**[](javascript:x)** a",
        &[(MarkdownV2, "a"), (Mrkdwn, "a")],
    );
}

#[test]
fn touching_marks_close_before_letters() {
    renders("***bi***word", &[(Markdown, "***bi***word")]);
    renders("(\\***b**é", &[(Markdown, "(\\***b**é")]);
    for markdown in ["***bi***word", "(\\***b**é", "\\\\*a***b**", "*a\\***b** c"] {
        let again = render(markdown, Markdown);
        assert_eq!(render(&again, Html), render(markdown, Html), "{again:?}");
    }
}

#[test]
fn a_link_within_a_label_is_its_words() {
    renders(
        "![see [docs](https://e.com)](http://a.com/x)",
        &[(Mrkdwn, "<http://a.com/x|see docs>")],
    );
    renders(
        "[<http://a.b>](http://a.com/x)",
        &[(Mrkdwn, "<http://a.com/x|http://a.b>")],
    );
    // What is no link holds one.
    renders(
        "![see [docs](https://e.com)](javascript:x)",
        &[(Mrkdwn, "see <https://e.com|docs>")],
    );
}

#[test]
fn headings_and_paragraphs() {
    renders(
        "# One\n\nTwo\nthree  \nfour\n\n## Five #hash #\n\n***",
        &[
            (Plain, "One\n\nTwo\nthree\nfour\n\nFive #hash\n\n———"),
            (
                Markdown,
                "# One\n\nTwo\nthree\\\nfour\n\n## Five #hash\n\n***",
            ),
            (
                MarkdownV2,
                "*One*\n\nTwo\nthree\nfour\n\n*Five \\#hash*\n\n———",
            ),
            (Mrkdwn, "*One*\n\nTwo\nthree\nfour\n\n*Five #hash*\n\n———"),
            (LittleText, "One\n\nTwo\nthree\nfour\n\nFive #hash\n\n———"),
        ],
    );
}

#[test]
fn a_break_of_html_breaks_the_line() {
    for tag in ["<br>", "<BR/>", "<br />"] {
        renders(
            &format!("one{tag}two"),
            &[
                (Plain, "one\ntwo"),
                (Html, "<p>one<br />\ntwo</p>\n"),
                (Markdown, "one\\\ntwo"),
                (Mrkdwn, "one\ntwo"),
            ],
        );
    }
    renders(
        "| a |\n| --- |\n| one<br>two |",
        &[
            (Plain, "a\none two"),
            (Markdown, "| a |\n| --- |\n| one two |"),
        ],
    );
    renders("`<br>` a<b>b", &[(Plain, "<br> a<b>b")]);
    // At the end of a line it is its end, at that of a block it is none.
    for (text, markdown, plain) in [
        ("one<br>\ntwo", "one\\\ntwo", "one\ntwo"),
        ("one<br><br>\ntwo", "one\\\n\\\ntwo", "one\n\ntwo"),
        ("one<br><br>\n\ntwo", "one\n\ntwo", "one\n\ntwo"),
        ("`x`<br>", "`x`", "x"),
        ("- a<br>\n- b", "- a\n- b", "• a\n• b"),
        // A mark behind the backslash of a break would be escaped by it.
        ("**a**<br>b", "**a**\\\nb", "a\nb"),
        ("**a**  \nb", "**a**\\\nb", "a\nb"),
        ("**a  \nb**", "**a\\\nb**", "a\nb"),
        ("**a**<br>**b**", "**a**\\\n**b**", "a\nb"),
        ("**a *b<br>***\nc", "**a *b***\\\nc", "a b\nc"),
        ("**one<br>**", "**one**", "one"),
        ("~~x<br>~~", "~~x~~", "x"),
        (
            "[one<br>](https://a.dev)<br>b",
            "[one](https://a.dev)\\\n\\\nb",
            "one (https://a.dev)\n\nb",
        ),
        // Nor are blanks beside one anything.
        (
            "[x<br>](https://a.dev) <br>",
            "[x](https://a.dev)",
            "x (https://a.dev)",
        ),
        ("a<br> <br>", "a", "a"),
        ("a<br> **b**", "a\\\n**b**", "a\nb"),
        ("- **a**<br>b", "- **a**\\\n  b", "• a\n  b"),
        ("- a<br>\n  - b", "- a\n  - b", "• a\n  • b"),
        ("# a<br>", "# a", "a"),
        ("| a |\n| --- |\n| b<br> |", "| a |\n| --- |\n| b |", "a\nb"),
    ] {
        renders(text, &[(Markdown, markdown), (Plain, plain)]);
    }
}

#[test]
fn lists() {
    renders(
        "- one\n- two\n  1. in\n  2. side\n- three\n\n* other",
        &[
            (
                Plain,
                "• one\n• two\n  1. in\n  2. side\n• three\n\n• other",
            ),
            (
                Markdown,
                "- one\n- two\n  1. in\n  2. side\n- three\n\n* other",
            ),
            (
                MarkdownV2,
                "• one\n• two\n  1\\. in\n  2\\. side\n• three\n\n• other",
            ),
            (
                Html,
                "<ul>\n<li>one</li>\n<li>two\n<ol>\n<li>in</li>\n<li>side</li>\n</ol>\n</li>\n<li>three</li>\n</ul>\n<ul>\n<li>other</li>\n</ul>\n",
            ),
        ],
    );
    renders(
        "7. seven\n\n   more\n8. eight",
        &[(Plain, "7. seven\n\n   more\n\n8. eight")],
    );
}

#[test]
fn links() {
    renders(
        "[the *guide*](https://acme.dev/a_(b)?x=1&y=2) <https://acme.dev> <me@acme.dev> [acme.dev](https://acme.dev/)",
        &[
            (
                Plain,
                "the guide (https://acme.dev/a_(b)?x=1&y=2) https://acme.dev me@acme.dev https://acme.dev/",
            ),
            (
                Markdown,
                "[the *guide*](<https://acme.dev/a_(b)?x=1&y=2>) <https://acme.dev> [me@acme.dev](mailto:me@acme.dev) [acme.dev](https://acme.dev/)",
            ),
            (
                MarkdownV2,
                "[the _guide_](https://acme.dev/a_(b\\)?x=1&y=2) [https://acme\\.dev](https://acme.dev) [me@acme\\.dev](mailto:me@acme.dev) [acme\\.dev](https://acme.dev/)",
            ),
            (
                Mrkdwn,
                "<https://acme.dev/a_(b)?x=1&amp;y=2|the _guide_> <https://acme.dev> <mailto:me@acme.dev|me@acme.dev> <https://acme.dev/|acme.dev>",
            ),
            (
                LittleText,
                "the guide \\(https://acme.dev/a\\_\\(b\\)?x=1&y=2\\) https://acme.dev me\\@acme.dev https://acme.dev/",
            ),
        ],
    );
}

#[test]
fn links_elsewhere_are_only_words() {
    for target in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "java&Tab;script:alert(1)",
        "data:text/html;base64,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example",
        "/relative",
        "#here",
    ] {
        let markdown = format!("a [word](<{target}>) b ![pic](<{target}>)");
        for markup in [Plain, Markdown, MarkdownV2, Mrkdwn, LittleText] {
            assert_eq!(
                render(&markdown, markup),
                "a word b pic",
                "{markup:?} {target}"
            );
        }
        assert_eq!(render(&markdown, Html), "<p>a word b pic</p>\n", "{target}");
    }
}

#[test]
fn images_and_quotes_and_code() {
    let markdown = "> said\n>\n> twice\n\n```rust\nlet a = \"`\\\\`\";\n```\n\n![a pic](https://acme.dev/p.png)";
    renders(
        markdown,
        &[
            (
                Plain,
                "> said\n>\n> twice\n\nlet a = \"`\\\\`\";\n\na pic (https://acme.dev/p.png)",
            ),
            (
                Markdown,
                "> said\n>\n> twice\n\n```rust\nlet a = \"`\\\\`\";\n```\n\n![a pic](https://acme.dev/p.png)",
            ),
            (
                MarkdownV2,
                ">said\n>\n>twice\n\n```rust\nlet a = \"\\`\\\\\\\\\\`\";\n```\n\n[a pic](https://acme.dev/p.png)",
            ),
            (
                Mrkdwn,
                "> said\n>\n> twice\n\n```\nlet a = \"`\\\\`\";\n```\n\n<https://acme.dev/p.png|a pic>",
            ),
        ],
    );
    // Telegram: quotes do not nest, hold no code, and stand at the start of a line.
    renders(
        "> a `b`\n> > c\n\n- d\n  > e",
        &[(MarkdownV2, ">a b\n>\n>c\n\n• d\n  e")],
    );
}

#[test]
fn tables() {
    renders(
        "| a | b |\n| --- | :-: |\n| 1 | x\\|y |\n| | `p\\|q` |",
        &[
            (Plain, "a | b\n1 | x|y\n | p|q"),
            (
                Markdown,
                "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n|  | `p\\|q` |",
            ),
            (MarkdownV2, "a \\| b\n1 \\| x\\|y\n \\| `p|q`"),
        ],
    );
}

#[test]
fn raw_html_is_text() {
    let markdown = "<script>alert(1)</script>\n\nhi <b onclick=x>you</b>";
    renders(
        markdown,
        &[
            (
                Plain,
                "<script>alert(1)</script>\n\nhi <b onclick=x>you</b>",
            ),
            (
                Html,
                "<p>&lt;script&gt;alert(1)&lt;/script&gt;\n</p>\n<p>hi &lt;b onclick=x&gt;you&lt;/b&gt;</p>\n",
            ),
            (
                Mrkdwn,
                "&lt;script&gt;alert(1)&lt;/script&gt;\n\nhi &lt;b onclick=x&gt;you&lt;/b&gt;",
            ),
        ],
    );
}

#[test]
fn linkedin_keeps_hashtags_and_mentions() {
    for (text, expected) in [
        (
            "#rust and #snake_case",
            "#rust and {hashtag|\\#|snake\\_case}",
        ),
        ("a#b #1 C# ##x #日本語。", "a\\#b \\#1 C\\# \\##x #日本語。"),
        (
            "hi @[Acme (Inc)](urn:li:organization:123)!",
            "hi @[Acme \\(Inc\\)](urn:li:organization:123)!",
        ),
        ("@[x](https://acme.dev)", "\\@\\[x\\]\\(https://acme.dev\\)"),
        (
            "me@acme.dev \\ {a|b} <c> ~d~",
            "me\\@acme.dev \\\\ \\{a\\|b\\} \\<c\\> \\~d\\~",
        ),
    ] {
        assert_eq!(escape(text, LittleText), expected, "{text:?}");
    }
    let markdown = "By @[Ann B](urn:li:person:a-1_b) and [Ann](urn:li:person:2)";
    renders(
        markdown,
        &[(LittleText, "By @[Ann B](urn:li:person:a-1_b) and Ann")],
    );
}

/// Reads MarkdownV2 as Telegram says it does; the letters that are left.
fn read_markdown_v2(text: &str) -> Result<String, String> {
    let mut letters = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    let mut line_start = true;
    while let Some(c) = rest.chars().next() {
        let at_start = std::mem::replace(&mut line_start, c == '\n');
        if let Some(after) = rest.strip_prefix('\\') {
            let escaped = after.chars().next().ok_or("a backslash at the end")?;
            letters.push(escaped);
            rest = &after[escaped.len_utf8()..];
        } else if rest.starts_with('`') {
            let fence = if rest.starts_with("```") { "```" } else { "`" };
            if !open.is_empty() {
                return Err(format!("code within {open:?}"));
            }
            rest = &rest[fence.len()..];
            loop {
                if let Some(after) = rest.strip_prefix(fence) {
                    rest = after;
                    break;
                }
                let mut chars = rest.chars();
                match chars.next().ok_or("code without end")? {
                    '\\' => letters.extend(chars.next()),
                    c => letters.push(c),
                }
                rest = chars.as_str();
            }
        } else if let Some(mark) = ["__", "||", "_", "*", "~"]
            .into_iter()
            .find(|m| rest.starts_with(m))
        {
            rest = &rest[mark.len()..];
            if open.last() == Some(&mark) {
                open.pop();
            } else if open.contains(&mark) || mark.len() == 2 {
                return Err(format!("{mark} within {open:?}"));
            } else {
                open.push(mark);
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            open.push("]");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("](") {
            if open.pop() != Some("]") {
                return Err("a label's end without its start".into());
            }
            let mut chars = after.chars();
            loop {
                match chars.next().ok_or("an address without end")? {
                    '\\' => drop(chars.next()),
                    ')' => break,
                    _ => {}
                }
            }
            rest = chars.as_str();
        } else if c == '>' && at_start {
            rest = &rest[1..];
        } else if "_*[]()~`>#+-=|{}.!".contains(c) {
            return Err(format!("a bare {c} before {rest:?}"));
        } else {
            letters.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if open.is_empty() {
        Ok(letters)
    } else {
        Err(format!("{open:?} left open"))
    }
}

/// Reads little text; the letters that are left.
fn read_little_text(text: &str) -> Result<String, String> {
    let mut letters = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if let Some(tag) = rest.strip_prefix("{hashtag|\\#|") {
            let (word, after) = tag.split_once('}').ok_or("a template without end")?;
            letters.push('#');
            letters.push_str(&word.replace('\\', ""));
            rest = after;
        } else if c == '\\' {
            let escaped = after.chars().next().ok_or("a backslash at the end")?;
            letters.push(escaped);
            rest = &after[escaped.len_utf8()..];
        } else if c == '#' && after.starts_with(char::is_alphanumeric) {
            letters.push(c);
            rest = after;
        } else if "|{}@[]()<>#*_~".contains(c) {
            return Err(format!("a bare {c} before {rest:?}"));
        } else {
            letters.push(c);
            rest = after;
        }
    }
    Ok(letters)
}

/// Text full of what the dialects reserve.
const SPICED: &str = "([a-c1 .\\n]|\\PC|[-\\\\`*_{}\\[\\]()<>#+.!|~=&@:/]){0,60}";

fn words() -> impl Strategy<Value = String> {
    "[a-z]{1,5}( [a-z0-9.!#+-]{0,3}[a-z]{1,3}){0,3}"
}

fn inline() -> impl Strategy<Value = String> {
    let piece = words().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            words(),
            "[a-z`*_<&\\\\]{1,6}".prop_map(|code| format!("````` {code} `````")),
            inner.clone().prop_map(|text| format!("**{text}**")),
            inner.clone().prop_map(|text| format!("*{text}*")),
            inner.clone().prop_map(|text| format!("_{text}_")),
            inner.clone().prop_map(|text| format!("s ~~{text}~~")),
            words().prop_map(|text| format!("[{text}](https://acme.dev/a?b=1&c=2)")),
            words().prop_map(|text| format!("![{text}](https://acme.dev/p.png)")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} {b}")),
        ]
    });
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.join(" "))
}

fn indented(text: &str, first: &str) -> String {
    let rest = format!("\n{}", " ".repeat(first.len()));
    format!("{first}{}", text.replace('\n', &rest))
}

fn document() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        inline(),
        (1..6_usize, words()).prop_map(|(level, text)| format!("{} {text}", "#".repeat(level))),
        words().prop_map(|code| format!("~~~ rust\n{code}\n\n  {code}\n~~~")),
        (words(), words())
            .prop_map(|(a, b)| format!("| {a} | {b} |\n| --- | --- |\n| {b} | {a} |")),
        Just("* * *".to_owned()),
    ];
    let block = block.prop_recursive(3, 12, 3, |inner| {
        let blocks = proptest::collection::vec(inner, 1..3).prop_map(|blocks| blocks.join("\n\n"));
        prop_oneof![
            blocks
                .clone()
                .prop_map(|text| format!("> {}", text.replace('\n', "\n> "))),
            (blocks.clone(), blocks.clone()).prop_map(|(a, b)| format!(
                "{}\n{}",
                indented(&a, "- "),
                indented(&b, "- ")
            )),
            (1..99_u32, blocks).prop_map(|(n, text)| indented(&text, &format!("{n}. "))),
        ]
    });
    proptest::collection::vec(block, 1..4).prop_map(|blocks| blocks.join("\n\n"))
}

/// A document's HTML, each letter with the styles it has: how they are nested does not matter.
fn styled(html: &str) -> Vec<(char, [bool; 3])> {
    let mut depth = [0_i32; 3];
    let mut letters = Vec::new();
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        let tags = ["em>", "strong>", "del>"].into_iter().enumerate();
        let tag = tags.into_iter().find_map(|(n, tag)| {
            let close = rest
                .strip_prefix("</")
                .and_then(|rest| rest.strip_prefix(tag));
            let open = rest
                .strip_prefix('<')
                .and_then(|rest| rest.strip_prefix(tag));
            close
                .map(|rest| (n, -1, rest))
                .or(open.map(|rest| (n, 1, rest)))
        });
        if let Some((n, change, after)) = tag {
            depth[n] += change;
            rest = after;
        } else {
            letters.push((c, depth.map(|depth| depth > 0 && !c.is_whitespace())));
            rest = &rest[c.len_utf8()..];
        }
    }
    letters
}

proptest! {
    #[test]
    fn normalising_keeps_the_document(markdown in document()) {
        let normal = render(&markdown, Markdown);
        let (before, after) = (render(&markdown, Html), render(&normal, Html));
        prop_assert_eq!(styled(&before), styled(&after), "{}\n{}\n{}", normal, before, after);
        prop_assert_eq!(render(&normal, Markdown), normal);
    }

    #[test]
    fn telegram_can_read_documents(markdown in document()) {
        let text = render(&markdown, MarkdownV2);
        prop_assert!(read_markdown_v2(&text).is_ok(), "{:?}: {}", read_markdown_v2(&text), text);
    }

    #[test]
    fn telegram_and_linkedin_can_read_anything(markdown in SPICED) {
        let text = render(&markdown, MarkdownV2);
        prop_assert!(read_markdown_v2(&text).is_ok(), "{:?}: {}", read_markdown_v2(&text), text);
        let text = render(&markdown, LittleText);
        prop_assert_eq!(read_little_text(&text), Ok(render(&markdown, Plain)));
    }

    #[test]
    fn escaped_text_reads_as_itself(text in SPICED) {
        prop_assert_eq!(read_markdown_v2(&escape(&text, MarkdownV2)), Ok(text.clone()));
        prop_assert_eq!(read_little_text(&escape(&text, LittleText)), Ok(text.clone()));
        let slack = escape(&text, Mrkdwn);
        prop_assert!(!slack.contains(['<', '>']));
        prop_assert_eq!(slack.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), text);
    }

    #[test]
    fn escaped_markdown_reads_as_itself(line in "[a-c1]([a-c1 ]|[-\\\\`*_{}\\[\\]()<>#+.!|~=&@:]){0,30}") {
        let line = line.trim_end();
        prop_assert_eq!(render(&escape(line, Markdown), Plain), line);
    }

    #[test]
    fn html_holds_only_known_tags(markdown in SPICED) {
        let html = render(&markdown, Html);
        for tag in html.split('<').skip(1) {
            let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            let known = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "a", "img", "ul", "ol", "li", "blockquote", "br", "hr", "table", "thead", "tbody", "tr", "th", "td"];
            prop_assert!(known.contains(&name.as_str()), "<{}", tag);
            prop_assert!(!tag.to_ascii_lowercase().contains("javascript:") || !tag.contains("href"), "<{}", tag);
        }
    }
}
