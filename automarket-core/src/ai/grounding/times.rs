//! Times of day: `19:30`, `19.30 Uhr`, `7.30pm`, `19h30`, `18 Uhr`, `6 pm`, `à 20h`, `午後7時`, `오후 7시`.

use std::ops::Range;

use super::units::{BLANKS, unspaced};

/// A time of day and where its numbers stand.
pub(super) struct Time {
    pub(super) span: Range<usize>,
    /// Of the day.
    pub(super) minute: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Clock,
    Morning,
    Evening,
}

/// What stands behind a time, a blank between or none, large or small.
const MARKS: [(&str, Mark); 9] = [
    ("uhr", Mark::Clock),
    ("o'clock", Mark::Clock),
    ("o’clock", Mark::Clock),
    ("am", Mark::Morning),
    ("a.m.", Mark::Morning),
    ("a. m.", Mark::Morning),
    ("pm", Mark::Evening),
    ("p.m.", Mark::Evening),
    ("p. m.", Mark::Evening),
];

/// With these before it a bare hour is another time: `halb 8 Uhr`, `half past 6 pm`.
const MOVED: [&str; 8] = [
    "halb",
    "viertel",
    "dreiviertel",
    "vor",
    "nach",
    "half",
    "past",
    "to",
];

/// The mark that a half of the day is, and for which hours; `None` for one that is no mark.
type Half = Option<(Mark, Range<usize>)>;

/// What stands before an hour of Japanese, Korean and Chinese.
const HALVES: [(&str, Half); 25] = [
    ("午前", Some((Mark::Morning, 1..13))),
    ("오전", Some((Mark::Morning, 1..13))),
    ("上午", Some((Mark::Morning, 1..13))),
    ("午後", Some((Mark::Evening, 1..13))),
    ("午后", Some((Mark::Evening, 1..13))),
    ("下午", Some((Mark::Evening, 1..13))),
    ("오후", Some((Mark::Evening, 1..13))),
    ("早上", Some((Mark::Morning, 4..12))),
    ("早", Some((Mark::Morning, 4..12))),
    ("朝", Some((Mark::Morning, 4..12))),
    ("아침", Some((Mark::Morning, 4..12))),
    ("夕方", Some((Mark::Evening, 4..12))),
    ("夕", Some((Mark::Evening, 4..12))),
    ("傍晚", Some((Mark::Evening, 4..12))),
    ("저녁", Some((Mark::Evening, 4..12))),
    ("밤", Some((Mark::Evening, 6..12))),
    ("夜", Some((Mark::Evening, 6..12))),
    ("晩", Some((Mark::Evening, 6..12))),
    ("晚", Some((Mark::Evening, 6..12))),
    ("晚上", Some((Mark::Evening, 6..12))),
    ("晚间", Some((Mark::Evening, 6..12))),
    ("새벽", None),
    ("낮", None),
    ("昼", None),
    ("午", None),
];

/// What may stand right behind `시`: `3시리즈` is none.
const BEHIND_KOREAN: [&str; 4] = ["에", "부터", "까지", "정각"];

/// With these before it `9 – 18 Uhr` and `9 bis 18 Uhr` are a range; elsewhere it may be a room and its hour
/// (`Saal 3 – 18 Uhr`).
const DAYS: &str = "mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag montags \
    dienstags mittwochs donnerstags freitags samstags sonntags feiertags werktags täglich von";

/// The times of a text, in order.
pub(super) fn find(text: &str) -> impl Iterator<Item = Time> + '_ {
    // Whether the line has said a half of the day, which holds for more than the next hour: `午後7時～9時`.
    let mut halved = false;
    text.char_indices().filter_map(move |(at, c)| {
        let rest = text.get(at..)?;
        halved &= c != '\n';
        halved |= unspaced(c) && HALVES.iter().any(|(word, _)| rest.starts_with(word));
        read(text, at, halved)
    })
}

/// Whether a number behind it is part of something else: `v19:30`, `1.19:30`, `€19.30`, `GPT-4:30`.
fn is_joined(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some('-' | '\u{2011}') => back.next().is_some_and(char::is_alphabetic),
        Some(c) => (c.is_alphanumeric() && !unspaced(c)) || ".,:/'’_&$€£¥₹".contains(c),
        None => false,
    }
}

fn read(text: &str, start: usize, halved: bool) -> Option<Time> {
    let (before, rest) = text.split_at_checked(start)?;
    // Before the digits are counted, which each one of a long number would do anew.
    if !rest.starts_with(|c: char| c.is_ascii_digit()) || is_joined(before) {
        return None;
    }
    let hour = number(rest).filter(|hour| hour.len() <= 2)?;
    let behind_hour = rest.get(hour.len()..)?;
    let part = behind_hour.chars().next().filter(|c| ":.h".contains(*c));
    let minute = part.and_then(|_| number(behind_hour.get(1..)?));
    let minute = minute.filter(|minute| minute.len() == 2);
    let end = start + hour.len() + minute.map_or(0, |minute| 1 + minute.len());
    let rest = text.get(end..)?;
    let (mut mark, behind) = mark(before, rest).unzip();
    let asian = asian(behind_hour);
    let of_half = half(before);
    let french = minute.is_none() && is_french(before, behind_hour);
    let sure = match part.filter(|_| minute.is_some()) {
        Some(':') => true,
        Some('h') => !rest.starts_with(char::is_alphanumeric),
        Some(_) => mark.is_some() || is_clock(before, rest),
        None => {
            let marked = behind.is_some_and(|behind| !is_moved(before) && !goes_on(behind));
            marked || asian.is_some() || french
        }
    };
    // `7:30p`.
    if part == Some(':') && minute.is_some() && mark.is_none() {
        mark = [('a', Mark::Morning), ('p', Mark::Evening)]
            .into_iter()
            .find(|(letter, _)| is_letter(rest, *letter))
            .map(|(_, mark)| mark);
    }
    let more = rest.strip_prefix([':', '.', ',']).and_then(number);
    let hour: usize = hour.parse().ok()?;
    let minute: usize = minute.map_or(Ok(0), str::parse).ok()?;
    let (minute, length) = asian.unwrap_or((minute, 0));
    let end = end + length;
    match of_half {
        Some(half) => {
            let (of_half, _) = half.filter(|(_, hours)| hours.contains(&hour))?;
            mark = Some(of_half);
        }
        // Of which half an hour of this line is not said.
        None if halved && hour <= 12 => return None,
        // A shorter one may last: `à 2h de Paris`.
        None if french && hour < 6 => return None,
        None => {}
    }
    let hour = match mark {
        Some(Mark::Morning | Mark::Evening) if !(1..=12).contains(&hour) => return None,
        Some(Mark::Morning) => hour % 12,
        Some(Mark::Evening) => hour % 12 + 12,
        _ => hour,
    };
    // English or German, half a day apart.
    let noon = hour == 12 && mark.is_none() && is_am(rest.trim_start());
    if noon || (hour <= 12 && mark.is_none() && is_of_a_half(rest)) {
        return None;
    }
    let real = hour <= 24 && minute < 60;
    (sure && more.is_none() && real).then_some(Time {
        span: start..end,
        minute: hour * 60 + minute,
    })
}

/// The digits at the beginning.
fn number(text: &str) -> Option<&str> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..end).filter(|digits| !digits.is_empty())
}

/// The word and the sign behind it before a place, in small letters.
fn word_before(before: &str) -> String {
    let before = before.strip_suffix(BLANKS).unwrap_or(before);
    let before = before.strip_suffix('.').unwrap_or(before);
    let rest = before.trim_end_matches(char::is_alphabetic);
    before.get(rest.len()..).unwrap_or_default().to_lowercase()
}

/// `om 19.30 uur`, `19.30 horas`, `ore 19.30`, `kl. 19.30`, `o godz. 19.30`. The words are hours that last as well, so
/// `24 horas` are no time of day.
fn is_clock(before: &str, rest: &str) -> bool {
    let behind = rest.strip_prefix(BLANKS).unwrap_or(rest);
    let apart = |behind: &str| !behind.starts_with(char::is_alphanumeric);
    let mut words = ["uur", "horas"].iter();
    words.any(|word| behind.strip_prefix(word).is_some_and(apart))
        || matches!(&*word_before(before), "ore" | "kl" | "godz")
}

/// The half of the day said before an hour.
fn half(before: &str) -> Option<Half> {
    let before = before.strip_suffix(BLANKS).unwrap_or(before);
    let (_, half) = HALVES
        .into_iter()
        .find(|(word, _)| before.ends_with(word))?;
    Some(half)
}

/// Of what stands behind an hour of Japanese or Korean the minute, and the length up to its end: `時`, `時30分`, `시 30분`.
fn asian(behind: &str) -> Option<(usize, usize)> {
    let rest = behind.strip_prefix(BLANKS).unwrap_or(behind);
    let korean = rest.starts_with('시');
    let after = rest.strip_prefix(['時', '시'])?;
    let inner = after.strip_prefix(BLANKS).unwrap_or(after);
    if let Some(minute) = number(inner) {
        let of_hour = inner.get(minute.len()..)?.starts_with(['分', '분']);
        let length = behind.len() - inner.len() + minute.len();
        return Some((minute.parse().ok()?, length)).filter(|_| of_hour);
    }
    let next = after.chars().next();
    let goes_on = match next.filter(|c| unspaced(*c)) {
        Some(_) if korean => !BEHIND_KOREAN.iter().any(|word| after.starts_with(word)),
        // `10時間`, `7時半`, `3時限`, `18時台`.
        Some(c) => "間半限台点代期差計刻".contains(c),
        None => inner.starts_with(['半', '반']),
    };
    (!goes_on).then_some((0, 0))
}

/// `à 20h`, `dès 20 h`, `de 10h à 19h`; elsewhere it may be how long something lasts.
fn is_french(before: &str, behind: &str) -> bool {
    let of_hour = |behind: &'_ str| -> Option<usize> {
        let rest = behind
            .strip_prefix(BLANKS)
            .unwrap_or(behind)
            .strip_prefix('h')?;
        let lasts = [" d'", " d’", " de ", " du ", " en ", " par ", "/"];
        let more = rest.starts_with(char::is_alphanumeric)
            || goes_on(rest)
            || lasts.iter().any(|word| rest.starts_with(word));
        (!more).then_some(behind.len() - rest.len())
    };
    let Some(rest) = of_hour(behind).and_then(|length| behind.get(length..)) else {
        return false;
    };
    match &*word_before(before) {
        // `jusqu'à 20h` is said of batteries, too.
        "à" => {
            !before.trim_end_matches(BLANKS).ends_with("'à")
                && !before.trim_end_matches(BLANKS).ends_with("’à")
        }
        "dès" => true,
        "de" => {
            let last = rest.strip_prefix(" à ");
            let last = last.and_then(|last| last.get(number(last)?.len()..));
            last.is_some_and(|behind| of_hour(behind).is_some())
        }
        _ => false,
    }
}

fn is_letter(rest: &str, letter: char) -> bool {
    let mut chars = rest.chars();
    chars
        .next()
        .is_some_and(|c| c.eq_ignore_ascii_case(&letter))
        && !chars.next().is_some_and(char::is_alphanumeric)
}

/// The mark and what stands behind it: of a range (`9–18 Uhr`) that of its end.
fn mark<'a>(before: &str, rest: &'a str) -> Option<(Mark, &'a str)> {
    let apart = || {
        let of_day = before.trim_end_matches(BLANKS).ends_with(':')
            || DAYS
                .split_whitespace()
                .any(|day| day == word_before(before));
        let mut between = [" - ", " – ", " bis "].iter();
        let end = between.find_map(|to| rest.strip_prefix(to));
        end.filter(|_| of_day)
    };
    let end = rest
        .strip_prefix(['-', '–', '~', '～', '〜'])
        .or_else(apart)
        .filter(|end| number(end).is_some());
    match end {
        Some(end) => {
            let end = end.trim_start_matches(|c: char| c.is_ascii_digit() || ".:".contains(c));
            let asian = || asian(end).map(|_| (Mark::Clock, ""));
            let clock = marked(end).filter(|(mark, _)| *mark == Mark::Clock);
            clock.or_else(asian)
        }
        None => marked(rest),
    }
}

/// The first of `7:30–9:30 pm` and of `5:30, 7:30, 9:30 pm`: of which half of the day is not said.
fn is_of_a_half(rest: &str) -> bool {
    is_of_a_half_within(rest, 8)
}

fn is_of_a_half_within(rest: &str, most: usize) -> bool {
    let Some((between, last)) = rest
        .find(|c: char| c.is_ascii_digit())
        .and_then(|at| rest.split_at_checked(at))
    else {
        return false;
    };
    let mut words = between
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    let near = words.next().is_none_or(|word| !is_am(word)) && words.next().is_none();
    let behind = last.trim_start_matches(|c: char| c.is_ascii_digit() || ".:".contains(c));
    let half = marked(behind).is_some_and(|(mark, _)| mark != Mark::Clock);
    let listed = || most > 0 && is_of_a_half_within(behind, most - 1);
    near && !between.contains(['.', '\n']) && (half || listed())
}

/// In small letters German, too: `nur 9.30 am Montag`.
fn is_am(text: &str) -> bool {
    let behind = text.strip_prefix("am").or_else(|| text.strip_prefix("Am"));
    behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
}

fn marked(rest: &str) -> Option<(Mark, &str)> {
    let apart = rest.strip_prefix(BLANKS);
    let text = apart.unwrap_or(rest);
    let (word, mark) = MARKS.iter().find(|(word, _)| {
        let said = text.get(..word.len());
        said.is_some_and(|said| said.eq_ignore_ascii_case(word))
    })?;
    let behind = text.get(word.len()..)?;
    let mut after = behind.chars();
    let goes_on = match after.next() {
        // `7pm-9pm`, but no `18 Uhr-Zug`.
        Some('-') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphanumeric(),
        None => false,
    };
    let to = behind.strip_prefix(" to ").and_then(number);
    let german = is_am(text) && apart.is_some() && to.is_none();
    (!goes_on && !german).then_some((*mark, behind))
}

/// `18 Uhr 30`.
fn goes_on(behind: &str) -> bool {
    let mut behind = behind.trim_start().chars();
    behind.next().is_some_and(|c| c.is_ascii_digit())
}

fn is_moved(before: &str) -> bool {
    let before = before.trim_end();
    let rest = before.trim_end_matches(char::is_alphabetic);
    let word = before.get(rest.len()..).unwrap_or_default().to_lowercase();
    // `9 am to 6 pm` is a range, `10 to 6 pm` may be none.
    let rest = rest.trim_end();
    let ends = |mark: &str| {
        let at = rest.len().checked_sub(mark.len());
        let end = at.and_then(|at| rest.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(mark))
    };
    let range = word == "to" && MARKS.iter().any(|(mark, _)| ends(mark));
    // A spelled `half` is `50%` in a source.
    before.ends_with('%') || (MOVED.contains(&&*word) && !range)
}
