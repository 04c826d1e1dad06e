//! Shortening a text to a limit.

use serde::{Deserialize, Serialize};

use crate::profile::TextRules;

use super::count::{fits, length};
use super::cut::Cutter;

const ELLIPSIS: &str = "…";

/// A text that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
    /// Whether something was cut off.
    pub cut: bool,
}

/// Shortens `text` to the platform's limit, or to `limit` where that is given, at a sentence or word border with an ellipsis.
///
/// The further limit of the rules holds in any case. A text that fits stays as it is. A sentence border is
/// taken if it keeps at least half of what a word border would; a word is cut only if it is longer than the
/// limit by itself. Addresses, hashtags, mentions, cashtags and grapheme clusters are never broken: where
/// nothing else fits, the text is the ellipsis alone, or empty where even that is too long.
///
/// ```
/// use automarket_core::{profile::TextRules, text::fit};
///
/// let rules = TextRules::default();
/// let fitted = fit("Version 2 is out. Read all about it.", &rules, Some(20));
/// assert_eq!(fitted.text, "Version 2 is out. …");
/// assert_eq!((fitted.length, fitted.cut), (19, true));
/// let fitted = fit("Read more at https://example.com/news", &rules, Some(20));
/// assert_eq!(fitted.text, "Read more at…");
/// ```
#[must_use]
pub fn fit(text: &str, rules: &TextRules, limit: Option<usize>) -> Fitted {
    let limit = limit.or(rules.limit);
    let fitted = |text: String, cut| Fitted {
        length: length(&text, rules),
        text,
        cut,
    };
    if fits(text, rules, limit) {
        return fitted(text.to_owned(), false);
    }
    let trimmed = text.trim();
    if trimmed.len() < text.len() && fits(trimmed, rules, limit) {
        return fitted(trimmed.to_owned(), false);
    }
    let cutter = Cutter::new(text, rules, limit);
    let start = cutter.skip_space(0);
    let head = cutter.head(start, ELLIPSIS);
    let end = head.as_ref().map_or(start, |head| head.end);
    let spaced =
        head.is_some_and(|head| head.sentence) && text[end..].starts_with(char::is_whitespace);
    let spaced = if spaced { " …" } else { ELLIPSIS };
    let head = &text[start..end];
    let candidates = [[head, spaced].concat(), [head, ELLIPSIS].concat()];
    let fitting = candidates.into_iter().find(|text| fits(text, rules, limit));
    fitted(fitting.unwrap_or_default(), true)
}
