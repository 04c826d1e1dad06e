//! What platforms make clickable.

use serde::{Deserialize, Serialize};

use super::{class::Pattern, tags, url};

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

/// Finds what platforms make clickable, by X's rules (`twitter-text` 3.1.0).
///
/// Entities do not overlap: of two, the one that begins first stands, so a name inside an address is no
/// mention. A list (`@name/list`) is no mention either. Takes linear time on any text.
///
/// ```
/// let found = automarket_core::text::entities("¡Olé! #Rust by @ferris: rust-lang.org/learn $ACME");
/// assert_eq!(found.hashtags[0].text, "Rust");
/// assert_eq!((found.hashtags[0].start, found.hashtags[0].end), (6, 11));
/// assert_eq!(found.mentions[0].text, "ferris");
/// assert_eq!(found.urls[0].text, "rust-lang.org/learn");
/// assert_eq!(found.cashtags[0].text, "ACME");
/// ```
#[must_use]
pub fn entities(text: &str) -> Entities {
    let mut found = Entities::default();
    let mut points = CodePoints {
        text,
        byte: 0,
        point: 0,
    };
    for Span { kind, start, end } in spans(text) {
        let list = match &kind {
            Kind::Url(_) => &mut found.urls,
            Kind::Hashtag => &mut found.hashtags,
            Kind::Mention => &mut found.mentions,
            Kind::Cashtag => &mut found.cashtags,
            Kind::List => continue,
        };
        let name = match kind {
            Kind::Url(url) => url.text(text),
            _ => text[start..end].chars().skip(1).collect(),
        };
        let (start, end) = (points.at(start), points.at(end));
        list.push(Entity {
            text: name,
            start,
            end,
        });
    }
    found
}

/// What is clickable.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Url(url::Found),
    Mention,
    List,
    Hashtag,
    Cashtag,
}

/// Where something clickable is. Offsets are bytes.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// All that is clickable, in the order of its place, without overlaps.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let urls = url::find(text, Pattern::X).into_iter();
    spans.extend(urls.map(|found| Span {
        kind: Kind::Url(found),
        start: found.start,
        end: found.end,
    }));
    spans.extend(
        tags::mentions(text)
            .into_iter()
            .map(|((start, end), list)| {
                let kind = if list { Kind::List } else { Kind::Mention };
                Span { kind, start, end }
            }),
    );
    let hashtags = tags::hashtags(text).into_iter();
    spans.extend(hashtags.map(|(start, end)| Span {
        kind: Kind::Hashtag,
        start,
        end,
    }));
    let cashtags = tags::cashtags(text).into_iter();
    spans.extend(cashtags.map(|(start, end)| Span {
        kind: Kind::Cashtag,
        start,
        end,
    }));
    spans.sort_by_key(|span| span.start);
    let mut end = 0;
    spans.retain(|span| {
        let free = span.start >= end;
        if free {
            end = span.end;
        }
        free
    });
    spans
}

/// Turns rising byte offsets into code points.
struct CodePoints<'a> {
    text: &'a str,
    byte: usize,
    point: usize,
}

impl CodePoints<'_> {
    fn at(&mut self, byte: usize) -> usize {
        self.point += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.point
    }
}
