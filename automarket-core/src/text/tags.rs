//! Finding hashtags, mentions and cashtags, with the answers of X's reference (`twitter-text` 3.1.0).

use unicode_normalization::char::is_combining_mark;

use super::class::{ends_cashtag, is_latin_exact, is_space};
use super::letters::{DIGITS, LETTERS};

/// Longest name of a mention; the reference takes no more and leaves the rest.
const MAX_NAME: usize = 20;
/// Longest name of a list behind a mention, its first letter not counted.
const MAX_LIST: usize = 24;

/// A tag or name with its marker. Offsets are bytes.
pub(super) type Span = (usize, usize);

/// Hashtags.
pub(super) fn hashtags(text: &str) -> Vec<Span> {
    let mut tags = Vec::new();
    let mut from = 0;
    for (at, sign) in text.match_indices(['#', '＃']) {
        let before = text[from.min(at)..at].chars().next_back();
        let border = at == 0
            || before
                .is_some_and(|c| matches!(c, '\u{FE0E}' | '\u{FE0F}') || !(c == '&' || is_tag(c)));
        let name = at + sign.len();
        if !border || at < from || text[name..].starts_with(['\u{FE0F}', '\u{20E3}']) {
            continue;
        }
        let end = text[name..]
            .find(|c| !is_tag(c))
            .map_or(text.len(), |len| name + len);
        if text[name..end].chars().any(is_letter) {
            from = end;
            let after = &text[end..];
            if !after.starts_with(['#', '＃']) && !after.starts_with("://") {
                tags.push((at, end));
            }
        }
    }
    tags
}

/// Mentions; `true` where a list follows the name (`@name/list`), which is no mention.
pub(super) fn mentions(text: &str) -> Vec<(Span, bool)> {
    let mut names = Vec::new();
    let mut from = 0;
    for (at, sign) in text.match_indices(['@', '＠']) {
        if at < from || !may_precede_mention(&text[from..at], from == 0) {
            continue;
        }
        let start = at + sign.len();
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let len = text
            .bytes()
            .skip(start)
            .take(MAX_NAME)
            .take_while(is_name)
            .count();
        if len == 0 {
            continue;
        }
        let name_end = start + len;
        let list = list_len(&text.as_bytes()[name_end..]);
        from = name_end + list;
        let after = &text[from..];
        let refused = after.starts_with(['@', '＠']) || after.starts_with("://");
        if !refused && !after.chars().next().is_some_and(is_latin_exact) {
            names.push(((at, from), list > 0));
        }
    }
    names
}

/// Mentions of accounts on other servers (`@name@domain`), with the place of the second `@`. These are
/// Mastodon's (`MENTION_RE` of its accounts).
pub(super) fn remote_mentions(text: &str) -> Vec<(Span, usize)> {
    // Words with full stops and hyphens between them.
    let words = |from: usize, is_word: &dyn Fn(char) -> bool| {
        let is_joint = |c: char| matches!(c, '.' | '-');
        let rest = &text[from..];
        let end = rest.find(|c| !is_word(c) && !is_joint(c));
        let run = &rest[..end.unwrap_or(rest.len())];
        let length = run.trim_end_matches(is_joint).len();
        Some(from + length).filter(|_| length > 0 && run.starts_with(is_word))
    };
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        let refused = |c: char| matches!(c, '=' | '/') || is_word(c);
        if at < from || text[..at].ends_with(refused) {
            continue;
        }
        let Some(name) = words(at + 1, &|c| c.is_ascii_alphanumeric() || c == '_') else {
            continue;
        };
        if text[name..].starts_with('@')
            && let Some(end) = words(name + 1, &is_word)
        {
            found.push(((at, end), name));
            from = end;
        }
    }
    found
}

/// Cashtags.
pub(super) fn cashtags(text: &str) -> Vec<Span> {
    let mut tags = Vec::new();
    for (at, _) in text.match_indices('$') {
        if !text[..at].chars().next_back().is_none_or(is_space) {
            continue;
        }
        let bytes = text.as_bytes().get(at + 1..).unwrap_or_default();
        let letters = |skip: usize, most: usize| {
            bytes
                .iter()
                .skip(skip)
                .take(most)
                .take_while(|b| b.is_ascii_alphabetic())
                .count()
        };
        let ends = |len: usize| text[at + 1 + len..].chars().next().is_none_or(ends_cashtag);
        let symbol = letters(0, 6);
        let class = match bytes.get(symbol) {
            Some(b'.' | b'_') => letters(symbol + 1, 2),
            _ => 0,
        };
        if symbol > 0 && class > 0 && ends(symbol + 1 + class) {
            tags.push((at, at + 2 + symbol + class));
        } else if symbol > 0 && ends(symbol) {
            tags.push((at, at + 1 + symbol));
        }
    }
    tags
}

/// Whether a mention may follow `before`; `whole` if the text begins with it.
fn may_precede_mention(before: &str, whole: bool) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match before.chars().next_back() {
        None => whole,
        Some(c) if !name(c) && !matches!(c, '!' | '#' | '$' | '%' | '&' | '*' | '@' | '＠') => {
            true
        }
        Some(_) => {
            // `RT@name` is one, if `RT` is a word.
            let Some(at) = before.len().checked_sub(2) else {
                return false;
            };
            before
                .get(at..)
                .is_some_and(|end| end.eq_ignore_ascii_case("rt"))
                && match before[..at].chars().next_back() {
                    None => whole,
                    Some(c) => !name(c) && !matches!(c, '+' | '~' | '.' | '-'),
                }
        }
    }
}

/// Ruby's `[[:word:]]`: letters, marks (also an accent of its own behind its letter), numbers and connectors.
fn is_word(c: char) -> bool {
    let connects = matches!(
        c,
        '_' | '\u{203F}' | '\u{2040}' | '\u{2054}' | '\u{FE33}' | '\u{FE34}' | '\u{FE4D}'
            ..='\u{FE4F}' | '\u{FF3F}'
    );
    c.is_alphanumeric() || connects || is_combining_mark(c)
}

/// The bytes of `/list` at the beginning.
fn list_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'/', first, rest @ ..] if first.is_ascii_alphabetic() => {
            let more = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            2 + rest.iter().take(MAX_LIST).take_while(more).count()
        }
        _ => 0,
    }
}

fn is_tag(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || within(DIGITS, c)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || within(LETTERS, c)
}

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let code = c as u32;
    let at = ranges.partition_point(|&(_, last)| last < code);
    ranges.get(at).is_some_and(|&(first, _)| first <= code)
}
