//! Emoji sequences, as X's reference knows them.
//!
//! Source: the pattern of npm `twemoji-parser` 11.0.2, which `twitter-text` 3.1.0 uses, tried with every
//! code point. Taken on 2026-11-20. Sequences that are newer than that count as their pieces, there and
//! here: never less than the platform counts.

/// What may follow an emoji and belongs to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// An emoji only with a variation selector.
    Asked,
    /// Takes a variation selector.
    Styled,
    /// Takes a variation selector and a skin tone.
    StyledToned,
    /// Takes a skin tone.
    Toned,
}
use Style::{Asked, Styled, StyledToned, Toned};

const SELECTOR: char = '\u{FE0F}';
const JOINER: char = '\u{200D}';
const KEYCAP: char = '\u{20E3}';

/// The bytes of the emoji of more than one code point that `text` begins with; 0 where it begins with
/// none. (An emoji of one code point weighs what any character of its range weighs.)
pub(super) fn sequence_len(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    if matches!(first, '#' | '*' | '0'..='9') {
        return keycap_len(text);
    }
    // Most letters that follow an emoji end it here.
    if !chars.next().is_some_and(extends) {
        return 0;
    }
    let joined = joined_len(text, first);
    if joined > 0 {
        return joined;
    }
    if first == '🏴' {
        return ["gbeng", "gbsct", "gbwls"]
            .iter()
            .map(|region| region_len(text, region))
            .max()
            .unwrap_or(0);
    }
    if is_regional(first) {
        return flag_len(text);
    }
    let Some(style) = style_of(first) else {
        return 0;
    };
    let mut end = first.len_utf8();
    if style != Toned {
        end += next_len(text, end, |c| c == SELECTOR);
    }
    if matches!(style, Toned | StyledToned) {
        end += next_len(text, end, is_tone);
    }
    if end > first.len_utf8() { end } else { 0 }
}

/// Whether a character can be the second of a sequence.
fn extends(c: char) -> bool {
    matches!(c, SELECTOR | JOINER | '\u{E0067}') || is_tone(c) || is_regional(c)
}

fn is_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Whether what a reader takes for one character may be shown as an emoji. The blocks of symbols count whole, so that
/// nothing newer is missed.
pub(super) fn is_shown(cluster: &str) -> bool {
    cluster.chars().any(|c| {
        let symbol = matches!(
            c,
            SELECTOR | KEYCAP | '\u{2300}'..='\u{23FF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}'
                | '\u{1F000}'..='\u{1FAFF}'
        );
        symbol || style_of(c).is_some_and(|style| style != Asked)
    })
}

fn is_regional(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

/// The bytes of the character at `at` if it is the right one, else 0.
fn next_len(text: &str, at: usize, right: impl Fn(char) -> bool) -> usize {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(c) if right(c) => c.len_utf8(),
        _ => 0,
    }
}

/// `1`, a selector or none, and the keycap.
fn keycap_len(text: &str) -> usize {
    let at = 1 + next_len(text, 1, |c| c == SELECTOR);
    match next_len(text, at, |c| c == KEYCAP) {
        0 => 0,
        keycap => at + keycap,
    }
}

/// People with a profession or a gender, families, and a few more.
fn joined_len(text: &str, first: char) -> usize {
    let base = first.len_utf8();
    let tone = next_len(text, base, is_tone);
    let selector = next_len(text, base, |c| c == SELECTOR);
    let at = base + tone.max(selector);
    let joiner = next_len(text, at, |c| c == JOINER);
    if joiner == 0 {
        return 0;
    }
    let at = at + joiner;
    if matches!(first, '👨' | '👩') && selector == 0 {
        let sign = next_len(text, at, |c| matches!(c, '⚕' | '⚖' | '✈'));
        let styled = next_len(text, at + sign, |c| c == SELECTOR);
        if sign > 0 && styled > 0 {
            return at + sign + styled;
        }
        let thing = next_len(text, at, is_trade);
        if thing > 0 {
            return at + thing;
        }
    }
    let gendered = if takes_styled_gender(first) {
        tone > 0 || selector > 0
    } else {
        selector == 0 && takes_gender(first)
    };
    if gendered {
        let sign = next_len(text, at, |c| matches!(c, '♀' | '♂'));
        let styled = next_len(text, at + sign, |c| c == SELECTOR);
        if sign > 0 && styled > 0 {
            return at + sign + styled;
        }
    }
    JOINED
        .iter()
        .find(|sequence| text.starts_with(**sequence))
        .map_or(0, |sequence| sequence.len())
}

/// What a profession is drawn with.
fn is_trade(c: char) -> bool {
    matches!(
        c,
        '🌾' | '🍳'
            | '🎓'
            | '🎤'
            | '🎨'
            | '🏫'
            | '🏭'
            | '💻'
            | '💼'
            | '🔧'
            | '🔬'
            | '🚀'
            | '🚒'
    ) || matches!(c, '\u{1F9B0}'..='\u{1F9B3}')
}

/// People that need a tone or a selector before the joiner.
fn takes_styled_gender(c: char) -> bool {
    matches!(
        c,
        '\u{26F9}' | '\u{1F3CB}' | '\u{1F3CC}' | '\u{1F574}' | '\u{1F575}'
    )
}

/// People that take a gender with or without a tone.
fn takes_gender(c: char) -> bool {
    matches!(
        c as u32,
        0x1F3C3..=0x1F3C4 | 0x1F3CA | 0x1F46E | 0x1F471 | 0x1F473 | 0x1F477 | 0x1F481..=0x1F482
            | 0x1F486..=0x1F487 | 0x1F645..=0x1F647 | 0x1F64B | 0x1F64D..=0x1F64E | 0x1F6A3
            | 0x1F6B4..=0x1F6B6 | 0x1F926 | 0x1F935 | 0x1F937..=0x1F939 | 0x1F93D..=0x1F93E
            | 0x1F9B8..=0x1F9B9 | 0x1F9D6..=0x1F9DD
    )
}

/// A black flag, a region in tag letters, and the end tag.
fn region_len(text: &str, region: &str) -> usize {
    let mut at = '🏴'.len_utf8();
    for letter in region.chars().map(|c| c as u32 + 0xE0000).chain([0xE007F]) {
        match next_len(text, at, |c| c as u32 == letter) {
            0 => return 0,
            tag => at += tag,
        }
    }
    at
}

/// Two regional letters that name a flag.
fn flag_len(text: &str) -> usize {
    let mut letters = text
        .chars()
        .map_while(|c| u8::try_from((c as u32).checked_sub(0x1F1E6)?).ok());
    match (letters.next(), letters.next()) {
        (Some(first), Some(second))
            if FLAGS
                .get(usize::from(first))
                .is_some_and(|row| row.bytes().any(|b| b - b'A' == second)) =>
        {
            8
        }
        _ => 0,
    }
}

fn style_of(c: char) -> Option<Style> {
    let code = c as u32;
    let at = EMOJI.partition_point(|&(_, last, _)| last < code);
    EMOJI
        .get(at)
        .filter(|&&(first, _, _)| first <= code)
        .map(|&(_, _, style)| style)
}

/// Code points that take something after them.
#[rustfmt::skip]
const EMOJI: &[(u32, u32, Style)] = &[
    (0xA9, 0xA9, Asked), (0xAE, 0xAE, Asked), (0x203C, 0x203C, Styled), (0x2049, 0x2049, Styled),
    (0x2122, 0x2122, Asked), (0x2139, 0x2139, Styled), (0x2194, 0x2199, Styled), (0x21A9, 0x21AA, Styled),
    (0x231A, 0x231B, Styled), (0x2328, 0x2328, Styled), (0x23CF, 0x23CF, Styled), (0x23ED, 0x23EF, Styled),
    (0x23F1, 0x23F2, Styled), (0x23F8, 0x23FA, Styled), (0x24C2, 0x24C2, Styled), (0x25AA, 0x25AB, Styled),
    (0x25B6, 0x25B6, Styled), (0x25C0, 0x25C0, Styled), (0x25FB, 0x25FE, Styled), (0x2600, 0x2604, Styled),
    (0x260E, 0x260E, Styled), (0x2611, 0x2611, Styled), (0x2614, 0x2615, Styled), (0x2618, 0x2618, Styled),
    (0x261D, 0x261D, StyledToned), (0x2620, 0x2620, Styled), (0x2622, 0x2623, Styled),
    (0x2626, 0x2626, Styled), (0x262A, 0x262A, Styled), (0x262E, 0x262F, Styled), (0x2638, 0x263A, Styled),
    (0x2640, 0x2640, Styled), (0x2642, 0x2642, Styled), (0x2648, 0x2653, Styled), (0x265F, 0x265F, Asked),
    (0x2660, 0x2660, Styled), (0x2663, 0x2663, Styled), (0x2665, 0x2666, Styled), (0x2668, 0x2668, Styled),
    (0x267B, 0x267B, Styled), (0x267F, 0x267F, Styled), (0x2692, 0x2697, Styled), (0x2699, 0x2699, Styled),
    (0x269B, 0x269C, Styled), (0x26A0, 0x26A1, Styled), (0x26AA, 0x26AB, Styled), (0x26B0, 0x26B1, Styled),
    (0x26BD, 0x26BE, Styled), (0x26C4, 0x26C5, Styled), (0x26C8, 0x26C8, Styled), (0x26CF, 0x26CF, Styled),
    (0x26D1, 0x26D1, Styled), (0x26D3, 0x26D4, Styled), (0x26E9, 0x26EA, Styled), (0x26F0, 0x26F5, Styled),
    (0x26F7, 0x26F7, StyledToned), (0x26F8, 0x26F8, Styled), (0x26F9, 0x26F9, StyledToned),
    (0x26FA, 0x26FA, Styled), (0x26FD, 0x26FD, Styled), (0x2702, 0x2702, Styled), (0x2708, 0x2709, Styled),
    (0x270A, 0x270B, Toned), (0x270C, 0x270D, StyledToned), (0x270F, 0x270F, Styled),
    (0x2712, 0x2712, Styled), (0x2714, 0x2714, Styled), (0x2716, 0x2716, Styled), (0x271D, 0x271D, Styled),
    (0x2721, 0x2721, Styled), (0x2733, 0x2734, Styled), (0x2744, 0x2744, Styled), (0x2747, 0x2747, Styled),
    (0x2757, 0x2757, Styled), (0x2763, 0x2764, Styled), (0x27A1, 0x27A1, Styled), (0x2934, 0x2935, Styled),
    (0x2B05, 0x2B07, Styled), (0x2B1B, 0x2B1C, Styled), (0x2B50, 0x2B50, Styled), (0x2B55, 0x2B55, Styled),
    (0x3030, 0x3030, Styled), (0x303D, 0x303D, Styled), (0x3297, 0x3297, Styled), (0x3299, 0x3299, Styled),
    (0x1F004, 0x1F004, Styled), (0x1F170, 0x1F171, Styled), (0x1F17E, 0x1F17F, Styled),
    (0x1F202, 0x1F202, Styled), (0x1F21A, 0x1F21A, Styled), (0x1F22F, 0x1F22F, Styled),
    (0x1F237, 0x1F237, Styled), (0x1F321, 0x1F321, Styled), (0x1F324, 0x1F32C, Styled),
    (0x1F336, 0x1F336, Styled), (0x1F37D, 0x1F37D, Styled), (0x1F385, 0x1F385, Toned),
    (0x1F396, 0x1F397, Styled), (0x1F399, 0x1F39B, Styled), (0x1F39E, 0x1F39F, Styled),
    (0x1F3C2, 0x1F3C4, Toned), (0x1F3C7, 0x1F3C7, Toned), (0x1F3CA, 0x1F3CA, Toned),
    (0x1F3CB, 0x1F3CC, StyledToned), (0x1F3CD, 0x1F3CE, Styled), (0x1F3D4, 0x1F3DF, Styled),
    (0x1F3F3, 0x1F3F3, Styled), (0x1F3F5, 0x1F3F5, Styled), (0x1F3F7, 0x1F3F7, Styled),
    (0x1F43F, 0x1F43F, Styled), (0x1F441, 0x1F441, Styled), (0x1F442, 0x1F443, Toned),
    (0x1F446, 0x1F450, Toned), (0x1F466, 0x1F469, Toned), (0x1F46E, 0x1F46E, Toned),
    (0x1F470, 0x1F478, Toned), (0x1F47C, 0x1F47C, Toned), (0x1F481, 0x1F483, Toned),
    (0x1F485, 0x1F487, Toned), (0x1F4AA, 0x1F4AA, Toned), (0x1F4FD, 0x1F4FD, Styled),
    (0x1F549, 0x1F54A, Styled), (0x1F56F, 0x1F570, Styled), (0x1F573, 0x1F573, Styled),
    (0x1F574, 0x1F575, StyledToned), (0x1F576, 0x1F579, Styled), (0x1F57A, 0x1F57A, Toned),
    (0x1F587, 0x1F587, Styled), (0x1F58A, 0x1F58D, Styled), (0x1F590, 0x1F590, StyledToned),
    (0x1F595, 0x1F596, Toned), (0x1F5A5, 0x1F5A5, Styled), (0x1F5A8, 0x1F5A8, Styled),
    (0x1F5B1, 0x1F5B2, Styled), (0x1F5BC, 0x1F5BC, Styled), (0x1F5C2, 0x1F5C4, Styled),
    (0x1F5D1, 0x1F5D3, Styled), (0x1F5DC, 0x1F5DE, Styled), (0x1F5E1, 0x1F5E1, Styled),
    (0x1F5E3, 0x1F5E3, Styled), (0x1F5E8, 0x1F5E8, Styled), (0x1F5EF, 0x1F5EF, Styled),
    (0x1F5F3, 0x1F5F3, Styled), (0x1F5FA, 0x1F5FA, Styled), (0x1F645, 0x1F647, Toned),
    (0x1F64B, 0x1F64F, Toned), (0x1F6A3, 0x1F6A3, Toned), (0x1F6B4, 0x1F6B6, Toned),
    (0x1F6C0, 0x1F6C0, Toned), (0x1F6CB, 0x1F6CB, Styled), (0x1F6CC, 0x1F6CC, Toned),
    (0x1F6CD, 0x1F6CF, Styled), (0x1F6E0, 0x1F6E5, Styled), (0x1F6E9, 0x1F6E9, Styled),
    (0x1F6F0, 0x1F6F0, Styled), (0x1F6F3, 0x1F6F3, Styled), (0x1F918, 0x1F91C, Toned),
    (0x1F91E, 0x1F91F, Toned), (0x1F926, 0x1F926, Toned), (0x1F930, 0x1F939, Toned),
    (0x1F93D, 0x1F93E, Toned), (0x1F9B5, 0x1F9B6, Toned), (0x1F9B8, 0x1F9B9, Toned),
    (0x1F9D1, 0x1F9DD, Toned),
];

/// Joined sequences; where one begins another, the longer stands first.
#[rustfmt::skip]
const JOINED: &[&str] = &[
    "👨\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨", "👨\u{200d}👨\u{200d}👦\u{200d}👦", "👨\u{200d}👨\u{200d}👧\u{200d}👦",
    "👨\u{200d}👨\u{200d}👧\u{200d}👧", "👨\u{200d}👩\u{200d}👦\u{200d}👦", "👨\u{200d}👩\u{200d}👧\u{200d}👦",
    "👨\u{200d}👩\u{200d}👧\u{200d}👧", "👩\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨", "👩\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👩",
    "👩\u{200d}👩\u{200d}👦\u{200d}👦", "👩\u{200d}👩\u{200d}👧\u{200d}👦", "👩\u{200d}👩\u{200d}👧\u{200d}👧", "👨\u{200d}❤\u{fe0f}\u{200d}👨",
    "👨\u{200d}👦\u{200d}👦", "👨\u{200d}👧\u{200d}👦", "👨\u{200d}👧\u{200d}👧", "👨\u{200d}👨\u{200d}👦", "👨\u{200d}👨\u{200d}👧",
    "👨\u{200d}👩\u{200d}👦", "👨\u{200d}👩\u{200d}👧", "👩\u{200d}❤\u{fe0f}\u{200d}👨", "👩\u{200d}❤\u{fe0f}\u{200d}👩",
    "👩\u{200d}👦\u{200d}👦", "👩\u{200d}👧\u{200d}👦", "👩\u{200d}👧\u{200d}👧", "👩\u{200d}👩\u{200d}👦", "👩\u{200d}👩\u{200d}👧",
    "🏳\u{fe0f}\u{200d}🌈", "🏴\u{200d}☠\u{fe0f}", "👁\u{200d}🗨", "👨\u{200d}👦", "👨\u{200d}👧", "👩\u{200d}👦", "👩\u{200d}👧",
    "👯\u{200d}♀\u{fe0f}", "👯\u{200d}♂\u{fe0f}", "🤼\u{200d}♀\u{fe0f}", "🤼\u{200d}♂\u{fe0f}", "🧞\u{200d}♀\u{fe0f}",
    "🧞\u{200d}♂\u{fe0f}", "🧟\u{200d}♀\u{fe0f}", "🧟\u{200d}♂\u{fe0f}",
];

/// Regional flags: for each first letter A to Z, the second letters.
#[rustfmt::skip]
const FLAGS: [&str; 26] = [
    "CDEFGILMOQRSTUWXZ", "ABDEFGHIJLMNOQRSTVWYZ", "ACDFGHIKLMNOPRUVWXYZ", "EGJKMOZ", "ACEGHRSTU", "IJKMOR",
    "ABDEFGHILMNPQRSTUWY", "KMNRTU", "CDELMNOQRST", "EMOP", "EGHIMNPRWYZ", "ABCIKRSTUVY",
    "ACDEFGHKLMNOPQRSTUVWXYZ", "ACEFGILOPRUZ", "M", "AEFGHKLMNRSTWY", "A", "EOSUW", "ABCDEGHIJKLMNORSTVXYZ",
    "ACDFGHJKLMNORTVWZ", "AGMNSYZ", "ACEGINU", "FS", "K", "ET", "AMW",
];
