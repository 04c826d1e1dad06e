//! Times of day: `19:30`, `19.30 Uhr`, `7.30pm`, `19h30`, `18 Uhr`, `6 pm`.

use std::ops::Range;

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

/// The times of a text, in order.
pub(super) fn find(text: &str) -> impl Iterator<Item = Time> + '_ {
    let digit = |c: char| c.is_ascii_digit();
    text.char_indices()
        .filter(move |(_, c)| digit(*c))
        .filter_map(|(at, _)| read(text, at))
}

/// Whether a number behind it is part of something else: `v19:30`, `1.19:30`, `€19.30`, `GPT-4:30`.
fn is_joined(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some('-' | '\u{2011}') => back.next().is_some_and(char::is_alphabetic),
        Some(c) => c.is_alphanumeric() || ".,:/'’_&$€£¥₹".contains(c),
        None => false,
    }
}

fn read(text: &str, start: usize) -> Option<Time> {
    let (before, rest) = text.split_at_checked(start)?;
    if is_joined(before) {
        return None;
    }
    let hour = number(rest).filter(|hour| hour.len() <= 2)?;
    let behind = rest.get(hour.len()..)?;
    let part = behind.chars().next().filter(|c| ":.h".contains(*c));
    let minute = part.and_then(|_| number(behind.get(1..)?));
    let minute = minute.filter(|minute| minute.len() == 2);
    let end = start + hour.len() + minute.map_or(0, |minute| 1 + minute.len());
    let rest = text.get(end..)?;
    let (mark, behind) = mark(rest).unzip();
    let sure = match part.filter(|_| minute.is_some()) {
        Some(':') => true,
        Some('h') => !rest.starts_with(char::is_alphanumeric),
        Some(_) => mark.is_some(),
        None => behind.is_some_and(|behind| !is_moved(before) && !goes_on(behind)),
    };
    let more = rest.strip_prefix([':', '.', ',']).and_then(number);
    let hour: usize = hour.parse().ok()?;
    let minute: usize = minute.map_or(Ok(0), str::parse).ok()?;
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

/// The mark and what stands behind it: of a range (`9–18 Uhr`) that of its end.
fn mark(rest: &str) -> Option<(Mark, &str)> {
    let end = rest
        .strip_prefix(['-', '–'])
        .filter(|end| number(end).is_some());
    match end {
        Some(end) => {
            let end = end.trim_start_matches(|c: char| c.is_ascii_digit() || ".:".contains(c));
            marked(end).filter(|(mark, _)| *mark == Mark::Clock)
        }
        None => marked(rest),
    }
}

/// The first of `7:30–9:30 pm`: of which half of the day is not said.
fn is_of_a_half(rest: &str) -> bool {
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
    half && near && !between.contains(['.', '\n'])
}

/// In small letters German, too: `nur 9.30 am Montag`.
fn is_am(text: &str) -> bool {
    let behind = text.strip_prefix("am").or_else(|| text.strip_prefix("Am"));
    behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
}

fn marked(rest: &str) -> Option<(Mark, &str)> {
    let apart = rest.strip_prefix([' ', '\u{a0}', '\u{202f}']);
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
