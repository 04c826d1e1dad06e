//! Numbers as they are written, with what belongs to them.

use super::{
    currencies::currency_before,
    units::{
        BLANKS, Unit, cents_after, currency_after, currency_of, is_dashed, magnitude, next_word,
        percent_before, side_after, unit_after, unspaced,
    },
};

/// Raised digits, as pages set cents and footnotes.
const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// Words for powers of ten that a full stop may end.
const ABBREVIATED: [&str; 8] = ["mio", "mrd", "tsd", "mln", "mld", "млн", "млрд", "тыс"];

/// A number as digits without outer zeros, and the power of ten they are multiplied by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) digits: String,
    pub(super) exponent: i32,
}

pub(super) struct Figure {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: Value,
    pub(super) unit: Unit,
    /// The power of ten of the word behind the number.
    pub(super) power: i32,
    /// What stands there as bare numbers: the groups of a number whose thousands are parted by plain blanks, the 3 of
    /// `$3–5 million`.
    pub(super) parts: Vec<Value>,
    /// The price, if its cents (`$3¹⁹`) are a footnote's number.
    pub(super) noted: Option<Value>,
}

pub(super) struct Number<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) groups: Vec<&'a str>,
    pub(super) separators: Vec<char>,
}

impl<'a> Number<'a> {
    pub(super) fn read(text: &'a str, start: usize) -> Self {
        let digits = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.get(..end).unwrap_or_default()
        };
        let first = digits(start);
        let mut number = Self {
            start,
            end: start + first.len(),
            groups: vec![first],
            separators: Vec::new(),
        };
        loop {
            let rest = text.get(number.end..).unwrap_or_default();
            let Some(separator) = rest.chars().next() else {
                break;
            };
            let group = digits(number.end + separator.len_utf8());
            let joins = match separator {
                '.' | ',' => !group.is_empty(),
                ' ' | '\'' | '’' | '_' | '\u{a0}' | '\u{202f}' => {
                    group.len() == 3
                        && first.len() <= 3
                        && number.separators.last().is_none_or(|one| *one == separator)
                }
                _ => false,
            };
            if !joins {
                break;
            }
            number.end += separator.len_utf8() + group.len();
            number.groups.push(group);
            number.separators.push(separator);
        }
        number
    }

    pub(super) fn item(&self) -> Figure {
        Figure {
            start: self.start,
            end: self.end,
            value: self.value(),
            unit: Unit::Item,
            power: 0,
            parts: Vec::new(),
            noted: None,
        }
    }

    fn value(&self) -> Value {
        let Some((last, others)) = self.separators.split_last() else {
            return Value::new(&self.groups.concat(), 0);
        };
        let thousands = |groups: &[&str]| {
            groups
                .first()
                .is_some_and(|group| group.len() <= 3 && !group.starts_with('0'))
                && groups.iter().skip(1).all(|group| group.len() == 3)
        };
        if others.iter().all(|one| one == last) && thousands(&self.groups) {
            return Value::new(&self.groups.concat(), 0);
        }
        // `1,50,000`, as Indians write it.
        let indian = match &self.groups[..] {
            [first, middle @ .., end] if !middle.is_empty() => {
                let middle = middle.iter().all(|group| group.len() == 2);
                middle && first.len() <= 2 && !first.starts_with('0') && end.len() == 3
            }
            _ => false,
        };
        if indian && self.separators.iter().all(|one| *one == ',') {
            return Value::new(&self.groups.concat(), 0);
        }
        let (fraction, whole) = match self.groups.split_last() {
            Some((fraction, whole)) => (*fraction, whole),
            None => ("", &self.groups[..]),
        };
        let decimal = others.is_empty()
            || (others
                .iter()
                .all(|one| Some(one) == others.first() && one != last)
                && thousands(whole));
        if decimal {
            let exponent = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
            return Value::new(&self.groups.concat(), -exponent);
        }
        // A version, a date with full stops, a list: compared as it stands.
        Value {
            digits: self.groups.join("."),
            exponent: 0,
        }
    }

    /// A whole number with its two raised digits as cents, their length, and whether they may be the mark of a
    /// footnote (01 to 29): `49⁹⁹`.
    fn raised_cents(&self, after: &str) -> Option<(Value, usize, bool)> {
        let whole = self.groups.concat();
        let mut digits = Vec::new();
        let mut length = 0;
        for c in after.chars() {
            let Some(digit) = RAISED.iter().position(|raised| *raised == c) else {
                break;
            };
            digits.push(digit);
            length += c.len_utf8();
        }
        let [tens, ones] = digits[..] else {
            return None;
        };
        let mark = tens < 3 && (tens, ones) != (0, 0);
        let cents = || Value::new(&format!("{whole}{tens}{ones}"), -2);
        (self.value() == Value::new(&whole, 0)).then(|| (cents(), length, mark))
    }

    /// Whether the sign before is that of the number before it, and this one the mark of a footnote: `9,99 €12`.
    fn may_be_a_mark(&self, before: &str) -> bool {
        let before = before.strip_suffix(BLANKS).unwrap_or(before);
        let rest = before.trim_end_matches(|c: char| c.is_ascii_digit() || ".,".contains(c));
        let priced = before.get(rest.len()..).unwrap_or_default();
        let cents = priced
            .rsplit_once(['.', ','])
            .is_some_and(|(_, c)| c.len() == 2);
        let signed = currency_before(rest).is_some();
        // Without cents it is a number of its own: `Ages 5-12 €8`.
        let whole = self.separators.is_empty();
        priced.ends_with(|c: char| c.is_ascii_digit()) && !signed && whole && cents
    }

    pub(super) fn figure(&self, before: &str, after: &str) -> Figure {
        let mut value = self.value();
        let mut end = self.end;
        let mut start = self.start;
        let mut unit = Unit::Plain;
        let mut rest = after;
        let mut abbreviated = false;
        let mut power = 0;
        let money = currency_before(before).or_else(|| francs(before, after));
        let mut noted = None;
        if let Some((priced, length, mark)) = self.raised_cents(rest) {
            let behind = rest.get(length..).unwrap_or_default();
            let currency = unit_after(behind).map(|(unit, _)| unit);
            // A footnote's mark stands behind the sign: `1²⁹ €` are cents.
            let signed = matches!(currency, Some(Unit::Currency(_)));
            if money.is_some() || signed {
                noted = (mark && !signed).then(|| value.clone());
                value = priced;
                end += length;
                rest = behind;
            }
        }
        if self.separators.is_empty()
            && money.is_none()
            && let Some((cents, length)) = cents_after(rest)
        {
            value = Value::new(&format!("{}{cents}", self.groups.concat()), -2);
            end += length;
            rest = "";
            unit = Unit::Currency("EUR");
        }
        // `3 mil millones` are two.
        for _ in 0..2 {
            let Some((word, length)) = next_word(rest) else {
                break;
            };
            let behind = rest.get(length..).unwrap_or_default();
            let Some(of_word) = magnitude(word, length == word.len(), money.is_some(), behind)
            else {
                break;
            };
            // No cents stand before a million.
            value = noted.take().unwrap_or(value);
            power += of_word;
            value.exponent = value.exponent.saturating_add(of_word);
            end += length;
            rest = behind;
            abbreviated = ABBREVIATED.contains(&&*word.to_lowercase());
        }
        let side = side_after(rest);
        if side == Some(false) {
            unit = Unit::By;
        } else if let Some((found, length)) = unit_after(rest)
            .or_else(|| currency_after(rest, abbreviated))
            .or_else(|| currency_of(rest).filter(|_| power >= 6))
        {
            unit = found;
            end += length;
        }
        if matches!(unit, Unit::Plain | Unit::By)
            && let Some((currency, length)) = money
        {
            let sign = before.get(..before.len() - length).unwrap_or_default();
            let noted = currency == "EUR" && power == 0 && self.may_be_a_mark(sign);
            unit = match noted {
                true => Unit::Noted(currency),
                false => Unit::Currency(currency),
            };
            start -= length;
        }
        if unit == Unit::Plain
            && let Some(length) = percent_before(before)
        {
            unit = Unit::Percent;
            start -= length;
        }
        if unit == Unit::Plain
            && before.ends_with(|c: char| c.is_alphabetic() && !"xX".contains(c))
            && is_inner(before)
        {
            unit = Unit::Inner;
        }
        let parts = match self.separators.first() {
            Some(' ') => self
                .groups
                .iter()
                .map(|group| Value::new(group, 0))
                .collect(),
            _ => Vec::new(),
        };
        Figure {
            start,
            end,
            value,
            unit,
            power,
            parts,
            noted,
        }
    }
}

impl Value {
    pub(super) fn new(digits: &str, exponent: i32) -> Self {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Self {
                digits: "0".to_owned(),
                exponent: 0,
            };
        }
        let zeros = i32::try_from(significant.len() - trimmed.len()).unwrap_or(i32::MAX);
        Self {
            digits: trimmed.to_owned(),
            exponent: exponent.saturating_add(zeros),
        }
    }
}

/// `Fr. 49.–`; without the dash it may be a Friday.
fn francs(before: &str, after: &str) -> Option<(&'static str, usize)> {
    let rest = before.strip_suffix(BLANKS).unwrap_or(before);
    let word = rest.strip_suffix("Fr.").filter(|_| is_dashed(after))?;
    (!word.ends_with(char::is_alphanumeric)).then_some(("CHF", before.len() - word.len()))
}

/// Whether letters behind a digit stand before (`19h30`, `70x180`): no name begins so.
pub(super) fn is_inner(before: &str) -> bool {
    let mut back = before.chars().rev();
    let letters = back
        .by_ref()
        .take(4)
        .take_while(|c| c.is_alphabetic() && !unspaced(*c))
        .count();
    let behind = before.chars().rev().nth(letters);
    (1..=3).contains(&letters) && behind.is_some_and(|c| c.is_ascii_digit())
}
