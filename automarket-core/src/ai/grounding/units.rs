//! Units, currencies and the words for powers of ten, beside a number.

use super::currencies::{self, currency};

/// What may stand between a number and its unit.
pub(super) const BLANKS: [char; 3] = [' ', '\u{a0}', '\u{202f}'];

/// Words for powers of ten.
const MAGNITUDES: [(i32, &str); 9] = [
    (2, "hundred hundert"),
    (
        3,
        "k thousand tausend tsd mille mil tys tusen duizend ribu тыс тысяч тысячи 千",
    ),
    (4, "万 萬 만"),
    (5, "lakh lakhs"),
    (
        6,
        "mn mio mln million millions millionen millón millones milhão milhões milione milioni milion miliony milionów \
         milionů miljoen miljon miljoner miljoonaa milyon juta triệu млн миллион миллиона миллионов",
    ),
    (7, "crore crores"),
    (8, "億 亿 억"),
    (
        9,
        "bn mrd mld billion billions milliarde milliarden milliard milliards miliardi miliardo miliard miliardy \
         miliardów miljard miljarder miljardia milyar miliar bilhão bilhões tỷ млрд миллиард миллиарда миллиардов",
    ),
    (
        12,
        "trillion trillions billionen billón billones biljoen 兆",
    ),
];

/// A percent in scripts without blanks.
const PERCENTS: [&str; 2] = ["パーセント", "퍼센트"];

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Plain,
    Percent,
    Times,
    /// The first of two sides: `70x180`.
    By,
    /// Of a list, or an ordinal that a line begins with: `25. Berliner Weihnachtsmarkt`.
    Item,
    /// Behind a letter within a word that a digit begins: the 30 of `19h30`.
    Inner,
    Currency(&'static str),
    /// Of the sign before, which is the number's before that as well: `9,99 €12` is a price and a footnote's mark.
    Noted(&'static str),
}

/// Letters of scripts that put no blank between a word and a number.
pub(super) fn unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// The word or sign that follows, with the length up to its end: at once, after one blank or a hyphen.
pub(super) fn next_word(rest: &str) -> Option<(&str, usize)> {
    let mut chars = rest.chars();
    let mut gap = chars.next();
    // The wide blank of Japanese parts words: `定員100　円卓`.
    let wide = gap == Some('\u{3000}') && !chars.next().is_some_and(char::is_alphabetic);
    gap = gap.filter(|c| wide || *c == '-' || BLANKS.contains(c));
    let gap = gap.map_or(0, char::len_utf8);
    let word = rest.get(gap..)?;
    let first = word.chars().next()?;
    let end = if first.is_alphabetic() && !unspaced(first) {
        word.find(|c: char| !c.is_alphabetic())
            .unwrap_or(word.len())
    } else {
        // Words of several letters stand there without a blank behind them.
        let percent = PERCENTS.into_iter().find(|known| word.starts_with(known));
        let known = percent.or_else(|| currencies::name_at(word));
        known.map_or(first.len_utf8(), str::len)
    };
    Some((word.get(..end)?, gap + end))
}

/// The word or sign before, with its length up to the number.
pub(super) fn last_word(before: &str) -> Option<(&str, usize)> {
    let trimmed = before.strip_suffix(BLANKS).unwrap_or(before);
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
pub(super) fn magnitude(word: &str, attached: bool, of_money: bool, behind: &str) -> Option<i32> {
    // `5 M€`, `5 Md€`.
    let priced = behind.starts_with(['€', '$', '£']);
    match word {
        "k" | "K" if priced => return Some(3),
        "M" if priced => return Some(6),
        "Md" | "Mds" if priced => return Some(9),
        _ => {}
    }
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
pub(super) fn unit_after(rest: &str) -> Option<(Unit, usize)> {
    let (word, length) = next_word(rest)?;
    if let Some(unit) = unit_of(word, length == word.len()) {
        return Some((unit, length));
    }
    // `per cent`: two words in many languages.
    let (second, more) = next_word(rest.get(length..)?)?;
    if word.len() + second.len() > 40 {
        return None;
    }
    let words = (word.to_lowercase(), second.to_lowercase());
    if let Some(currency) = currency(&format!("{}_{}", words.0, words.1)) {
        return Some((Unit::Currency(currency), length + more));
    }
    matches!(
        (words.0.as_str(), words.1.as_str()),
        ("per" | "pour" | "por", "cent" | "ciento" | "cento")
    )
    .then_some((Unit::Percent, length + more))
}

/// The currency of a million: `5 millions d’euros`, `5 milioni di euro`.
pub(super) fn currency_of(rest: &str) -> Option<(Unit, usize)> {
    let behind = rest.strip_prefix(BLANKS)?;
    let of = ["d'", "d’", "de ", "di "]
        .iter()
        .find_map(|of| behind.strip_prefix(of))?;
    let (word, length) = next_word(of)?;
    let currency = currency(word).filter(|_| length == word.len())?;
    Some((Unit::Currency(currency), rest.len() - of.len() + length))
}

/// The currency behind what German writes between: `3 Mio. €`, `9,- €`.
pub(super) fn currency_after(rest: &str, abbreviated: bool) -> Option<(Unit, usize)> {
    let dashed = [',', '.'].into_iter().find_map(|mark| {
        let dashes = rest.strip_prefix(mark)?;
        let behind = dashes.trim_start_matches(['-', '–', '—']);
        (behind.len() < dashes.len()).then_some(behind)
    });
    let behind = dashed.or_else(|| rest.strip_prefix('.').filter(|_| abbreviated))?;
    let (unit, length) = unit_after(behind)?;
    matches!(unit, Unit::Currency(_)).then_some((unit, rest.len() - behind.len() + length))
}

/// Whether a price without cents ends here: `49.–`.
pub(super) fn is_dashed(rest: &str) -> bool {
    let behind = rest.strip_prefix(['.', ',']);
    behind.is_some_and(|behind| behind.starts_with(['-', '–', '—']))
}

/// Whether another side follows (`x180`, ` x 180`, ` × 180`), and whether that can be no more than a word (` x `).
pub(super) fn side_after(rest: &str) -> Option<bool> {
    let behind = rest.strip_prefix(BLANKS);
    let mut chars = behind.unwrap_or(rest).chars();
    let sign = chars.next().filter(|c| "xX×".contains(*c))?;
    let mut next = chars.next()?;
    if behind.is_some() {
        next = Some(next)
            .filter(|c| BLANKS.contains(c))
            .and(chars.next())?;
    }
    next.is_ascii_digit()
        .then_some(behind.is_some() && sign != '×')
}

/// `349€99`: the cents behind the sign, and their length with it.
pub(super) fn cents_after(rest: &str) -> Option<(&str, usize)> {
    let behind = rest.strip_prefix('€')?;
    let cents = behind.get(..2)?;
    let mut after = behind.get(2..)?.chars();
    let goes_on = match after.next() {
        Some('.' | ',') => after.next().is_some_and(|c| c.is_ascii_digit()),
        // `10€20€`.
        Some(c) => c.is_alphanumeric() || "%€$£¥₹⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c),
        None => false,
    };
    let digits = cents.bytes().all(|c| c.is_ascii_digit());
    (digits && !goes_on).then_some((cents, rest.len() - behind.len() + 2))
}

fn unit_of(word: &str, attached: bool) -> Option<Unit> {
    match word.to_lowercase().as_str() {
        "%" | "percent" | "pct" | "prozent" | "procent" | "prosent" | "prosenttia" | "процент"
        | "процента" | "процентов" | "százalék" | "パーセント" | "퍼센트" => {
            Some(Unit::Percent)
        }
        "×" | "fold" | "times" | "mal" | "fach" | "fois" => Some(Unit::Times),
        "x" if attached => Some(Unit::Times),
        _ => currency(word).map(Unit::Currency),
    }
}

/// The length of a percent sign before a number, as Turks write it (`%20`, `yüzde 20`); behind a number it is that one's.
pub(super) fn percent_before(before: &str) -> Option<usize> {
    let (word, length) = last_word(before)?;
    let rest = before.get(..before.len() - length)?;
    let sign = word == "%"
        && !rest
            .trim_end_matches(BLANKS)
            .ends_with(char::is_alphanumeric);
    (sign || word.to_lowercase() == "yüzde").then_some(length)
}
