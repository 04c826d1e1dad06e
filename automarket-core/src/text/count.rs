//! The length of a text as platforms count it.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::profile::{TextRules, TextUnit};

use super::{class::Pattern, emoji, tags, url, weighted};

/// The length of `text` as the platform counts it.
#[must_use]
pub fn length(text: &str, rules: &TextRules) -> usize {
    count(text, rules.unit, rules.url_length)
}

/// The length of `text` in a unit; `url_length` is what each address counts, where addresses are shortened.
///
/// X ([`TextUnit::Weighted`]) shortens every address, with or without scheme: `example.com` counts too. In
/// the other units only addresses with `http://` or `https://` count `url_length`, whatever script their path is
/// in, and of `@name@domain` only `@name` counts (Mastodon's rules).
/// Takes linear time on any text.
///
/// ```
/// use automarket_core::{profile::TextUnit, text::count};
///
/// assert_eq!(count("Hi http://test.co", TextUnit::Weighted, Some(23)), 26);
/// assert_eq!(count("日本 👩‍💻", TextUnit::Weighted, Some(23)), 7);
/// assert_eq!(count("日本 👩‍💻", TextUnit::Graphemes, None), 4);
/// assert_eq!(count("日本 👩‍💻", TextUnit::Utf16, None), 8);
/// assert_eq!(count("日本 👩‍💻", TextUnit::CodePoints, None), 6);
/// assert_eq!(count("日本 👩‍💻", TextUnit::Bytes, None), 18);
/// assert_eq!(count("日本 👩‍💻", TextUnit::EmojiBytes, None), 14);
/// ```
#[must_use]
pub fn count(text: &str, unit: TextUnit, url_length: Option<usize>) -> usize {
    if unit == TextUnit::Weighted {
        return weighted::count(text, url_length);
    }
    let Some(url_length) = url_length else {
        return plain(text, unit);
    };
    let mut total = 0;
    let mut at = 0;
    for found in url::find(text, Pattern::Mastodon)
        .into_iter()
        .filter(|found| found.scheme)
    {
        total += plain(&without_domains(&text[at..found.start]), unit) + url_length;
        at = found.end;
    }
    total + plain(&without_domains(&text[at..]), unit)
}

/// The text without the servers of those it mentions.
fn without_domains(text: &str) -> Cow<'_, str> {
    let mentions = tags::remote_mentions(text);
    if mentions.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for ((_, end), name) in mentions {
        out.push_str(&text[at..name]);
        at = end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// Whether the platform takes a text of this length and these characters: not empty, within the limit and
/// the further limit, and on X without U+FFFE, U+FEFF and U+FFFF.
///
/// ```
/// use automarket_core::{profile::{TextRules, TextUnit}, text::valid};
///
/// let mut rules = TextRules::default();
/// (rules.unit, rules.limit) = (TextUnit::Graphemes, Some(5));
/// assert!(valid("Grüße", &rules));
/// assert!(!valid("Grüße!", &rules));
/// ```
#[must_use]
pub fn valid(text: &str, rules: &TextRules) -> bool {
    let refused = |c| matches!(c, '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}');
    !text.is_empty()
        && fits(text, rules, rules.limit)
        && !(rules.unit == TextUnit::Weighted && text.contains(refused))
}

/// Whether `text` is within `limit` and the further limit of the rules.
pub(super) fn fits(text: &str, rules: &TextRules, limit: Option<usize>) -> bool {
    limit.is_none_or(|limit| length(text, rules) <= limit)
        && rules
            .also
            .is_none_or(|(unit, limit)| count(text, unit, None) <= limit)
}

fn plain(text: &str, unit: TextUnit) -> usize {
    match unit {
        TextUnit::Weighted => weighted::count(text, None),
        TextUnit::Graphemes if text.is_ascii() => text.len() - text.matches("\r\n").count(),
        TextUnit::Graphemes => text.graphemes(true).count(),
        TextUnit::Utf16 => url::utf16_len(text),
        TextUnit::CodePoints => text.chars().count(),
        TextUnit::Bytes => text.len(),
        TextUnit::EmojiBytes => {
            let one = |cluster: &str| match emoji::is_shown(cluster) {
                true => cluster.len(),
                false => cluster.chars().count(),
            };
            text.graphemes(true).map(one).sum()
        }
    }
}
