mod counting;
mod cutting;
mod finding;

use automarket_core::profile::{TextRules, TextUnit};
use proptest::prelude::*;

/// Rules with a unit and a limit.
fn rules(unit: TextUnit, limit: usize) -> TextRules {
    let mut rules = TextRules::default();
    rules.unit = unit;
    rules.limit = Some(limit);
    rules
}

/// X's rules.
fn x() -> TextRules {
    let mut rules = rules(TextUnit::Weighted, 280);
    rules.url_length = Some(23);
    rules
}

fn units() -> impl Strategy<Value = TextUnit> {
    prop::sample::select(vec![
        TextUnit::Weighted,
        TextUnit::Graphemes,
        TextUnit::Utf16,
        TextUnit::CodePoints,
        TextUnit::Bytes,
        TextUnit::EmojiBytes,
    ])
}

/// Texts of everything that is hard: addresses, tags, emoji, marks, scripts, odd signs.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => "[a-zA-Z]{1,12}".prop_map(|word| word + " "),
        1 => prop::sample::select(vec![
            "https://example.com/a/b?c=d#e", "example.org", "http://t.co/abc", "a.com日本.jp/x", "http://localhost:80/x",
            "#launch", "#日本語", "@name", "@name/list", "@name@host.example", "@a@b", " $ACME ", "RT@name", "##", "@@", "://", "xn--p1ai.рф",
            "👨‍👩‍👧‍👦", "👩🏽‍💻", "🇩🇪🇽🇧🇪🇺", "1️⃣", "©️", "☺︎", "\u{FE0F}", "\u{200D}", "\u{20E3}", "\u{1F3FD}",
            "e\u{301}", "\u{301}", "か\u{3099}", "\u{1100}\u{1161}", "क्षि", "\u{600}", "\u{FEFF}", "\u{202A}", "ſK",
            ". ", "! ", "? ", "。", "…", "\n\n", "\r\n", "\t", "\u{A0}", "  ", ".", "-", "_", "/", "(", ")", "'", "\"",
            "新しい製品を発表しました。", "Привет, мир. ", "ภาษาไทยไม่มีวรรค", "한국어 ",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(|c| c.to_string()),
    ];
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}
