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
            (Markdown, "*__both__ one* and *ab* end"),
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

#[test]
fn hostile_markdown_ends_soon() {
    let patterns: [(&str, String); 24] = [
        ("quotes", ">".repeat(400_000)),
        (
            "quotes and lines",
            format!("{}\n{}", ">".repeat(32), "a\n".repeat(200_000)),
        ),
        ("lists", "- ".repeat(200_000)),
        (
            "indented lists",
            (0..700)
                .map(|n| format!("{}- a\n", " ".repeat(2 * n)))
                .collect(),
        ),
        ("16 deep then lines", {
            let lists: String = (0..16)
                .map(|n| format!("{}- a\n", " ".repeat(2 * n)))
                .collect();
            format!("{lists}{}", "a\n".repeat(200_000))
        }),
        ("brackets", "[".repeat(500_000)),
        ("images", "![".repeat(250_000)),
        ("open links", "[a](".repeat(120_000)),
        ("closed brackets", "]".repeat(500_000)),
        ("emphasis", "*a **a ".repeat(70_000)),
        ("underscores", "_".repeat(500_000)),
        ("stars", "*".repeat(500_000)),
        ("mixed emphasis", "a**b_".repeat(100_000)),
        (
            "backticks",
            (1..900).map(|n| format!("{} ", "`".repeat(n))).collect(),
        ),
        ("tags", "<a ".repeat(170_000)),
        ("comments", "<!--".repeat(120_000)),
        ("declarations", "<?".repeat(200_000)),
        ("entities", "&".repeat(500_000)),
        (
            "wide table",
            format!(
                "{}\n{}\n{}",
                "|a".repeat(40_000),
                "|-".repeat(40_000),
                "x\n".repeat(100_000)
            ),
        ),
        (
            "references",
            format!(
                "[a]: https://acme.dev/{}\n\n{}",
                "x".repeat(10_000),
                "[a] ".repeat(100_000)
            ),
        ),
        (
            "definitions",
            (0..40_000).map(|n| format!("[{n}]: u\n")).collect(),
        ),
        ("addresses", "http://a ".repeat(55_000)),
        ("mentions", "@[".repeat(250_000)),
        ("strikes", "~~a ~".repeat(100_000)),
    ];
    for (name, text) in &patterns {
        for markup in ALL {
            let began = std::time::Instant::now();
            let out = render(text, markup);
            let took = began.elapsed();
            if took.as_millis() > 300 {
                eprintln!("{name} {markup:?} {took:?} {}", out.len());
            }
        }
    }
}
