//! A notice as Block Kit: plain text escaped, every part cut to Slack's limits.
//!
//! Limits: docs.slack.dev, block reference: 50 blocks, header 150, section 3,000, field 2,000, 10 fields.

use automarket_core::Notice;
use serde_json::{Value, json};

const HEADER: usize = 150;
const SECTION: usize = 3000;
const FIELD: usize = 2000;
const FIELDS: usize = 10;
const BLOCKS: usize = 50;
/// What notifications and screen readers get; Slack recommends 4,000 at the most.
const FALLBACK: usize = 4000;

/// The text for notifications and screen readers.
pub(crate) fn fallback(notice: &Notice) -> String {
    let parts = [notice.title.trim(), notice.text.trim()];
    let whole = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    escaped(&whole, FALLBACK)
}

/// The blocks of a notice.
pub(crate) fn blocks(notice: &Notice) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !notice.title.trim().is_empty() {
        blocks.push(json!({"type": "header", "text": {"type": "plain_text", "text": clipped(notice.title.trim(), HEADER)}}));
    }
    if !notice.text.trim().is_empty() {
        blocks.push(section(&escaped(notice.text.trim(), SECTION)));
    }
    for fields in notice.fields.chunks(FIELDS) {
        let fields: Vec<Value> = fields
            .iter()
            .map(|(name, value)| {
                let name = escaped(name, FIELD / 4);
                let value = escaped(value, FIELD / 2);
                json!({"type": "mrkdwn", "text": format!("*{name}*\n{value}")})
            })
            .collect();
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    for (label, url) in &notice.links {
        let line = format!(
            "<{}|{}>",
            url.as_str().replace('|', "%7C"),
            escaped(label, FIELD).replace('|', "/")
        );
        if line.chars().count() <= SECTION {
            blocks.push(section(&line));
        }
    }
    blocks.truncate(BLOCKS);
    blocks
}

fn section(mrkdwn: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn}})
}

/// Escapes what Slack reads as markup, and cuts so that the escaped text has at most `limit` characters.
fn escaped(text: &str, limit: usize) -> String {
    cut(text, limit, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    })
}

fn clipped(text: &str, limit: usize) -> String {
    cut(text, limit, |c, out| out.push(c))
}

/// Slack does not say in which unit it counts; UTF-16 is never fewer than the others.
fn cut(text: &str, limit: usize, write: impl Fn(char, &mut String)) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let mut out = String::new();
    let mut room = limit - 1;
    let mut piece = String::new();
    for c in text.chars() {
        piece.clear();
        write(c, &mut piece);
        let needed = length(&piece);
        if needed > room {
            out.push('…');
            return out;
        }
        room -= needed;
        out.push_str(&piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_text_cannot_write_markup_or_break_a_limit() {
        let notice = Notice::new("T".repeat(500), "<!channel> & ".repeat(1000))
            .field("<a>", "b>".repeat(3000));
        let blocks = blocks(&notice);
        assert_eq!(
            blocks[0]["text"]["text"].as_str().unwrap().chars().count(),
            HEADER
        );
        let body = blocks[1]["text"]["text"].as_str().unwrap();
        assert!(body.starts_with("&lt;!channel&gt; &amp; ") && body.ends_with('…'));
        assert!(body.encode_utf16().count() <= SECTION);
        assert!(!body.contains(['<', '>']));
        assert!(
            blocks[2]["fields"][0]["text"]
                .as_str()
                .unwrap()
                .encode_utf16()
                .count()
                <= FIELD
        );
    }

    #[test]
    fn many_facts_are_parted_into_sections_of_ten() {
        let notice = (0..25).fold(Notice::new("t", ""), |notice, n| {
            notice.field(n.to_string(), "x")
        });
        let sections = blocks(&notice);
        let counts: Vec<usize> = sections[1..]
            .iter()
            .map(|block| block["fields"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [10, 10, 5]);
    }
}
