//! Telegram's MarkdownV2.

use super::{
    spelling::{Dialect, Style},
    with_backslashes,
};

pub(super) struct MarkdownV2;

impl Dialect for MarkdownV2 {
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
        Some(format!("`{}`", with_backslashes(code, "`\\")))
    }

    fn code_block(&self, language: &str, code: &str) -> Option<String> {
        Some(format!(
            "```{language}\n{}\n```",
            with_backslashes(code, "`\\")
        ))
    }

    fn link(&self, label: &str, raw: &str, url: &str) -> String {
        if raw.is_empty() {
            return escape(url);
        }
        format!("[{label}]({})", with_backslashes(url, ")\\"))
    }

    fn heading(&self, _: usize) -> Option<String> {
        None
    }

    fn marker(&self, number: Option<u64>, _: bool) -> String {
        number.map_or_else(|| "• ".to_owned(), |number| format!("{number}\\. "))
    }

    fn quote(&self) -> &'static str {
        ">"
    }

    fn cell_border(&self) -> &'static str {
        " \\| "
    }
}

pub(super) fn escape(text: &str) -> String {
    with_backslashes(text, "\\_*[]()~`>#+-=|{}.!")
}
