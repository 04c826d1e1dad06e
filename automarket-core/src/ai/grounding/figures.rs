//! Figures: numbers with their units, and dates.

use std::collections::HashSet;

use super::{
    Claim, UngroundedKind,
    currencies::currency,
    dates::{self, Date},
    numbers::{Figure, Number, Value, is_inner},
    times::{self, Time},
    units::{Unit, last_word, side_after, unspaced},
    words,
};

/// The figures and months of a source.
#[derive(Debug)]
pub(super) struct Source {
    with_unit: HashSet<(Value, Unit)>,
    values: HashSet<Value>,
    /// Ordinals that lines begin with, and the word behind each.
    ordinals: HashSet<(Value, String)>,
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
            ordinals: HashSet::new(),
            months: HashSet::new(),
            dates: HashSet::new(),
            days: HashSet::new(),
            pairs: HashSet::new(),
            named: HashSet::new(),
            times: HashSet::new(),
        };
        let text = words::for_words(source);
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
                    let of = word_behind(text.get(figure.end..).unwrap_or_default());
                    found.ordinals.extend(of.map(|word| (figure.value, word)));
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
    fn holds_ordinal(&self, figure: &Figure, after: &str) -> bool {
        figure.unit == Unit::Plain
            && word_behind(after)
                .is_some_and(|word| self.ordinals.contains(&(figure.value.clone(), word)))
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
        let ordinal = source.holds_ordinal(figure, after);
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

/// The word behind an ordinal, in small letters: `25. Berliner Weihnachtsmarkt`.
fn word_behind(after: &str) -> Option<String> {
    let rest = after.strip_prefix(". ")?;
    let end = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    let word = rest.get(..end).filter(|word| !word.is_empty())?;
    Some(word.to_lowercase())
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
            Unit::Currency(_) => {
                after.starts_with(['€', '$', '£']) || before.ends_with(['$', '€', '£'])
            }
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
