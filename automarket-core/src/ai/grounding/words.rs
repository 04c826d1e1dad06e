//! Numbers as words.

use std::ops::Range;

use super::units::{magnitude, next_word};

/// Per language its numbers below a hundred, and the words before which they are figures in a text. With a word of another
/// language they are none: `ten milion` is Polish. `pounds` may be a weight.
const LANGUAGES: [(&str, &str); 2] = [
    (
        "one:1 two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 eleven:11 twelve:12 thirteen:13 \
         fourteen:14 fifteen:15 sixteen:16 seventeen:17 eighteen:18 nineteen:19 twenty:20 thirty:30 forty:40 fifty:50 \
         sixty:60 seventy:70 eighty:80 ninety:90",
        "percent per times dollars euros thousand million billion trillion",
    ),
    (
        "zwei:2 drei:3 vier:4 fünf:5 sechs:6 sieben:7 acht:8 neun:9 zehn:10 elf:11 zwölf:12 dreizehn:13 vierzehn:14 \
         fünfzehn:15 sechzehn:16 siebzehn:17 achtzehn:18 neunzehn:19 zwanzig:20 dreißig:30 vierzig:40 fünfzig:50 \
         sechzig:60 siebzig:70 achtzig:80 neunzig:90",
        "prozent dollar euro franken tausend millionen milliarden",
    ),
];

/// What a half covers in a source.
const HALF: &str = "50% 0.5";

/// What other words cover in a source. In a text they claim nothing.
const COVERING: [(&str, &str); 4] = [
    // No `halb`: `halb 8 Uhr`.
    (HALF, "half halved halbe halber halben halbes hälfte"),
    ("2x", "twice double doubled"),
    ("3x", "triple tripled"),
    ("1.5", "anderthalb eineinhalb"),
];

const FRACTIONS: [(char, &str); 3] = [
    ('¼', " 25% 1/4 0.25 "),
    ('½', " 50% 1/2 0.5 "),
    ('¾', " 75% 3/4 0.75 "),
];

/// The one of `a million`, in a source.
const ARTICLES: &str = "a an ein eine einer einem un una une um uno en een";

/// Behind `five times`, as a factor is; `three times a day` and `two times more` may be none.
const COMPARED: &str =
    "better bigger cheaper faster greater higher larger longer lower quicker stronger";

/// Behind `two million`, where that is a part of a number or a way of speaking.
const LOOSE: &str = "and und dollar hundred per percent prozent times mal reasons thanks things ways words gründe dank";

/// A number in words.
struct Spelled {
    span: Range<usize>,
    /// As a figure, which in a source covers it.
    digits: String,
    /// Its value, if it is a whole number, and the words before which it is a figure in a text.
    whole: Option<(u32, &'static str)>,
}

/// The number words of a source as figures.
pub(super) fn for_words(source: &str) -> String {
    let mut all = spelled(source);
    for Spelled { span, digits, .. } in &mut all {
        // `two 500 euro vouchers`, `50 two hundred dollar bills`
        let before = source.get(..span.start).unwrap_or_default();
        let behind = source.get(span.end..).unwrap_or_default();
        if is_beside(before.chars().rev()) {
            digits.insert_str(0, "; ");
        }
        if is_beside(behind.chars()) {
            digits.push(';');
        }
    }
    let mut out = replaced(source, all).0;
    for (sign, digits) in FRACTIONS {
        out = out.replace(sign, digits);
    }
    out
}

/// A word of a text that became a figure: where the figure stands, it, and the word.
pub(super) type Written = (usize, String, String);

/// The number words that a text claims as figures, as such: before a percent, a currency or a power of ten.
pub(super) fn counted(text: &str) -> (String, Vec<Written>) {
    let mut all = spelled(text);
    all.retain(|one| is_counted(text, one));
    replaced(text, all)
}

fn replaced(text: &str, numbers: Vec<Spelled>) -> (String, Vec<Written>) {
    let mut out = String::with_capacity(text.len());
    let mut written = Vec::new();
    let mut at = 0;
    for Spelled { span, digits, .. } in numbers {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        at = span.end;
        let start = out.len();
        out.push_str(&digits);
        let words = text.get(span).unwrap_or_default().to_owned();
        written.push((start, digits, words));
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, written)
}

/// The words of a text in small letters, and where they stand. A long one is no number, and is left out; so is one that
/// would join a number (`5two`, `5€ten`).
fn words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(|c: char| !c.is_alphabetic()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphabetic());
        let span = at..at + word.len();
        at += piece.len();
        let before = text.get(..span.start).unwrap_or_default();
        let behind = text.get(span.end..).unwrap_or_default();
        let alone = !joins(before.chars().rev()) && !joins(behind.chars());
        if (1..=40).contains(&word.len()) && alone {
            found.push((span, word.to_lowercase()));
        }
    }
    found
}

fn joins(beside: impl Iterator<Item = char>) -> bool {
    let signs = |c: &char| c.is_ascii_digit() || ".,'’_€".contains(*c);
    beside.take(2).take_while(signs).any(|c| c.is_ascii_digit())
}

/// Whether a blank and a digit follow.
fn is_beside(mut rest: impl Iterator<Item = char>) -> bool {
    rest.next().is_some_and(char::is_whitespace) && rest.next().is_some_and(|c| c.is_ascii_digit())
}

/// The numbers in words of a text.
fn spelled(text: &str) -> Vec<Spelled> {
    let words = words(text);
    // The word at this place, if a blank or a hyphen alone parts it from what ends there.
    let behind = |at: usize, end: usize| {
        let (span, word) = words.get(at)?;
        let gap = text.get(end..span.start)?;
        matches!(gap, " " | "-").then_some((span.end, word.as_str()))
    };
    let mut found: Vec<Spelled> = Vec::new();
    let mut at = 0;
    while let Some((span, word)) = words.get(at) {
        at += 1;
        let mut span = span.clone();
        if listed(ARTICLES, word) {
            let power = |(_, word)| magnitude(word, false, false, "").is_some();
            if !behind(at, span.end).is_some_and(power) {
                continue;
            }
            // `half a million`
            let before = |half: &Spelled| text.get(half.span.end..span.start) == Some(" ");
            if let Some(half) = found
                .last_mut()
                .filter(|one| one.digits == HALF && before(one))
            {
                half.span.end = span.end;
                continue;
            }
        }
        let (mut value, units) = match number(word) {
            Some(first) => first,
            None if listed(ARTICLES, word) => (1, ""),
            None => {
                found.extend(covered(word).map(|digits| Spelled {
                    span,
                    digits,
                    whole: None,
                }));
                continue;
            }
        };
        // `two hundred and twenty-five`
        while let Some((end, word)) = behind(at, span.end) {
            let full = value.is_multiple_of(100);
            let joined = behind(at + 1, end).filter(|_| full && word == "and");
            let (end, word) = joined.unwrap_or((end, word));
            value = match number(word) {
                None if value < 100 && matches!(word, "hundred" | "hundert") => value * 100,
                Some((more, _)) if full => value + more,
                Some((ones, _)) if ones < 10 && is_tens(value % 100) => value + ones,
                _ => break,
            };
            at += 1 + usize::from(joined.is_some());
            span.end = end;
        }
        let mut digits = value.to_string();
        let mut whole = Some((value, units));
        let half = " and a half";
        let rest = text.get(span.end..).unwrap_or_default();
        if value < 100 && rest.starts_with(half) {
            digits = format!("{digits} {digits}.5");
            span.end += half.len();
            at += 3;
            whole = None;
        }
        found.push(Spelled {
            span,
            digits,
            whole,
        });
    }
    found
}

/// A number below a hundred: `fifty`, `fünfundzwanzig`.
fn number(word: &str) -> Option<(u32, &'static str)> {
    let simple = |word: &str| {
        LANGUAGES.iter().find_map(|(numbers, units)| {
            let mut all = numbers.split_whitespace();
            let digits = all.find_map(|one| one.strip_prefix(word)?.strip_prefix(':'))?;
            Some((digits.parse().ok()?, *units))
        })
    };
    simple(word).or_else(|| {
        let (ones, tens) = word.split_once("und")?;
        let ones = if ones == "ein" { 1 } else { simple(ones)?.0 };
        let (tens, units) = simple(tens)?;
        (ones < 10 && is_tens(tens)).then_some((tens + ones, units))
    })
}

fn is_tens(value: u32) -> bool {
    value >= 20 && value.is_multiple_of(10)
}

fn covered(word: &str) -> Option<String> {
    if let Some((digits, _)) = COVERING.iter().find(|(_, words)| listed(words, word)) {
        return Some((*digits).to_owned());
    }
    let factor = word.strip_suffix("fold").or(word.strip_suffix("fach"))?;
    number(factor).map(|(value, _)| format!("{value}x"))
}

fn is_counted(text: &str, spelled: &Spelled) -> bool {
    let before = text.get(..spelled.span.start).unwrap_or_default();
    let behind = text.get(spelled.span.end..).unwrap_or_default();
    let word = |rest| {
        let (word, length) = next_word(rest).filter(|(word, length)| word.len() < *length)?;
        (word.len() <= 40).then(|| (word.to_lowercase(), rest.get(length..).unwrap_or_default()))
    };
    let (Some((value, units)), Some((unit, rest))) = (spelled.whole, word(behind)) else {
        return false;
    };
    if !listed(units, &unit) || !begins(before) {
        return false;
    }
    let (then, more) = word(rest).unwrap_or_default();
    let is_number =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) || number(word).is_some();
    // `twelve dollars and fifty cents`, `two thousand nineteen`
    let goes_on = match &*then {
        "and" | "und" => word(more).is_some_and(|(word, _)| is_number(&word)),
        then => is_number(then),
    };
    // `one percent better`, `one hundred percent` are ways of speaking.
    let some = (2..100).contains(&value);
    match &*unit {
        "percent" | "prozent" => some,
        "per" => some && then == "cent",
        "times" => some && listed(COMPARED, &then),
        _ if magnitude(&unit, false, false, "").is_none() => value > 1 && !goes_on,
        _ if rest.starts_with('-') || behind.starts_with('-') => false,
        _ if listed(units, &then) && !listed(LOOSE, &then) => true,
        // `one million reasons`, `ten thousand hours`
        "thousand" | "tausend" if matches!(value, 10 | 100) => false,
        _ => value > 1 && !goes_on && !listed(LOOSE, &then),
    }
}

/// Whether a number may begin behind this: no word of an address and no part of a number (`two point five percent`).
fn begins(before: &str) -> bool {
    let opens = |c: char| c.is_whitespace() || "(\"“„«»‘*_—–".contains(c);
    if !before.is_empty() && !before.ends_with(opens) {
        return false;
    }
    let mut last = before
        .trim_end()
        .rsplit(|c: char| !c.is_alphanumeric())
        .take(2)
        .filter(|word| word.len() <= 40)
        .map(str::to_lowercase);
    let is_part = |word: String| {
        number(&word).is_some()
            || magnitude(&word, false, false, "").is_some()
            || matches!(&*word, "point" | "komma")
            || word.ends_with(|c: char| c.is_ascii_digit())
    };
    match last.next() {
        Some(word) if matches!(&*word, "and" | "und") => !last.next().is_some_and(is_part),
        Some(word) => !is_part(word),
        None => true,
    }
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}
