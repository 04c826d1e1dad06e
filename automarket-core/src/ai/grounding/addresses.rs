//! Addresses of pages and of e-mail.

use std::{collections::HashSet, ops::Range};

use super::{Claim, UngroundedKind, units::unspaced};

/// To a network these are full stops.
const DOTS: [char; 2] = ['．', '｡'];

/// An address and where it stands.
pub(super) struct Address {
    span: Range<usize>,
    text: String,
}

impl Address {
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The addresses of a text, in order: all with a scheme or `www.`, bare domains, e-mail.
pub(super) fn find(text: &str) -> Vec<Address> {
    let mut found: Vec<Address> = Vec::new();
    let mut word_start = 0;
    for word in text.split_inclusive(breaks) {
        let start = word_start;
        word_start += word.len();
        let word = word.trim_end_matches(breaks);
        let lower = word.to_ascii_lowercase();
        let at = ["https://", "http://", "www."]
            .iter()
            .filter_map(|begin| lower.find(begin))
            .min();
        let begin = match at {
            Some(at) => at,
            None => {
                emails(word, start, &mut found);
                continue;
            }
        };
        emails(word.get(..begin).unwrap_or_default(), start, &mut found);
        let address = trimmed(word.get(begin..).unwrap_or_default());
        found.push(Address {
            span: start + begin..start + begin + address.len(),
            text: address.to_owned(),
        });
    }
    bare(text, &mut found);
    found.sort_by_key(|address| address.span.start);
    found
}

/// All e-mail in a word that begins at `start`.
fn emails(word: &str, start: usize, found: &mut Vec<Address>) {
    let mut from = 0;
    while let Some(rest) = word.get(from..).filter(|rest| rest.contains('@')) {
        if let Some(span) = email(rest) {
            found.push(Address {
                text: rest.get(span.clone()).unwrap_or_default().to_owned(),
                span: start + from + span.start..start + from + span.end,
            });
            from += span.end;
        } else {
            // The next one; in `@acme@mastodon.social` there is none.
            let behind = rest.split_once('@').map_or("", |(_, behind)| behind);
            from = word.len() - behind.trim_start_matches(plain).len();
        }
    }
}

/// The first e-mail in a word: beside signs (`mailto:`, a question, `📧`), and as ASCII beside a script without blanks.
fn email(word: &str) -> Option<Range<usize>> {
    let (user, behind) = word.split_once('@')?;
    let begin = user.trim_end_matches(of_user).len();
    let begin =
        begin + user.get(begin..)?.len() - user.get(begin..)?.trim_start_matches(opening).len();
    // Up to the name of the next one: `info@acme.de,sales@acme.de`.
    let next = behind.find('@');
    let host = behind.get(..next.unwrap_or(behind.len()))?;
    let ours = next.map_or(host, |_| host.trim_end_matches(plain));
    let length = |of: &str, ends: fn(char) -> bool| of.find(|c| !ends(c)).unwrap_or(of.len());
    let whole_end = user.len() + 1 + length(ours, of_host);
    let end = user.len() + 1 + length(host, plain);

    let ascii = user
        .trim_end_matches(|c: char| c.is_ascii() && of_user(c))
        .len();
    let ascii = ascii.max(begin);
    let narrow = word.get(ascii..end)?;
    let before = word.get(begin..ascii)?.chars().next_back();
    let tail = word.get(end..whole_end.max(end))?;
    let after = tail.chars().next();
    // `info@acme.日本` goes on, and so does `info@acme.com日本.jp`.
    let more = trimmed(tail).trim_end_matches(DOTS);
    let goes_on = after.is_some()
        && (!narrow.ends_with(|c: char| c.is_ascii_alphanumeric())
            || more.contains('.')
            || more.contains(DOTS));
    let beside = (before.is_some() || after.is_some())
        && before.is_none_or(unspaced)
        && after.is_none_or(unspaced);
    let (begin, address) = match beside && !goes_on && is_email(trimmed(narrow)) {
        true => (ascii, trimmed(narrow)),
        false => (
            begin,
            trimmed(word.get(begin..whole_end)?).trim_end_matches(DOTS),
        ),
    };
    is_email(address).then(|| begin..begin + address.len())
}

/// Ends each address of a text that the source has not where Kana, Han or Hangul begin, if the source has that.
pub(super) fn cut(known: &HashSet<String>, addresses: &mut [Address]) {
    for address in addresses {
        let Some(end) = address.text.find(unspaced) else {
            continue;
        };
        let Some(head) = address.text.get(..end) else {
            continue;
        };
        // Behind a slash it is the name of another page.
        let ends = head.ends_with(|c: char| c.is_ascii_alphanumeric());
        // With signs of an address in it, what follows is one, too: `https://acme.jpやevil.com/x`.
        let tail = address.text.get(end..).unwrap_or_default();
        let goes_on = tail.contains(['.', '/', '@', '?', '&', '=']) || tail.contains(DOTS);
        let whole = known.contains(&normal(&address.text));
        if ends && !goes_on && !whole && known.contains(&normal(head)) {
            address.text.truncate(end);
            address.span.end = address.span.start + end;
        }
    }
}

/// Addresses without a scheme, as platforms link them.
fn bare(text: &str, found: &mut Vec<Address>) {
    let urls = crate::text::entities(text).urls;
    if urls.is_empty() {
        return;
    }
    let mut at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    at.push(text.len());
    let mut bare = Vec::new();
    for url in urls {
        let (Some(start), Some(end)) = (at.get(url.start), at.get(url.end)) else {
            continue;
        };
        // The found ones are in order, and there may be thousands.
        let next = found.partition_point(|address| address.span.end <= *start);
        // One that begins before an e-mail is more than that: `evil.com/info@acme.de`.
        if found.get(next).is_none_or(|next| next.span.start > *start) {
            bare.push(Address {
                span: *start..*end,
                text: url.text,
            });
        }
    }
    found.append(&mut bare);
}

/// The text with its addresses blanked out, so that their words and figures are not judged again.
pub(super) fn masked(text: &str, addresses: &[Address]) -> String {
    let mut out = text.to_owned();
    for address in addresses {
        let blank = " ".repeat(address.span.len());
        out.replace_range(address.span.clone(), &blank);
    }
    out
}

/// The addresses of a source, as they are compared.
pub(super) fn known(addresses: &[Address]) -> HashSet<String> {
    addresses
        .iter()
        .map(|address| normal(&address.text))
        .collect()
}

pub(super) fn missing(known: &HashSet<String>, addresses: Vec<Address>) -> Vec<Claim> {
    addresses
        .into_iter()
        .filter(|address| !known.contains(&normal(&address.text)))
        .map(|address| Claim {
            start: address.span.start,
            text: address.text,
            kind: UngroundedKind::Url,
        })
        .collect()
}

fn breaks(c: char) -> bool {
    // Brackets of Markdown links end an address; so do quotes and CJK punctuation.
    c.is_whitespace() || "<>\"“”„«»「」『』。，、！？：；（）[]|`".contains(c)
}

fn opening(c: char) -> bool {
    "'_&#".contains(c)
}

/// What an address of e-mail is made of in ASCII, on both sides.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._%+-".contains(c)
}

fn of_host(c: char) -> bool {
    c.is_alphanumeric() || plain(c) || DOTS.contains(&c)
}

/// `o'brien@`, `r&d@`, `müller@`.
fn of_user(c: char) -> bool {
    c.is_alphanumeric() || plain(c) || "'&#".contains(c)
}

/// Without the punctuation that belongs to the sentence.
fn trimmed(address: &str) -> &str {
    let mut address = address;
    loop {
        let shorter = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '’', '*', '_']);
        let shorter = match shorter.strip_suffix(')') {
            Some(rest) if !rest.contains('(') => rest,
            _ => shorter,
        };
        // `](https://a.example) and` has its bracket inside the word only when nothing parts them.
        let shorter = match shorter.split_once(")") {
            Some((head, _)) if !head.contains('(') => head,
            _ => shorter,
        };
        if shorter.len() == address.len() {
            return address;
        }
        address = shorter;
    }
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.contains('@')
            && host.split('.').all(|label| !label.is_empty())
            && host.contains('.')
            && user.chars().all(of_user)
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || c == '.' || c == '-' || DOTS.contains(&c))
    })
}

/// What two spellings of one address have in common.
fn normal(address: &str) -> String {
    let lower = address.to_ascii_lowercase();
    let scheme = ["https://", "http://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme))
        .map_or(0, |scheme| scheme.len());
    let rest = address.get(scheme..).unwrap_or(address);
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = path.split_once('/').unwrap_or((path, ""));
    let host = host.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let mut out = format!("{host}/{}", path.trim_end_matches('/'));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if !pair.to_ascii_lowercase().starts_with("utm_") {
            out.push('&');
            out.push_str(pair);
        }
    }
    out
}
