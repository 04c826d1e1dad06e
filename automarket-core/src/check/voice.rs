//! What a brand says of its own texts.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::Finding;
use crate::content::{Content, Voice};

pub(super) fn check(content: &Content, text: &str, voice: &Voice, findings: &mut Vec<Finding>) {
    let disclosure = voice.disclosure.as_deref().map(str::trim);
    if voice.banned.is_empty() && disclosure.is_none() {
        return;
    }
    let mut texts = vec![("the text".to_owned(), Words::of(text))];
    for (number, part) in (2..).zip(&content.thread) {
        texts.push((format!("part {number}"), Words::of(part)));
    }
    if let Some(comment) = &content.first_comment {
        texts.push(("the first comment".to_owned(), Words::of(comment)));
    }
    for phrase in &voice.banned {
        for (what, _) in texts.iter().filter(|(_, words)| words.hold(phrase)) {
            findings.push(Finding::blocker(
                "voice.banned",
                format!("{what} says \"{phrase}\", which the brand never does"),
                "Say it in other words",
            ));
        }
    }
    if let Some(disclosure) = disclosure
        && !disclosure.is_empty()
        && !texts
            .first()
            .is_some_and(|(_, words)| words.hold(disclosure))
    {
        findings.push(Finding::blocker(
            "voice.disclosure",
            format!("the text does not hold \"{disclosure}\""),
            format!("Add \"{disclosure}\""),
        ));
    }
}

/// A text in which phrases are found without regard to case, spelling of accents and width of spaces.
struct Words {
    text: String,
    /// Where a word may begin or end, in order.
    borders: Vec<usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let text = plain(text);
        let starts = text.split_word_bound_indices().map(|(at, _)| at);
        let borders = starts.chain([text.len()]).collect();
        Self { text, borders }
    }

    fn hold(&self, phrase: &str) -> bool {
        let phrase = plain(phrase);
        if phrase.is_empty() {
            return false;
        }
        self.borders.iter().any(|at| {
            let rest = self.text.get(*at..).unwrap_or_default();
            rest.starts_with(&phrase) && self.borders.binary_search(&(at + phrase.len())).is_ok()
        })
    }
}

fn plain(text: &str) -> String {
    let text: String = text.nfc().flat_map(char::to_lowercase).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_on_word_borders() {
        for (text, phrase, found) in [
            ("The BEST price.", "best", true),
            ("The bestseller", "best", false),
            ("best-in-class", "best", true),
            ("a  game\nchanger!", "game changer", true),
            ("xa a a", "a a", true),
            ("cafe\u{301} culture", "Café", true),
            ("完全免费的", "免费", true),
            ("Paid #ad", "#ad", true),
            ("An #adventure", "#ad", false),
            ("anything", "", false),
            ("ÜBER alles", "über", true),
        ] {
            assert_eq!(
                Words::of(text).hold(phrase),
                found,
                "{phrase:?} in {text:?}"
            );
        }
    }
}
