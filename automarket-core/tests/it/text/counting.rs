use automarket_core::profile::TextUnit::{self, Bytes, CodePoints, Graphemes, Utf16, Weighted};
use automarket_core::text::{count, length, valid};
use proptest::prelude::*;

use super::{rules, texts, units, x};

/// Texts and what X's reference counts.
const WEIGHTED: &[(&str, usize)] = &[
    ("", 0),
    ("Hello, world.", 13),
    ("Hi http://test.co", 26),
    ("http://test.co", 23),
    ("example.com and https://example.com/a?b=c#d", 51),
    ("no.such.zzz", 11),
    ("http://localhost/", 17),
    ("mail@example.com", 16),
    ("Grüße", 5),
    ("Привет", 6),
    ("日本語", 6),
    ("A\u{301}B", 2),
    ("か\u{3099}", 2),
    ("\u{1100}\u{1161}\u{11A8}", 2),
    ("\u{202A}", 2),
    ("…", 2),
    ("“quoted” – ‘so’", 15),
    ("😀", 2),
    ("👨‍👩‍👧‍👦", 2),
    ("🙋🏽👨‍🎤", 4),
    ("H🐱☺👨‍👩‍👧‍👦", 7),
    ("🇩🇪", 2),
    ("🇽🇧", 4),
    (
        "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
        2,
    ),
    ("1\u{20E3}", 2),
    ("1\u{FE0F}\u{20E3}", 2),
    ("12#\u{FE0F}\u{20E3}", 4),
    ("©", 1),
    ("©\u{FE0F}", 2),
    ("☺\u{FE0E}", 4),
    ("✌🏽", 2),
    ("🏋\u{FE0F}\u{200D}♀\u{FE0F}", 2),
    ("❤\u{FE0F}", 2),
    ("👩\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨", 2),
    // Newer than the reference: its pieces.
    ("🧑\u{200D}💻", 5),
    // A host that mixes scripts: the reference counts what it leaves out.
    ("a.com日本.jp/x", 28),
];

#[test]
fn x_counts_by_weight() {
    for (text, expected) in WEIGHTED {
        assert_eq!(count(text, Weighted, Some(23)), *expected, "{text:?}");
    }
    assert_eq!(count(&"日".repeat(160), Weighted, Some(23)), 320);
    assert_eq!(count("http://test.co", Weighted, None), 14);
}

#[test]
fn a_host_label_has_63_characters_in_its_ascii_form() {
    let host = |label: &str| count(&format!("{label}.com"), Weighted, Some(23));
    assert_eq!(host(&"a".repeat(63)), 23);
    assert_eq!(host(&"a".repeat(64)), 68);
    assert_eq!(
        host(&"é".repeat(53)),
        23 + 1,
        "the first é is read as the character before"
    );
    let with_scheme = |label: &str| count(&format!("http://{label}.com"), Weighted, Some(23));
    assert_eq!(with_scheme(&"日".repeat(53)), 23);
    assert_ne!(with_scheme(&"日".repeat(63)), 23);
}

#[test]
fn an_address_has_4096_units() {
    let path = |len: usize| {
        count(
            &format!("http://a.co/{}", "x".repeat(len)),
            Weighted,
            Some(23),
        )
    };
    assert_eq!(path(4096 - 7 - 12), 23);
    assert_eq!(path(4096 - 7 - 11), 4090);
}

#[test]
fn each_unit_counts_its_own() {
    let table: &[(&str, [usize; 4])] = &[
        ("", [0, 0, 0, 0]),
        ("abc", [3, 3, 3, 3]),
        ("a\r\nb", [3, 4, 4, 4]),
        ("é", [1, 1, 1, 2]),
        ("e\u{301}", [1, 2, 2, 3]),
        ("👩🏽‍💻", [1, 7, 4, 15]),
        ("日本", [2, 2, 2, 6]),
    ];
    for (text, expected) in table {
        let counts = [Graphemes, Utf16, CodePoints, Bytes].map(|unit| count(text, unit, None));
        assert_eq!(counts, *expected, "{text:?}");
    }
}

#[test]
fn of_an_emoji_its_bytes_may_count() {
    for (text, expected) in [
        ("Grüße, 日本 e\u{301} © → 1", 18),
        ("😀", 4),
        ("👨‍👩‍👧‍👦", 25),
        ("👩🏽‍💻", 15),
        ("🇩🇪", 8),
        (
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            28,
        ),
        ("1\u{FE0F}\u{20E3}", 7),
        ("©\u{FE0F}", 5),
        ("❤\u{FE0F} ✅ ⌚ ⭐", 6 + 1 + 3 + 1 + 3 + 1 + 3),
        // Newer than any table.
        ("\u{1FAE9}", 4),
    ] {
        assert_eq!(count(text, TextUnit::EmojiBytes, None), expected, "{text}");
    }
}

#[test]
fn other_units_shorten_only_addresses_with_scheme() {
    assert_eq!(
        count("Hi https://example.com/some/page", Graphemes, Some(23)),
        26
    );
    assert_eq!(
        count("Hi example.com/some/page/of/ours", Graphemes, Some(23)),
        32
    );
    assert_eq!(count("日 https://example.com", Bytes, Some(23)), 27);
}

#[test]
fn a_valid_text_is_there_within_both_limits_and_clean() {
    assert!(valid(&"x".repeat(280), &x()));
    assert!(!valid(&"x".repeat(281), &x()));
    assert!(!valid("", &x()));
    assert!(!valid("a\u{FEFF}", &x()));
    let mut bluesky = rules(Graphemes, 300);
    bluesky.also = Some((Bytes, 3000));
    assert!(valid(&"👩🏽‍💻".repeat(200), &bluesky));
    assert!(!valid(&"👩🏽‍💻".repeat(201), &bluesky));
    assert_eq!(length("👩🏽‍💻", &bluesky), 1);
}

/// Each would take minutes if any part of the work were quadratic.
#[test]
fn hostile_texts_take_linear_time() {
    let patterns = [
        "a.com日",
        "a.com.x_x.",
        "a.com.-.",
        "a.",
        ".",
        "a.com/(",
        "a.com/(/",
        "a.com?",
        "http://",
        "://",
        "#",
        "#1",
        "@",
        "$A ",
        "👨\u{200D}",
        "🇩",
        "\u{301}",
        "e\u{301}",
        "xn--a.",
        "é",
    ];
    for pattern in patterns {
        let text = pattern.repeat(200_000 / pattern.len());
        for text in [format!("http://x.com/{text}"), format!("{text}.com"), text] {
            assert!(count(&text, Weighted, Some(23)) > 0);
            assert!(automarket_core::text::entities(&text).urls.len() <= text.len());
        }
    }
}

proptest! {
    #[test]
    fn any_text_has_a_length(text in any::<String>(), unit in units(), url in prop::option::of(0..30_usize)) {
        let length = count(&text, unit, url);
        prop_assert_eq!(length == 0, text.is_empty() || (url == Some(0) && length == 0));
    }

    #[test]
    fn words_beside_each_other_count_their_sum(a in "[a-z é日]{0,40}", b in "[a-z é日]{0,40}", unit in units()) {
        let both = format!("{a} {b}");
        let space = count(" ", unit, Some(23));
        prop_assert_eq!(count(&both, unit, Some(23)), count(&a, unit, Some(23)) + space + count(&b, unit, Some(23)));
    }

    #[test]
    fn normalised_or_not_x_counts_the_same(text in texts()) {
        use unicode_normalization::UnicodeNormalization;
        let composed: String = text.nfc().collect();
        prop_assert_eq!(count(&text, TextUnit::Weighted, Some(23)), count(&composed, TextUnit::Weighted, Some(23)));
    }
}

#[test]
fn addresses_go_on_over_letters_of_every_script_but_at_x() {
    let mastodon = |text: &str| count(text, Graphemes, Some(23));
    for (text, expected) in [
        ("https://ja.wikipedia.org/wiki/日本語", 23),
        ("https://zh.wikipedia.org/wiki/中国#历史", 23),
        ("https://maps.example.com/?q=ü", 23),
        ("https://a.dev/日(本)語?q=日本 x", 25),
        (
            "(https://a.dev/日本)。「https://a.dev/日本」",
            24 + 3 + 23 + 1,
        ),
        (
            "https://a.dev/日本, https://a.dev/?q=日本.",
            23 + 2 + 23 + 1,
        ),
        ("https://a.dev/\"x\"^`{y} z", 23 + 2),
        ("https://a.dev/x<b> z", 23 + 5),
        // No address of this pattern either.
        ("https://no.such.zzz/日本", 22),
    ] {
        assert_eq!(mastodon(text), expected, "{text}");
    }
    let long = format!(
        "https://ja.wikipedia.org/wiki/{} {}",
        "日".repeat(40),
        "a".repeat(440)
    );
    assert_eq!(mastodon(&long), 464);
    assert_eq!(
        count("https://ja.wikipedia.org/wiki/日本語", Weighted, Some(23)),
        29
    );
}

#[test]
fn marks_and_connectors_are_parts_of_words() {
    // An accent of its own behind its letter is a mark: what macOS writes.
    for (text, expected) in [
        ("e\u{301}@a@b.de", 8),
        ("x\u{203f}@a@b.de", 9),
        ("@a@हिन्दी.com x", 4),
    ] {
        assert_eq!(count(text, Graphemes, Some(23)), expected, "{text}");
    }
}

#[test]
fn of_a_mention_on_another_server_its_name_counts() {
    let mastodon = |text: &str| count(text, Graphemes, Some(23));
    for (text, expected) in [
        ("@alice@mastodon.social hi", 9),
        ("Hi @alice@mastodon.social, @bob_1@xn--p1ai.example!", 18),
        ("(@a.b-c@日本.example)", 8),
        // The full stop ends a sentence.
        ("by @alice@mastodon.social.", 10),
        (
            "https://a.dev/ @a@b.dev https://a.dev/@a@b.dev",
            23 + 4 + 23,
        ),
        // Mail, a part of an address, no name, no domain.
        ("alice@mastodon.social", 21),
        ("x/@alice@mastodon.social", 24),
        ("x@alice@mastodon.social", 23),
        ("@ali.@mastodon.social", 21),
        ("@@mastodon.social @alice@ @é@b.c", 32),
        ("@a@b@c@d", 6),
    ] {
        assert_eq!(mastodon(text), expected, "{text}");
        // Where addresses count as they are, so do names.
        assert_eq!(count(text, Graphemes, None), text.chars().count(), "{text}");
    }
    let mut rules = rules(Graphemes, 40);
    rules.url_length = Some(23);
    let text = format!("Thanks {}!", "@a@mastodon.social ".repeat(8));
    assert!(valid(&text, &rules));
    let fitted = automarket_core::text::fit(&text.repeat(2), &rules, None);
    assert!(
        fitted.text.matches("@mastodon.social").count() >= 8,
        "{fitted:?}"
    );
    let parts = automarket_core::text::split(&text.repeat(3), &rules, false);
    for part in &parts {
        assert!(
            !part.text.ends_with("@mastodon") && !part.text.ends_with("@a"),
            "{part:?}"
        );
    }
}
