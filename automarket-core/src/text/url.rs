//! Finding addresses in a text, with the answers of X's reference (`twitter-text` 3.1.0).
//!
//! The reference tries a pattern at every place, which takes quadratic time on hostile text. Here a host
//! can only be where a `.` stands before a top-level domain, and the labels around it are judged once.

use super::class::{Pattern, is_bare_host, is_host, is_host_run, may_precede_address};
use super::{punycode, tld};

/// Longest address in UTF-16 units, scheme included.
const MAX_LENGTH: usize = 4096;
/// Longest name of a t.co address.
const MAX_TCO_NAME: usize = 40;

/// An address. Offsets are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins.
    pub(super) start: usize,
    /// Where its host ends; with a scheme, where it ends.
    pub(super) host_end: usize,
    /// Where port and path begin. After `host_end` only where a host without scheme mixes scripts: the
    /// reference then leaves out what is between.
    pub(super) tail: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Whether it has `http://` or `https://`.
    pub(super) scheme: bool,
}

impl Found {
    /// The address as the reference gives it.
    pub(super) fn text(&self, text: &str) -> String {
        [&text[self.start..self.host_end], &text[self.tail..self.end]].concat()
    }
}

/// All addresses in the order of their place.
pub(super) fn find(text: &str, pattern: Pattern) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0; // The reference would go on here.
    let mut seek = 0;
    while let Some(dot) = text[seek..].find('.').map(|at| seek + at) {
        seek = dot + 1;
        if tld::end(text, seek).is_some() {
            let run = Run::around(text, pattern, from, dot);
            from = run.find(from, &mut found);
            seek = from.max(run.end);
        }
    }
    found
}

/// A stretch of characters that hosts are made of.
struct Run<'a> {
    text: &'a str,
    pattern: Pattern,
    start: usize,
    end: usize,
    labels: Vec<Label>,
}

/// What stands before a dot.
struct Label {
    /// The first byte.
    start: usize,
    /// The dot.
    dot: usize,
    /// The byte after its last underscore: only subdomains may have one.
    plain_from: usize,
    /// Whether its last character may end a label.
    ends_well: bool,
    /// Where the top-level domain behind the dot ends.
    tld_end: Option<usize>,
    /// Where the longest host ends that takes in the labels after this one.
    reach: Option<usize>,
}

/// A place where the reference would try to match.
#[derive(Clone, Copy)]
struct Try {
    /// Where the address begins.
    start: usize,
    /// Where the host begins.
    host: usize,
    /// What stands before.
    before: Option<char>,
    /// Half a character stands before: the reference reads UTF-16, and takes the second half of a
    /// surrogate pair for the first letter of the host.
    half: bool,
}

impl<'a> Run<'a> {
    /// The run around `dot`, not before `from`.
    fn around(text: &'a str, pattern: Pattern, from: usize, dot: usize) -> Self {
        let start = text[from..dot]
            .char_indices()
            .rev()
            .find(|&(_, c)| !is_host_run(c));
        let start = start.map_or(from, |(at, c)| from + at + c.len_utf8());
        let end = text[dot..].char_indices().find(|&(_, c)| !is_host_run(c));
        let end = end.map_or(text.len(), |(at, _)| dot + at);
        let mut labels: Vec<Label> = Vec::new();
        let mut begin = start;
        for (at, _) in text[start..end].match_indices('.') {
            let dot = start + at;
            let label = &text[begin..dot];
            labels.push(Label {
                start: begin,
                dot,
                plain_from: label.rfind('_').map_or(begin, |at| begin + at + 1),
                ends_well: label.chars().next_back().is_some_and(is_host),
                tld_end: tld::end(text, dot + 1),
                reach: None,
            });
            begin = dot + 1;
        }
        let mut reach = None;
        for label in labels.iter_mut().rev() {
            label.reach = reach;
            reach = label.host_end(text, label.start, false);
        }
        Self {
            text,
            pattern,
            start,
            end,
            labels,
        }
    }

    /// Adds the addresses whose host begins in this run; says where the reference would go on.
    fn find(&self, mut from: usize, found: &mut Vec<Found>) -> usize {
        let mut label = 0;
        for at in self.tries(from) {
            // The place before the host must not be taken by the address before.
            if at
                .before
                .map_or(at.start, |c| at.start.saturating_sub(c.len_utf8()))
                < from
            {
                continue;
            }
            while self.labels.get(label).is_some_and(|l| l.dot < at.host) {
                label += 1;
            }
            let Some(first) = self.labels.get(label) else {
                break;
            };
            if let Some(host_end) = first.host_end(self.text, at.host, at.half) {
                from = self.take(at, host_end, found);
            }
        }
        from
    }

    /// Where the reference would try, in its order.
    fn tries(&self, from: usize) -> impl Iterator<Item = Try> + use<'a> {
        let (text, start, end) = (self.text, self.start, self.end);
        let before = text[from..start].chars().next_back();
        let plain = |host: usize, before| Try {
            start: host,
            host,
            before,
            half: false,
        };
        let scheme = scheme_start(&text[from..start]).map(|at| from + at);
        let scheme = scheme.map(|at| Try {
            start: at,
            host: start,
            before: text[from..at].chars().next_back(),
            half: false,
        });
        let scheme = scheme.filter(|t| t.start == 0 || t.before.is_some_and(may_precede_address));
        let outside = before
            .filter(|c| may_precede_address(*c))
            .map(|c| plain(start, Some(c)));
        let inside = text[start..end]
            .char_indices()
            .filter(|&(_, c)| may_precede_address(c));
        let inside = inside.map(move |(at, c)| {
            let host = start + at + c.len_utf8();
            Try {
                start: host,
                host,
                before: Some(c),
                half: c.len_utf8() == 4,
            }
        });
        // At the beginning of the text the first character is tried as the one before, then as the host.
        let at_start = (start == 0).then(|| plain(0, None));
        let first = text.chars().next().map_or(0, char::len_utf8);
        let mut inside = inside.peekable();
        let early = if at_start.is_some() {
            inside.next_if(|t| t.host <= first)
        } else {
            None
        };
        scheme
            .into_iter()
            .chain(outside)
            .chain(early)
            .chain(at_start)
            .chain(inside)
    }

    /// Takes what the pattern matches; adds it if it is an address, and says where the match ends.
    fn take(&self, at: Try, host_end: usize, found: &mut Vec<Found>) -> usize {
        let text = self.text;
        let port = port_end(text, host_end);
        let path = path_end(text, port, self.pattern);
        let end = query_end(text, path, self.pattern);
        let host = &text[at.host..host_end];
        let scheme = at.start < at.host;
        let length = utf16_len(&text[at.start..end]) + usize::from(at.half);
        // The reference counts the scheme twice, and `https://` where there is none.
        let prefix = if scheme {
            at.host - at.start
        } else {
            "https://".len()
        };
        if prefix + length > MAX_LENGTH || !is_host_name(host, at.half) {
            return end;
        }
        if scheme {
            let url_end = tco_end(text, at.host, end, self.pattern);
            if let Some(url_end) = url_end {
                found.push(Found {
                    start: at.start,
                    host_end: url_end,
                    tail: url_end,
                    end: url_end,
                    scheme,
                });
            }
        } else if !matches!(at.before, Some('-' | '_' | '.' | '/')) {
            let first = found.len();
            for (start, stop) in bare_hosts(host) {
                let (start, stop) = (at.host + start, at.host + stop);
                found.push(Found {
                    start,
                    host_end: stop,
                    tail: stop,
                    end: stop,
                    scheme,
                });
            }
            if let Some(last) = found.get_mut(first..).and_then(|hosts| hosts.last_mut())
                && path > port
            {
                (last.tail, last.end) = (host_end, end);
            }
        }
        end
    }
}

impl Label {
    /// Where the longest host ends that begins at `from` in this label.
    fn host_end(&self, text: &str, from: usize, half: bool) -> Option<usize> {
        let label = &text[from..self.dot];
        let begins_well = half || label.chars().next().is_some_and(is_host);
        let valid = begins_well && (self.ends_well || (half && label.is_empty()));
        if !valid {
            return None;
        }
        self.reach.or(if from >= self.plain_from {
            self.tld_end
        } else {
            None
        })
    }
}

/// Where `http://` or `https://` begins, if `text` ends with one.
fn scheme_start(text: &str) -> Option<usize> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let at = text.len().checked_sub(scheme.len())?;
        text.get(at..)
            .is_some_and(|end| end.eq_ignore_ascii_case(scheme))
            .then_some(at)
    })
}

/// Where a port ends that begins at `at`.
fn port_end(text: &str, at: usize) -> usize {
    let digits = match text[at..].strip_prefix(':') {
        Some(rest) => rest.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    if digits > 0 { at + 1 + digits } else { at }
}

/// Where a path ends that begins at `at`: behind the last character that may end one, and the balanced
/// parentheses that follow it at once.
fn path_end(text: &str, at: usize, pattern: Pattern) -> usize {
    if !text[at..].starts_with('/') {
        return at;
    }
    let mut end = at + 1;
    let mut here = at + 1;
    loop {
        for c in text[here..].chars().take_while(|c| pattern.is_path(*c)) {
            here += c.len_utf8();
            if pattern.is_path_end(c) {
                end = here;
            }
        }
        match parentheses_end(text, here, pattern) {
            Some(close) => {
                if end == here {
                    end = close;
                }
                here = close;
            }
            None => return end,
        }
    }
}

/// Where parentheses end that begin at `at`; they may hold one pair more.
fn parentheses_end(text: &str, at: usize, pattern: Pattern) -> Option<usize> {
    let skip = |at: usize| {
        at + text[at..]
            .chars()
            .take_while(|c| pattern.is_path(*c))
            .map(char::len_utf8)
            .sum::<usize>()
    };
    let open = |at: usize| text[at..].starts_with('(');
    let close = |at: usize| text[at..].starts_with(')');
    let inside = at + 1;
    let first = if open(at) { skip(inside) } else { return None };
    if close(first) {
        return (first > inside).then_some(first + 1);
    }
    let nested = if open(first) {
        skip(first + 1)
    } else {
        return None;
    };
    let rest = if close(nested) && nested > first + 1 {
        skip(nested + 1)
    } else {
        return None;
    };
    close(rest).then_some(rest + 1)
}

/// Where a query ends that begins at `at`.
fn query_end(text: &str, at: usize, pattern: Pattern) -> usize {
    let Some(query) = text.get(at..).and_then(|rest| rest.strip_prefix('?')) else {
        return at;
    };
    let query = query
        .char_indices()
        .take_while(|(_, c)| pattern.is_query(*c));
    match query.filter(|(_, c)| pattern.is_query_end(*c)).last() {
        Some((last, c)) => at + 1 + last + c.len_utf8(),
        None => at,
    }
}

/// Where an address with scheme ends: a t.co address is cut behind its name and query, and none if the name
/// is too long.
fn tco_end(text: &str, host: usize, end: usize, pattern: Pattern) -> Option<usize> {
    let url = &text[host..end];
    if !url
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("t.co/"))
    {
        return Some(end);
    }
    let name = url
        .bytes()
        .skip(5)
        .take_while(u8::is_ascii_alphanumeric)
        .count();
    match name {
        0 => Some(end),
        1..=MAX_TCO_NAME => Some(query_end(&text[..end], host + 5 + name, pattern)),
        _ => None,
    }
}

/// Whether a host is one: labels of at most 63 characters in their ASCII form, and no encoded host that the
/// reference does not know.
fn is_host_name(host: &str, half: bool) -> bool {
    if !half && host.starts_with("xn--") && bare_hosts(host).is_empty() {
        return false;
    }
    let mut half = half;
    host.split('.')
        .all(|label| punycode::is_label(label, std::mem::take(&mut half)))
}

/// The parts of a host that are one in ASCII and Latin letters, by bytes.
fn bare_hosts(host: &str) -> Vec<(usize, usize)> {
    let mut hosts = Vec::new();
    let mut last_end = 0;
    let mut from = 0;
    while let Some(start) = host[from..].find(is_bare_host).map(|at| from + at) {
        let mut end = None;
        let mut here = start;
        loop {
            let label = host[here..]
                .find(|c| !is_bare_host(c))
                .map_or(host.len(), |at| here + at);
            if label == here || !host[label..].starts_with('.') {
                from = label.max(start + 1);
                break;
            }
            here = label + 1;
            end = tld::end(host, here).or(end);
        }
        if let Some(end) = end {
            // The reference looks the name up again from the end of the last one, and takes the first that
            // reads the same.
            let name = &host[start..end];
            let start = host[last_end..]
                .find(name)
                .map_or(start, |at| last_end + at);
            last_end = start + name.len();
            hosts.push((start, last_end));
            from = end;
        }
    }
    hosts
}

/// UTF-16 units.
pub(super) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}
