use automarket_core::profile::{TextRules, TextUnit};
use automarket_core::text::{count, entities, fit, length, split};
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::{rules, texts, units, x};

fn parts(text: &str, rules: &TextRules, numbered: bool) -> Vec<String> {
    split(text, rules, numbered)
        .into_iter()
        .map(|part| part.text)
        .collect()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn a_text_that_fits_stays() {
    let fitted = fit(" two words ", &x(), None);
    assert_eq!(
        (fitted.text.as_str(), fitted.length, fitted.cut),
        (" two words ", 11, false)
    );
    let fitted = fit("word      ", &x(), Some(4));
    assert_eq!((fitted.text.as_str(), fitted.cut), ("word", false));
    assert_eq!(fit("any", &TextRules::default(), None).text, "any");
    assert_eq!(parts("any text", &x(), true), ["any text"]);
}

#[test]
fn fitting_ends_at_a_sentence_or_a_word() {
    let short = |text: &str, limit| fit(text, &rules(TextUnit::CodePoints, limit), None).text;
    assert_eq!(
        short("One two three. Four five six seven.", 25),
        "One two three. …"
    );
    assert_eq!(
        short("One. Two three four five six seven.", 25),
        "One. Two three four five…"
    );
    assert_eq!(short("first\n\nsecond third", 15), "first\n\nsecond…");
    assert_eq!(short("新製品です。今日から使えます。", 10), "新製品です。…");
    assert_eq!(short("unbelievablylongword", 8), "unbelie…");
    assert_eq!(short("👩🏽‍💻👩🏽‍💻👩🏽‍💻", 10), "👩🏽‍💻👩🏽‍💻…");
    assert_eq!(short("👩🏽‍💻👩🏽‍💻", 4), "…");
    assert_eq!(short("one", 1), "…");
    assert_eq!(short("one", 0), "");
}

#[test]
fn fitting_never_breaks_what_is_clickable() {
    let short = |text: &str, limit| fit(text, &rules(TextUnit::CodePoints, limit), None).text;
    assert_eq!(short("See https://example.com/long/path/here", 20), "See…");
    assert_eq!(short("https://example.com/long/path/here", 20), "…");
    assert_eq!(short("http://localhost:3000/long/path", 20), "…");
    assert_eq!(
        short("日本語のページはhttps://example.com/aです", 20),
        "日本語のページは…"
    );
    assert_eq!(short("We love #automarketing", 15), "We love…");
}

#[test]
fn both_limits_hold() {
    let mut bluesky = rules(TextUnit::Graphemes, 300);
    bluesky.also = Some((TextUnit::Bytes, 3000));
    let family = "👨‍👩‍👧‍👦".repeat(290);
    let fitted = fit(&family, &bluesky, None);
    assert!(fitted.cut && fitted.text.len() <= 3000 && fitted.length <= 300);
    assert!(
        parts(&family, &bluesky, true)
            .iter()
            .all(|part| part.len() <= 3000)
    );
}

#[test]
fn parts_end_at_sentences_then_words() {
    let rules = rules(TextUnit::CodePoints, 20);
    assert_eq!(
        parts("One two three. Four five six seven. Eight.", &rules, false),
        ["One two three.", "Four five six seven.", "Eight."]
    );
    assert_eq!(
        parts("One two three. Four five six seven.", &rules, true),
        ["One two three. 1/3", "Four five six 2/3", "seven. 3/3"]
    );
    assert_eq!(
        parts("a https://example.com/page b", &rules, false),
        ["a https://", "example.com/page b"],
        "too long for any part"
    );
    assert_eq!(
        parts("word #hashtag_of_some", &rules, false),
        ["word", "#hashtag_of_some"]
    );
    assert_eq!(parts(" \n ", &rules, true), Vec::<String>::new());
}

#[test]
fn a_word_too_long_is_split_between_graphemes() {
    let rules = rules(TextUnit::Utf16, 12);
    assert_eq!(parts(&"👩🏽‍💻".repeat(3), &rules, false), ["👩🏽‍💻", "👩🏽‍💻", "👩🏽‍💻"]);
    assert_eq!(
        parts("abcdefghijklmnop", &rules, false),
        ["abcdefghijkl", "mnop"]
    );
}

#[test]
fn numbers_grow_with_the_thread() {
    let text = "word ".repeat(1200);
    let rules = rules(TextUnit::CodePoints, 24);
    let thread = split(&text, &rules, true);
    assert!(thread.len() > 100);
    for (at, part) in thread.iter().enumerate() {
        assert!(
            part.text
                .ends_with(&format!(" {}/{}", at + 1, thread.len())),
            "{}",
            part.text
        );
        assert!(part.length <= 24);
    }
    let tiny = split(&text, &super::rules(TextUnit::CodePoints, 5), true);
    assert!(
        tiny.iter().all(|part| part.text == "word"),
        "no room for numbers"
    );
}

#[test]
fn long_texts_split_in_linear_time() {
    for pattern in [
        "Some words here. And others, https://example.com/abc #tag. ",
        "x",
        "日本",
        "a.com日",
        "a\n",
        "\u{301}",
        "A. 1",
    ] {
        let text = pattern.repeat(60_000 / pattern.len());
        let thread = split(&text, &x(), true);
        assert!(
            thread
                .iter()
                .map(|part| letters(&part.text).len())
                .sum::<usize>()
                >= letters(&text).len()
        );
        assert!(fit(&text, &x(), None).length <= 280);
    }
}

/// Whether a cut of `text` after `head` code points breaks something clickable.
fn breaks_entity(text: &str, head: usize) -> bool {
    let found = entities(text);
    let all = [
        &found.urls,
        &found.hashtags,
        &found.mentions,
        &found.cashtags,
    ];
    all.into_iter()
        .flatten()
        .any(|entity| entity.start < head && head < entity.end)
}

fn is_grapheme_border(text: &str, at: usize) -> bool {
    at == text.len() || text.grapheme_indices(true).any(|(start, _)| start == at)
}

proptest! {
    #[test]
    fn what_fits_fits(text in texts(), unit in units(), limit in 0..90_usize, also in prop::option::of((units(), 0..90_usize)), url in prop::option::of(1..30_usize)) {
        let mut rules = rules(unit, limit);
        (rules.also, rules.url_length) = (also, url);
        let fitted = fit(&text, &rules, None);
        prop_assert!(fitted.length <= limit);
        prop_assert_eq!(fitted.length, length(&fitted.text, &rules));
        if let Some((unit, limit)) = also {
            prop_assert!(count(&fitted.text, unit, None) <= limit);
        }
        let start = text.len() - text.trim_start().len();
        if !fitted.cut {
            prop_assert_eq!(fitted.text.trim(), text.trim());
        } else if let Some(head) = fitted.text.strip_suffix('…') {
            let head = head.strip_suffix(' ').unwrap_or(head);
            let begin = text.find(head).unwrap_or(usize::MAX);
            prop_assert!(begin <= start, "{:?} begins {:?}", head, text);
            let end = begin + head.len();
            prop_assert!(is_grapheme_border(&text, end));
            prop_assert!(!breaks_entity(&text, text[..end].chars().count()));
        } else {
            prop_assert_eq!(fitted.text, "");
        }
    }

    #[test]
    fn parts_fit_and_keep_every_word(text in texts(), unit in units(), limit in 0..90_usize, also in prop::option::of((units(), 20..90_usize)), url in prop::option::of(1..30_usize)) {
        let mut rules = rules(unit, limit);
        (rules.also, rules.url_length) = (also, url);
        let thread = split(&text, &rules, false);
        for part in &thread {
            prop_assert!(!part.text.trim().is_empty());
            prop_assert_eq!(part.length, length(&part.text, &rules));
            let fits = part.length <= limit && also.is_none_or(|(unit, limit)| count(&part.text, unit, None) <= limit);
            prop_assert!(fits || part.text.graphemes(true).count() == 1, "{:?} is too long", part);
        }
        let all: String = thread.iter().map(|part| part.text.as_str()).collect();
        prop_assert_eq!(letters(&all), letters(&text));
    }

    #[test]
    fn numbered_parts_fit_and_say_their_place(text in texts(), unit in units(), limit in 40..90_usize) {
        let mut rules = rules(unit, limit);
        rules.url_length = Some(23);
        let thread = split(&text, &rules, true);
        let numbered = thread.len() > 1 && thread[0].text.ends_with(&format!(" 1/{}", thread.len()));
        for (at, part) in thread.iter().enumerate().filter(|_| numbered) {
            prop_assert!(part.length <= limit);
            let number = format!(" {}/{}", at + 1, thread.len());
            prop_assert!(part.text.ends_with(&number));
        }
        if unit == TextUnit::Weighted && !numbered {
            prop_assert!(thread.len() < 2 || thread.iter().any(|part| part.length > limit - 10));
        }
    }
}
