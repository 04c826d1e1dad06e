//! Figures, names and addresses that a source does not hold.

mod addresses;
mod days;
mod figures;
mod money;
mod spelled;

use automarket_core::ai::{UngroundedKind, ungrounded};
use proptest::prelude::*;

const SOURCE: &str = "Acme Cloud is a hosting platform by Jane Doe and Bob Smith. It runs on GitHub Actions. \
    We cut costs by 20% for 1,000 teams, saving €1.5 million in three years. Deploys are 4x faster. \
    Published on November 20, 2026. See https://acme.dev/pricing or write to hello@acme.dev. \
    The API speaks OAuth2 and runs in Kubernetes clusters, open-source and self-hosted.";

fn found(text: &str) -> Vec<(String, UngroundedKind)> {
    ungrounded(SOURCE, text)
        .into_iter()
        .map(|claim| (claim.text, claim.kind))
        .collect()
}

#[track_caller]
fn grounded(text: &str) {
    assert_eq!(found(text), [], "{text}");
}

#[track_caller]
fn missing(text: &str, words: &str, kind: UngroundedKind) {
    assert_eq!(found(text), [(words.to_owned(), kind)], "{text}");
}

#[test]
fn figures_compare_by_value_and_unit() {
    for text in [
        "For 1000 teams",
        "for 1.000 teams",
        "for 1 000 teams",
        "for 1\u{202f}000 teams",
        "for 1'000 teams",
        "for 1k teams",
        "20 % less",
        "20 percent less",
        "saving €1,500,000",
        "saving 1.5M EUR",
        "saved 1,5 million euros",
        "in 3 years",
        "4x faster",
        "deploys are 4 times faster",
        "４x faster",
        "since 2026",
        "on 2026-11-20",
        "1. Deploy\n2. Relax",
        "1️⃣ deploy",
    ] {
        grounded(text);
    }
    for (text, words) in [
        ("for 2,000 teams", "2,000"),
        ("for 100 teams", "100"),
        ("25% less", "25%"),
        ("1000% less", "1000%"),
        ("saving $1.5 million", "$1.5 million"),
        ("saving €1.5 billion", "€1.5 billion"),
        ("5x faster", "5x"),
        ("a team of 7", "7"),
        ("since 2019", "2019"),
        ("version 2.1.3 is out", "2.1.3"),
        ("in 5万 places", "5万"),
    ] {
        missing(text, words, UngroundedKind::Figure);
    }
    missing("on 2026-12-20", "12", UngroundedKind::Figure);
}

#[test]
fn figures_are_read_as_the_british_write_them() {
    for (source, text) in [
        ("Costs fell by 20 per cent.", "Costs fell 20%."),
        ("Costs fell by 20%.", "costs fell 20 per cent"),
        ("20 pour cent", "20 por ciento"),
        ("20 Per Cento", "20%"),
        ("raised £5 million", "raised £5m"),
        ("raised £5m", "raised £5,000,000"),
        ("raised £1.5m in May", "raised 1.5 million pounds"),
        ("owes £2b", "owes £2 billion"),
    ] {
        assert_eq!(ungrounded(source, text), [], "{source} / {text}");
    }
    for (source, text, figure) in [
        ("raised £5m", "raised £5", "£5"),
        ("raised £5", "raised £5m", "£5m"),
        ("20 per team", "20%", "20%"),
        ("It is 5m long.", "Costs £5m.", "£5m"),
        ("It is 5 million long.", "it is 5m long", "5"),
        ("fell by 20 per cent", "fell by 30 per cent", "30 per cent"),
    ] {
        let claims = ungrounded(source, text);
        let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!(words, [figure], "{source} / {text}");
    }
}

#[test]
fn versions_are_figures() {
    for (source, text) in [
        ("Acme v2.0 is here", "Acme 2.0 is here"),
        ("Acme v2.0 is here", "Acme V2.0 is here"),
        ("Acme 2.0 is here", "Acme v2.0 is here"),
        ("Acme v2 is here", "Version 2 is here"),
        ("API v3.1", "API 3.1"),
        ("Runs on IPv6.", "It runs on IPv6."),
    ] {
        assert_eq!(ungrounded(source, text), [], "{source} / {text}");
    }
    for (source, text, figure) in [
        ("Acme is here", "Try v9.0 now", "9.0"),
        ("Acme 2.0 is here", "Acme v9.0 is here", "9.0"),
        ("Acme v2.0 is here", "Acme v2.1 is here", "2.1"),
    ] {
        let claims = ungrounded(source, text);
        let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!(words, [figure], "{source} / {text}");
    }
}

#[test]
fn figures_are_read_as_germans_write_them() {
    for (source, text) in [
        ("1,5 Mio. € Umsatz", "1,5 Millionen Euro Umsatz"),
        ("1,5 Millionen Euro Umsatz", "1,5 Mio. € Umsatz"),
        ("3 Mrd. Euro", "3 Milliarden Euro"),
        ("3 Mrd.€", "3 Milliarden Euro"),
        ("5 Tsd. Nutzer", "5000 Nutzer"),
        ("ab 9,- €", "ab 9 €"),
        ("ab 9,– Euro", "ab 9 €"),
        ("ab 9 €", "ab 9.- €"),
        ("Es sind 3 Mio. Euro ist die Währung.", "Es sind 3 Mio."),
    ] {
        assert_eq!(ungrounded(source, text), [], "{source} / {text}");
    }
    for (source, text, figure) in [
        (
            "Umsatz von 3 Millionen Euro",
            "Umsatz von 3 Mio. Dollar",
            "3 Mio. Dollar",
        ),
        ("3 Mio. $", "3 Mio. €", "3 Mio. €"),
        ("ab 9,- $", "ab 9,- €", "9,- €"),
        (
            "raised 5 million. Dollar prices rose",
            "raised $5 million",
            "$5 million",
        ),
    ] {
        let claims = ungrounded(source, text);
        let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!(words, [figure], "{source} / {text}");
    }
}

/// Texts that their sources hold, and such with a figure that theirs does not.
#[track_caller]
fn judge(held: &[(&str, &str)], missing: &[(&str, &str, &[&str])]) {
    for (source, text) in held {
        assert_eq!(ungrounded(source, text), [], "{source} / {text}");
    }
    for (source, text, figures) in missing {
        let claims = ungrounded(source, text);
        let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!(words, *figures, "{source} / {text}");
    }
}

#[test]
fn raised_cents_belong_to_their_price() {
    judge(
        &[
            ("Only $49⁹⁹", "Only $49.99"),
            ("Only $49.99", "Only $49⁹⁹"),
            ("1.299⁰⁰ €", "1.299 €"),
            ("1.299⁰⁰ €", "1.299,00 €"),
            ("49⁹⁵ €", "49,95 Euro"),
            // Footnotes.
            ("From $99¹ a month", "$99"),
            ("From $99¹² a month", "$99"),
            ("2,000³⁵ teams", "2000 teams"),
            ("$3¹² million", "$3 million"),
            // Cents, though they may be a footnote's.
            ("nur 1²⁹ €", "nur 1,29 €"),
            ("Milk $3¹⁹", "Milk $3.19"),
            ("Milk $3.05", "Milk $3⁰⁵"),
            ("$99.50⁹⁹", "$99.50"),
            ("$49¹⁹⁹", "$49"),
        ],
        &[
            ("Only $49⁹⁹", "Only $49", &["$49"]),
            ("Only $49⁹⁹", "Only $99", &["$99"]),
            ("Only $49⁹⁹", "Only 49.99 €", &["49.99 €"]),
            ("1.299⁰⁰ €", "299 €", &["299 €"]),
            ("From $99¹ a month", "$99.10", &["$99.10"]),
            ("Milk $3¹⁹", "$19", &["$19"]),
            ("Milk $3¹⁹", "3.19 €", &["3.19 €"]),
            // Behind a footnote of the number there would be no sign.
            ("nur 1²⁹ €", "nur 1 €", &["1 €"]),
            ("$3¹² million", "$3.12 million", &["$3.12 million"]),
            ("2,000³⁵ teams", "2000.35 teams", &["2000.35"]),
        ],
    );
}

#[test]
fn full_width_signs_are_those_of_ascii() {
    judge(
        &[
            ("価格は￥1,980です。", "1,980円で"),
            ("価格は1,980円です。", "￥1,980"),
            ("￥1,980（税込）", "¥1,980"),
            ("＄20", "$20, 20 USD"),
            ("￡20", "£20"),
            ("１，９８０円", "1,980円"),
            ("料金￥１２，８００（税込）", "12,800円"),
            // Yuan.
            ("价格￥199", "只要￥199, ¥199"),
            ("全10，200，300", "10, 200, 300"),
            ("１，２，３", "1, 2, 3"),
            ("金利は年３．５％です", "年3.5%"),
            ("重さ４．５ｇ", "重さ4.5g"),
            ("年商は３．５万円", "35,000円"),
            ("１．５つの特長", "5つの特長"),
            ("・１．５つの特長", "5つの特長"),
            ("開催は１２．５（金）", "12月5日"),
            ("特長１．２つ目", "特長１．２つ目"),
            ("２０２５．１２．０５", "2025年12月5日"),
        ],
        &[
            ("￥1,980", "2,980円", &["2,980円"]),
            ("￥1,980", "$1,980", &["$1,980"]),
            ("价格￥199", "199円", &["199円"]),
            ("价格￥199・包邮", "199円", &["199円"]),
            ("价格￥199", "only 199 yen", &["199 yen"]),
            ("价格199", "￥199", &["¥199"]),
            ("１，９８０円", "980円", &["980円"]),
            ("100，200", "100,200", &["100,200"]),
            ("１００，２００，３００", "100,200,300", &["100,200,300"]),
            ("金利は年３．５％です", "年5%", &["5%"]),
            ("年商は３．５万円", "5万円", &["5万円"]),
            ("重さ４．５ｇ", "重さ4.6g", &["4.6"]),
            ("１．５つの特長", "1.5倍", &["1.5"]),
            ("開催は１２．５（金）", "12.5%", &["12.5%"]),
        ],
    );
}

#[test]
fn the_first_of_a_range_has_the_unit_of_the_last() {
    judge(
        &[
            ("19–49 €", "ab 19 €"),
            ("19-49 €", "bis zu 49 €"),
            ("20–30 %", "bis zu 30 %, ab 20 %"),
            ("2-3x faster", "2x faster"),
            ("3–5 Mio. €", "ab 3 Mio. €"),
            ("1.000–1.500 €", "ab 1000 Euro"),
            ("Plans from $19–49/month", "up to $49, from $19"),
            ("€10-20", "20 €"),
            ("$3–5 million raised", "$3 million, $5 million"),
            ("$3–5 million raised", "3 to 5 million, $3–5 million"),
            ("$500–1.5 million", "$500, $1.5 million"),
        ],
        &[
            ("19–49 €", "ab 29 €", &["29 €"]),
            ("19–49 €", "ab 19 %", &["19 %"]),
            ("3–5 Mio. €", "ab 3 €", &["3 €"]),
            // A name and its price, a date, a score.
            ("Paket 5 – 19 €", "5 €", &["5 €"]),
            ("2025-03-12 % x", "3 %", &["3 %"]),
            ("7-2 % x", "7 %", &["7 %"]),
            ("GPT-4-20 €", "4 €", &["4 €"]),
            ("1/2-50 %", "2 %", &["2 %"]),
            ("5–$20 vouchers", "$5", &["$5"]),
            ("500–1.5 million €", "500 €", &["500 €"]),
            ("Seiten 3–5", "3 %", &["3 %"]),
            ("$3–5 million", "$3", &["$3"]),
            ("$3–5 million", "$5", &["$5"]),
            ("$3 each", "$3–5 million", &["$3", "5 million"]),
            ("$5–$20", "$25", &["$25"]),
            ("$19–49", "49 €", &["49 €"]),
            ("$19 – 49 teams", "$49", &["$49"]),
            ("only $5—10 million teams", "$10 million", &["$10 million"]),
            ("$5-10GB", "$10", &["$10"]),
            ("$5-10-12", "$10", &["$10"]),
            ("$19–49⁹⁹", "$49", &["$49"]),
            ("$99-12 months", "$12", &["$12"]),
            // Of a text each number is looked at with the unit it has.
            ("20 €, 30 €", "19–30 €", &["19"]),
        ],
    );
}

#[test]
fn names_have_to_stand_in_the_source() {
    for text in [
        "Meet Acme Cloud.",
        "Made by Jane Doe.",
        "Acme Cloud's platform",
        "ACME Cloud runs it",
        "AcmeCloud runs it",
        "It runs on GitHub.",
        "Ask Bob Smith!",
        "The API speaks OAuth2.",
        "self-hosted, Open-Source",
        "Kubernetes cluster",
        "Everyone loves hosting.",
        "Today's teams ship faster.",
        "Stop waiting. Ship now.",
        "Why? Because it works.",
        "Here: Faster deploys",
        "• Cheap\n• Fast",
        "\"Great\" they said",
        "🚀 Launch day",
        "Cut Costs And Ship Faster With Simple Cloud Hosting",
        "BIG NEWS for teams",
        "Dr. Jane Doe",
    ] {
        grounded(text);
    }
    for (text, words) in [
        ("Made by Jane Smith.", "Jane Smith"),
        ("Ask Alice Miller today", "Alice Miller"),
        ("It runs on GitLab.", "GitLab"),
        ("Better than Vercel, they say", "Vercel"),
        ("Google's cloud is slower", "Google"),
        ("Netflix announced it", "Netflix"),
        ("loved by @vercel", "@vercel"),
        ("It is built with AWS.", "AWS"),
        ("Trained on GPT-5 data", "GPT-5"),
        ("Microsoft Azure runs it", "Microsoft Azure"),
        ("Mary Jones joined it", "Mary Jones"),
    ] {
        missing(text, words, UngroundedKind::Name);
    }
}

#[test]
fn a_word_behind_what_may_end_a_sentence_is_no_name() {
    judge(
        &[
            ("Tickets 5 left", "You get 5 max. Order now."),
            ("Takes 45 min", "Takes 45 min. Order now."),
            ("Open until December", "Open until Dec. Grab one."),
        ],
        &[("A talk", "A talk by Dr. Roe", &["Dr Roe"])],
    );
}

#[test]
fn hashtags_are_judged_by_their_words() {
    grounded("#AcmeCloud #hosting #OpenSource #marketing #GitHubActions");
    missing("#GoogleCloud", "#GoogleCloud", UngroundedKind::Name);
    missing("now #Vercel", "#Vercel", UngroundedKind::Name);
    judge(
        &[
            ("Visit us at CES 2025", "See you at #CES2025"),
            ("The Web Summit 2025 in Lisbon", "#WebSummit2025"),
            ("Our top 10 tools", "#Top10"),
        ],
        &[
            // A word and the number behind it are no name.
            ("We fly a 380 seat plane", "on the A380", &["A380"]),
            ("We fly a 380 seat plane", "on the #A380", &["#A380"]),
            ("a 500 km ride", "with the A500", &["A500"]),
            ("CES 2025, since 2026", "#CES2026", &["#CES2026"]),
            ("CES, 2025", "#CES2025", &["#CES2025"]),
            ("Tickets 2,025", "#Tickets2", &["#Tickets2"]),
            ("CES 10 2025", "#CES2025", &["#CES2025"]),
            ("Web Summit 2025", "#WebSummit2024", &["#WebSummit2024"]),
        ],
    );
}

#[test]
fn other_languages_are_judged_with_care() {
    let german = "Die Plattform spart den Teams der Firma Acme viel Zeit und Geld.";
    assert!(
        ungrounded(
            german,
            "Mit der Plattform und ihrer Technik spart die Firma Geld."
        )
        .is_empty()
    );
    let claims = ungrounded(
        german,
        "Die Firma und das Produkt von PayPal sparen 30 % Zeit.",
    );
    let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
    assert_eq!(words, ["PayPal", "30 %"]);
    assert!(ungrounded("Команда Москвы", "Привет из Казани, 東京タワー").is_empty());
    let claims = ungrounded("新製品は3台", "新製品はGoogle社の5台");
    assert_eq!(claims.len(), 2, "{claims:?}");
    assert!(ungrounded("Cafe\u{301} Olé", "im Café Olé").is_empty());
}

#[test]
fn claims_come_once_and_in_order() {
    let claims = ungrounded(
        "",
        "In 2019 we met Vercel, in 2019 we left Vercel: https://a.example",
    );
    let words: Vec<&str> = claims.iter().map(|claim| claim.text.as_str()).collect();
    assert_eq!(words, ["2019", "Vercel", "https://a.example"]);
}

#[test]
fn words_with_digits_are_read_alike_on_both_sides() {
    for text in ["0'aA", "0aȨ\0", "aA'0", "Q3-2026", "20-year-old", "€5-Deal"] {
        assert_eq!(ungrounded(text, text), [], "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_a_text_is_grounded_in_itself(text in ".{0,200}") {
        prop_assert_eq!(ungrounded(&text, &text), []);
    }

    #[test]
    fn a_text_made_of_claims_is_grounded_in_itself(
        words in prop::collection::vec("[A-Z][a-z]{1,5}|[a-z]{1,6}|[0-9]{1,4}[.,' %x]?[0-9]{0,3}|#[A-Z][a-z]+[A-Z][a-z0-9]+|https?://[a-z]{2,5}\\.dev/[a-z]*|[€$][0-9]+[kM]?|[.!?:]", 0..20)
    ) {
        let text = words.join(" ");
        prop_assert_eq!(ungrounded(&text, &text), []);
    }
}

#[test]
fn long_texts_are_grounded_in_themselves() {
    for one in [
        "1 ",
        "1 000 ",
        "Acme Cloud, ",
        "#AcmeCloud @acme ",
        "a.) ",
        "https://a.example ",
        "e.g. Dr. ",
    ] {
        let text = one.repeat(500);
        assert!(ungrounded(&text, &text).is_empty(), "{one}");
    }
}

#[test]
fn a_long_number_takes_linear_time() {
    let pi = "3141592653".repeat(20_000);
    assert_eq!(ungrounded(&pi, "x"), []);
}
