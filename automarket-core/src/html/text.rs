//! A page's markup as plain text.

use std::borrow::Cow;

use super::{
    raised::Raised,
    reference::decode,
    walk::{Event, is_block, walk},
};

/// The text of an HTML fragment: paragraphs parted by blank lines, items and rows on lines of their own,
/// hidden parts left out.
///
/// ```
/// assert_eq!(automarket_core::html::to_text("<h1>Hi</h1><p>one<br>two &amp; three"), "Hi\n\none\ntwo & three");
/// ```
#[must_use]
pub fn to_text(html: &str) -> String {
    let mut out = Lines::default();
    let mut raised = Raised::default();
    walk(html, |event| match event {
        Event::Text(text) => {
            let text = raised.text(seen(text), out.before());
            out.text(&text);
        }
        Event::Open(tag) => match &*tag.name {
            "br" => out.gap(1),
            "li" | "dt" | "dd" | "tr" | "option" => out.gap(1),
            "td" | "th" => out.space = true,
            "pre" => {
                out.gap(2);
                out.verbatim += 1;
            }
            name if is_block(name) => out.gap(2),
            name => raised.open(name),
        },
        Event::Close(name) => match name {
            "li" | "dt" | "dd" | "tr" => out.gap(1),
            "td" | "th" => out.space = true,
            "pre" => {
                out.verbatim = out.verbatim.saturating_sub(1);
                out.gap(2);
            }
            name if is_block(name) => out.gap(2),
            name => raised.close(name),
        },
        Event::Raw(..) | Event::Page(_) => {}
    });
    out.text
}

#[derive(Default)]
struct Lines {
    text: String,
    /// Line breaks due before the next word.
    breaks: usize,
    space: bool,
    verbatim: usize,
}

impl Lines {
    fn gap(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    /// What the next word is written right behind.
    fn before(&self) -> &str {
        let apart = self.space || self.breaks > 0;
        if apart { "" } else { &self.text }
    }

    fn text(&mut self, text: &str) {
        if self.verbatim > 0 {
            if !text.trim().is_empty() || self.breaks == 0 {
                self.due();
                self.text.push_str(text.trim_end_matches(['\n', '\r']));
            }
            self.gap(usize::from(text.ends_with('\n')));
            return;
        }
        self.space |= text.starts_with(is_space);
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            self.due();
            self.text.push_str(word);
            self.space = true;
        }
        self.space =
            text.ends_with(is_space) || (self.space && text.trim_matches(is_space).is_empty());
    }

    fn due(&mut self) {
        if self.breaks > 0 && !self.text.is_empty() {
            for _ in 0..self.breaks {
                self.text.push('\n');
            }
        } else if self.space && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.breaks = 0;
        self.space = false;
    }
}

/// White space that HTML collapses, and the one that it does not.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{a0}')
}

/// The text as a reader sees it: character references resolved, characters without a shape left out (soft
/// hyphens, zero-width spaces, and tag characters but for those of a flag).
pub(super) fn seen(text: &str) -> Cow<'_, str> {
    shaped(decode(text))
}

/// As [`seen`], of an attribute's value, whose references are resolved.
pub(super) fn shaped(text: Cow<'_, str>) -> Cow<'_, str> {
    let shapeless = |c: char| {
        matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
    };
    if !text.contains(shapeless) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut flag = false;
    for c in text.chars() {
        flag = c == '\u{1f3f4}' || (flag && matches!(c, '\u{e0000}'..='\u{e007f}'));
        if flag || !shapeless(c) {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// One line: white space collapsed.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text
        .split(|c: char| is_space(c) || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The beginning of a text in one line, at most `limit` characters, cut at a word with an ellipsis.
#[must_use]
pub fn beginning(text: &str, limit: usize) -> String {
    let line = one_line(
        text.get(..text.floor_char_boundary(limit * 16))
            .unwrap_or(text),
    );
    let Some((cut, _)) = line.char_indices().nth(limit) else {
        return line;
    };
    let head = line.get(..cut).unwrap_or(&line);
    let head = head.rsplit_once(' ').map_or(head, |(words, _)| words);
    format!("{}…", head.trim_end_matches([',', ';', ':', '.', ' ']))
}
