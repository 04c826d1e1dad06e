//! Walks a parsed document once and lays out its blocks; a dialect only says how each piece is spelled.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Tag, TagEnd};

use super::{language, link_target};

/// How one platform spells formatted text.
pub(super) trait Dialect {
    /// Literal text of one line.
    fn text(&self, text: &str, at_line_start: bool) -> String;
    /// The mark around a style; empty where there is none. `after` is the character before it.
    fn mark(&self, style: Style, after: Option<char>) -> &'static str;
    /// Code within a line; `None` where it can only be literal text.
    fn code(&self, code: &str) -> Option<String>;
    /// A block of code, without its last line end; `None` where it can only be literal text.
    fn code_block(&self, language: &str, code: &str) -> Option<String>;
    /// A link. `label` is in the dialect, `raw` is its letters.
    fn link(&self, label: &str, raw: &str, url: &str) -> String;
    /// An image.
    fn image(&self, label: &str, raw: &str, url: &str) -> String {
        self.link(label, raw, url)
    }
    /// What stands before a heading; `None` where a heading is a line in bold.
    fn heading(&self, level: usize) -> Option<String>;
    /// The marker of a list item. Lists that follow each other alternate.
    fn marker(&self, number: Option<u64>, alternate: bool) -> String;
    /// What stands before each quoted line.
    fn quote(&self) -> &'static str {
        "> "
    }
    /// A line between parts.
    fn rule(&self) -> &'static str {
        "———"
    }
    /// A line break that the author asked for.
    fn hard_break(&self) -> &'static str {
        "\n"
    }
    /// Between the cells of a table.
    fn cell_border(&self) -> &'static str {
        " | "
    }
    /// Whether styles run over line ends, hold code, and quotes nest and hold code.
    fn nests(&self) -> bool {
        false
    }
    /// Whether a link after `@` to this target is a mention; it then comes to [`Dialect::link`].
    fn takes_mention(&self, _target: &str) -> bool {
        false
    }
    /// Whether tables are tables.
    fn tables(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Emphasis,
    Strong,
    Strike,
}

/// The document in a dialect.
pub(super) fn write<'a>(events: impl Iterator<Item = Event<'a>>, dialect: &dyn Dialect) -> String {
    let mut flow = Flow {
        dialect,
        frames: Vec::new(),
        page: Frame::new(Kind::Page),
        wanted: Vec::new(),
        outer: 0,
        open: Vec::new(),
        in_heading: false,
    };
    for event in events {
        flow.event(event);
    }
    while !flow.frames.is_empty() {
        flow.leave();
    }
    flow.close_styles();
    flow.page.out.trim().to_owned()
}

/// What is being written into.
enum Kind {
    Page,
    Quote,
    List {
        next: Option<u64>,
        alternate: bool,
    },
    Item,
    Code {
        language: String,
    },
    Table {
        columns: usize,
    },
    Row {
        cells: Vec<String>,
    },
    Cell,
    Label {
        url: Option<String>,
        image: bool,
        outer: usize,
        open: Vec<(Style, &'static str)>,
    },
}

struct Frame {
    kind: Kind,
    out: String,
    /// The letters alone.
    raw: String,
    /// Whether a block has ended, so that what follows begins anew.
    after_block: bool,
    /// Whether paragraphs stand in it with space between.
    loose: bool,
    /// The list that ended last, if nothing came after: ordered, alternate.
    last_list: Option<(bool, bool)>,
}

impl Frame {
    fn new(kind: Kind) -> Self {
        let loose = !matches!(kind, Kind::Item);
        Self {
            kind,
            out: String::new(),
            raw: String::new(),
            after_block: false,
            loose,
            last_list: None,
        }
    }
}

struct Flow<'d> {
    dialect: &'d dyn Dialect,
    page: Frame,
    frames: Vec<Frame>,
    /// The styles that the text now has, outermost first.
    wanted: Vec<Style>,
    /// How many of these were there when the present label began.
    outer: usize,
    /// The styles whose marks are written, with those marks.
    open: Vec<(Style, &'static str)>,
    in_heading: bool,
}

impl Flow<'_> {
    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().unwrap_or(&mut self.page)
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => self.code(&code),
            Event::SoftBreak => self.line_break("\n"),
            Event::HardBreak => self.line_break(self.dialect.hard_break()),
            Event::Rule => {
                self.begin_block();
                let rule = self.dialect.rule();
                self.top().out.push_str(rule);
                self.end_block();
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => {
                self.top().loose = true;
                self.begin_block();
            }
            Tag::HtmlBlock => self.begin_block(),
            Tag::Heading { level, .. } => {
                self.begin_block();
                self.in_heading = true;
                match self.dialect.heading(level as usize) {
                    Some(prefix) => self.top().out.push_str(&prefix),
                    None => self.wanted.push(Style::Strong),
                }
            }
            Tag::BlockQuote(_) => self.enter(Kind::Quote),
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => language(info).to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.enter(Kind::Code { language });
            }
            Tag::List(next) => {
                let alternate = match self.top().last_list {
                    Some((ordered, alternate)) if ordered == next.is_some() => !alternate,
                    _ => false,
                };
                self.enter(Kind::List { next, alternate });
            }
            Tag::Item => self.frames.push(Frame::new(Kind::Item)),
            Tag::Table(columns) => self.enter(Kind::Table {
                columns: columns.len(),
            }),
            Tag::TableHead | Tag::TableRow => {
                self.frames
                    .push(Frame::new(Kind::Row { cells: Vec::new() }));
            }
            Tag::TableCell => self.frames.push(Frame::new(Kind::Cell)),
            Tag::Emphasis => self.wanted.push(Style::Emphasis),
            Tag::Strong => self.wanted.push(Style::Strong),
            Tag::Strikethrough => self.wanted.push(Style::Strike),
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => self.enter_label(link_type, &dest_url, false),
            Tag::Image {
                link_type,
                dest_url,
                ..
            } => self.enter_label(link_type, &dest_url, true),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_block(),
            TagEnd::Heading(level) => {
                let prefix = self.dialect.heading(level as usize);
                match prefix {
                    None => {
                        self.wanted.pop();
                    }
                    // Marks at the end of a heading would be taken for its closing sequence.
                    Some(prefix) if !prefix.is_empty() && self.top().out.ends_with('#') => {
                        let out = &mut self.top().out;
                        out.pop();
                        out.push_str("\\#");
                    }
                    Some(_) => {}
                }
                self.end_block();
                self.in_heading = false;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.wanted.pop();
            }
            TagEnd::TableHead => {
                self.leave();
                let tables = self.dialect.tables();
                let table = self.top();
                if let Kind::Table { columns } = table.kind
                    && tables
                {
                    table.out.push_str("\n|");
                    table.out.push_str(&" --- |".repeat(columns));
                }
            }
            TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Table
            | TagEnd::TableRow
            | TagEnd::TableCell
            | TagEnd::Link
            | TagEnd::Image => self.leave(),
            _ => {}
        }
    }

    /// Begins a block that is laid out as a whole when it ends.
    fn enter(&mut self, kind: Kind) {
        self.begin_block();
        self.frames.push(Frame::new(kind));
    }

    fn enter_label(&mut self, kind: LinkType, target: &str, image: bool) {
        self.begin_inline();
        let named = self.top().out.ends_with('@') && self.dialect.takes_mention(target);
        let url = link_target(kind, target).or_else(|| named.then(|| target.to_owned()));
        let label = Kind::Label {
            url,
            image,
            outer: self.outer,
            open: std::mem::take(&mut self.open),
        };
        self.outer = self.wanted.len();
        self.frames.push(Frame::new(label));
    }

    /// Lays out the innermost frame in the one around it.
    fn leave(&mut self) {
        self.close_styles();
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let text = frame.out.trim_end();
        match frame.kind {
            Kind::Page => {}
            Kind::Quote => {
                let plain = !self.dialect.nests() && self.within_quote_or_item();
                let prefix = if plain { "" } else { self.dialect.quote() };
                self.push_lines(text, prefix, prefix);
                self.end_block();
            }
            Kind::List { next, alternate } => {
                self.top().out.push_str(text);
                self.end_block();
                self.top().last_list = Some((next.is_some(), alternate));
            }
            Kind::Item => {
                let Some(list) = self.frames.last_mut() else {
                    return;
                };
                let Kind::List { next, alternate } = &mut list.kind else {
                    return;
                };
                let marker = self.dialect.marker(*next, *alternate);
                *next = next.map(|number| number.saturating_add(1));
                if !list.out.is_empty() {
                    list.out.push_str(if frame.loose { "\n\n" } else { "\n" });
                }
                let width = marker.chars().filter(|c| *c != '\\').count();
                self.push_lines(text, &marker, &" ".repeat(width));
            }
            Kind::Code { language } => {
                let code = frame.raw.trim_end_matches('\n');
                let literal = !self.dialect.nests() && self.within_quote_or_item();
                let block = if literal {
                    None
                } else {
                    self.dialect.code_block(&language, code)
                };
                let block = block.unwrap_or_else(|| {
                    let lines = code.lines().map(|line| self.dialect.text(line, true));
                    lines.collect::<Vec<_>>().join("\n")
                });
                self.top().out.push_str(&block);
                self.end_block();
            }
            Kind::Table { .. } => {
                self.top().out.push_str(text);
                self.end_block();
            }
            Kind::Row { cells } => {
                let row = cells.join(self.dialect.cell_border());
                let tables = self.dialect.tables();
                let table = &mut self.top().out;
                if !table.is_empty() {
                    table.push('\n');
                }
                table.push_str(if tables { "| " } else { "" });
                table.push_str(&row);
                table.push_str(if tables { " |" } else { "" });
            }
            Kind::Cell => {
                if let Kind::Row { cells } = &mut self.top().kind {
                    cells.push(text.to_owned());
                }
            }
            Kind::Label {
                url,
                image,
                outer,
                open,
            } => {
                self.outer = outer;
                self.open = open;
                let label = frame.out.trim();
                let raw = frame.raw.trim();
                let in_label = matches!(self.top().kind, Kind::Label { .. });
                let piece = match url {
                    Some(url) if image && !(in_label && !self.dialect.nests()) => {
                        self.dialect.image(label, raw, &url)
                    }
                    Some(url) if !image => self.dialect.link(label, raw, &url),
                    _ => label.to_owned(),
                };
                self.push_piece(&piece, raw);
            }
        }
    }

    fn within_quote_or_item(&self) -> bool {
        let holds = |frame: &Frame| matches!(frame.kind, Kind::Quote | Kind::Item);
        self.frames.iter().any(holds)
    }

    fn push_lines(&mut self, text: &str, first: &str, rest: &str) {
        let out = &mut self.top().out;
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                out.push('\n');
            }
            let prefix = if n == 0 { first } else { rest };
            if line.is_empty() {
                out.push_str(prefix.trim_end());
            } else {
                out.push_str(prefix);
                out.push_str(line);
            }
        }
    }

    fn begin_block(&mut self) {
        self.close_styles();
        let frame = self.top();
        if !frame.out.is_empty() {
            frame.out.push_str(if frame.loose { "\n\n" } else { "\n" });
        }
        frame.after_block = false;
    }

    fn end_block(&mut self) {
        self.close_styles();
        let frame = self.top();
        frame.out.truncate(frame.out.trim_end().len());
        frame.after_block = true;
        frame.last_list = None;
    }

    fn begin_inline(&mut self) {
        if self.top().after_block {
            self.begin_block();
        }
    }

    fn text(&mut self, text: &str) {
        if let Kind::Code { .. } = self.top().kind {
            self.top().raw.push_str(text);
            return;
        }
        self.begin_inline();
        let in_html = text.contains('\n');
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.line_break("\n");
            }
            let line = if in_html { line.trim() } else { line };
            let (space, words) = if self.dialect.nests() {
                ("", line)
            } else {
                line.split_at(line.len() - line.trim_start().len())
            };
            self.top().out.push_str(space);
            self.top().raw.push_str(space);
            if !words.is_empty() {
                self.open_styles();
                let at_line_start = self.at_line_start();
                let piece = self.dialect.text(words, at_line_start);
                let frame = self.top();
                frame.out.push_str(&piece);
                frame.raw.push_str(words);
            }
        }
    }

    fn code(&mut self, code: &str) {
        self.begin_inline();
        let in_quote = self.frames.iter().any(|f| matches!(f.kind, Kind::Quote));
        let spelled = if in_quote && !self.dialect.nests() {
            None
        } else {
            self.dialect.code(code)
        };
        match spelled {
            Some(mut piece) => {
                if !self.dialect.nests() {
                    self.close_styles();
                    self.top().out.push_str(&piece);
                    self.top().raw.push_str(code);
                    return;
                }
                if self.frames.iter().any(|f| matches!(f.kind, Kind::Cell)) {
                    piece = piece.replace('|', "\\|");
                }
                self.push_piece(&piece, code);
            }
            None => self.text(code),
        }
    }

    /// Adds a finished piece of a line.
    fn push_piece(&mut self, piece: &str, raw: &str) {
        if piece.is_empty() {
            return;
        }
        self.begin_inline();
        self.open_styles();
        let frame = self.top();
        frame.out.push_str(piece);
        frame.raw.push_str(raw);
    }

    fn line_break(&mut self, end: &str) {
        if !self.dialect.nests() {
            self.close_styles();
        }
        let one_line =
            self.in_heading || matches!(self.top().kind, Kind::Label { .. } | Kind::Cell);
        let frame = self.top();
        frame.raw.push(' ');
        frame.out.push_str(if one_line { " " } else { end });
    }

    fn at_line_start(&mut self) -> bool {
        let out = &self.top().out;
        out.is_empty() || out.ends_with('\n')
    }

    /// Writes the marks between the styles that are open and those that are wanted.
    fn open_styles(&mut self) {
        let (around, within) = self.wanted.split_at(self.outer.min(self.wanted.len()));
        let mut wanted: Vec<Style> = Vec::new();
        for style in within {
            if !around.contains(style) && !wanted.contains(style) {
                wanted.push(*style);
            }
        }
        let same = self.open.iter().zip(&wanted);
        let same = same
            .take_while(|((open, _), wanted)| open == *wanted)
            .count();
        self.close_styles_to(same);
        for style in wanted.into_iter().skip(same) {
            let after = self.top().out.chars().next_back();
            let mark = self.dialect.mark(style, after);
            self.top().out.push_str(mark);
            self.open.push((style, mark));
        }
    }

    fn close_styles(&mut self) {
        self.close_styles_to(0);
    }

    fn close_styles_to(&mut self, kept: usize) {
        while self.open.len() > kept {
            let Some((_, mark)) = self.open.pop() else {
                return;
            };
            // A mark after a space would not close.
            let out = &mut self.top().out;
            let end = out.trim_end().len();
            out.insert_str(end, mark);
        }
    }
}
