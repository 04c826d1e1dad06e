//! Text that stands higher or lower than its line: footnote marks, exponents, `H<sub>2</sub>O`.

use std::borrow::Cow;

/// Digits and signs, raised and lowered.
const RAISED: [(char, char, char); 16] = [
    ('0', '⁰', '₀'),
    ('1', '¹', '₁'),
    ('2', '²', '₂'),
    ('3', '³', '₃'),
    ('4', '⁴', '₄'),
    ('5', '⁵', '₅'),
    ('6', '⁶', '₆'),
    ('7', '⁷', '₇'),
    ('8', '⁸', '₈'),
    ('9', '⁹', '₉'),
    ('+', '⁺', '₊'),
    ('-', '⁻', '₋'),
    ('\u{2212}', '⁻', '₋'),
    ('=', '⁼', '₌'),
    ('(', '⁽', '₍'),
    (')', '⁾', '₎'),
];

/// Signs of currencies.
const SIGNS: [char; 15] = [
    '$', '€', '£', '¥', '￥', '₹', '₩', '₽', '₺', '₴', '₪', '₫', '₱', '฿', '¢',
];

/// The `sup` and `sub` that are open.
#[derive(Default)]
pub(super) struct Raised {
    lowered: Vec<bool>,
}

impl Raised {
    pub(super) fn open(&mut self, name: &str) {
        if matches!(name, "sup" | "sub") {
            self.lowered.push(name == "sub");
        }
    }

    pub(super) fn close(&mut self, name: &str) {
        if matches!(name, "sup" | "sub") {
            self.lowered.pop();
        }
    }

    /// The text with raised or lowered figures: in plain ones `$99<sup>1</sup>` would be read as $991.
    /// Letters have none for most, and stay. `before` is what the text is written right behind.
    pub(super) fn text<'t>(&self, text: Cow<'t, str>, before: &str) -> Cow<'t, str> {
        let Some(lowered) = self.lowered.last() else {
            return text;
        };
        // `$49<sup>.99</sup>`: the rest of that number.
        let rest = text.strip_prefix(['.', ',']);
        if rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return text;
        }
        // What is no mark of what it stands behind has figures of its own: `$<sup>49</sup>`.
        let marks = |c: char| c.is_alphanumeric() || "%)]}\"'”’»*.,;:!?…™®©".contains(c);
        let after = before.chars().next_back();
        if !after.is_some_and(marks) && !is_mark_of_price(before, &text) {
            return text;
        }
        // Nor is small print.
        let apart = !after.is_some_and(char::is_alphanumeric);
        if apart && text.contains(|c: char| c.is_alphabetic() || c == '%' || SIGNS.contains(&c)) {
            return text;
        }
        let one = |c: char| match RAISED.iter().find(|(plain, ..)| *plain == c) {
            Some((_, _, low)) if *lowered => *low,
            Some((_, high, _)) => *high,
            None => c,
        };
        Cow::Owned(text.chars().map(one).collect())
    }
}

/// Whether raised text is a footnote's mark behind a price whose sign is behind it (`9,99 €¹²`). Right behind a whole
/// price (French shops write `349€` with raised `99`) `00` and `30` to `99` are its cents.
fn is_mark_of_price(before: &str, raised: &str) -> bool {
    let Some(price) = before.strip_suffix(SIGNS) else {
        return false;
    };
    let number = price
        .strip_suffix([' ', '\u{a0}', '\u{2009}', '\u{202f}'])
        .unwrap_or(price);
    let whole = number.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = number.len() - whole.len();
    // `9,99` has its cents; `1.349` has none.
    let has_cents = whole.ends_with(['.', ',']) && digits != 3;
    let cents = match raised.trim().as_bytes() {
        [b'0', b'0'] => true,
        [tens, ones] => (b'3'..=b'9').contains(tens) && ones.is_ascii_digit(),
        _ => false,
    };
    let apart = number.len() < price.len();
    // A sign that may stand before its number: `Pack of 6 $4`.
    let figure = raised.trim().bytes().all(|c| c.is_ascii_digit());
    let next = apart && figure && !has_cents && before.ends_with(['$', '£', '¥', '￥', '₹']);
    digits > 0 && !next && (!cents || has_cents || apart)
}
