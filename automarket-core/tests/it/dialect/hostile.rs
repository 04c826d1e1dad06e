//! Markdown that is meant to take long, or to go deep.

use super::*;

#[test]
fn hostile_markdown_ends_soon() {
    let patterns: [(&str, String); 24] = [
        ("quotes", ">".repeat(60_000)),
        (
            "quotes and lines",
            format!("{}\n{}", ">".repeat(32), "a\n".repeat(10_000)),
        ),
        ("lists", "- ".repeat(30_000)),
        (
            "indented lists",
            (0..200)
                .map(|n| format!("{}- a\n", " ".repeat(2 * n)))
                .collect(),
        ),
        ("16 deep then lines", {
            let lists: String = (0..16)
                .map(|n| format!("{}- a\n", " ".repeat(2 * n)))
                .collect();
            format!("{lists}{}", "a\n".repeat(10_000))
        }),
        ("brackets", "[".repeat(60_000)),
        ("images", "![".repeat(30_000)),
        ("open links", "[a](".repeat(15_000)),
        ("closed brackets", "]".repeat(60_000)),
        ("emphasis", "*a **a ".repeat(8_000)),
        ("underscores", "_".repeat(60_000)),
        ("stars", "*".repeat(60_000)),
        ("mixed emphasis", "a**b_".repeat(12_000)),
        (
            "backticks",
            (1..300).map(|n| format!("{} ", "`".repeat(n))).collect(),
        ),
        ("tags", "<a ".repeat(20_000)),
        ("comments", "<!--".repeat(15_000)),
        ("declarations", "<?".repeat(30_000)),
        ("entities", "&".repeat(60_000)),
        (
            "wide table",
            format!(
                "{}\n{}\n{}",
                "|a".repeat(2_000),
                "|-".repeat(2_000),
                "x\n".repeat(60)
            ),
        ),
        (
            "references",
            format!(
                "[a]: https://acme.dev/{}\n\n{}",
                "x".repeat(10_000),
                "[a] ".repeat(12_000)
            ),
        ),
        (
            "definitions",
            (0..5_000).map(|n| format!("[{n}]: u\n")).collect(),
        ),
        ("addresses", "http://a ".repeat(7_000)),
        ("mentions", "@[".repeat(30_000)),
        ("strikes", "~~a ~".repeat(12_000)),
    ];
    for (name, text) in &patterns {
        for markup in ALL {
            let out = render(text, markup);
            assert!(out.len() <= 200 * text.len(), "{name} in {markup:?}");
        }
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_literal() {
    let deep = format!("{} **a**", ">".repeat(40));
    let large = "**a** ".repeat(100_000);
    for text in [&deep, &large] {
        assert_eq!(&render(text, Plain), text);
        assert_eq!(render(text, MarkdownV2), escape(text, MarkdownV2));
        assert_eq!(
            render(text, Html),
            format!("<pre>{}</pre>\n", escape(text, Html))
        );
    }
}

#[test]
fn a_line_of_many_marks_is_no_depth() {
    for line in [
        "-".repeat(40),
        "*".repeat(40),
        "=".repeat(40),
        "- ".repeat(40),
        format!("> 1. {}", "* ".repeat(40)),
        format!("+{}", "-----+".repeat(20)),
        format!("```\n+{}\n```", "+".repeat(40)),
        format!("1.{}", "1.".repeat(40)),
    ] {
        let html = render(&format!("**a**\n\n{line}\n\nb"), Html);
        assert!(html.contains("<strong>a</strong>"), "{line}: {html}");
    }
}
