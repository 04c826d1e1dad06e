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
/// What the texts of a message have together, each with what it stands in. Slack documents no such limit, and refuses
/// (`msg_blocks_too_long`) 13,298 characters in one block, 125 fewer beside a divider (slackapi/bolt-js#2509), and 11,341 in
/// many blocks (#2867). So this stays below the least that was seen refused, and each block and field counts as a divider.
const MESSAGE: usize = 10_000;
const CONTAINER: usize = 125;
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

/// The blocks of a notice. Title, text and links come before facts where the message has not room for all.
pub(crate) fn blocks(notice: &Notice) -> Vec<Value> {
    let mut room = Room(MESSAGE);
    let mut blocks = Vec::new();
    if let Some(title) = room.take(notice.title.trim(), HEADER) {
        blocks.push(json!({"type": "header", "text": plain(&title)}));
    }
    if let Some(text) = room.take(notice.text.trim(), SECTION) {
        blocks.push(json!({"type": "section", "text": plain(&text)}));
    }
    let mut links = Vec::new();
    for (label, url) in &notice.links {
        let line = format!(
            "<{}|{}>",
            url.as_str().replace('|', "%7C"),
            escaped(label, FIELD).replace('|', "/")
        );
        let fits = line.chars().count() <= SECTION && blocks.len() + links.len() < BLOCKS;
        if fits && room.takes(line.encode_utf16().count()) {
            let text = json!({"type": "mrkdwn", "text": line});
            links.push(json!({"type": "section", "text": text}));
        }
    }
    for fields in notice.fields.chunks(FIELDS) {
        if blocks.len() + links.len() == BLOCKS || !room.takes(0) {
            break;
        }
        let fields: Vec<Value> = fields
            .iter()
            .map(|(name, value)| format!("{}: {value}", cut(name, FIELD / 4)))
            .map_while(|fact| room.take(&fact, FIELD))
            .map(|fact| plain(&fact))
            .collect();
        if !fields.is_empty() {
            blocks.push(json!({"type": "section", "fields": fields}));
        }
    }
    blocks.append(&mut links);
    blocks
}

/// What is left of the message.
struct Room(usize);

impl Room {
    /// Whether there was room for a container with so much in it; then it is taken.
    fn takes(&mut self, length: usize) -> bool {
        let left = self.0.checked_sub(CONTAINER + length);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// The text, cut to its limit and to what is left.
    fn take(&mut self, text: &str, limit: usize) -> Option<String> {
        let left = self.0.saturating_sub(CONTAINER);
        let text = Some(cut(text, limit.min(left))).filter(|text| !text.is_empty())?;
        self.takes(text.chars().map(counted).sum()).then_some(text)
    }
}

/// Nothing in it is read as markup.
fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}

fn escaped(text: &str, limit: usize) -> String {
    escape(&cut(text, limit), Markup::Mrkdwn)
}

/// A character's length when it is escaped: so Slack keeps all text, and does not say which it counts, nor in which unit.
/// UTF-16 is never fewer than the others.
fn counted(c: char) -> usize {
    match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        c => c.len_utf16(),
    }
}

/// As much of it as counts for at most `limit`.
fn cut(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let Some(mut room) = limit.checked_sub(1) else {
        return out;
    };
    for c in text.chars() {
        let needed = counted(c);
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
    fn a_message_keeps_what_matters_when_it_is_too_long_in_sum() {
        let mut notice = Notice::new("T", "&".repeat(500));
        for n in 0..7 {
            notice = notice.field(n.to_string(), "x".repeat(1990));
        }
        let url = automarket_core::Url::parse("https://example.com/").unwrap();
        notice.links.push(("open".into(), url));
        let blocks = blocks(&notice);
        let shown: Vec<usize> = blocks[2]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fact| fact["text"].as_str().unwrap().chars().count())
            .collect();
        assert_eq!(shown[..2], [1993, 1993]);
        assert!(shown.len() == 4 && shown[3] < 1000, "{shown:?}");
        assert!(
            blocks[2]["fields"][3]["text"]
                .as_str()
                .unwrap()
                .ends_with('…')
        );
        assert!(
            blocks[3]["text"]["text"]
                .as_str()
                .unwrap()
                .contains("|open>")
        );
        // Facts push no link out.
        let mut linked = Notice::new("T", "x").field("a", "b");
        let url = automarket_core::Url::parse("https://example.com/").unwrap();
        linked.links = vec![("open".into(), url); 48];
        let shown = super::blocks(&linked);
        assert_eq!(shown.len(), BLOCKS);
        assert!(shown.iter().all(|block| block["fields"].is_null()));
        // Many small ones are not without weight.
        let many = (0..500).fold(Notice::new("T", ""), |notice, n| {
            notice.field(n.to_string(), "x")
        });
        let facts = super::blocks(&many)
            .iter()
            .filter_map(|block| block["fields"].as_array().map(Vec::len))
            .sum::<usize>();
        assert!((60..80).contains(&facts), "{facts}");
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
