//! Texts as they are compared. Phrases in a text: what a brand bans is left out, told to a model, and found by the checks,
//! all by one rule.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// A text in which phrases are found without regard to case, spelling of accents and width of spaces.
pub(crate) struct Words {
    text: String,
    /// Where a word may begin or end, in order.
    borders: Vec<usize>,
}

impl Words {
    /// Reads the text.
    pub(crate) fn of(text: &str) -> Self {
        let text = plain(text);
        let starts = text.split_word_bound_indices().map(|(at, _)| at);
        let borders = starts.chain([text.len()]).collect();
        Self { text, borders }
    }

    /// Whether the text says `phrase`, from word border to word border; a Korean word carries its particles (`무료로`).
    pub(crate) fn say(&self, phrase: &str) -> bool {
        let phrase = plain(phrase);
        let goes_on = phrase.ends_with(|c: char| matches!(c, '\u{ac00}'..='\u{d7a3}'));
        self.find(&phrase, goes_on).next().is_some()
    }

    /// Whether `phrase` stands in the text by itself, from word border to word border and without a hyphen to another word
    /// (`ad-free`).
    pub(crate) fn hold(&self, phrase: &str) -> bool {
        let phrase = plain(phrase);
        self.find(&phrase, false)
            .any(|(before, after)| !leads_on(before.chars().rev()) && !leads_on(after.chars()))
    }

    /// What stands before and after `phrase`, wherever it is found.
    fn find(&self, phrase: &str, goes_on: bool) -> impl Iterator<Item = (&str, &str)> {
        let borders = self.borders.iter().filter(|_| !phrase.is_empty());
        borders.filter_map(move |at| {
            let (before, rest) = self.text.split_at_checked(*at)?;
            let after = rest.strip_prefix(phrase)?;
            let end = self.text.len() - after.len();
            (goes_on || self.borders.binary_search(&end).is_ok()).then_some((before, after))
        })
    }
}

/// Whether a hyphen joins another word.
fn leads_on(mut chars: impl Iterator<Item = char>) -> bool {
    let hyphen = |c| matches!(c, '-' | '\u{2010}' | '\u{2011}');
    chars.next().is_some_and(hyphen) && chars.next().is_some_and(char::is_alphanumeric)
}

/// A text as texts are compared: in NFC, and words with one space between them. Platforms may list in another form, and
/// with other spaces, what they were sent; whether a listed post is a lost one has to go without that.
///
/// ```
/// use automarket_core::text::normal;
///
/// assert_eq!(normal("Cafe\u{301}\n\nbar "), normal("Caf\u{e9} bar"));
/// ```
#[must_use]
pub fn normal(text: &str) -> String {
    let text: String = text.nfc().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plain(text: &str) -> String {
    let text: String = normal(text).chars().flat_map(char::to_lowercase).collect();
    // `İ` is an i with its dot apart; the capitals of `ı` and `ς` are those of `i` and `σ`.
    let text = text.replace("i\u{307}", "i").replace('ı', "i");
    text.replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_on_word_borders() {
        for (text, phrase, said) in [
            ("The BEST price.", "best", true),
            ("The bestseller", "best", false),
            ("best-in-class", "best", true),
            ("a  game\nchanger!", "game changer", true),
            ("xa a a", "a a", true),
            ("cafe\u{301} culture", "Café", true),
            ("完全免费的", "免费", true),
            ("오늘 무료로 제공", "무료", true),
            ("완전무료", "무료", false),
            ("광고비를 줄이세요", "광고", true),
            ("Paid #ad", "#ad", true),
            ("An #adventure", "#ad", false),
            ("anything", "", false),
            ("ÜBER alles", "über", true),
            ("İndirim başladı.", "indirim", true),
            ("İNDİRİM", "İndirim", true),
            ("ISPANAK", "ıspanak", true),
            ("ΔΩΡΕΆΣ", "δωρεάς", true),
        ] {
            let words = Words::of(text);
            assert_eq!(words.say(phrase), said, "{phrase:?} in {text:?}");
            let held = said && !matches!(phrase, "무료" | "광고") && !text.starts_with("best-");
            assert_eq!(words.hold(phrase), held, "{phrase:?} in {text:?}");
        }
    }
}
