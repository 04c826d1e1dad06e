//! Whether a text says only what its source says.

mod addresses;
mod currencies;
mod dates;
mod digits;
mod figures;
mod names;
mod numbers;
mod times;
mod units;
mod words;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::source::Page;

/// Something in a generated text that its source does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ungrounded {
    /// The words.
    pub text: String,
    /// Which sort.
    pub kind: UngroundedKind,
}

/// Which sort of claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UngroundedKind {
    /// A figure: a number with its percent sign, currency, factor or magnitude, or a date.
    Figure,
    /// A name: of a person, firm, product or place, a handle, the words of a hashtag.
    Name,
    /// An address: of a page or of e-mail.
    Url,
}

/// Every figure, name and address of `text` that `source` does not contain, each once, in the order of
/// the text.
///
/// - Figures compare by value: `1,000`, `1.000` and `1000` are one, so are `1.5M` and `1.5 million`, and
///   `three` in the source covers `3`. In a text a number word (English, German) is a figure before a percent, a currency
///   or millions (`fifty percent`, `nineteen dollars`, `two million teams`) and in `five times faster`; others are ways of
///   speaking (`two ways`, `a million thanks`, `one hundred percent`, `half price`). A percent, a factor (`3x`) and a
///   currency have to stand in the source as such; a bare number may stand there with any unit. Numbers of list items and within addresses are not figures; an
///   ordinal that a line begins with covers itself (`25. Markt`).
///   `19–49 €` in the source covers `19 €`, and `$19–49` covers `$49`; two raised digits are a price's cents (`$49⁹⁹`). Where a
///   footnote may be meant (`$99¹²`: 01 to 29, with the sign before the number), a source covers the price without
///   them too. The sign behind one number is not that of the next (`9,99 €12`), `349€99` has cents, and the sides of `50x70` have to
///   stand in the source as such (`50 x 70`).
/// - A date covers itself in other spellings, with and without its year: `2025-03-12`, `2025.03.12`, `2025. 3. 12.`,
///   `2025年3月12日` (and Korean), `12.03.2025`, `12. 3. 2025`, `12. März 2025`, `March 12, 2025`. One without a year is
///   a date behind `am`, `vom`, `zum`, `dem`, `den` (`am 12.03.`) and, with the month's name, `on`, and as `3月12日`, `3월 12일`.
///   Where the source has a day in another month only, `12. Mai` is missing though its numbers stand there. Years of two
///   digits and slashes are none. The year of one with full stops may stand alone, its day and month may not.
/// - A time of day covers itself in other spellings: `19:30`, `19.30 Uhr`, `7.30pm`, `19h30`; `18 Uhr` and `6 pm` cover
///   `18:00`, and so do `18時`, `午後6時`, `오후 6시`, `à 18h`, `de 10h à 18h`, `von 9 bis 18 Uhr`. A number with a full stop is one only with `Uhr`, `pm` or such behind it; a lone ` am` is German, too.
/// - Names are capitalised words inside a sentence, words of mixed case or with digits, acronyms and
///   handles. They compare without regard to case, hyphens and possessive `'s`; several in a row have to stand in
///   a row in the source. A capitalised word that only begins a sentence, a headline in title case and
///   German nouns are not taken for names, nor is anything outside the Latin script.
/// - A hashtag with capitals is judged by its words: each has to be in the source, a number behind its word.
/// - Addresses compare without scheme, `www.`, closing slash, fragment and `utm_` parameters. Of `https://acme.kr/event에서` the
///   particle is no part, if the source has the address without it.
///
/// ```
/// use automarket_core::ai::{UngroundedKind, ungrounded};
/// let source = "Acme Cloud cut costs by 20% for 1,000 teams.";
/// assert!(ungrounded(source, "1000 teams save 20% with #AcmeCloud").is_empty());
/// let found = ungrounded(source, "Loved by 2000 teams.");
/// assert_eq!((found[0].text.as_str(), found[0].kind), ("2000", UngroundedKind::Figure));
/// ```
#[must_use]
pub fn ungrounded(source: &str, text: &str) -> Vec<Ungrounded> {
    GroundingSource::new(source).ungrounded(text)
}

/// A source made ready for several texts, as reading a long one takes its time.
#[derive(Debug)]
pub struct GroundingSource {
    addresses: HashSet<String>,
    figures: figures::Source,
    names: names::Source,
    yen: char,
}

impl GroundingSource {
    /// Reads the source.
    #[must_use]
    pub fn new(source: &str) -> Self {
        let yen = digits::yen(source);
        let source = read(source, yen);
        let addresses = addresses::find(&source);
        Self {
            // A picture's width and an article's date in its address are nothing that the page says.
            figures: figures::Source::new(&addresses::masked(&source, &addresses)),
            addresses: addresses::known(&addresses),
            names: names::Source::new(&source),
            yen,
        }
    }

    /// As [`ungrounded`], of this source.
    #[must_use]
    pub fn ungrounded(&self, text: &str) -> Vec<Ungrounded> {
        let (text, written) = words::counted(&read(text, self.yen));
        let mut addresses = addresses::find(&text);
        addresses::cut(&self.addresses, &mut addresses);
        let rest = addresses::masked(&text, &addresses);
        let (mut found, rest) = figures::missing(&self.figures, &rest);
        found.extend(addresses::missing(&self.addresses, addresses));
        found.extend(names::missing(&self.names, &self.figures, &rest));
        found.sort_by_key(|claim| claim.start);

        let mut listed: Vec<Ungrounded> = Vec::new();
        for claim in found {
            // As it is written: `fifty percent`.
            let word = written
                .binary_search_by_key(&claim.start, |(start, ..)| *start)
                .ok()
                .and_then(|at| written.get(at));
            let words = word.and_then(|(_, digits, word)| {
                Some(format!("{word}{}", claim.text.strip_prefix(digits)?))
            });
            let claim = Ungrounded {
                text: words.unwrap_or(claim.text),
                kind: claim.kind,
            };
            if !listed.contains(&claim) {
                listed.push(claim);
            }
        }
        listed
    }
}

fn read(text: &str, yen: char) -> String {
    let signs = |c| match c {
        '¥' | '￥' => yen,
        // Figure, thin and hair spaces, as well set pages have them before a unit.
        '\u{2007}' | '\u{2009}' | '\u{200a}' => '\u{202f}',
        c => c,
    };
    digits::ascii(&text.nfc().map(signs).collect::<String>())
}

/// All that a page says, as the source that texts about it are held against: title, summary, names,
/// address, main text with its links.
#[must_use]
pub fn source_text(page: &Page) -> String {
    let mut all = String::new();
    let said = [
        &page.title,
        &page.description,
        &page.site_name,
        &page.byline,
        &page.excerpt,
    ];
    for part in said.into_iter().flatten() {
        all.push_str(part);
        all.push_str("\n\n");
    }
    if let Some(published) = page.published {
        all.push_str(&published.format("%Y-%m-%d\n\n").to_string());
    }
    if let Some(url) = &page.url {
        all.push_str(url.as_str());
        all.push_str("\n\n");
    }
    all.push_str(&page.text);
    all.push_str("\n\n");
    // As its reader sees it: to what is written, an escape or a mark (`49\.50`, `**49**.50`) is an end of a number.
    all.push_str(&crate::text::said(&page.markdown));
    for address in addresses::find(&page.markdown) {
        all.push_str("\n\n");
        all.push_str(address.text());
    }
    all
}

/// A claim and where it stands in the text.
struct Claim {
    start: usize,
    text: String,
    kind: UngroundedKind,
}
