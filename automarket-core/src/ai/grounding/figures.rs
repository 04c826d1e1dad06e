//! Figures: numbers with their units, and dates.

use std::collections::HashSet;

use super::{
    Claim, UngroundedKind,
    dates::{self, Date},
    digits,
    times::{self, Time},
    units::{
        BLANKS, Unit, cents_after, currency, currency_after, currency_of, last_word, magnitude,
        next_word, side_after, unit_after, unspaced,
    },
};

/// Raised digits, as pages set cents and footnotes.
const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// A number as digits without outer zeros, and the power of ten they are multiplied by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Value {
    digits: String,
    exponent: i32,
}

struct Figure {
    start: usize,
    end: usize,
    value: Value,
    unit: Unit,
    /// The power of ten of the word behind the number.
    power: i32,
    /// What stands there as bare numbers: the groups of a number whose thousands are parted by plain blanks, the 3 of
    /// `$3–5 million`.
    parts: Vec<Value>,
    /// The price, if its cents (`$3¹⁹`) are a footnote's number.
    noted: Option<Value>,
}

/// The figures and months of a source.
#[derive(Debug)]
pub(super) struct Source {
    with_unit: HashSet<(Value, Unit)>,
    values: HashSet<Value>,
    months: HashSet<usize>,
    /// Day, month and year; each without its year too.
    dates: HashSet<(usize, usize, Option<usize>)>,
    /// Day and month of every date, sure or not.
    days: HashSet<(usize, usize)>,
    /// What may be such, by figures.
    pairs: HashSet<(usize, usize)>,
    /// Months named or shortened anywhere, in any language.
    named: HashSet<usize>,
    /// Times of day, in minutes.
    times: HashSet<usize>,
}

impl Source {
    pub(super) fn new(source: &str) -> Self {
        let mut found = Self {
            with_unit: HashSet::new(),
            values: HashSet::new(),
            months: HashSet::new(),
            dates: HashSet::new(),
            days: HashSet::new(),
            pairs: HashSet::new(),
            named: HashSet::new(),
            times: HashSet::new(),
        };
        let text = digits::for_words(source);
        found
            .times
            .extend(times::find(&text).map(|time| time.minute));
        let dates = dates::find(&text);
        let figures = scan(&text, &dates);
        for pair in figures.windows(2) {
            if let [first, last] = pair {
                let range = range_start(&text, first, last);
                found
                    .with_unit
                    .extend(range.map(|value| (value, last.unit)));
                if is_signed_range(&text, first, last) && less(&first.value, &last.value) {
                    found.with_unit.insert((last.value.clone(), first.unit));
                }
            }
        }
        let items: HashSet<usize> = figures.iter().filter_map(item_number).collect();
        for figure in figures {
            if let Some(number) = item_number(&figure) {
                // One beside the last or the next is of a list, but for days: `5. Dezember`.
                let listed = items.contains(&(number + 1))
                    || number
                        .checked_sub(1)
                        .is_some_and(|last| items.contains(&last));
                let day = dates
                    .binary_search_by_key(&figure.start, |date| date.span.start)
                    .is_ok();
                if !listed || day {
                    found.with_unit.insert((figure.value, Unit::Item));
                }
                continue;
            }
            found.values.extend(figure.parts);
            let noted = figure.noted.map(|value| (value, figure.unit));
            found.with_unit.extend(noted);
            let rest = text.get(figure.end..).unwrap_or_default();
            if figure.unit == Unit::Plain && side_after(rest).is_some() {
                found.with_unit.insert((figure.value.clone(), Unit::By));
            }
            if figure.unit != Unit::Inner {
                found.values.insert(figure.value.clone());
            }
            found.with_unit.insert((figure.value, figure.unit));
        }
        found.pairs.extend(dates::pairs(&text));
        for date in dates {
            found.days.insert((date.day, date.month));
            // Without a year a word behind a number may be none: `3 mai` is Romanian for three more.
            if date.sure {
                found.months.insert(date.month);
                found.dates.insert((date.day, date.month, None));
            }
            if let Some(year) = date.year {
                found.values.insert(Value::new(&year.to_string(), 0));
                found.dates.insert((date.day, date.month, Some(year)));
            }
        }
        let words = || text.split(|c: char| !c.is_alphabetic());
        found.months.extend(words().filter_map(dates::month));
        if !found.days.is_empty() {
            let words: HashSet<&str> = words().collect();
            found
                .named
                .extend(words.into_iter().flat_map(dates::months_of));
        }
        found
    }

    fn holds(&self, figure: &Figure) -> bool {
        let held = |unit| self.with_unit.contains(&(figure.value.clone(), unit));
        match figure.unit {
            Unit::Plain => {}
            Unit::Inner if held(Unit::Inner) => return true,
            Unit::Inner => {}
            Unit::Noted(currency) => return held(figure.unit) || held(Unit::Currency(currency)),
            unit => return held(unit),
        }
        self.values.contains(&figure.value)
            || (!figure.parts.is_empty()
                && figure.parts.iter().all(|part| self.values.contains(part)))
    }

    /// Whether a line begins with this number as an ordinal.
    fn holds_ordinal(&self, figure: &Figure) -> bool {
        let item = (figure.value.clone(), Unit::Item);
        figure.unit == Unit::Plain && self.with_unit.contains(&item)
    }

    /// Whether a month, by its name, is in the source by name or in a date.
    pub(super) fn holds_month(&self, word: &str) -> Option<bool> {
        dates::month(word).map(|month| self.months.contains(&month))
    }

    /// Whether the source says this date, in whatever spelling; without its year, if the text leaves that out.
    fn holds_date(&self, date: &Date) -> bool {
        self.dates.contains(&(date.day, date.month, date.year))
    }

    /// Whether the source has the day of this date in another month alone, and nothing of its month.
    fn has_another_month(&self, date: &Date) -> bool {
        let day = |month| self.days.contains(&(date.day, month));
        let other = (1..=12).any(day) && !day(date.month);
        let maybe = self.pairs.contains(&(date.day, date.month));
        other && !maybe && !self.months.contains(&date.month) && !self.named.contains(&date.month)
    }
}

/// The figures that the source does not hold, and the text with its figures blanked out
/// where they are words of their own.
pub(super) fn missing(source: &Source, text: &str) -> (Vec<Claim>, String) {
    let dates = dates::find(text);
    let times: Vec<Time> = times::find(text)
        .filter(|time| source.times.contains(&time.minute))
        .collect();
    let mut masked = text.to_owned();
    // `19h30` is no name either.
    for time in &times {
        masked.replace_range(time.span.clone(), &" ".repeat(time.span.len()));
    }
    let mut claims = Vec::new();
    let figures = scan(text, &dates);
    for figure in figures.iter().filter(|figure| figure.unit != Unit::Item) {
        let span = figure.start..figure.end;
        // Inside a longer word it stays, for that word is judged whole.
        let joins = |c: char| c.is_alphanumeric() || "-'’\u{2011}_&".contains(c);
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        let hyphens = ['-', '\u{2011}'];
        let signed =
            matches!(figure.unit, Unit::Percent | Unit::Currency(_)) && before.ends_with(hyphens);
        let alone = (signed || !before.ends_with(joins)) && !after.starts_with(joins);
        if alone {
            masked.replace_range(span.clone(), &" ".repeat(span.len()));
        }
        let timed = times
            .iter()
            .any(|time| time.span.start <= figure.start && figure.end <= time.span.end);
        let ordinal = after.starts_with(". ") && source.holds_ordinal(figure);
        if !timed && !ordinal && !is_of_a_date(source, &dates, figure) && !source.holds(figure) {
            claims.push(Claim {
                start: figure.start,
                text: text.get(span).unwrap_or_default().to_owned(),
                kind: UngroundedKind::Figure,
            });
        }
    }
    // The numbers of `12. Mai` may all stand there.
    for date in dates.iter().filter(|date| date.named) {
        let claimed = |claim: &Claim| date.span.contains(&claim.start);
        if source.has_another_month(date) && !claims.iter().any(claimed) {
            claims.push(Claim {
                start: date.span.start,
                text: text.get(date.span.clone()).unwrap_or_default().to_owned(),
                kind: UngroundedKind::Figure,
            });
        }
    }
    (claims, masked)
}

/// Whether the figure is of a date that the source says. The month of a date with the year first is held against the months of the
/// source, not against its numbers.
fn is_of_a_date(source: &Source, dates: &[Date], figure: &Figure) -> bool {
    dates.iter().any(|date| {
        let within = date.span.start <= figure.start && figure.end <= date.span.end;
        (within && source.holds_date(date))
            || (date.month_at == Some(figure.start) && source.months.contains(&date.month))
    })
}

/// The first number of `19–49 €`, as one with the unit of the last. With blanks between it may be a name and its
/// price (`Pro 5 – 19 €`).
fn range_start(text: &str, first: &Figure, last: &Figure) -> Option<Value> {
    let between = text.get(first.end..last.start)?;
    let plain = first.unit == Unit::Plain && first.power == 0 && last.unit != Unit::Plain;
    let before = text.get(..first.start)?.chars().next_back();
    let joins = |c: char| (c.is_alphanumeric() && !unspaced(c)) || "-–—/:.,".contains(c);
    let alone = !before.is_some_and(joins);
    // `5–$20 vouchers` are five.
    let bare = text
        .get(last.start..)?
        .starts_with(|c: char| c.is_ascii_digit());
    if !plain || !alone || !bare || !matches!(between, "-" | "–" | "—") {
        return None;
    }
    let mut value = first.value.clone();
    value.exponent = value.exponent.saturating_add(last.power);
    less(&value, &last.value).then_some(value)
}

/// `$19–49`: the sign of the first is the last's too. No long dash: `at $5—10 million teams` are two clauses.
fn is_signed_range(text: &str, first: &Figure, last: &Figure) -> bool {
    let sign = text.get(first.start..first.end).unwrap_or_default();
    let signed =
        matches!(first.unit, Unit::Currency(_)) && !sign.starts_with(|c: char| c.is_ascii_digit());
    let between = text.get(first.end..last.start).unwrap_or_default();
    // `$5-10GB`, `$5-10-12`, `$5-10/12`.
    let mut after = text.get(last.end..).unwrap_or_default().chars();
    let goes_on = match after.next() {
        Some('-' | '–' | '—') => true,
        Some('/' | ':') => after.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphanumeric() && !unspaced(c),
        None => false,
    };
    signed && last.unit == Unit::Plain && matches!(between, "-" | "–") && !goes_on
}

fn less(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| format!("{}e{}", value.digits, value.exponent).parse::<f64>();
    matches!((number(one), number(other)), (Ok(one), Ok(other)) if one < other)
}

/// The 3 of `$3–5 million` are millions.
fn share_powers(text: &str, figures: &mut [Figure]) {
    for at in 1..figures.len() {
        let Some([first, last]) = figures.get_mut(at - 1..=at) else {
            continue;
        };
        let mut value = first.value.clone();
        value.exponent = value.exponent.saturating_add(last.power);
        let shared = first.power == 0
            && last.power != 0
            && is_signed_range(text, first, last)
            && less(&value, &last.value);
        if shared {
            let bare = std::mem::replace(&mut first.value, value);
            first.parts.push(bare);
            first.power = last.power;
            first.noted = None;
        }
    }
}

fn item_number(figure: &Figure) -> Option<usize> {
    let digits = (figure.unit == Unit::Item).then_some(&figure.value.digits)?;
    let zeros = usize::try_from(figure.value.exponent).ok()?;
    format!("{digits}{}", "0".repeat(zeros)).parse().ok()
}

fn scan(text: &str, dates: &[Date]) -> Vec<Figure> {
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
        // `12. März 2025` at the beginning of a line is no item.
        let date = dates.partition_point(|date| date.span.start < start);
        let date = dates.get(date).filter(|date| date.span.start == start);
        let dated = date.is_some_and(|date| date.year.is_some());
        let item = is_bullet(before, after, &number) && !dated;
        if item {
            let ordinal = after.starts_with(". ");
            found.extend(ordinal.then(|| number.item()));
            continue;
        }
        let figure = number.figure(before, after);
        // `SALE-70%`, `iPhone-15€`; of `GPT-4 $20` the sign is the next one's.
        let priced = match figure.unit {
            Unit::Percent => true,
            Unit::Currency(_) => after.starts_with(['€', '$', '£']),
            _ => false,
        };
        if !part_of_a_name(before) || priced {
            // Of `349€99` the cents are read.
            at = figure.end;
            found.push(figure);
        }
    }
    share_powers(text, &mut found);
    found
}

/// Whether letters behind a digit stand before (`19h30`, `70x180`): no name begins so.
fn is_inner(before: &str) -> bool {
    let mut back = before.chars().rev();
    let letters = back
        .by_ref()
        .take(4)
        .take_while(|c| c.is_alphabetic() && !unspaced(*c))
        .count();
    let behind = before.chars().rev().nth(letters);
    (1..=3).contains(&letters) && behind.is_some_and(|c| c.is_ascii_digit())
}

/// Whether a currency's code stands before (`CHF49`); `Euro6` is a norm.
fn is_code(before: &str) -> bool {
    last_word(before).is_some_and(|(word, length)| {
        let apart = !before
            .get(..before.len() - length)
            .unwrap_or_default()
            .ends_with(char::is_alphanumeric);
        let code = length == 3 && word.bytes().all(|c| c.is_ascii_uppercase());
        apart && code && currency(word).is_some()
    })
}

/// `B2B`, `H100`, `GPT-4`: those are judged as names. `v2.0` is none.
fn part_of_a_name(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some('v' | 'V') if !back.clone().next().is_some_and(char::is_alphanumeric) => false,
        Some(c) if c.is_alphabetic() => !unspaced(c) && !is_inner(before) && !is_code(before),
        Some('-' | '\u{2011}') => back.next().is_some_and(char::is_uppercase),
        _ => false,
    }
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

    fn item(&self) -> Figure {
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
        let signed = last_word(rest).is_some_and(|(word, _)| currency(word).is_some());
        // `iPhone 15 €799`.
        let short = self.end - self.start <= 2;
        let whole = self.separators.is_empty();
        priced.ends_with(|c: char| c.is_ascii_digit()) && !signed && whole && (cents || short)
    }

    fn figure(&self, before: &str, after: &str) -> Figure {
        let mut value = self.value();
        let mut end = self.end;
        let mut start = self.start;
        let mut unit = Unit::Plain;
        let mut rest = after;
        let mut abbreviated = false;
        let mut power = 0;
        let money = last_word(before)
            .and_then(|(word, length)| currency(word).map(|currency| (currency, length)));
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
        if let Some((word, length)) = next_word(rest)
            && let Some(of_word) = magnitude(
                word,
                length == word.len(),
                money.is_some(),
                rest.get(length..).unwrap_or_default(),
            )
        {
            // No cents stand before a million.
            value = noted.take().unwrap_or(value);
            power = of_word;
            value.exponent = value.exponent.saturating_add(power);
            end += length;
            rest = rest.get(length..).unwrap_or_default();
            abbreviated = matches!(&*word.to_lowercase(), "mio" | "mrd" | "tsd");
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
