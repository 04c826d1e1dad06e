//! CommonMark, each construct in one spelling.

use super::{
    spelling::{Dialect, Style},
    with_backslashes,
};

pub(super) struct Markdown;

impl Dialect for Markdown {
    fn text(&self, text: &str, at_line_start: bool) -> String {
        line(text, at_line_start)
    }

    fn mark(&self, style: Style, before: &str, opened: bool) -> &'static str {
        // Marks of the same letter side by side would be taken for one; a star of the text has a backslash.
        let text = before.trim_end_matches('*');
        let escaped = text.trim_end_matches("\\\\").ends_with('\\');
        let touches = before.len() - text.len() > usize::from(escaped);
        match (style, touches) {
            (Style::Emphasis, false) => "*",
            (Style::Emphasis, true) => "_",
            // `***both***` is read as it is meant, and `__` would not close before a letter.
            (Style::Strong, true) if !opened => "__",
            (Style::Strong, _) => "**",
            (Style::Strike, _) => "~~",
        }
    }

    fn code(&self, code: &str) -> Option<String> {
        let fence = "`".repeat(longest_run(code) + 1);
        let spaced = code.starts_with([' ', '`']) || code.ends_with([' ', '`']);
        let pad = if spaced { " " } else { "" };
        Some(format!("{fence}{pad}{code}{pad}{fence}"))
    }

    fn code_block(&self, language: &str, code: &str) -> Option<String> {
        let fence = "`".repeat((longest_run(code) + 1).max(3));
        let end = if code.is_empty() { "" } else { "\n" };
        Some(format!("{fence}{language}\n{code}{end}{fence}"))
    }

    fn link(&self, label: &str, raw: &str, url: &str) -> String {
        if raw.is_empty() || raw == url {
            format!("<{url}>")
        } else {
            format!("[{label}]({})", target(url))
        }
    }

    fn image(&self, label: &str, _: &str, url: &str) -> String {
        format!("![{label}]({})", target(url))
    }

    fn heading(&self, level: usize) -> Option<String> {
        Some(format!("{} ", "#".repeat(level)))
    }

    fn marker(&self, number: Option<u64>, alternate: bool) -> String {
        match (number, alternate) {
            (None, false) => "- ".to_owned(),
            (None, true) => "* ".to_owned(),
            (Some(number), false) => format!("{number}. "),
            (Some(number), true) => format!("{number}) "),
        }
    }

    fn rule(&self) -> &'static str {
        "***"
    }

    fn hard_break(&self) -> &'static str {
        "\\\n"
    }

    fn nests(&self) -> bool {
        true
    }

    fn tables(&self) -> bool {
        true
    }
}

/// Literal text of several lines.
pub(super) fn escape(text: &str) -> String {
    let lines = text.split('\n').map(|text| line(text, true));
    lines.collect::<Vec<_>>().join("\n")
}

/// Literal text of one line. Addresses stay as they are, or they could not be clicked.
fn line(text: &str, at_line_start: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    if at_line_start {
        let space = text.len() - text.trim_start_matches([' ', '\t']).len();
        let (space, words) = text.split_at(space);
        out.push_str(space);
        rest = words;
        let digits = words.len() - words.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = words.split_at(digits);
        if words.starts_with(['#', '+', '-', '=']) {
            out.push('\\');
        } else if !number.is_empty() && after.starts_with(['.', ')']) {
            out.push_str(number);
            out.push('\\');
            rest = after;
        }
    }
    while let Some(start) = find_address(rest) {
        let (before, address) = rest.split_at(start);
        let end = address
            .find(|c: char| c.is_whitespace() || "<>\"[]()`\\|{}^*".contains(c))
            .unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        out.push_str(&with_backslashes(before, RESERVED));
        out.push_str(address);
        rest = after;
    }
    out.push_str(&with_backslashes(rest, RESERVED));
    out
}

const RESERVED: &str = "\\`*_[]<>~|&";

fn find_address(text: &str) -> Option<usize> {
    let found = |(at, _): &(usize, &str)| {
        let rest = text.get(at + "http".len()..).unwrap_or_default();
        rest.starts_with("://") || rest.starts_with("s://")
    };
    text.match_indices("http").find(found).map(|(at, _)| at)
}

fn longest_run(code: &str) -> usize {
    let runs = code.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

/// A link's address where Markdown expects one.
fn target(url: &str) -> String {
    if url.contains(['(', ')']) {
        format!("<{url}>")
    } else {
        url.to_owned()
    }
}
