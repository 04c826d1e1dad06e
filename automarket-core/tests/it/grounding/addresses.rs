//! Addresses and e-mail.

use automarket_core::ai::{UngroundedKind, ungrounded};

use super::{grounded, judge, missing};

#[test]
fn addresses_compare_without_what_does_not_tell_them_apart() {
    for text in [
        "https://acme.dev/pricing",
        "(see https://acme.dev/pricing).",
        "http://www.acme.dev/pricing/",
        "https://acme.dev/pricing?utm_source=x&utm_medium=social#plans",
        "Mail hello@acme.dev!",
        "[prices](https://acme.dev/pricing) here",
    ] {
        grounded(text);
    }
    for (text, words) in [
        (
            "https://acme.dev/pricing/enterprise",
            "https://acme.dev/pricing/enterprise",
        ),
        ("see https://acme.de.", "https://acme.de"),
        ("www.evil.example now", "www.evil.example"),
        (
            "https://acme.dev/pricing?plan=2",
            "https://acme.dev/pricing?plan=2",
        ),
        ("sales@acme.dev", "sales@acme.dev"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
    ] {
        missing(text, words, UngroundedKind::Url);
    }
}

#[test]
fn addresses_end_where_another_script_begins() {
    judge(
        &[
            ("メール：info@acme.jp", "info@acme.jp"),
            ("E-Mail:info@acme.de", "an info@acme.de schreiben"),
            ("[Write us](mailto:info@acme.de)", "Mail info@acme.de!"),
            ("[Us](mailto:info@acme.de?subject=Hi)", "info@acme.de"),
            ("info@acme.jp", "お問い合わせはinfo@acme.jpまで。"),
            ("お問い合わせはinfo@acme.jpまで。", "info@acme.jp"),
            ("info@acme.kr", "info@acme.kr로"),
            ("https://acme.kr/event", "https://acme.kr/event에서"),
            ("https://acme.jp/a", "https://acme.jp/aをご覧ください。"),
            ("https://acme.jp/ブログ", "https://acme.jp/ブログ"),
            ("info@acme.jp", "メールはinfo@acme.jp. Up."),
            ("müller@firma.de", "müller@firma.de"),
            ("info@例え.jp", "info@例え.jp"),
        ],
        &[
            ("info@other.jp", "info@acme.jp", &["info@acme.jp"]),
            ("info@other.jp", "はinfo@acme.jpまで", &["info@acme.jp"]),
            (
                "info@acme.com",
                "info@acme.com.日本",
                &["info@acme.com.日本"],
            ),
            // Another page of the site.
            (
                "https://acme.jp/ https://acme.jp/ブログ",
                "https://acme.jp/求人",
                &["https://acme.jp/求人"],
            ),
            (
                "https://acme.jp/a",
                "https://acme.jp/bをご覧",
                &["https://acme.jp/bをご覧"],
            ),
            // What stands behind it is judged.
            ("https://acme.jp/a", "https://acme.jp/aで50%", &["50%"]),
            // What stands behind it is an address, too, or more of this one.
            (
                "https://acme.jp",
                "https://acme.jpやhttps://evil.com/xも",
                &["https://acme.jpやhttps://evil.com/xも"],
            ),
            (
                "https://acme.kr",
                "https://acme.kr와https://evil.kr에서",
                &["https://acme.kr와https://evil.kr에서"],
            ),
            (
                "https://acme.jp",
                "https://acme.jpやevil.com/xも",
                &["https://acme.jpやevil.com/xも"],
            ),
            (
                "https://acme.jp",
                "https://acme.jp株式会社.com/login",
                &["https://acme.jp株式会社.com/login"],
            ),
            (
                "https://acme.jp/a",
                "https://acme.jp/aブログ/post",
                &["https://acme.jp/aブログ/post"],
            ),
        ],
    );
}

#[test]
fn each_email_of_a_word_is_read() {
    judge(
        &[
            ("📧info@acme.de", "info@acme.de"),
            ("Kontakt/info@acme.de", "info@acme.de"),
            ("info@acme.de", "info@acme.de… info@acme.de—now"),
            ("info@acme.de, sales@acme.de", "info@acme.de,sales@acme.de"),
            ("info@acme.jp", "info@acme.jpとinfo@acme.jpへ"),
            ("o'brien@acme.de", "an o'brien@acme.de"),
            (
                "It is @acme@mastodon.social",
                "Follow @acme@mastodon.social",
            ),
        ],
        &[
            (
                "info@acme.com",
                "info@acme.com日本.jp",
                &["info@acme.com日本.jp"],
            ),
            (
                "info@acme.com",
                "info@acme.com日本．jp",
                &["info@acme.com日本．jp"],
            ),
            (
                "info@acme.com",
                "info@acme.com日本.jpとinfo@acme.com",
                &["info@acme.com日本.jpと"],
            ),
            (
                "info@acme.com",
                "info@acme.comとsales@evil.comまで",
                &["sales@evil.com"],
            ),
            (
                "info@acme.jp",
                "info@acme.jpまたはsales@evil.jpへ",
                &["sales@evil.jp"],
            ),
            (
                "https://acme.jp",
                "お問い合わせはsales@evil.comまたはhttps://acme.jpへ",
                &["sales@evil.com"],
            ),
            ("info@acme.com", "📧sales@evil.com", &["sales@evil.com"]),
            ("info@acme.com", "sales@evil.com…", &["sales@evil.com"]),
            ("info@acme.com", "sales@evil.com—now", &["sales@evil.com"]),
            (
                "info@acme.com",
                "info@acme.com,sales@evil.com",
                &["sales@evil.com"],
            ),
            (
                "info@acme.com",
                "info@acme.com?cc=sales@evil.com",
                &["sales@evil.com"],
            ),
            // Another person, another page.
            ("brien@acme.de", "o'brien@acme.de", &["o'brien@acme.de"]),
            ("o'brien@acme.de", "brien@acme.de", &["brien@acme.de"]),
            ("r&d@acme.de", "📧d@acme.de", &["d@acme.de"]),
            (
                "info@acme.de",
                "evil.com/info@acme.de",
                &["evil.com/info@acme.de"],
            ),
            (
                "info@acme.de",
                "evil.com/?u=info@acme.de",
                &["evil.com/?u=info@acme.de"],
            ),
            (
                "info@acme.de",
                "info@acme.de．evil.com",
                &["info@acme.de．evil.com"],
            ),
        ],
    );
    let long = "@".repeat(100_000) + &"a@".repeat(100_000);
    assert_eq!(ungrounded(&long, &long), []);
}

#[test]
fn numbers_within_an_address_of_the_source_are_no_figures() {
    let logo = "It ships. ![logo](https://acme.dev/_next/image?url=%2Fl.png&w=1200&q=75)";
    let post = "[Read](https://acme.dev/blog/2019/11/5-reasons)";
    for (source, text, figures) in [
        (logo, "Loved by 1,200 teams.", &["1,200"][..]),
        (logo, "Now 75 teams.", &["75"]),
        (
            post,
            "Since 2019, 11 teams and 5 reasons.",
            &["2019", "11", "5"],
        ),
        (
            "![a](https://cdn.acme.dev/100%25-off.png)",
            "We are 100% safe",
            &["100%"],
        ),
        ("See https://a.example/?n=5 for 5 reasons", "5 reasons", &[]),
        ("[5 reasons](https://a.example/5)", "5 reasons", &[]),
        (post, "read https://acme.dev/blog/2019/11/5-reasons", &[]),
    ] {
        let claims = ungrounded(source, text);
        let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!(words, figures, "{source} / {text}");
    }
}

#[test]
fn addresses_with_and_without_a_scheme_come_once_and_in_order() {
    let text = "acme.org https://acme.de/x_y acme.net www.acme.fr x@acme.it acme.es";
    let claims = ungrounded("", text);
    let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
    assert_eq!(words, text.split(' ').collect::<Vec<_>>());
}
