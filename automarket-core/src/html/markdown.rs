//! A page's markup as Markdown (CommonMark and the tables of GFM).

use std::fmt::Write as _;

use url::Url;

use super::{
    inline::{Line, longest_run},
    metadata::web_address,
    raised::Raised,
    scan::Tag,
    table::Table,
    text::{is_space, one_line, seen, shaped},
    walk::{Event, is_block, is_heading, walk},
};

/// The Markdown of an HTML fragment. Addresses are made absolute against `base`; links and pictures that
/// are not http, https or mailto are left as their text. Text is escaped, so that a page cannot fake
/// structure, links or HTML.
///
/// ```
/// let html = "<h2>New</h2><p>See <a href='/a'>the <b>docs</b></a>, not <i>*this*</i>.";
/// let base = "https://acme.example/".parse().ok();
/// let markdown = automarket_core::html::to_markdown(html, base.as_ref());
/// assert_eq!(markdown, "## New\n\nSee [the **docs**](https://acme.example/a), not *\\*this\\**.");
/// ```
#[must_use]
pub fn to_markdown(html: &str, base: Option<&Url>) -> String {
    let mut writer = Writer {
        base,
        ..Writer::default()
    };
    let mut raised = Raised::default();
    walk(html, |event| match event {
        Event::Text(text) => {
            let text = raised.text(seen(text), writer.before());
            writer.text(&text);
        }
        Event::Open(tag) => {
            raised.open(&tag.name);
            writer.open(tag);
        }
        Event::Close(name) => {
            raised.close(name);
            writer.close(name);
        }
        Event::Raw(..) | Event::Page(_) => {}
    });
    writer.flush();
    writer.out
}

/// How deep quotes and lists are shown.
const MAX_CONTAINERS: usize = 8;

#[derive(Default)]
struct Writer<'u> {
    base: Option<&'u Url>,
    out: String,
    /// The block being written, without the prefixes of its containers.
    line: Line,
    space: bool,
    heading: usize,
    containers: Vec<Container>,
    /// The content of `pre`.
    verbatim: Option<String>,
    table: Option<Table>,
    /// Tables inside a table's cell: their text stays in the cell.
    inner_tables: usize,
}

enum Container {
    Quote,
    List {
        number: Option<u32>,
        begun: bool,
    },
    /// An item; its marker stands until it is written, then that much white space. A tight one follows
    /// what stands before it without a blank line.
    Item {
        marker: Option<String>,
        width: usize,
        tight: bool,
    },
}

impl Writer<'_> {
    /// What the next word is written right behind.
    fn before(&self) -> &str {
        let text = self.verbatim.as_ref().unwrap_or(&self.line.text);
        if self.space { "" } else { text }
    }

    fn text(&mut self, text: &str) {
        if let Some(verbatim) = &mut self.verbatim {
            verbatim.push_str(text);
            return;
        }
        let code = self.line.inside("code");
        self.space |= text.starts_with(is_space);
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            self.push_space();
            if code {
                self.line.text.push_str(word);
            } else {
                escape(word, &mut self.line.text);
            }
            self.space = true;
        }
        let blank = text.trim_matches(is_space).is_empty();
        self.space = text.ends_with(is_space) || (self.space && blank);
    }

    fn push_space(&mut self) {
        let text = &mut self.line.text;
        if self.space && !text.is_empty() && !text.ends_with('\n') {
            text.push(' ');
        }
        self.space = false;
    }

    fn open(&mut self, tag: &Tag<'_>) {
        let name = &*tag.name;
        if self.verbatim.is_some() {
            if name == "br" {
                self.text("\n");
            }
            return;
        }
        if self.table.is_some() {
            match name {
                "table" => self.inner_tables += 1,
                "tr" if self.inner_tables == 0 => self.row(),
                "td" | "th" if self.inner_tables == 0 => self.cell(tag),
                "img" => self.image(tag),
                _ if is_block(name) || name == "br" => self.space = true,
                _ => self.open_inline(tag),
            }
            return;
        }
        match name {
            "br" => self.line_break(),
            "hr" => {
                self.flush();
                self.line.text.push_str("---");
                self.write(false);
            }
            "img" => self.image(tag),
            "blockquote" => self.enter(Container::Quote),
            "ul" | "menu" | "dir" => self.list(None),
            "ol" => {
                let start = tag.get("start").and_then(|start| start.trim().parse().ok());
                self.list(Some(start.unwrap_or(1).min(999_999_999)));
            }
            "li" => self.item(),
            "table" => {
                self.flush();
                self.table = Some(Table::default());
            }
            "pre" => {
                self.flush();
                self.verbatim = Some(String::new());
            }
            _ if is_heading(name) => {
                self.flush();
                self.heading = name.bytes().last().map_or(1, |b| usize::from(b - b'0'));
            }
            _ if is_block(name) => self.flush(),
            _ => self.open_inline(tag),
        }
    }

    fn close(&mut self, name: &str) {
        if self.verbatim.is_some() {
            if name == "pre" {
                self.end_verbatim();
            }
            return;
        }
        if self.table.is_some() {
            match name {
                "table" if self.inner_tables > 0 => self.inner_tables -= 1,
                "table" => self.end_table(),
                "td" | "th" | "tr" if self.inner_tables == 0 => self.end_cell(),
                _ if is_block(name) => self.space = true,
                _ => self.close_inline(name),
            }
            return;
        }
        match name {
            "blockquote" => self.leave(|container| matches!(container, Container::Quote)),
            "ul" | "ol" | "menu" | "dir" => self.leave(|c| matches!(c, Container::List { .. })),
            "li" => self.leave(|container| matches!(container, Container::Item { .. })),
            _ if is_heading(name) => {
                self.flush();
                self.heading = 0;
            }
            _ if is_block(name) => self.flush(),
            _ => self.close_inline(name),
        }
    }

    fn enter(&mut self, container: Container) {
        self.flush();
        if self.containers.len() < MAX_CONTAINERS {
            self.containers.push(container);
        }
    }

    fn leave(&mut self, wanted: impl Fn(&Container) -> bool) {
        self.flush();
        // Beyond the depth shown, what was not entered is not left.
        if self.containers.last().is_some_and(&wanted) {
            self.containers.pop();
        }
    }

    fn list(&mut self, number: Option<u32>) {
        self.enter(Container::List {
            number,
            begun: false,
        });
    }

    fn item(&mut self) {
        self.flush();
        let inside = self
            .containers
            .iter()
            .any(|c| matches!(c, Container::Item { .. }));
        let (mut marker, mut tight) = ("- ".to_owned(), inside);
        if let Some(Container::List { number, begun }) = self.containers.last_mut() {
            tight |= std::mem::replace(begun, true);
            if let Some(number) = number {
                marker = format!("{number}. ");
                *number = number.saturating_add(1);
            }
        }
        self.enter(Container::Item {
            width: marker.len(),
            marker: Some(marker),
            tight,
        });
    }

    fn line_break(&mut self) {
        let one_line = self.heading > 0 || self.line.inside("code");
        let text = &mut self.line.text;
        if one_line {
            self.space = true;
        } else if !text.is_empty() && !text.ends_with('\n') {
            text.push_str("\\\n");
            self.space = false;
        }
    }

    fn image(&mut self, tag: &Tag<'_>) {
        let source = tag.get("src").or_else(|| tag.get("data-src"));
        let (Some(alt), Some(address)) = (
            tag.get("alt").filter(|alt| !alt.trim().is_empty()),
            source.and_then(|source| web_address(self.base, &source)),
        ) else {
            return;
        };
        self.push_space();
        let text = &mut self.line.text;
        text.push_str("![");
        escape(&one_line(&shaped(alt)), text);
        let _ = write!(text, "]({})", link_target(&address));
    }

    fn open_inline(&mut self, tag: &Tag<'_>) {
        let Some(name) = inline_name(&tag.name) else {
            return;
        };
        if self.line.inside(name) || self.line.inside("code") {
            return;
        }
        let mut address = None;
        if name == "a" {
            address = tag.get("href").and_then(|href| self.target(&href));
            if address.is_none() {
                return;
            }
        }
        self.line.open(name, address);
    }

    fn target(&self, href: &str) -> Option<String> {
        let href = href.trim();
        if href
            .get(..7)
            .is_some_and(|s| s.eq_ignore_ascii_case("mailto:"))
        {
            return Url::parse(href).ok().map(|url| link_target(&url));
        }
        if href.starts_with('#') {
            return None;
        }
        web_address(self.base, href).map(|url| link_target(&url))
    }

    fn close_inline(&mut self, name: &str) {
        if let Some(name) = inline_name(name) {
            self.line.close(name);
        }
    }

    /// Writes the block that is under way.
    fn flush(&mut self) {
        self.write(true);
    }

    fn write(&mut self, is_text: bool) {
        self.space = false;
        let line = self.line.take();
        let block = line.strip_suffix("\\\n").unwrap_or(&line);
        let block = block.trim_matches([' ', '\n']);
        if block.is_empty() {
            return;
        }
        if self.heading > 0 {
            let marks = "#".repeat(self.heading);
            // Marks at the end of a heading would be taken for its closing sequence.
            let text = block.trim_end_matches('#');
            match block.strip_suffix('#') {
                Some(start) if text.is_empty() || text.ends_with(' ') => {
                    self.block(&format!("{marks} {start}\\#"));
                }
                _ => self.block(&format!("{marks} {block}")),
            }
        } else if is_text {
            let lines: Vec<String> = block.split('\n').map(escape_start).collect();
            self.block(&lines.join("\n"));
        } else {
            self.block(block);
        }
    }

    /// Writes lines behind the prefixes of their containers, parted from what came before.
    fn block(&mut self, block: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
            let next_item = self
                .containers
                .iter()
                .find_map(|container| match container {
                    Container::Item {
                        marker: Some(_),
                        tight,
                        ..
                    } => Some(*tight),
                    _ => None,
                });
            if next_item != Some(true) {
                let prefix = self.prefix(false);
                self.out.push_str(prefix.trim_end());
                self.out.push('\n');
            }
        }
        for (i, line) in block.split('\n').enumerate() {
            if i > 0 {
                self.out.push('\n');
            }
            let prefix = self.prefix(true);
            if line.is_empty() {
                self.out.push_str(prefix.trim_end());
            } else {
                self.out.push_str(&prefix);
                self.out.push_str(line);
            }
        }
    }

    fn prefix(&mut self, taking: bool) -> String {
        let mut prefix = String::new();
        for container in &mut self.containers {
            match container {
                Container::Quote => prefix.push_str("> "),
                Container::List { .. } => {}
                Container::Item { marker, width, .. } => match marker {
                    Some(_) if !taking => {}
                    Some(_) => prefix.push_str(&marker.take().unwrap_or_default()),
                    None => prefix.extend(std::iter::repeat_n(' ', *width)),
                },
            }
        }
        prefix
    }

    fn end_verbatim(&mut self) {
        let code = self.verbatim.take().unwrap_or_default();
        let code = code.trim_matches('\n').trim_end();
        if code.is_empty() {
            return;
        }
        let fence = "`".repeat(longest_run(code, '`').max(2) + 1);
        self.block(&format!("{fence}\n{code}\n{fence}"));
    }

    fn row(&mut self) {
        self.end_cell();
        if let Some(table) = &mut self.table {
            table.open_row();
        }
    }

    fn cell(&mut self, tag: &Tag<'_>) {
        self.end_cell();
        if let Some(table) = &mut self.table {
            let columns = tag.get("colspan").and_then(|span| span.trim().parse().ok());
            table.open_cell(columns.unwrap_or(1));
        }
    }

    fn end_cell(&mut self) {
        self.space = false;
        let text = self.line.take();
        if let Some(table) = &mut self.table {
            table.end_cell(text.trim().replace('|', "\\|").replace("\\\n", " "));
        }
    }

    fn end_table(&mut self) {
        self.end_cell();
        let Some(table) = self.table.take() else {
            return;
        };
        match table.lines() {
            Ok(lines) => self.block(&lines.join("\n")),
            Err(texts) => texts
                .iter()
                .for_each(|text| self.block(&escape_start(text))),
        }
    }
}

/// The one name of each element that has marks.
fn inline_name(name: &str) -> Option<&'static str> {
    match name {
        "b" | "strong" => Some("strong"),
        "i" | "em" | "cite" => Some("em"),
        "code" | "kbd" | "samp" | "tt" => Some("code"),
        "del" | "s" | "strike" => Some("del"),
        "a" => Some("a"),
        _ => None,
    }
}

/// Escapes what Markdown reads as structure anywhere in a line.
fn escape(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let special = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' => true,
            '&' => chars
                .peek()
                .is_some_and(|next| next.is_ascii_alphanumeric() || *next == '#'),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        if c.is_control() {
            continue;
        }
        out.push(c);
    }
}

/// Escapes what Markdown reads as structure at the beginning of a line.
fn escape_start(line: &str) -> String {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if matches!(line.as_bytes().first(), Some(b'#' | b'+' | b'-' | b'=')) {
        return format!("\\{line}");
    }
    if digits > 0
        && let Some((number, rest)) = line.split_at_checked(digits)
        && rest.starts_with(['.', ')'])
        // `49.50` begins no list.
        && matches!(rest.as_bytes().get(1), None | Some(b' ' | b'\t'))
    {
        return format!("{number}\\{rest}");
    }
    line.to_owned()
}

/// An address as Markdown takes it between parentheses.
fn link_target(url: &Url) -> String {
    url.as_str()
        .replace('(', "%28")
        .replace(')', "%29")
        .replace(' ', "%20")
        .replace('<', "%3C")
        .replace('>', "%3E")
        .replace('\\', "%5C")
}
