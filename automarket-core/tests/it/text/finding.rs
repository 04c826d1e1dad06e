use automarket_core::text::{Entity, entities};
use proptest::prelude::*;

use super::texts;

fn names(found: &[Entity]) -> Vec<&str> {
    found.iter().map(|entity| entity.text.as_str()).collect()
}

#[test]
fn addresses() {
    let table: &[(&str, &[&str])] = &[
        ("http://example.com", &["http://example.com"]),
        (
            "HTTPS://EXAMPLE.COM/Path?q=1#top.",
            &["HTTPS://EXAMPLE.COM/Path?q=1#top"],
        ),
        ("example.com.", &["example.com"]),
        ("see (example.org/a_(b)) now", &["example.org/a_(b)"]),
        ("example.com?q=1", &["example.com"]),
        ("example.com/?q=1", &["example.com/?q=1"]),
        ("example.com:8080/x", &["example.com:8080/x"]),
        ("http://example.com:8080", &["http://example.com:8080"]),
        ("example.zzz http://example.zzz foo.x", &[]),
        ("me@example.com @example.com #example.com $example.com", &[]),
        ("-example.com .example.com /example.com _example.com", &[]),
        (
            "http://user_name.example.com",
            &["http://user_name.example.com"],
        ),
        ("http://user_name.com", &[]),
        ("пример.рф", &[]),
        ("http://пример.рф", &["http://пример.рф"]),
        ("http://例え.みんな/道", &["http://例え.みんな/"]),
        ("日本語example.com日本語", &["example.com"]),
        ("is.gd/1 t.co/2,x.com", &["is.gd/1", "t.co/2,x.com"]),
        ("https://t.co/abc123-more", &["https://t.co/abc123"]),
        (
            "https://t.co/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            &[],
        ),
        ("a.com日本.jp/x", &["a.com/x"]),
        ("test.vermögensberatung", &["test.vermögensberatung"]),
        (
            "foo.com.au example.co.jp/a",
            &["foo.com.au", "example.co.jp/a"],
        ),
        (
            "\u{202A}https://example.com/a\u{202C}",
            &["https://example.com/a"],
        ),
        ("ftp://example.com", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(names(&entities(text).urls), *expected, "{text:?}");
    }
}

#[test]
fn hashtags() {
    let table: &[(&str, &[&str])] = &[
        ("#Rust and ＃日本語!", &["Rust", "日本語"]),
        ("#123 #1a #_ #a_b", &["1a", "a_b"]),
        ("a#b &#c #d#e", &[]),
        ("##f", &["f"]),
        ("#\u{FE0F}\u{20E3} #️⃣", &[]),
        ("#a://b", &[]),
        ("#été #über·x", &["été", "über·x"]),
        ("http://example.com/#anchor #real", &["real"]),
    ];
    for (text, expected) in table {
        assert_eq!(names(&entities(text).hashtags), *expected, "{text:?}");
    }
}

#[test]
fn mentions() {
    let table: &[(&str, &[&str])] = &[
        (
            "@one ＠two, .@three (@four)",
            &["one", "two", "three", "four"],
        ),
        ("RT@five rt@six xRT@seven", &["five", "six"]),
        ("me@example @a@b @é @nameé", &[]),
        ("@abcdefghijklmnopqrstuvwxyz", &["abcdefghijklmnopqrst"]),
        ("@team/list @team/1", &["team"]),
        ("https://example.com/@inside @outside", &["outside"]),
    ];
    for (text, expected) in table {
        assert_eq!(names(&entities(text).mentions), *expected, "{text:?}");
    }
}

#[test]
fn cashtags() {
    let table: &[(&str, &[&str])] = &[
        (
            "$ACME $brk.a $BRK_AB, $ABCDEFG",
            &["ACME", "brk.a", "BRK_AB"],
        ),
        ("$A.BCD x$B $1 $", &["A"]),
    ];
    for (text, expected) in table {
        assert_eq!(names(&entities(text).cashtags), *expected, "{text:?}");
    }
}

#[test]
fn offsets_are_code_points_with_the_marker() {
    let found = entities("😀é #tag 日 @me 𝔘 x.com/a");
    let place = |e: &Entity| (e.start, e.end);
    assert_eq!(
        found.hashtags.iter().map(place).collect::<Vec<_>>(),
        [(3, 7)]
    );
    assert_eq!(
        found.mentions.iter().map(place).collect::<Vec<_>>(),
        [(10, 13)]
    );
    assert_eq!(found.urls.iter().map(place).collect::<Vec<_>>(), [(16, 23)]);
}

proptest! {
    #[test]
    fn entities_are_in_the_text_and_apart(text in texts()) {
        let found = entities(&text);
        let points: Vec<char> = text.chars().collect();
        let tags = [&found.hashtags, &found.mentions, &found.cashtags].into_iter().flatten();
        for tag in tags {
            let name: String = points[tag.start + 1..tag.end].iter().collect();
            prop_assert_eq!(&name, &tag.text);
        }
        let all = [&found.urls, &found.hashtags, &found.mentions, &found.cashtags];
        let mut places: Vec<_> = all.into_iter().flatten().map(|e| (e.start, e.end)).collect();
        places.sort_unstable();
        prop_assert!(places.iter().all(|(start, end)| start < end && *end <= points.len()));
        prop_assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }
}
