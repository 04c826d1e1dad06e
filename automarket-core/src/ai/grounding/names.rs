//! Names: of people, firms, products and places, handles, and the words of hashtags.

use std::collections::HashSet;

use super::{Claim, UngroundedKind, figures};
use crate::ai::sentences::ends_in_abbreviation;

/// Words that are capitalised without being names, or begin a sentence before one.
const COMMON: &str = "a about after all also an and another any anybody anyone are as at be because been before \
    but by can did do does each even every everybody everyone everything few for from get had has have he here her his \
    how however i if in into is it its just let like many more most my new nobody no none not nothing now of off \
    on one only or other our out over own she so some somebody someone such than that the their them then there these they this \
    those through to today tomorrow too under until up us very was we were what when where which while who whose why \
    will with within without you your yes ok faq diy asap fyi tldr ps free";

/// Words that call to something and so begin a sentence before a name.
const CALLS: &str = "announcing ask call check choose compare discover explore follow get hear hire introducing join     learn meet read replace see switch thank thanks try use visit watch welcome";

/// Verbs that, right after a capitalised word at the beginning of a sentence, show it to be a name.
const SAID: &str = "says said announced announces launches launched acquires acquired unveils unveiled \
    raised partners partnered";

/// German words without which hardly a German text is written.
const GERMAN: &str = "der die das und ist nicht mit für ein eine zu den von auf";

/// The words of a source.
#[derive(Debug)]
pub(super) struct Source {
    /// Each word in lower case: whole, its hyphenated parts, the parts of mixed case.
    words: HashSet<String>,
    /// Words that stand there in lower case, which no name does.
    common: HashSet<String>,
    /// Each two parts in a row, with a blank between.
    pairs: HashSet<String>,
    /// Words and the numbers behind them, for tags alone: `CES 2025` for `#CES2025`.
    numbered: HashSet<String>,
}

impl Source {
    pub(super) fn new(source: &str) -> Self {
        let mut found = Self {
            words: HashSet::new(),
            common: HashSet::new(),
            pairs: HashSet::new(),
            numbered: HashSet::new(),
        };
        let mut before = String::new();
        for word in words(source) {
            let lower = !word.text.chars().any(char::is_uppercase);
            for part in parts(word.text) {
                found.pairs.insert(format!("{before} {part}"));
                before.clone_from(&part);
                if lower {
                    found.common.insert(part.clone());
                }
                found.words.insert(part);
            }
            found.words.insert(joined(word.text));
            // `a 380 seat plane` is no `#A380`.
            let number = word.number.filter(|_| word.text != "a");
            let numbered = number.map(|number| joined(word.text) + number);
            found.numbered.extend(numbered);
            found.words.extend(camel_parts(word.text));
        }
        found
    }

    /// The word, or it with or without a plural `s`.
    fn has(&self, word: &str) -> bool {
        self.words.contains(word)
            || self.words.contains(&format!("{word}s"))
            || word
                .strip_suffix('s')
                .is_some_and(|one| self.words.contains(one))
    }

    /// These words in a row, or written as one.
    fn has_row(&self, row: &[Word<'_>]) -> bool {
        let all: Vec<String> = row.iter().flat_map(|word| parts(word.text)).collect();
        match all.as_slice() {
            [] => true,
            [one] => {
                let apart = row
                    .first()
                    .map_or_else(Vec::new, |word| camel_parts(word.text));
                self.has(one) || (apart.len() > 1 && self.in_a_row(&apart))
            }
            several => {
                self.in_a_row(several)
                    || self.words.contains(&several.concat())
                    || row
                        .iter()
                        .all(|word| is_strong(word) && self.has(&joined(word.text)))
            }
        }
    }

    /// Each two neighbours are neighbours in the source.
    fn in_a_row(&self, row: &[String]) -> bool {
        row.windows(2)
            .all(|pair| self.pairs.contains(&pair.join(" ")))
    }

    fn is_common(&self, word: &Word<'_>) -> bool {
        let lower = joined(word.text);
        listed(COMMON, &lower)
            || (word.initial && listed(CALLS, &lower))
            || (self.common.contains(&lower) && !is_mixed(word.text))
            || lower.contains(['\'', '’'])
    }
}

pub(super) fn missing(source: &Source, figures: &figures::Source, text: &str) -> Vec<Claim> {
    let all = words(text);
    let german = is_german(&all);
    let mut found = Vec::new();
    for sentence in all.chunk_by(|_, next| !next.initial || next.joined) {
        let headline = is_headline(sentence);
        for run in sentence.chunk_by(|one, next| {
            next.joined
                && one.marker.is_none()
                && next.marker.is_none()
                && is_capital(one) == is_capital(next)
        }) {
            match run {
                [tag] if tag.marker == Some('#') => found.extend(judge_tag(source, tag)),
                [handle] if handle.marker == Some('@') => {
                    let known = source.has(&joined(handle.text));
                    found.extend((!known).then(|| claim(run, UngroundedKind::Name)));
                }
                [first, ..] if is_capital(first) => {
                    let follows = after(sentence, run);
                    found.extend(judge_run(source, figures, run, follows, headline, german));
                }
                _ => {}
            }
        }
    }
    found
}

/// The word right after a run.
fn after<'a>(sentence: &[Word<'a>], run: &[Word<'a>]) -> Option<&'a str> {
    let last = run.last()?;
    sentence
        .iter()
        .find(|word| word.start > last.start)
        .map(|word| word.text)
}

fn judge_tag(source: &Source, tag: &Word<'_>) -> Option<Claim> {
    if !tag.text.chars().any(char::is_uppercase) {
        return None;
    }
    let words = camel_parts(tag.text);
    let whole = joined(tag.text);
    let known = source.has(&whole)
        || source.numbered.contains(&whole)
        || words.iter().enumerate().all(|(at, word)| {
            let last = at.checked_sub(1).and_then(|last| words.get(last));
            let numbered = last.map(|last| format!("{last}{word}"));
            let number = numbered.filter(|_| word.starts_with(|c: char| c.is_ascii_digit()));
            source.has(word)
                || listed(COMMON, word)
                || number.is_some_and(|word| {
                    source.words.contains(&word) || source.numbered.contains(&word)
                })
        });
    (!known).then(|| claim(std::slice::from_ref(tag), UngroundedKind::Name))
}

/// Judges capitalised words in a row.
fn judge_run(
    source: &Source,
    figures: &figures::Source,
    run: &[Word<'_>],
    follows: Option<&str>,
    headline: bool,
    german: bool,
) -> Vec<Claim> {
    let shouted = run.len() > 1 && run.iter().all(|word| is_shouted(word.text));
    let mut found = Vec::new();
    for name in run.split(|word| source.is_common(word)) {
        let Some(first) = name.first() else { continue };
        let last = name
            .last()
            .is_some_and(|word| run.last().is_some_and(|end| end.start == word.start));
        if name.len() == 1
            && !first.initial
            && let Some(held) = figures.holds_month(first.text)
        {
            if !held {
                found.push(claim(name, UngroundedKind::Figure));
            }
            continue;
        }
        if headline || shouted || german {
            let strong = name.iter().filter(|word| {
                let spelled =
                    is_mixed(word.text) || (is_shouted(word.text) && !shouted && !headline);
                spelled && !source.has_row(&[**word])
            });
            found.extend(strong.map(|word| claim(&[*word], UngroundedKind::Name)));
            continue;
        }
        let rest = name.get(1..).unwrap_or_default();
        let plain_start = first.initial && !is_strong(first);
        let doubtful = match rest {
            [] if plain_start => {
                let said = last && follows.is_some_and(|word| listed(SAID, word));
                !said && !is_possessive(first.text)
            }
            [] => false,
            // "Meet Acme": the first word may be there only to begin the sentence.
            rest => plain_start && source.has_row(rest),
        };
        if !doubtful && !source.has_row(name) {
            found.push(claim(name, UngroundedKind::Name));
        }
    }
    found
}

fn claim(words: &[Word<'_>], kind: UngroundedKind) -> Claim {
    let text: Vec<String> = words
        .iter()
        .map(|word| match word.marker {
            Some(marker) => format!("{marker}{}", word.text),
            None => without_possessive(word.text).to_owned(),
        })
        .collect();
    Claim {
        start: words.first().map_or(0, |word| word.start),
        text: text.join(" "),
        kind,
    }
}

#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    start: usize,
    /// `#` or `@` before it.
    marker: Option<char>,
    /// Whether it begins a sentence, a quotation, a list item.
    initial: bool,
    /// Whether only a blank parts it from the word before.
    joined: bool,
    /// The number right behind it.
    number: Option<&'a str>,
}

/// The words of the Latin script, digits and inner hyphens and apostrophes included.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut found: Vec<Word<'_>> = Vec::new();
    let mut end = 0;
    // Since the last word: a sentence ended, another script was written, a number stood.
    let (mut anew, mut foreign, mut skipped) = (false, false, false);
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !in_word(c) {
            continue;
        }
        let mut stop = start + c.len_utf8();
        while let Some(&(at, next)) = chars.peek() {
            let after = text
                .get(at + next.len_utf8()..)
                .and_then(|t| t.chars().next());
            let inner = matches!(next, '-' | '\'' | '’' | '\u{2011}' | '_' | '&')
                && after.is_some_and(in_word);
            if !in_word(next) && !inner {
                break;
            }
            stop = at + next.len_utf8();
            chars.next();
        }
        let word = text.get(start..stop).unwrap_or_default();
        let gap = text.get(end..start).unwrap_or_default();
        let marker = gap.chars().next_back().filter(|c| matches!(c, '#' | '@'));
        let abbreviated =
            gap == ". " && ends_in_abbreviation(text.get(..start).unwrap_or_default());
        anew |= begins(gap) && !abbreviated;
        foreign |= gap.contains(char::is_alphabetic);
        end = stop;
        if !word.chars().any(char::is_alphabetic) {
            let more = text.get(stop..).unwrap_or_default();
            let more = more.strip_prefix(['.', ',']).unwrap_or_default();
            let whole = word.bytes().all(|c| c.is_ascii_digit())
                && !more.starts_with(|c: char| c.is_ascii_digit());
            let behind = whole && !skipped && matches!(gap, " " | "\u{a0}");
            if let Some(last) = found.last_mut().filter(|_| behind) {
                last.number = Some(word);
            }
            skipped = true;
            continue;
        }
        let initial = anew || (found.is_empty() && !foreign);
        let blank = matches!(gap, " " | "\u{a0}" | ". ");
        found.push(Word {
            text: word,
            start,
            marker,
            initial,
            joined: blank && !initial && !skipped && !found.is_empty(),
            number: None,
        });
        (anew, foreign, skipped) = (false, false, false);
    }
    found
}

/// Whether what stands between two words lets the second begin anew.
fn begins(gap: &str) -> bool {
    gap.chars().any(|c| {
        let blank = c.is_whitespace() && c != '\n';
        !(blank || c.is_alphanumeric() || ",'’&/-@#".contains(c))
    })
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '\u{c0}'..='\u{24f}' if c != '×' && c != '÷')
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

fn is_capital(word: &Word<'_>) -> bool {
    word.text.starts_with(char::is_uppercase) || is_mixed(word.text)
}

/// Names by their very spelling: mixed case, letters with digits, acronyms.
fn is_strong(word: &Word<'_>) -> bool {
    is_mixed(word.text) || is_shouted(word.text)
}

/// `GitHub`, `iPhone`, `B2B`, `GPT-4`, but not `Open-Source`, `10GB` or `pre-2020`.
fn is_mixed(word: &str) -> bool {
    without_possessive(word)
        .split(['-', '\u{2011}', '&'])
        .any(|part| {
            let camel = part
                .chars()
                .zip(part.chars().skip(1))
                .any(|(a, b)| a.is_lowercase() && b.is_uppercase());
            let coded =
                part.starts_with(char::is_uppercase) && part.contains(|c: char| c.is_ascii_digit());
            camel || coded
        })
        || (word.starts_with(char::is_uppercase) && word.ends_with(|c: char| c.is_ascii_digit()))
}

/// `API`, `USA`, but not `I`.
fn is_shouted(word: &str) -> bool {
    let word = without_possessive(word);
    let letters = word.chars().filter(|c| c.is_alphabetic());
    letters.clone().count() > 1 && letters.into_iter().all(char::is_uppercase)
}

fn is_possessive(word: &str) -> bool {
    without_possessive(word).len() < word.len()
        && !listed(COMMON, &without_possessive(word).to_lowercase())
}

fn without_possessive(word: &str) -> &str {
    ["'s", "’s", "'S", "’S"]
        .iter()
        .find_map(|end| word.strip_suffix(end))
        .unwrap_or(word)
}

/// A line in title case says nothing about names.
fn is_headline(sentence: &[Word<'_>]) -> bool {
    let long: Vec<&Word<'_>> = sentence
        .iter()
        .skip(1)
        .filter(|word| word.marker.is_none() && word.text.chars().count() > 3)
        .collect();
    let capital = long.iter().filter(|word| is_capital(word)).count();
    long.len() >= 4 && capital * 4 >= long.len() * 3
}

fn is_german(words: &[Word<'_>]) -> bool {
    let hits = words
        .iter()
        .filter(|word| listed(GERMAN, word.text))
        .count();
    hits * 12 >= words.len() && hits > 0
}

/// The parts of a word between hyphens, in lower case.
fn parts(word: &str) -> Vec<String> {
    without_possessive(word)
        .split(['-', '\u{2011}', '_', '&'])
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn joined(word: &str) -> String {
    parts(word).concat()
}

/// The words that mixed case and digits run together: `AcmeCloud2` is `acme`, `cloud`, `2`.
fn camel_parts(word: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let chars: Vec<char> = without_possessive(word).chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let next = chars.get(at + 1).copied();
        if !c.is_alphanumeric() {
            parts.push(String::new());
            continue;
        }
        let starts = before.is_none_or(|b| {
            (b.is_lowercase() && c.is_uppercase())
                || (b.is_uppercase() && c.is_uppercase() && next.is_some_and(char::is_lowercase))
                || b.is_ascii_digit() != c.is_ascii_digit()
        });
        match parts.last_mut() {
            Some(part) if !starts => part.extend(c.to_lowercase()),
            _ => parts.push(c.to_lowercase().collect()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}
