//! No formatting.

use super::{
    little_text,
    spelling::{Dialect, Style},
};

pub(super) struct Plain {
    /// Whether links to LinkedIn members and organisations are kept as mentions.
    pub(super) mentions: bool,
}

impl Dialect for Plain {
    fn text(&self, text: &str, _: bool) -> String {
        text.to_owned()
    }

    fn mark(&self, _: Style, _: &str, _: bool) -> &'static str {
        ""
    }

    fn code(&self, code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    fn code_block(&self, _: &str, code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    fn takes_mention(&self, target: &str) -> bool {
        self.mentions && little_text::is_mentionable(target)
    }

    fn link(&self, label: &str, raw: &str, url: &str) -> String {
        if self.takes_mention(url) {
            return format!("[{raw}]({url})");
        }
        let shown = url.strip_prefix("mailto:").unwrap_or(url);
        let short = shown
            .strip_prefix("https://")
            .or_else(|| shown.strip_prefix("http://"));
        let short = short.unwrap_or(shown).trim_end_matches('/');
        if raw.is_empty() || raw == shown || raw.trim_end_matches('/') == short {
            shown.to_owned()
        } else {
            format!("{label} ({shown})")
        }
    }

    fn heading(&self, _: usize) -> Option<String> {
        Some(String::new())
    }

    fn marker(&self, number: Option<u64>, _: bool) -> String {
        number.map_or_else(|| "• ".to_owned(), |number| format!("{number}. "))
    }
}
