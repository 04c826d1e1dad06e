//! A notice as Block Kit: its words as `plain_text`, every part cut to Slack's limits.
//!
//! In `mrkdwn` nothing escapes `*`, `_` and `~`, and names of channels become links.
//!
//! Limits: docs.slack.dev, block reference: 50 blocks, header 150, section 3,000, field 2,000, 10 fields, whatever the
//! text's type.

use automarket_core::{Notice, profile::Markup, text::escape};
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
        blocks.push(json!({"type": "header", "text": plain(notice.title.trim(), HEADER)}));
    }
    if !notice.text.trim().is_empty() {
        blocks.push(json!({"type": "section", "text": plain(notice.text.trim(), SECTION)}));
    }
    for fields in notice.fields.chunks(FIELDS) {
        let fields: Vec<Value> = fields
            .iter()
            .map(|(name, value)| plain(&format!("{}: {value}", cut(name, FIELD / 4)), FIELD))
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
            let text = json!({"type": "mrkdwn", "text": line});
            blocks.push(json!({"type": "section", "text": text}));
        }
    }
    blocks.truncate(BLOCKS);
    blocks
}

/// Nothing in it is read as markup.
fn plain(text: &str, limit: usize) -> Value {
    json!({"type": "plain_text", "text": cut(text, limit)})
}

fn escaped(text: &str, limit: usize) -> String {
    escape(&cut(text, limit), Markup::Mrkdwn)
}

/// As much of it as has at most `limit` characters when it is escaped: so Slack keeps all text, and does not say which
/// it counts, nor in which unit. UTF-16 is never fewer than the others.
fn cut(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut room = limit - 1;
    for c in text.chars() {
        let needed = match c {
            '&' => "&amp;".len(),
            '<' | '>' => "&lt;".len(),
            c => c.len_utf16(),
        };
        if needed > room {
            out.push('…');
            return out;
        }
        room -= needed;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_text_cannot_write_markup_or_break_a_limit() {
        let shout = "<!channel> & ".repeat(1000);
        let mut notice = Notice::new("T".repeat(500), &shout).field("<a>", "b>".repeat(3000));
        let url = automarket_core::Url::parse("https://example.com/").unwrap();
        notice.links.push((shout, url));
        let blocks = blocks(&notice);
        assert_eq!(
            blocks[0]["text"]["text"].as_str().unwrap().chars().count(),
            HEADER
        );
        let length = |text: &Value| {
            escape(text.as_str().unwrap(), Markup::Mrkdwn)
                .chars()
                .count()
        };
        let body = &blocks[1]["text"];
        assert!(body["text"].as_str().unwrap().starts_with("<!channel> & "));
        assert!(body["text"].as_str().unwrap().ends_with('…'));
        assert_eq!(body["type"], "plain_text");
        assert!(length(&body["text"]) <= SECTION);
        assert!(length(&blocks[2]["fields"][0]["text"]) <= FIELD);
        // What is read as markup is escaped: notifications, and links.
        let texts = [fallback(&notice), blocks[3]["text"]["text"].to_string()];
        for text in texts {
            assert!(text.contains("&lt;!channel&gt; &amp; "), "{text}");
            assert!(!text.contains("<!"), "{text}");
        }
    }

    #[test]
    fn no_mark_mention_or_channel_is_read_in_it() {
        let text = "Code *A1* or _B2_, ~10~ & <!here> in #general";
        let blocks = blocks(&Notice::new(text, text).field("*x*", text));
        let objects = [
            &blocks[0]["text"],
            &blocks[1]["text"],
            &blocks[2]["fields"][0],
        ];
        for object in objects {
            assert_eq!(object["type"], "plain_text");
            assert!(object["text"].as_str().unwrap().ends_with(text), "{object}");
        }
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
