//! Digits of every script.

/// The first digits of the decimal scripts beside ASCII, the letter-like ones (`𝟓`) among them.
const ZEROS: [u32; 65] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
    0x1e140, 0x1e2f0, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e950, 0x1fbf0,
];

/// Digits of every script and the signs beside them as ASCII, or as they are in Latin script.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in thousands(&points(text)).chars() {
        let c = match c {
            '٬' => ',',
            '٫' => '.',
            '٪' | '％' => '%',
            '＄' => '$',
            '￡' => '£',
            // `2½`; alone it may be said in words.
            '¼' | '½' | '¾' if out.ends_with(|c: char| c.is_ascii_digit()) => {
                out.push_str(match c {
                    '¼' => ".2",
                    '½' => ".",
                    _ => ".7",
                });
                '5'
            }
            _ => ZEROS
                .iter()
                .find_map(|zero| (c as u32).checked_sub(*zero).filter(|digit| *digit < 10))
                .and_then(|digit| char::from_digit(digit, 10))
                .unwrap_or(c),
        };
        out.push(c);
    }
    out
}

/// The one of `¥` and `￥` that both mean in a source and in texts about it. Chinese keyboards write yuan with the wide one,
/// so without a word of Japanese that is no yen.
pub(super) fn yen(source: &str) -> char {
    // The dot in the middle is Chinese, too.
    let kana = |c: char| matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}');
    let lower = source.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    let japanese = source.contains(|c| kana(c) || c == '円' || c == '込')
        || words.any(|word| matches!(word, "yen" | "jpy"));
    let chinese = source.contains(['￥', '元']) || source.contains("人民币");
    match chinese && !japanese {
        true => '￥',
        false => '¥',
    }
}

/// `１，９８０` with a comma. Elsewhere the full-width one parts numbers (`10，200，300`).
fn thousands(text: &str) -> String {
    let wide = |c: char| ('０'..='９').contains(&c);
    let pieces: Vec<&str> = text.split('，').collect();
    let behind = |piece: &str| piece.chars().take_while(|c| wide(*c)).count();
    let before = |piece: &str| piece.chars().rev().take_while(|c| wide(*c)).count();
    // Of several groups it is not to be told whether they are one number.
    let whole = |piece: &str| piece.chars().all(wide);
    let mut out = String::with_capacity(text.len());
    for (at, piece) in pieces.iter().enumerate() {
        if let Some(last) = at.checked_sub(1).and_then(|last| pieces.get(last)) {
            let alone = (at == 1 || !whole(last)) && (at + 1 == pieces.len() || !whole(piece));
            let joins = alone && (1..=3).contains(&before(last)) && behind(piece) == 3;
            out.push(if joins { ',' } else { '，' });
        }
        out.push_str(piece);
    }
    out
}

/// `３．５％` with a full stop. At a line's beginning it may part an item's number from its text (`１．５つ`), without a word or
/// sign behind it a month from its day (`１２．５（金）`), and several are more than a decimal's.
fn points(text: &str) -> String {
    let wide = |c: char| ('０'..='９').contains(&c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('．') {
        out.push_str(before);
        let whole = out.trim_end_matches(wide);
        let sign = |c: char| !c.is_alphanumeric() && !"\n.．".contains(c);
        let line = whole.trim_end_matches(sign);
        let begins = line.is_empty() || line.ends_with('\n');
        let after = behind.trim_start_matches(wide).chars().next();
        let counts = after.is_some_and(|c| c.is_alphanumeric() || "%％℃".contains(c));
        let alone =
            whole.len() < out.len() && !whole.ends_with(['．', '.']) && behind.starts_with(wide);
        out.push(if alone && counts && !begins {
            '.'
        } else {
            '．'
        });
        rest = behind;
    }
    out.push_str(rest);
    out
}
