//! Figures: numbers with their units, and dates.

use std::collections::HashSet;

use super::{Claim, UngroundedKind};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Currencies with the ways they are written.
const CURRENCIES: [(&str, &str); 6] = [
    ("USD", "$ us$ usd dollar dollars"),
    ("EUR", "€ eur euro euros"),
    ("GBP", "£ gbp pound pounds"),
    ("JPY", "¥ jpy yen 円"),
    ("INR", "₹ inr rupee rupees"),
    ("CHF", "chf franken"),
];

/// Words for powers of ten.
const MAGNITUDES: [(i32, &str); 9] = [
    (2, "hundred hundert"),
    (3, "k thousand tausend tsd mille mil"),
    (4, "万 萬 만"),
    (5, "lakh"),
    (
        6,
        "mn mio million millions millionen millón millones milhões milioni",
    ),
    (7, "crore"),
    (8, "億 亿 억"),
    (
        9,
        "bn mrd billion billions milliarde milliarden milliard milliards",
    ),
    (12, "trillion trillions 兆"),
];

/// English number words, which in a source cover the figure.
const SPELLED: [(&str, &str); 31] = [
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("half", "50%"),
    ("twice", "2x"),
    ("double", "2x"),
    ("triple", "3x"),
];

/// The first digits of the decimal scripts in use beside ASCII.
const ZEROS: [u32; 12] = [
    0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xff10,
];

/// A number as digits without outer zeros, and the power of ten they are multiplied by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Value {
    digits: String,
    exponent: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Plain,
    Percent,
    Times,
    Currency(&'static str),
}

struct Figure {
    start: usize,
    end: usize,
    value: Value,
    unit: Unit,
    /// The groups of a number whose thousands are parted by plain blanks: it may be several numbers.
    parts: Vec<Value>,
}

/// The figures and months of a source.
#[derive(Debug)]
pub(super) struct Source {
    with_unit: HashSet<(Value, Unit)>,
    values: HashSet<Value>,
    months: HashSet<usize>,
}

impl Source {
    pub(super) fn new(source: &str) -> Self {
        let mut found = Self {
            with_unit: HashSet::new(),
            values: HashSet::new(),
            months: HashSet::new(),
        };
        let text = digits_for_words(source);
        for figure in scan(&text) {
            found.values.extend(figure.parts);
            found.values.insert(figure.value.clone());
            found.with_unit.insert((figure.value, figure.unit));
        }
        for date in iso_dates(&text) {
            found.months.insert(date.month);
        }
        let words = text.split(|c: char| !c.is_alphabetic());
        found.months.extend(words.filter_map(month));
        found
    }

    fn holds(&self, figure: &Figure) -> bool {
        if figure.unit != Unit::Plain {
            return self
                .with_unit
                .contains(&(figure.value.clone(), figure.unit));
        }
        self.values.contains(&figure.value)
            || (!figure.parts.is_empty()
                && figure.parts.iter().all(|part| self.values.contains(part)))
    }

    /// Whether a month, by its name, is in the source by name or in a date.
    pub(super) fn holds_month(&self, word: &str) -> Option<bool> {
        month(word).map(|month| self.months.contains(&month))
    }
}

/// The figures that the source does not hold, and the text with its figures blanked out
/// where they are words of their own.
pub(super) fn missing(source: &Source, text: &str) -> (Vec<Claim>, String) {
    let dates = iso_dates(text);
    let mut masked = text.to_owned();
    let mut claims = Vec::new();
    for figure in scan(text) {
        let span = figure.start..figure.end;
        // Inside a longer word it stays, for that word is judged whole.
        let joins = |c: char| c.is_alphanumeric() || "-'’\u{2011}_&".contains(c);
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        let alone = !before.ends_with(joins) && !after.starts_with(joins);
        if alone {
            masked.replace_range(span.clone(), &" ".repeat(span.len()));
        }
        if !is_known_month(source, &dates, &figure) && !source.holds(&figure) {
            claims.push(Claim {
                start: figure.start,
                text: text.get(span).unwrap_or_default().to_owned(),
                kind: UngroundedKind::Figure,
            });
        }
    }
    (claims, masked)
}

/// The month inside an ISO date is held against the months of the source, not against its numbers.
fn is_known_month(source: &Source, dates: &[IsoDate], figure: &Figure) -> bool {
    dates
        .iter()
        .any(|date| date.start + 5 == figure.start && source.months.contains(&date.month))
}

struct IsoDate {
    start: usize,
    month: usize,
}

fn iso_dates(text: &str) -> Vec<IsoDate> {
    let bytes = text.as_bytes();
    let shape = |at: usize, c: u8| {
        if matches!(at, 4 | 7) {
            c == b'-'
        } else {
            c.is_ascii_digit()
        }
    };
    bytes
        .windows(10)
        .enumerate()
        .filter(|(_, window)| window.iter().enumerate().all(|(at, c)| shape(at, *c)))
        .filter_map(|(start, _)| {
            let month = text.get(start + 5..start + 7)?.parse().ok()?;
            Some(IsoDate { start, month })
        })
        .collect()
}

fn month(word: &str) -> Option<usize> {
    let lower = word.to_lowercase();
    // "May" and "March" are words too; in lower case they are taken for the words.
    if !word.starts_with(char::is_uppercase) || lower.len() < 3 {
        return None;
    }
    let short = lower.len() == 3 || lower == "sept";
    MONTHS
        .iter()
        .position(|name| *name == lower || (short && name.starts_with(&lower)))
        .map(|at| at + 1)
}

/// Digits of every script as ASCII.
pub(super) fn ascii_digits(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '٬' => ',',
            '٫' => '.',
            '٪' | '％' => '%',
            _ => ZEROS
                .iter()
                .find_map(|zero| (c as u32).checked_sub(*zero).filter(|digit| *digit < 10))
                .and_then(|digit| char::from_digit(digit, 10))
                .unwrap_or(c),
        })
        .collect()
}

fn digits_for_words(text: &str) -> String {
    text.split_inclusive(|c: char| !c.is_alphabetic())
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_alphabetic());
            let lower = word.to_lowercase();
            match SPELLED.iter().find(|(name, _)| *name == lower) {
                Some((_, digits)) => {
                    format!("{digits}{}", piece.get(word.len()..).unwrap_or_default())
                }
                None => piece.to_owned(),
            }
        })
        .collect()
}

fn scan(text: &str) -> Vec<Figure> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text
        .get(at..)
        .and_then(|t| t.find(|c: char| c.is_ascii_digit()))
    {
        let start = at + offset;
        let number = Number::read(text, start);
        at = number.end;
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(number.end..).unwrap_or_default();
        if !part_of_a_name(before) && !is_bullet(before, after, &number) {
            found.push(number.figure(before, after));
        }
    }
    found
}

/// `B2B`, `H100`, `GPT-4`: those are judged as names. `v2.0` is none.
fn part_of_a_name(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some('v' | 'V') if !back.clone().next().is_some_and(char::is_alphanumeric) => false,
        Some(c) if c.is_alphabetic() => !unspaced(c),
        Some('-' | '\u{2011}') => back.next().is_some_and(char::is_uppercase),
        _ => false,
    }
}

/// Letters of scripts that put no blank between a word and a number.
fn unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// The number of a list item, or a keycap emoji.
fn is_bullet(before: &str, after: &str, number: &Number<'_>) -> bool {
    if after.starts_with(['\u{fe0f}', '\u{20e3}']) {
        return true;
    }
    let line = before.trim_end_matches([' ', '\t']);
    number.groups.len() == 1
        && number.groups.first().is_some_and(|group| group.len() <= 2)
        && (line.is_empty() || line.ends_with('\n'))
        && (after.starts_with(". ") || after.starts_with(") "))
}

struct Number<'a> {
    start: usize,
    end: usize,
    groups: Vec<&'a str>,
    separators: Vec<char>,
}

impl<'a> Number<'a> {
    fn read(text: &'a str, start: usize) -> Self {
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
                ' ' | '\'' | '’' | '_' | '\u{a0}' | '\u{202f}' | '\u{2009}' => {
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

    fn figure(&self, before: &str, after: &str) -> Figure {
        let mut value = self.value();
        let mut end = self.end;
        let mut start = self.start;
        let mut unit = Unit::Plain;
        let mut rest = after;
        let mut abbreviated = false;
        let money = last_word(before)
            .and_then(|(word, length)| currency(word).map(|currency| (currency, length)));
        if let Some((word, length)) = next_word(rest)
            && let Some(power) = magnitude(word, length == word.len(), money.is_some())
        {
            value.exponent = value.exponent.saturating_add(power);
            end += length;
            rest = rest.get(length..).unwrap_or_default();
            abbreviated = matches!(&*word.to_lowercase(), "mio" | "mrd" | "tsd");
        }
        if let Some((found, length)) =
            unit_after(rest).or_else(|| currency_after(rest, abbreviated))
        {
            unit = found;
            end += length;
        }
        if unit == Unit::Plain
            && let Some((currency, length)) = money
        {
            unit = Unit::Currency(currency);
            start -= length;
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
            parts,
        }
    }
}

impl Value {
    fn new(digits: &str, exponent: i32) -> Self {
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

/// The word or sign that follows, with the length up to its end: at once, after one blank or a hyphen.
fn next_word(rest: &str) -> Option<(&str, usize)> {
    let gap = rest
        .chars()
        .next()
        .filter(|c| matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}'))
        .map_or(0, char::len_utf8);
    let word = rest.get(gap..)?;
    let first = word.chars().next()?;
    let end = if first.is_alphabetic() && !unspaced(first) {
        word.find(|c: char| !c.is_alphabetic())
            .unwrap_or(word.len())
    } else {
        first.len_utf8()
    };
    Some((word.get(..end)?, gap + end))
}

/// The word or sign before, with its length up to the number.
fn last_word(before: &str) -> Option<(&str, usize)> {
    let trimmed = before
        .strip_suffix([' ', '\u{a0}', '\u{202f}'])
        .unwrap_or(before);
    let last = trimmed.chars().next_back()?;
    let start = if last.is_alphabetic() {
        trimmed.rfind(|c: char| !c.is_alphabetic()).map_or(0, |at| {
            at + trimmed
                .get(at..)
                .and_then(|t| t.chars().next())
                .map_or(1, char::len_utf8)
        })
    } else {
        trimmed.len() - last.len_utf8()
    };
    Some((trimmed.get(start..)?, before.len() - start))
}

/// `5m` alone are metres, `£5m` are millions.
fn magnitude(word: &str, attached: bool, of_money: bool) -> Option<i32> {
    if attached {
        match word {
            "M" => return Some(6),
            "B" => return Some(9),
            "m" if of_money => return Some(6),
            "b" if of_money => return Some(9),
            _ => {}
        }
    } else if word.eq_ignore_ascii_case("k") {
        return None;
    }
    let lower = word.to_lowercase();
    MAGNITUDES
        .iter()
        .find(|(_, words)| words.split_whitespace().any(|one| one == lower))
        .map(|(power, _)| *power)
}

/// The unit that follows, with the length up to its end.
fn unit_after(rest: &str) -> Option<(Unit, usize)> {
    let (word, length) = next_word(rest)?;
    if let Some(unit) = unit_of(word, length == word.len()) {
        return Some((unit, length));
    }
    // `per cent`: two words in many languages.
    let (second, more) = next_word(rest.get(length..)?)?;
    let words = (word.to_lowercase(), second.to_lowercase());
    matches!(
        (words.0.as_str(), words.1.as_str()),
        ("per" | "pour" | "por", "cent" | "ciento" | "cento")
    )
    .then_some((Unit::Percent, length + more))
}

/// The currency behind what German writes between: `3 Mio. €`, `9,- €`.
fn currency_after(rest: &str, abbreviated: bool) -> Option<(Unit, usize)> {
    let dashed = [',', '.'].into_iter().find_map(|mark| {
        let dashes = rest.strip_prefix(mark)?;
        let behind = dashes.trim_start_matches(['-', '–', '—']);
        (behind.len() < dashes.len()).then_some(behind)
    });
    let behind = dashed.or_else(|| rest.strip_prefix('.').filter(|_| abbreviated))?;
    let (unit, length) = unit_after(behind)?;
    matches!(unit, Unit::Currency(_)).then_some((unit, rest.len() - behind.len() + length))
}

fn unit_of(word: &str, attached: bool) -> Option<Unit> {
    match word.to_lowercase().as_str() {
        "%" | "percent" | "pct" | "prozent" | "procent" => Some(Unit::Percent),
        "×" | "fold" | "times" | "mal" | "fach" => Some(Unit::Times),
        "x" if attached => Some(Unit::Times),
        _ => currency(word).map(Unit::Currency),
    }
}

fn currency(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    CURRENCIES
        .iter()
        .find(|(_, words)| words.split_whitespace().any(|one| one == lower))
        .map(|(code, _)| *code)
}
