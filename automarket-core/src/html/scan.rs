//! The tokens of a page: one pass, linear in its length whatever it holds, no tree.

use std::borrow::Cow;

use super::reference::decode_value;

/// Attributes kept of one tag, name and value sizes in bytes. Real tags stay far below.
const MAX_ATTRIBUTES: usize = 48;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 4096;

/// What a page consists of. Comments, doctypes and processing instructions are left out.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Open(Tag<'a>),
    Close(Cow<'a, str>),
    /// Text as it stands, character references unresolved.
    Text(&'a str),
    /// An element whose content is no markup (`script`, `style`, `title`, ...), with that content.
    Raw(Tag<'a>, &'a str),
}

/// A start tag.
#[derive(Clone, Debug)]
pub(super) struct Tag<'a> {
    /// Lower case.
    pub(super) name: Cow<'a, str>,
    /// Self-closed where that counts, which is inside `svg` and `math`: it holds nothing.
    pub(super) closed: bool,
    attributes: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Tag<'a> {
    /// The attribute's value, character references resolved.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(decode_value)
    }

    /// The attribute's value as it stands.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.attributes.iter().map(|(key, value)| (&**key, *value))
    }
}

/// Elements whose content is not parsed for tags.
fn is_raw(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "title"
            | "textarea"
            | "noscript"
            | "iframe"
            | "noembed"
            | "noframes"
            | "xmp"
    )
}

/// Reads a page's tokens.
pub(super) struct Scanner<'a> {
    html: &'a str,
    at: usize,
    /// How many `svg` and `math` are open.
    foreign: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            foreign: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.html.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.html.as_bytes().get(self.at).copied()
    }

    /// Takes everything up to `end` (exclusive), or to the end of the page.
    fn until(&mut self, end: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(end).unwrap_or(rest.len());
        self.at += length;
        // All ends asked for are ASCII, so this is a border of characters.
        rest.get(..length).unwrap_or_default()
    }

    /// Skips what starts here and ends behind `end`; without an end it reaches to the end of the page.
    fn skip_past(&mut self, end: &str) {
        let rest = self.rest();
        self.at += rest.find(end).map_or(rest.len(), |i| i + end.len());
    }

    fn skip_comment(&mut self) {
        self.at += "<!--".len();
        let rest = self.rest();
        for (empty, length) in [(">", 1), ("->", 2)] {
            if rest.starts_with(empty) {
                self.at += length;
                return;
            }
        }
        let mut from = 0;
        while let Some(i) = rest.get(from..).and_then(|tail| tail.find("--")) {
            let tail = rest.get(from + i..).unwrap_or_default();
            for end in ["-->", "--!>"] {
                if tail.starts_with(end) {
                    self.at += from + i + end.len();
                    return;
                }
            }
            from += i + 1;
        }
        self.at = self.html.len();
    }

    fn name(&mut self) -> Cow<'a, str> {
        let name = self.until(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'>'));
        lower(clip(name, MAX_NAME))
    }

    fn tag(&mut self) -> Tag<'a> {
        let name = self.name();
        let mut attributes = Vec::new();
        let mut closed = false;
        loop {
            self.until(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/'));
            let before = self
                .at
                .checked_sub(1)
                .and_then(|i| self.html.as_bytes().get(i));
            match self.byte() {
                None => break,
                Some(b'>') => {
                    closed = before == Some(&b'/');
                    self.at += 1;
                    break;
                }
                Some(_) => {
                    let (key, value) = self.attribute();
                    if attributes.len() < MAX_ATTRIBUTES && key.len() <= MAX_NAME {
                        attributes.push((lower(key), clip(value, MAX_VALUE)));
                    }
                }
            }
        }
        let foreign = self.foreign > 0 || is_foreign(&name);
        Tag {
            name,
            closed: closed && foreign,
            attributes,
        }
    }

    fn attribute(&mut self) -> (&'a str, &'a str) {
        let start = self.at;
        // A leading `=` belongs to the name.
        self.at += usize::from(self.byte() == Some(b'='));
        self.until(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'>' | b'='));
        let key = self.html.get(start..self.at).unwrap_or_default();
        let after_key = self.at;
        self.skip_space();
        if self.byte() != Some(b'=') {
            self.at = after_key;
            return (key, "");
        }
        self.at += 1;
        self.skip_space();
        let value = match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.until(|b| b == quote);
                self.at = (self.at + 1).min(self.html.len());
                value
            }
            _ => self.until(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'>')),
        };
        (key, value)
    }

    fn skip_space(&mut self) {
        self.until(|b| !b.is_ascii_whitespace());
    }

    /// The content of a raw element up to its end tag, which is taken too.
    fn raw_content(&mut self, name: &str) -> &'a str {
        let rest = self.rest();
        let mut from = 0;
        while let Some(i) = rest.get(from..).and_then(|tail| tail.find("</")) {
            let start = from + i;
            let end = start + 2 + name.len();
            let found = rest
                .get(start + 2..end)
                .is_some_and(|found| found.eq_ignore_ascii_case(name));
            let ended = rest
                .as_bytes()
                .get(end)
                .is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
            if found && ended {
                self.at += end;
                self.skip_past(">");
                return rest.get(..start).unwrap_or_default();
            }
            from = start + 2;
        }
        self.at = self.html.len();
        rest
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return None;
            }
            let text = text_length(rest);
            if text > 0 {
                self.at += text;
                return rest.get(..text).map(Token::Text);
            }
            let markup = rest.get(1..).unwrap_or_default();
            if markup.starts_with("!--") {
                self.skip_comment();
            } else if markup.starts_with(['!', '?']) {
                self.skip_past(">");
            } else if let Some(name) = markup.strip_prefix('/') {
                if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.skip_past(">");
                    continue;
                }
                self.at += 2;
                let tag = self.tag();
                if is_foreign(&tag.name) {
                    self.foreign = self.foreign.saturating_sub(1);
                }
                return Some(Token::Close(tag.name));
            } else {
                self.at += 1;
                let tag = self.tag();
                if is_foreign(&tag.name) {
                    self.foreign += usize::from(!tag.closed);
                }
                if is_raw(&tag.name) && !tag.closed {
                    let content = self.raw_content(&tag.name);
                    return Some(Token::Raw(tag, content));
                }
                return Some(Token::Open(tag));
            }
        }
    }
}

/// Elements whose content is of another language than HTML.
fn is_foreign(name: &str) -> bool {
    matches!(name, "svg" | "math")
}

/// How far the text reaches: up to a `<` that begins markup.
fn text_length(rest: &str) -> usize {
    rest.as_bytes()
        .windows(2)
        .position(|pair| match pair {
            [b'<', next] => next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?'),
            _ => false,
        })
        .unwrap_or(rest.len())
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// The beginning of a text, at most so many bytes, whole characters.
pub(super) fn clip(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
