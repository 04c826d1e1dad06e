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
    /// Letters have none for most, and stay. `after` is what the text is written right behind.
    pub(super) fn text<'t>(&self, text: Cow<'t, str>, after: Option<char>) -> Cow<'t, str> {
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
        if !after.is_some_and(marks) {
            return text;
        }
        // Nor is small print.
        let apart = !after.is_some_and(char::is_alphanumeric);
        if apart && text.contains(|c: char| c.is_alphabetic() || "%$€£¥₹".contains(c)) {
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
