//! X's weighted length: `twitter-text` configuration version 3.
//!
//! Source: `config/v3.json` of twitter/twitter-text (`scale` 100, `defaultWeight` 200, four ranges of 100),
//! counted here in whole characters.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{class::Pattern, emoji, url};

/// The weighted length; each address counts `url_length`, or its characters where that is `None`.
pub(super) fn count(text: &str, url_length: Option<usize>) -> usize {
    let text = normalized(text);
    let mut total = 0;
    let mut at = 0;
    if let Some(url_length) = url_length {
        for found in url::find(&text, Pattern::X) {
            if found.start < at {
                continue;
            }
            total += weigh(&text[at..found.start]) + url_length;
            let (end, left) = counted_end(&text, &found);
            total += left;
            at = end;
        }
    }
    total + weigh(&text[at..])
}

/// Where counting goes on behind an address, and what is left there of something that it cut in two.
fn counted_end(text: &str, found: &url::Found) -> (usize, usize) {
    if found.tail == found.host_end {
        return (found.end, 0);
    }
    // The reference skips as many UTF-16 units as the address has that it gives, even where it left
    // something out between host and path.
    let mut units = url::utf16_len(&text[found.start..found.host_end])
        + url::utf16_len(&text[found.tail..found.end]);
    let mut sequence = found.start;
    for (at, c) in text[found.start..].char_indices() {
        let here = found.start + at;
        if here >= sequence {
            if units == 0 {
                return (here, 0);
            }
            sequence = here + emoji::sequence_len(&text[here..]);
        }
        if units < c.len_utf16() {
            let next = if units == 0 {
                here
            } else {
                here + c.len_utf8()
            };
            let end = sequence.max(next);
            return (
                end,
                2 * units + text[next..end].chars().map(weight).sum::<usize>(),
            );
        }
        units -= c.len_utf16();
    }
    (text.len(), 0)
}

/// The text in NFC; a copy only where it is not.
fn normalized(text: &str) -> Cow<'_, str> {
    // Nothing before U+0300 (first byte 0xCC) composes, and most of what follows does not either.
    if text.bytes().all(|b| b < 0xCC) || text.chars().all(is_stable) {
        return Cow::Borrowed(text);
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfc().collect()),
    }
}

/// Characters of common scripts that normalising leaves alone, whatever follows.
fn is_stable(c: char) -> bool {
    matches!(
        c as u32,
        0..=0x2FF | 0x400..=0x482 | 0x48A..=0x58F | 0x5D0..=0x5EA | 0x61B..=0x64A | 0x660..=0x66F
            | 0x1E00..=0x1EFF | 0x2010..=0x2025 | 0x2027..=0x205E | 0x20A0..=0x20CF | 0x2190..=0x2ADB
            | 0x3001..=0x3029 | 0x3030..=0x3098 | 0x309D..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
            | 0xAC00..=0xD7A3 | 0xFE00..=0xFE0F | 0xFF01..=0xFFEF | 0x1F000..=0x1FAFF
    ) || c == '\u{200D}'
}

/// The weighted length of a text without addresses, in NFC.
fn weigh(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut total = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x80 {
            let run = bytes[at..]
                .iter()
                .position(|b| *b >= 0x80)
                .unwrap_or(bytes.len() - at);
            total += run;
            at += run;
            // A keycap begins with the last of them.
            if matches!(bytes.get(at..at + 2), Some([0xEF, 0xB8] | [0xE2, 0x83])) {
                let keycap = emoji::sequence_len(&text[at - 1..]);
                if keycap > 0 {
                    total += 1;
                    at += keycap - 1;
                }
            }
            continue;
        }
        let Some(c) = text[at..].chars().next() else {
            break;
        };
        let sequence = if may_begin_sequence(c) {
            emoji::sequence_len(&text[at..])
        } else {
            0
        };
        if sequence > 0 {
            total += 2;
            at += sequence;
        } else {
            total += weight(c);
            at += c.len_utf8();
        }
    }
    total
}

/// What one character counts.
fn weight(c: char) -> usize {
    match c as u32 {
        0..=0x10FF | 0x2000..=0x200D | 0x2010..=0x201F | 0x2032..=0x2037 => 1,
        _ => 2,
    }
}

/// Whether an emoji of several code points can begin with this character.
fn may_begin_sequence(c: char) -> bool {
    matches!(
        c as u32,
        0xA9 | 0xAE | 0x203C..=0x2BFF | 0x3030 | 0x303D | 0x3297 | 0x3299 | 0x1F000..=0x1FAFF
    )
}
