//! Walks a parsed document once and lays out its blocks; a dialect only says how each piece is spelled.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Tag, TagEnd};

use super::{
    frame::{Block, Frame, Kind},
    language, link_target,
    spelling::{Dialect, Style},
};

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
                self.begin_block(Block::Other);
                let rule = self.dialect.rule();
                self.top().out.push_str(rule);
                self.end_block();
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => {
                self.top().spaced = true;
                self.begin_block(Block::Other);
            }
            Tag::Heading { level, .. } => {
                self.begin_block(Block::Other);
                self.in_heading = true;
                match self.dialect.heading(level as usize) {
                    Some(prefix) => self.top().out.push_str(&prefix),
                    None => self.wanted.push(Style::Strong),
                }
            }
            Tag::BlockQuote(_) => self.enter(Kind::Quote, Block::Quote),
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => language(info).to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.enter(Kind::Code { language }, Block::Other);
            }
            Tag::List(next) => {
                let ordered = next.is_some();
                let after = Block::List {
                    ordered,
                    alternate: false,
                };
                let alternate = self.top().last == after;
                self.enter(
                    Kind::List {
                        next,
                        alternate,
                        items: Vec::new(),
                    },
                    Block::List { ordered, alternate },
                );
            }
            Tag::Item => self.frames.push(Frame::new(Kind::Item)),
            Tag::Table(columns) => self.enter(
                Kind::Table {
                    columns: columns.len(),
                },
                Block::Table,
            ),
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
    fn enter(&mut self, kind: Kind, block: Block) {
        self.begin_block(block);
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
                let quoted = prefixed(text, prefix, prefix);
                self.top().out.push_str(&quoted);
                self.end_block();
            }
            Kind::List { items, .. } => {
                let between = if frame.spaced { "\n\n" } else { "\n" };
                self.top().out.push_str(&items.join(between));
                self.end_block();
            }
            Kind::Item => {
                let Kind::List {
                    next, alternate, ..
                } = &mut self.top().kind
                else {
                    return;
                };
                let (number, alternate) = (*next, *alternate);
                *next = next.map(|number| number.saturating_add(1));
                let marker = self.dialect.marker(number, alternate);
                let width = marker.chars().filter(|c| *c != '\\').count();
                let item = prefixed(text, &marker, &" ".repeat(width));
                let list = self.top();
                list.spaced |= frame.spaced;
                if let Kind::List { items, .. } = &mut list.kind {
                    items.push(item);
                }
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
                // A picture is a link where styles do not nest, and no link holds another.
                let link = |frame: &Frame| matches!(frame.kind, Kind::Label { url: Some(_), .. });
                let linked = self.dialect.nests() || !self.frames.iter().any(link);
                let piece = match url {
                    Some(url) if image && linked => self.dialect.image(label, raw, &url),
                    Some(url) if linked => self.dialect.link(label, raw, &url),
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

    fn begin_block(&mut self, block: Block) {
        self.close_styles();
        let frame = self.top();
        if !frame.out.is_empty() {
            let joins = match block {
                Block::Quote => frame.last == Block::Quote,
                Block::Table => frame.last != Block::Other,
                Block::List { .. } | Block::Other => false,
            };
            let apart = frame.spaced || joins;
            frame.out.push_str(if apart { "\n\n" } else { "\n" });
        }
        frame.after_block = false;
        frame.last = block;
    }

    fn end_block(&mut self) {
        self.close_styles();
        let frame = self.top();
        frame.out.truncate(frame.out.trim_end().len());
        frame.after_block = true;
    }

    fn begin_inline(&mut self) {
        if self.top().after_block {
            self.begin_block(Block::Other);
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
        // A mark behind the backslash of a break would be escaped by it.
        if end != "\n" {
            let wanted = |(style, _): &&(Style, &str)| self.wanted.contains(style);
            let kept = self.open.iter().take_while(wanted).count();
            self.close_styles_to(kept);
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
        for (n, style) in wanted.into_iter().skip(same).enumerate() {
            let mark = self.dialect.mark(style, &self.top().out, n > 0);
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

/// `text` with something before its first and before every other line.
fn prefixed(text: &str, first: &str, rest: &str) -> String {
    let mut out = String::with_capacity(text.len() + first.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let prefix = if n == 0 { first } else { rest };
        out.push_str(if line.is_empty() {
            prefix.trim_end()
        } else {
            prefix
        });
        out.push_str(line);
    }
    out
}
