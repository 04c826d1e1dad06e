//! Dates: `2025-03-12`, `2025.03.12`, `2025年3月12日`, `3月12日`, `12.03.2025`, `12. März 2025`, `March 12, 2025`.

use std::ops::Range;

use super::units::{BLANKS, unspaced};

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

/// The months where dates are written with full stops, as they stand behind a day: German, Danish, Norwegian, Swedish,
/// French, Italian, Polish, Czech, Finnish, Russian, Turkish, Spanish, Portuguese, Dutch. `listopada` is November to Poles and October to Croats.
const BEHIND_A_DAY: [&str; 12] = [
    "januar januari jänner janvier gennaio stycznia ledna tammikuuta января ocak enero janeiro",
    "februar februari février febbraio lutego února helmikuuta февраля şubat febrero fevereiro",
    "märz marts mars marzo marca března maaliskuuta марта mart março maart",
    "april avril aprile kwietnia dubna huhtikuuta апреля nisan abril",
    "mai maj maggio maja května toukokuuta мая mayıs mayo maio mei",
    "juni juin giugno czerwca června kesäkuuta июня haziran junio junho",
    "juli juillet luglio lipca července heinäkuuta июля temmuz julio julho",
    "august augusti août agosto sierpnia srpna elokuuta августа ağustos agosto augustus",
    "september septembre settembre września září syyskuuta сентября eylül septiembre setembro",
    "oktober octobre ottobre października října lokakuuta октября ekim octubre outubro",
    "november novembre listopadu marraskuuta ноября kasım noviembre novembro",
    "dezember december desember décembre dicembre grudnia prosince joulukuuta декабря aralık diciembre dezembro",
];

/// A date and where it stands.
#[derive(Debug)]
pub(super) struct Date {
    pub(super) span: Range<usize>,
    pub(super) day: usize,
    pub(super) month: usize,
    pub(super) year: Option<usize>,
    /// Where the month stands as a number of its own.
    pub(super) month_at: Option<usize>,
    /// Whether it can be nothing else: it has a year, or `am` stands before it.
    pub(super) sure: bool,
    /// Whether its month is a name that stands behind its day: those names are not judged elsewhere.
    pub(super) named: bool,
}

/// What stands before a day: `am 12.03.`, `on March 12`.
const BEFORE_A_DAY: [&str; 6] = ["am", "vom", "zum", "dem", "den", "on"];

/// What stands behind year, month and day.
const YEAR_FIRST: [[&str; 3]; 3] = [["년", "월", "일"], ["年", "月", "日"], [".", ".", ""]];

/// The dates of a text, in order. Two groups and a year with slashes are none: it is not to be told which is the month.
pub(super) fn find(text: &str) -> Vec<Date> {
    let mut found: Vec<Date> = Vec::new();
    let mut before = None;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            // The rest of `2025. 3. 12.` and the next year are no date.
            let within = found.last().is_some_and(|date| at < date.span.end);
            if !within && !before.is_some_and(|c: char| c.is_ascii_digit()) {
                let date = iso(text, at).or_else(|| year_first(text, at));
                let date = date.or_else(|| month_day(text, at));
                let date = date.or_else(|| last_day(text, at, found.last()?));
                let date = date.or_else(|| dotted(text, at));
                let date = date.or_else(|| dotted_day(text, at));
                found.extend(date.or_else(|| day_first(text, at)));
            }
        } else if c.is_ascii_uppercase() && !before.is_some_and(char::is_alphanumeric) {
            found.extend(month_first(text, at));
        }
        before = Some(c);
    }
    found
}

/// The month of an English name.
pub(super) fn month(word: &str) -> Option<usize> {
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

/// The months that a word may name, in full or shortened (`Dez`).
pub(super) fn months_of(word: &str) -> impl Iterator<Item = usize> {
    let word = match word.len() {
        3..=20 => word.to_lowercase(),
        _ => "-".to_owned(),
    };
    let lists = MONTHS.iter().zip(BEHIND_A_DAY).enumerate();
    lists
        .filter(move |(_, (english, names))| {
            let mut names = names.split_whitespace();
            english.starts_with(&word) || names.any(|name| name.starts_with(&word))
        })
        .map(|(at, _)| at + 1)
}

/// What may be a day and a month or the other way round: `12/05/2025`, `5-12`, `12.05.`.
pub(super) fn pairs(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut before = None;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() && !before.is_some_and(|c: char| c.is_ascii_digit()) {
            let mut reader = Reader { text, at };
            let first = reader.number(2);
            let parted = ["/", "-", "."]
                .iter()
                .any(|mark| reader.skip(mark).is_some());
            let _ = reader.blank();
            if let Some(first) = first.filter(|_| parted)
                && let Some(second) = reader.number(2)
            {
                found.extend([(first, second), (second, first)]);
            }
        }
        before = Some(c);
    }
    found
}

fn iso(text: &str, start: usize) -> Option<Date> {
    let span = start..start + 10;
    let window = text.get(span.clone())?;
    let shape = |(at, c): (usize, u8)| {
        if matches!(at, 4 | 7) {
            c == b'-'
        } else {
            c.is_ascii_digit()
        }
    };
    let more = text
        .get(span.end..)?
        .starts_with(|c: char| c.is_ascii_digit());
    if more || !window.bytes().enumerate().all(shape) {
        return None;
    }
    Some(Date {
        span,
        day: window.get(8..)?.parse().ok()?,
        month: window.get(5..7)?.parse().ok()?,
        year: window.get(..4)?.parse().ok(),
        month_at: Some(start + 5),
        sure: true,
        named: false,
    })
}

/// `2025.03.12`, `2025. 3. 12.`, `2025年3月12日`. `2025.3.12` is a version as well.
fn year_first(text: &str, start: usize) -> Option<Date> {
    if is_begun(text.get(..start)?) {
        return None;
    }
    YEAR_FIRST
        .iter()
        .find_map(|[year_mark, month_mark, day_mark]| {
            let mut reader = Reader { text, at: start };
            let year = reader.year()?;
            reader.skip(year_mark)?;
            let blank = reader.blank().is_some();
            let month_at = reader.at;
            let month = reader.number(2)?;
            let two = reader.at == month_at + 2;
            reader.skip(month_mark)?;
            let even = reader.blank().is_some() == blank;
            let day_at = reader.at;
            let day = reader.number(2)?;
            let two = two && reader.at == day_at + 2;
            reader.skip(day_mark)?;
            let full_stops = day_mark.is_empty();
            if full_stops && !(even && (blank || two) && !reader.number_goes_on()) {
                return None;
            }
            let date = reader.date(start, day, month, Some(year))?;
            let month_at = Some(month_at);
            Some(Date { month_at, ..date })
        })
}

/// `3月12日`, `3월 12일`.
fn month_day(text: &str, start: usize) -> Option<Date> {
    if is_begun(text.get(..start)?) {
        return None;
    }
    let mut reader = Reader { text, at: start };
    let month = reader.number(2)?;
    reader.skip("月").or_else(|| reader.skip("월"))?;
    let _ = reader.blank();
    let day = reader.day()?;
    let date = reader.date(start, day, month, None)?;
    Some(Date { sure: true, ..date })
}

/// The 25 of `12月5日から25日`, `12월 5일(금)~25일`.
fn last_day(text: &str, start: usize, first: &Date) -> Option<Date> {
    let between = text
        .get(first.span.end..start)
        .filter(|between| between.len() <= 20)?;
    let weekday = between
        .strip_prefix(['(', '（'])
        .and_then(|rest| rest.split_once([')', '）']));
    let between = weekday.map_or(between, |(_, behind)| behind).trim();
    if !matches!(between, "から" | "-" | "–" | "~" | "～" | "〜" | "부터")
        || !text.get(first.span.clone())?.ends_with(['日', '일'])
    {
        return None;
    }
    let mut reader = Reader { text, at: start };
    let day = reader.day()?;
    let date = reader.date(start, day, first.month, None)?;
    Some(Date { sure: true, ..date })
}

/// `12.03.2025`, `12. 3. 2025`.
fn dotted(text: &str, start: usize) -> Option<Date> {
    if is_begun(text.get(..start)?) {
        return None;
    }
    let mut reader = Reader { text, at: start };
    let day = reader.number(2)?;
    reader.skip(".")?;
    let blank = reader.blank().is_some();
    let month = reader.number(2)?;
    reader.skip(".")?;
    let even = reader.blank().is_some() == blank;
    let year = reader.year()?;
    // `10.12.2025.1` is none.
    (even && !reader.number_goes_on())
        .then(|| reader.date(start, day, month, Some(year)))
        .flatten()
}

/// `am 12.03.`, `12.03.–14.03.2025`: elsewhere it may be a decimal at the end of a sentence.
fn dotted_day(text: &str, start: usize) -> Option<Date> {
    if is_begun(text.get(..start)?) {
        return None;
    }
    let mut reader = Reader { text, at: start };
    let day = reader.number(2)?;
    reader.skip(".")?;
    let month = reader.number(2)?;
    reader.skip(".")?;
    if reader.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let date = reader.date(start, day, month, None)?;
    let last = reader.rest().strip_prefix(['-', '–']);
    let of_range = last.is_some_and(|last| dotted(text, text.len() - last.len()).is_some());
    let sure = of_range || (date.sure && !before_word(text, start).eq_ignore_ascii_case("on"));
    sure.then_some(Date { sure, ..date })
}

/// The word before a place, a blank between.
fn before_word(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let Some(before) = before.strip_suffix(BLANKS) else {
        return "";
    };
    let rest = before.trim_end_matches(char::is_alphabetic);
    before.get(rest.len()..).unwrap_or_default()
}

/// Whether what follows is the rest of something: of `1.12.03.2025`, of `v12.03.2025`.
fn is_begun(before: &str) -> bool {
    let group = before
        .strip_suffix(['.', ','])
        .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
    group || before.ends_with(|c: char| c.is_alphabetic() && !unspaced(c))
}

/// `12. März 2025`, `12th of March`, `12 marca 2025`.
fn day_first(text: &str, start: usize) -> Option<Date> {
    if is_begun(text.get(..start)?) {
        return None;
    }
    let mut reader = Reader { text, at: start };
    let day = reader.number(2)?;
    let _ = reader.ordinal();
    // `It grew to 12. March 2025 began well.`: no full stop in English.
    let stop = reader.skip(".").is_some();
    let _ = reader.blank();
    let before = reader.at;
    let of = reader.skip("of").or_else(|| reader.skip("de"));
    if of.and_then(|_| reader.blank()).is_none() {
        // `12 dezembro`
        reader.at = before;
    }
    let word = reader.word();
    let english = if stop { None } else { month(word) };
    let month = english.or_else(|| {
        let lower = word.to_lowercase();
        let named = |names: &&str| names.split_whitespace().any(|one| one == lower);
        BEHIND_A_DAY.iter().position(named).map(|at| at + 1)
    })?;
    reader.at += word.len();
    let year = reader.year_behind();
    let date = reader.date(start, day, month, year)?;
    let named = english.is_none();
    Some(Date { named, ..date })
}

/// `March 12, 2025`.
fn month_first(text: &str, start: usize) -> Option<Date> {
    let mut reader = Reader { text, at: start };
    let word = reader.word();
    let month = month(word)?;
    reader.at += word.len();
    let _ = reader.skip(".");
    reader.blank()?;
    let day = reader.number(2)?;
    let _ = reader.ordinal();
    let year = reader.year_behind();
    reader.date(start, day, month, year)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, what: &str) -> Option<()> {
        self.rest().strip_prefix(what)?;
        self.at += what.len();
        Some(())
    }

    fn blank(&mut self) -> Option<()> {
        let blank = self.rest().chars().next()?;
        BLANKS.contains(&blank).then(|| self.at += blank.len_utf8())
    }

    /// The letters that follow.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphabetic());
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// A number of at most so many digits.
    fn number(&mut self, most: usize) -> Option<usize> {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest
            .get(..length)
            .filter(|_| length <= most)?
            .parse()
            .ok()?;
        self.at += length;
        Some(number)
    }

    /// A day with its mark: `12日`, but not the days of `12日間`.
    fn day(&mut self) -> Option<usize> {
        let day = self.number(2)?;
        self.skip("日").or_else(|| self.skip("일"))?;
        (!self.rest().starts_with(['間', '간', '目', '째'])).then_some(day)
    }

    fn year(&mut self) -> Option<usize> {
        self.number(4).filter(|year| *year >= 1000)
    }

    fn year_behind(&mut self) -> Option<usize> {
        let before = self.at;
        let _ = self.skip(",").or_else(|| self.skip("."));
        let blank = self.blank();
        let _ = self.skip("de ").or_else(|| self.skip("del "));
        let year = blank.and_then(|()| self.year());
        if year.is_none() {
            self.at = before;
        }
        year
    }

    fn ordinal(&mut self) -> Option<()> {
        let word = self.word();
        matches!(word, "st" | "nd" | "rd" | "th").then(|| self.at += word.len())
    }

    /// Whether a full stop or a comma and a digit follow.
    fn number_goes_on(&self) -> bool {
        let rest = self.rest().strip_prefix(['.', ',']);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    fn date(&self, start: usize, day: usize, month: usize, year: Option<usize>) -> Option<Date> {
        let word = before_word(self.text, start).to_lowercase();
        let real = (1..=31).contains(&day) && (1..=12).contains(&month);
        real.then_some(Date {
            span: start..self.at,
            day,
            month,
            year,
            month_at: None,
            named: false,
            sure: year.is_some() || BEFORE_A_DAY.contains(&&*word),
        })
    }
}
