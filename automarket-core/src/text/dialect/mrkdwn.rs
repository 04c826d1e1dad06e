//! Slack's mrkdwn.

use super::spelling::{Dialect, Style};

pub(super) struct Mrkdwn;

impl Dialect for Mrkdwn {
    fn text(&self, text: &str, _: bool) -> String {
        escape(text)
    }

    fn mark(&self, style: Style, _: &str, _: bool) -> &'static str {
        match style {
            Style::Emphasis => "_",
            Style::Strong => "*",
            Style::Strike => "~",
        }
    }

    fn code(&self, code: &str) -> Option<String> {
        // A backtick within code cannot be written.
        (!code.contains('`')).then(|| format!("`{}`", escape(code)))
    }

    fn code_block(&self, _: &str, code: &str) -> Option<String> {
        (!code.contains("```")).then(|| format!("```\n{}\n```", escape(code)))
    }

    fn link(&self, label: &str, raw: &str, url: &str) -> String {
        let url = escape(url);
        if raw.is_empty() || label == url {
            format!("<{url}>")
        } else {
            format!("<{url}|{label}>")
        }
    }

    fn heading(&self, _: usize) -> Option<String> {
        None
    }

    fn marker(&self, number: Option<u64>, _: bool) -> String {
        number.map_or_else(|| "• ".to_owned(), |number| format!("{number}. "))
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
