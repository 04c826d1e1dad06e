//! LinkedIn's little text: a reserved character that is left bare cuts the post off without an error.

use super::with_backslashes;

const RESERVED: &str = "\\|{}@[]()<>#*_~";

/// No name or URN has more characters than this.
const MAX_NAME: usize = 200;

/// Escapes every reserved character; hashtags and mentions stay what they are.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut before = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let element = match c {
            '#' if !before.is_some_and(is_word) => hashtag(rest),
            '@' => mention(rest),
            _ => None,
        };
        let taken = if let Some((length, element)) = element {
            out.push_str(&element);
            length
        } else {
            if RESERVED.contains(c) {
                out.push('\\');
            }
            out.push(c);
            c.len_utf8()
        };
        let (done, left) = rest.split_at(taken);
        before = done.chars().next_back();
        rest = left;
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A hashtag at the start of `text`: its length, and how it is written.
fn hashtag(text: &str) -> Option<(usize, String)> {
    let word = text.strip_prefix('#')?;
    let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
    let word = word.get(..end)?;
    if !word.contains(char::is_alphabetic) {
        return None;
    }
    let element = if word.contains('_') {
        format!("{{hashtag|\\#|{}}}", with_backslashes(word, RESERVED))
    } else {
        format!("#{word}")
    };
    Some((1 + word.len(), element))
}

/// A mention at the start of `text`, `@[Name](urn:li:person:1)`: its length, and how it is written.
fn mention(text: &str) -> Option<(usize, String)> {
    let name = text.strip_prefix("@[")?;
    let end = name
        .char_indices()
        .take(MAX_NAME)
        .find(|(_, c)| "[]\n".contains(*c))?
        .0;
    let (name, rest) = name.split_at(end);
    let rest = rest.strip_prefix("](")?;
    let end = rest
        .char_indices()
        .take(MAX_NAME)
        .find(|(_, c)| *c == ')')?
        .0;
    let (urn, _) = rest.split_at(end);
    if name.is_empty() || !is_mentionable(urn) {
        return None;
    }
    let element = format!("@[{}]({urn})", with_backslashes(name, RESERVED));
    Some((name.len() + urn.len() + "@[]()".len(), element))
}

/// Whether this is the URN of a member or an organisation.
pub(super) fn is_mentionable(urn: &str) -> bool {
    let id = urn
        .strip_prefix("urn:li:person:")
        .or_else(|| urn.strip_prefix("urn:li:organization:"));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    id.is_some_and(|id| !id.is_empty() && id.chars().all(plain))
}
