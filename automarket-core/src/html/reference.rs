//! Character references, as the HTML standard resolves them: old names and numbers need no semicolon.

use std::borrow::Cow;

use markup5ever::data::{C1_REPLACEMENTS, NAMED_ENTITIES};

/// The longest name, and the longest of those that need no semicolon.
const MAX_NAME: usize = 31;
const MAX_OLD_NAME: usize = 6;

/// A text with its character references resolved.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    resolve(text, false)
}

/// An attribute's value with its character references resolved. A name without semicolon is none where more
/// follows it: `?a=1&copy=2` is an address.
pub(super) fn decode_value(value: &str) -> Cow<'_, str> {
    resolve(value, true)
}

fn resolve(text: &str, is_value: bool) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        let found = match after.strip_prefix('#') {
            Some(number) => numeric(number).map(|(point, length)| ((point, 0), 1 + length)),
            None => named(after, is_value),
        };
        if let Some(((first, second), length)) = found {
            let points = [first, second].into_iter().filter(|point| *point != 0);
            out.extend(points.filter_map(char::from_u32));
            rest = after.get(length..).unwrap_or_default();
        } else {
            out.push('&');
        }
    }
    out.push_str(rest);
    out.into()
}

/// The code point of a number behind `&#`, and its length.
fn numeric(text: &str) -> Option<(u32, usize)> {
    let (mark, radix) = match text.strip_prefix(['x', 'X']) {
        Some(_) => (1, 16),
        None => (0, 10),
    };
    let tail = text.get(mark..)?;
    let end = tail.find(|c: char| !c.is_digit(radix));
    let digits = tail.get(..end.unwrap_or(tail.len()))?;
    if digits.is_empty() {
        return None;
    }
    let point = match u32::from_str_radix(digits, radix) {
        // What old pages name so is meant in Windows-1252.
        Ok(point @ 0x80..=0x9f) => C1_REPLACEMENTS
            .get(point as usize - 0x80)
            .copied()
            .flatten()
            .map_or(point, u32::from),
        Ok(point) if point != 0 && char::from_u32(point).is_some() => point,
        _ => u32::from(char::REPLACEMENT_CHARACTER),
    };
    let ended = usize::from(tail[digits.len()..].starts_with(';'));
    Some((point, mark + digits.len() + ended))
}

/// The code points of the longest name that stands here, and its length.
fn named(text: &str, is_value: bool) -> Option<((u32, u32), usize)> {
    // The table holds the beginnings of its names too, as nothing.
    let find = |end: usize| {
        let points = NAMED_ENTITIES.get(text.get(..end)?)?;
        (points.0 != 0).then_some((*points, end))
    };
    let letters = text.bytes().take(MAX_NAME);
    let run = letters.take_while(u8::is_ascii_alphanumeric).count();
    if text[run..].starts_with(';')
        && let Some(found) = find(run + 1)
    {
        return Some(found);
    }
    let found = (1..=run.min(MAX_OLD_NAME)).rev().find_map(find);
    let goes_on = |c: char| c == '=' || c.is_ascii_alphanumeric();
    found.filter(|(_, end)| !is_value || !text[*end..].starts_with(goes_on))
}
