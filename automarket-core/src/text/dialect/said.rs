//! Only what a document says: words, code, and the words of its pictures.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::spelling::{Dialect, Style};

/// Links and pictures as their words, wherever they lead.
pub(super) fn words(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link { .. }) => Event::Text("[".into()),
        Event::Start(Tag::Image { .. }) => Event::Text("![".into()),
        Event::End(TagEnd::Link) => Event::Text("".into()),
        Event::End(TagEnd::Image) => Event::Text("]".into()),
        event => event,
    }
}

/// No addresses, numbers of lists, nor marks that may stand within a number: what `**49**.50` and `[49](/plan).50`
/// leave of it would be another one. What begins a number anew stays: `~~99~~79`, a footnote's `99[1](#one)`.
pub(super) struct Said;

impl Dialect for Said {
    fn text(&self, text: &str, at_line_start: bool) -> String {
        let number = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at_checked(number).unwrap_or((text, ""));
        // The words' own number stays apart from those of lists, as in Markdown.
        let own = at_line_start && number > 0 && rest.starts_with(['.', ')']);
        if own && matches!(rest.as_bytes().get(1), None | Some(b' ')) {
            return format!("{digits}\\{rest}");
        }
        text.to_owned()
    }

    fn mark(&self, style: Style, _: &str, _: bool) -> &'static str {
        match style {
            Style::Strike => "~~",
            Style::Emphasis | Style::Strong => "",
        }
    }

    fn code(&self, code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    fn code_block(&self, _: &str, code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    fn link(&self, label: &str, _: &str, _: &str) -> String {
        label.to_owned()
    }

    fn heading(&self, _: usize) -> Option<String> {
        Some(String::new())
    }

    fn marker(&self, _: Option<u64>, _: bool) -> String {
        "• ".to_owned()
    }
}
