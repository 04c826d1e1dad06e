//! Where a top-level domain ends.

use super::tlds::{ASCII, CASED, UNCASED};

/// The end of the top-level domain that begins at `at`, if one does. A name must not run on in an ASCII
/// letter, a digit, `@`, `+` or `-`; an encoded name (`xn--...`) may be any.
pub(super) fn end(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let bytes = rest.as_bytes();
    let letters = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let next = bytes.get(letters).copied();
    if !next.unwrap_or(b' ').is_ascii() {
        // A name with other letters, or an ASCII name before them.
        let first = rest.chars().next()?;
        let international = if first.is_lowercase() || first.is_uppercase() {
            CASED.iter().find_map(|name| cased_len(rest, name))
        } else {
            uncased(first).iter().find_map(|name| {
                let next = rest.strip_prefix(name)?.as_bytes().first().copied();
                (!goes_on(next)).then_some(name.len())
            })
        };
        if let Some(len) = international {
            return Some(at + len);
        }
    }
    if letters > 0 && !goes_on(next) && is_ascii_name(&rest[..letters]) {
        return Some(at + letters);
    }
    if letters == 2
        && rest
            .get(..4)
            .is_some_and(|p| p.eq_ignore_ascii_case("xn--"))
    {
        let name = bytes
            .iter()
            .skip(4)
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
            .count();
        return (name > 0).then_some(at + 4 + name);
    }
    None
}

fn goes_on(next: Option<u8>) -> bool {
    next.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'+' | b'-'))
}

/// The names without case that begin with this letter.
fn uncased(first: char) -> &'static [&'static str] {
    let from = UNCASED.partition_point(|name| name.chars().next() > Some(first));
    let names = UNCASED.get(from..).unwrap_or_default();
    let count = names
        .iter()
        .take_while(|name| name.starts_with(first))
        .count();
    names.get(..count).unwrap_or_default()
}

fn is_ascii_name(letters: &str) -> bool {
    let mut lower = [0_u8; 24];
    let Some(lower) = lower.get_mut(..letters.len()) else {
        return false;
    };
    lower.copy_from_slice(letters.as_bytes());
    lower.make_ascii_lowercase();
    ASCII
        .binary_search_by(|name| name.as_bytes().cmp(lower))
        .is_ok()
}

/// The bytes of `name` in any case at the beginning of `rest`.
fn cased_len(rest: &str, name: &str) -> Option<usize> {
    let mut chars = rest.char_indices();
    for wanted in name.chars() {
        let (_, found) = chars.next()?;
        let same = found == wanted
            || (found.is_ascii() == wanted.is_ascii() && upper(found) == upper(wanted));
        if !same {
            return None;
        }
    }
    let len = chars.next().map_or(rest.len(), |(at, _)| at);
    (!goes_on(rest.as_bytes().get(len).copied())).then_some(len)
}

/// Upper case where that is one character and does not turn a foreign letter into an ASCII one.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if c.is_ascii() || !one.is_ascii() => one,
        _ => c,
    }
}
