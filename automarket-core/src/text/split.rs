//! Splitting a text into a thread.

use serde::{Deserialize, Serialize};

use crate::profile::TextRules;

use super::count::{fits, length};
use super::cut::Cutter;

/// One part of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its text, number included.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
}

/// Splits `text` into parts that each fit.
///
/// Parts end at sentences, else at words; `numbered` adds ` 1/3` to each where there are several. All words
/// stay; white space between parts goes. Addresses, hashtags, mentions and cashtags are not broken, nor is
/// a word, unless one is longer than the limit by itself: that is split between grapheme clusters. No part
/// is empty, so a blank text has no parts. Two cases give way: where numbers leave no room for a word or an
/// address, the parts have none; and a single grapheme cluster that is longer than the limit is a part that
/// does not fit, as its `length` says.
///
/// ```
/// use automarket_core::{profile::TextRules, text::split};
///
/// let mut rules = TextRules::default();
/// rules.limit = Some(24);
/// let parts = split("Version 2 is out. It is twice as fast.", &rules, true);
/// let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
/// assert_eq!(texts, ["Version 2 is out. 1/2", "It is twice as fast. 2/2"]);
/// ```
#[must_use]
pub fn split(text: &str, rules: &TextRules, numbered: bool) -> Vec<Part> {
    let part = |text: String| Part {
        length: length(&text, rules),
        text,
    };
    if text.trim().is_empty() {
        return Vec::new();
    }
    if fits(text, rules, rules.limit) {
        return vec![part(text.to_owned())];
    }
    let cutter = Cutter::new(text, rules, rules.limit).break_too_long();
    let plain = plain_parts(text, &cutter);
    match numbered
        .then(|| numbered_parts(text, &cutter, plain.len()))
        .flatten()
    {
        Some(parts) => parts.into_iter().map(part).collect(),
        None => plain
            .into_iter()
            .map(|text| part(text.to_owned()))
            .collect(),
    }
}

fn plain_parts<'a>(text: &'a str, cutter: &Cutter) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = cutter.skip_space(0);
    while from < text.len() {
        let end = cutter
            .head(from, "")
            .map_or_else(|| cutter.grapheme_end(from), |head| head.end);
        parts.push(&text[from..end]);
        from = cutter.skip_space(end);
    }
    parts
}

/// Parts with numbers; none where numbers leave too little room. The width of the last number is not known
/// before, so the least that `at_least` parts need is tried first, then one digit more.
fn numbered_parts(text: &str, cutter: &Cutter, at_least: usize) -> Option<Vec<String>> {
    if at_least < 2 {
        return None;
    }
    let mut digits = at_least.to_string().len();
    loop {
        let nines = "9".repeat(digits);
        let room = format!(" {nines}/{nines}");
        let mut parts = Vec::new();
        let mut from = cutter.skip_space(0);
        while from < text.len() {
            let end = cutter.head(from, &room)?.end;
            parts.push(&text[from..end]);
            from = cutter.skip_space(end);
        }
        let count = parts.len();
        if count.to_string().len() <= digits {
            let number = |(at, part): (usize, &str)| format!("{part} {}/{count}", at + 1);
            return Some(parts.into_iter().enumerate().map(number).collect());
        }
        digits += 1;
    }
}
