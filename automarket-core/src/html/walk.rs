//! A page as a balanced, bounded stream of elements: what every parser behind it is fed.
//!
//! Parsers that follow the HTML standard need work that grows with depth times width, and several walk
//! their trees by recursion. Here end tags are matched, implied ones added, and depth, number and size of
//! what is passed on are capped, before any tree is built.

use std::fmt::Write as _;

use super::{
    hidden::{Styles, is_hidden},
    reference::{decode, decode_value},
    scan::{Scanner, Tag, Token, clip},
};

/// What is passed on at the most.
pub(super) const MAX_DEPTH: usize = 256;
pub(super) const MAX_ELEMENTS: usize = 50_000;
/// Elements open at once, passed on or not, and comparisons made while matching tags: what a page of nothing
/// but tags may cost.
const MAX_OPEN: usize = 150_000;
const MAX_WORK: usize = 4_000_000;
/// How far up an end tag looks for its start.
const MAX_SEARCH: usize = 256;
/// How many elements a misnested `</b>` or `</a>` may split.
const MAX_SPLIT: usize = 8;

pub(super) enum Event<'e, 'a> {
    Open(&'e Tag<'a>),
    Close(&'e str),
    Text(&'a str),
    /// Seen even inside hidden parts: metadata stands in `script`, `style` and `title`.
    Raw(&'e Tag<'a>, &'a str),
    /// A tag that only describes the page (`html`, `head`, `body`, `meta`, `link`, `base`).
    Page(&'e Tag<'a>),
}

struct Entry<'a> {
    tag: Tag<'a>,
    shown: bool,
    hides: bool,
}

/// Walks the visible part of a page, but for the readings over words (`<rt>`): in a line of text they would say each
/// word twice. Answers whether something was left out for its size.
pub(super) fn walk<'a>(html: &'a str, visit: impl FnMut(Event<'_, 'a>)) -> bool {
    walk_through(html, false, visit)
}

/// As [`walk`], with the readings, for who writes markup again.
pub(super) fn walk_markup<'a>(html: &'a str, visit: impl FnMut(Event<'_, 'a>)) -> bool {
    walk_through(html, true, visit)
}

fn walk_through<'a>(html: &'a str, readings: bool, visit: impl FnMut(Event<'_, 'a>)) -> bool {
    let mut walk = Walk {
        readings,
        open: Vec::new(),
        hidden: 0,
        shown: 0,
        elements: 0,
        work: 0,
        styles: Styles::default(),
        cut: false,
        visit,
    };
    for token in Scanner::new(html) {
        if walk.elements >= MAX_ELEMENTS || walk.open.len() >= MAX_OPEN || walk.work >= MAX_WORK {
            walk.cut = true;
            break;
        }
        walk.token(token);
    }
    walk.close_down_to(0);
    walk.cut
}

struct Walk<'a, V> {
    /// Whether readings over words are shown.
    readings: bool,
    open: Vec<Entry<'a>>,
    /// How many open elements hide what they hold.
    hidden: usize,
    /// How many open elements were passed on.
    shown: usize,
    /// How many elements were passed on.
    elements: usize,
    work: usize,
    styles: Styles,
    cut: bool,
    visit: V,
}

impl<'a, V: FnMut(Event<'_, 'a>)> Walk<'a, V> {
    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Text(text) if self.hidden == 0 => (self.visit)(Event::Text(text)),
            Token::Text(_) => {}
            Token::Raw(tag, content) => {
                self.elements += 1;
                if tag.name == "style" {
                    let media = tag.get("media").unwrap_or_default();
                    self.styles.read(content, &media);
                }
                (self.visit)(Event::Raw(&tag, content));
            }
            Token::Close(name) => self.end(&name),
            Token::Open(tag) => self.start(tag),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        match &*tag.name {
            "html" | "head" | "body" | "meta" | "link" | "base" => {
                self.elements += 1;
                (self.visit)(Event::Page(&tag));
                return;
            }
            "frame" | "frameset" => return,
            _ => {}
        }
        self.imply_ends(&tag.name);
        if is_void(&tag.name) {
            if self.hidden == 0 && !is_hidden(&tag) && !self.styles.hide(&tag) {
                self.elements += 1;
                (self.visit)(Event::Open(&tag));
                (self.visit)(Event::Close(&tag.name));
            }
            return;
        }
        if !tag.closed {
            self.push(tag);
        }
    }

    fn push(&mut self, tag: Tag<'a>) {
        let reading = !self.readings && matches!(&*tag.name, "rt" | "rp");
        let hides = reading || is_hidden(&tag) || self.styles.hide(&tag);
        self.hidden += usize::from(hides);
        let shown = self.hidden == 0 && self.shown < MAX_DEPTH;
        if shown {
            (self.visit)(Event::Open(&tag));
            self.shown += 1;
            self.elements += 1;
        }
        self.cut |= self.hidden == 0 && !shown;
        self.open.push(Entry { tag, shown, hides });
    }

    fn pop(&mut self) -> Option<Tag<'a>> {
        let entry = self.open.pop()?;
        self.hidden -= usize::from(entry.hides);
        if entry.shown {
            self.shown -= 1;
            (self.visit)(Event::Close(&entry.tag.name));
        }
        Some(entry.tag)
    }

    fn close_down_to(&mut self, length: usize) {
        while self.open.len() > length {
            self.pop();
        }
    }

    /// The innermost open element that `wanted` picks, unless a `barrier` comes first.
    fn find(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        barrier: impl Fn(&str) -> bool,
    ) -> Option<usize> {
        for (i, entry) in self.open.iter().enumerate().rev().take(MAX_SEARCH) {
            self.work += 1;
            if wanted(&entry.tag.name) {
                return Some(i);
            }
            if barrier(&entry.tag.name) {
                return None;
            }
        }
        None
    }

    fn end(&mut self, name: &str) {
        let wanted = |open: &str| open == name || (is_heading(open) && is_heading(name));
        if is_sealed(name) {
            self.end_sealed(name);
        } else if is_table_part(name) {
            if let Some(at) = self.find(wanted, |open| open == "table" || is_sealed(open)) {
                self.close_down_to(at);
            }
        } else if is_formatting(name) {
            self.end_formatting(name);
        } else if is_block(name) {
            if let Some(at) = self.find(wanted, |open| is_table_part(open) || is_sealed(open)) {
                self.close_down_to(at);
            }
        } else if let Some(at) = self.find(wanted, |open| is_block(open) || is_table_part(open)) {
            self.close_down_to(at);
        }
    }

    /// Ends an element that nothing inside ends, however much is open in it: most of these hide what they
    /// hold, and one that is missed hides the rest of the page. What is hidden by itself goes on.
    fn end_sealed(&mut self, name: &str) {
        let goes_on = |open: &Entry<'_>| {
            open.hides && (open.tag.name == "template" || is_block(&open.tag.name))
        };
        let found = self
            .open
            .iter()
            .rposition(|open| open.tag.name == name || goes_on(open));
        self.work += self.open.len() - found.unwrap_or(0);
        if let Some(at) = found
            && self.open.get(at).is_some_and(|open| open.tag.name == name)
        {
            self.close_down_to(at);
        }
    }

    /// Ends an element such as `b` or `a` that blocks may straddle: they are ended and begun again.
    fn end_formatting(&mut self, name: &str) {
        let found = self.find(
            |open| open == name,
            |open| is_table_part(open) || is_sealed(open),
        );
        let Some(at) = found else { return };
        if self.open.len() - at > MAX_SPLIT {
            return;
        }
        let mut again = Vec::new();
        while self.open.len() > at + 1 {
            again.extend(self.pop());
        }
        self.pop();
        while let Some(tag) = again.pop() {
            self.push(tag);
        }
    }

    /// Ends what a start tag ends without saying so.
    fn imply_ends(&mut self, name: &str) {
        let sealed = |open: &str| is_table_part(open) || is_sealed(open);
        let found = match name {
            "li" => self.find(
                |o| o == "li",
                |o| matches!(o, "ul" | "ol" | "menu") || sealed(o),
            ),
            "dt" | "dd" => self.find(|o| matches!(o, "dt" | "dd"), |o| o == "dl" || sealed(o)),
            "td" | "th" => self.find(
                |o| matches!(o, "td" | "th" | "caption" | "colgroup"),
                |o| matches!(o, "table" | "tr") || is_sealed(o),
            ),
            "tr" => self.find(
                |o| matches!(o, "tr" | "caption" | "colgroup"),
                |o| matches!(o, "table" | "tbody" | "thead" | "tfoot") || is_sealed(o),
            ),
            "tbody" | "thead" | "tfoot" | "caption" | "colgroup" => self.find(
                |o| {
                    matches!(
                        o,
                        "tbody" | "thead" | "tfoot" | "caption" | "colgroup" | "tr"
                    )
                },
                |o| o == "table" || is_sealed(o),
            ),
            "rb" | "rt" | "rp" => self.find(
                |o| matches!(o, "rb" | "rt" | "rp"),
                |o| o == "ruby" || sealed(o),
            ),
            "option" | "optgroup" => self.find(|o| o == "option", |o| o == "select" || sealed(o)),
            "a" | "button" | "nobr" | "form" => self.find(|o| o == name, sealed),
            _ => None,
        };
        if name == "a" && found.is_some() {
            self.end_formatting("a");
        } else if name == "form" && found.is_some() {
            // A form in a form is none in any browser; its end tag then ends the outer one.
        } else if let Some(at) = found {
            self.close_down_to(at);
        }
        // A reading that nothing ends hides no more than its line.
        if !self.readings
            && is_block(name)
            && let Some(at) = self.find(|o| matches!(o, "rt" | "rp"), |o| is_block(o) || sealed(o))
        {
            self.close_down_to(at);
        }
        if is_block(name)
            && let Some(at) = self.find(
                |o| o == "p" || is_heading(o),
                |o| (is_block(o) && o != "p" && !is_heading(o)) || sealed(o),
            )
        {
            let is_p = self.open.get(at).is_some_and(|entry| entry.tag.name == "p");
            if is_p || is_heading(name) {
                self.close_down_to(at);
            }
        }
    }
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "keygen"
            | "param"
            | "source"
            | "track"
            | "wbr"
            | "bgsound"
            | "basefont"
            | "image"
    )
}

pub(super) fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn is_table_part(name: &str) -> bool {
    matches!(
        name,
        "table" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th" | "caption" | "colgroup"
    )
}

/// Elements that nothing inside ends.
fn is_sealed(name: &str) -> bool {
    matches!(
        name,
        "template" | "svg" | "math" | "object" | "marquee" | "applet" | "select"
    )
}

fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "a" | "b"
            | "big"
            | "code"
            | "em"
            | "font"
            | "i"
            | "nobr"
            | "s"
            | "small"
            | "strike"
            | "strong"
            | "tt"
            | "u"
    )
}

/// Elements that stand on lines of their own, and end an open paragraph.
pub(super) fn is_block(name: &str) -> bool {
    is_heading(name)
        || matches!(
            name,
            "address"
                | "article"
                | "aside"
                | "blockquote"
                | "center"
                | "dd"
                | "details"
                | "dialog"
                | "dir"
                | "div"
                | "dl"
                | "dt"
                | "fieldset"
                | "figcaption"
                | "figure"
                | "footer"
                | "form"
                | "header"
                | "hgroup"
                | "hr"
                | "li"
                | "listing"
                | "main"
                | "menu"
                | "nav"
                | "ol"
                | "p"
                | "pre"
                | "search"
                | "section"
                | "summary"
                | "table"
                | "ul"
        )
}

/// A page's markup anew: balanced, bounded, visible, with the attributes that tell content from the rest.
pub(super) struct Rewriter {
    pub(super) html: String,
    /// Bytes at the most; what comes after is left out.
    room: usize,
    pub(super) cut: bool,
}

impl Rewriter {
    pub(super) fn new(room: usize) -> Self {
        Self {
            html: String::new(),
            room,
            cut: false,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_, '_>) {
        match event {
            Event::Text(text) => self.text(text),
            Event::Open(tag) if is_plain_name(&tag.name) => self.open(tag),
            // Balance comes before the size limit.
            Event::Close(name) if is_plain_name(name) && !is_void(name) => {
                self.html.push_str("</");
                self.html.push_str(name);
                self.html.push('>');
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let text = masked(&decode(text));
        let room = self.room.saturating_sub(self.html.len());
        self.cut |= text.len() > room;
        self.html.push_str(clip(&text, room));
    }

    fn open(&mut self, tag: &Tag<'_>) {
        self.html.push('<');
        self.html.push_str(&tag.name);
        for (name, value) in tag.attributes() {
            if !is_telling(name) || value.starts_with("data:") {
                continue;
            }
            let value = escaped(&decode_value(value));
            if self.html.len() + value.len() > self.room {
                self.cut = true;
            } else {
                let _ = write!(self.html, " {name}=\"{value}\"");
            }
        }
        self.html.push('>');
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What stands for `&`, `<` and `>` of the text while other parsers have it: writers of HTML take time that
/// grows with the square of their number. No text may hold these code points.
const MASKS: [(char, &str); 3] = [
    ('\u{fdd0}', "&amp;"),
    ('\u{fdd1}', "&lt;"),
    ('\u{fdd2}', "&gt;"),
];

/// Text as other parsers get it.
pub(super) fn masked(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{fdd0}'..='\u{fdd2}'))
        .map(|c| match c {
            '&' => '\u{fdd0}',
            '<' => '\u{fdd1}',
            '>' => '\u{fdd2}',
            '\u{a0}' => ' ',
            c => c,
        })
        .collect()
}

/// What other parsers wrote, with the text's own characters as references.
pub(super) fn unmasked(html: &str) -> String {
    MASKS
        .iter()
        .fold(html.to_owned(), |html, (mask, reference)| {
            html.replace(*mask, reference)
        })
}

fn is_plain_name(name: &str) -> bool {
    name.bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !matches!(name, "plaintext" | "math" | "svg" | "image")
}

fn is_telling(name: &str) -> bool {
    matches!(
        name,
        "alt"
            | "class"
            | "cite"
            | "colspan"
            | "data-original"
            | "data-src"
            | "data-srcset"
            | "datetime"
            | "dir"
            | "href"
            | "id"
            | "itemprop"
            | "itemtype"
            | "lang"
            | "rel"
            | "role"
            | "rowspan"
            | "scope"
            | "src"
            | "srcset"
            | "start"
            | "summary"
            | "title"
    )
}
