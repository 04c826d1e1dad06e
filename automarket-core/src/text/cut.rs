//! Where a text may be cut: the longest head that fits, on the best border.

use unicode_segmentation::UnicodeSegmentation;

use crate::profile::TextRules;

use super::count::{count, length};
use super::entities::spans;
use super::{sentence, tags};

/// How far behind a piece words are looked at, in bytes.
const LOOK_AHEAD: usize = 64;

/// A text that is to be cut, and the limits that its pieces have to keep.
pub(super) struct Cutter<'a> {
    text: &'a str,
    rules: &'a TextRules,
    limit: Option<usize>,
    /// What must not be broken, in order: addresses, tags and names, by bytes.
    whole: Vec<(usize, usize)>,
}

/// The piece that was found.
pub(super) struct Head {
    /// Where it ends, without the space behind it.
    pub(super) end: usize,
    /// Whether a sentence ends there.
    pub(super) sentence: bool,
}

/// A length in the main unit and in the unit of the further limit.
type Size = (usize, usize);

impl<'a> Cutter<'a> {
    pub(super) fn new(text: &'a str, rules: &'a TextRules, limit: Option<usize>) -> Self {
        Self {
            text,
            rules,
            limit,
            whole: unbroken(text),
        }
    }

    /// Allows to break what does not fit as a whole.
    pub(super) fn break_too_long(mut self) -> Self {
        let mut whole = std::mem::take(&mut self.whole);
        whole.retain(|&(start, end)| self.within(self.size(&self.text[start..end])));
        self.whole = whole;
        self
    }

    /// The next place from `from` on that is not white space.
    pub(super) fn skip_space(&self, from: usize) -> usize {
        let mut space = self.text[from..].grapheme_indices(true);
        let word = space.find(|(_, g)| !g.chars().all(char::is_whitespace));
        word.map_or(self.text.len(), |(at, _)| from + at)
    }

    /// The grapheme cluster at `from`.
    pub(super) fn grapheme_end(&self, from: usize) -> usize {
        from + self.text[from..].graphemes(true).next().map_or(0, str::len)
    }

    /// The longest piece from `from` on that ends on a good border and fits together with `suffix`.
    pub(super) fn head(&self, from: usize, suffix: &str) -> Option<Head> {
        let taken = self.size(suffix);
        let mut borders = self.borders(from, taken);
        for round in 0.. {
            let head = self.best(from, &borders, taken)?;
            // Counting is not quite a sum: what stands side by side may become an address or an emoji.
            let piece = [&self.text[from..head.end], suffix].concat();
            let size = self.size(&piece);
            if self.within(size) {
                return Some(head);
            }
            let left = borders.partition_point(|border| *border < head.end);
            borders.truncate(if round == 0 {
                left
            } else {
                self.share(left, size)
            });
        }
        None
    }

    /// How many of `left` borders to try next, when the piece up to the last of them has `size`: in
    /// proportion, and an eighth less at least, so that few rounds are enough.
    fn share(&self, left: usize, size: Size) -> usize {
        let part = |limit: usize, size: usize| left.saturating_mul(limit) / size.max(1);
        let main = self.limit.map_or(left, |limit| part(limit, size.0));
        let also = self
            .rules
            .also
            .map_or(left, |(_, limit)| part(limit, size.1));
        main.min(also).min(left - left.div_ceil(8))
    }

    fn size(&self, text: &str) -> Size {
        let also = self
            .rules
            .also
            .map_or(0, |(unit, _)| count(text, unit, None));
        (length(text, self.rules), also)
    }

    fn within(&self, size: Size) -> bool {
        self.limit.is_none_or(|limit| size.0 <= limit)
            && self.rules.also.is_none_or(|(_, limit)| size.1 <= limit)
    }

    /// The borders from `from` on up to which the text fits beside what is `taken`: between grapheme
    /// clusters, and not in what must stay whole.
    fn borders(&self, from: usize, taken: Size) -> Vec<usize> {
        let mut borders = Vec::new();
        let mut size = taken;
        let mut counted = from;
        let mut next = self.whole.partition_point(|&(_, end)| end <= from);
        for (at, grapheme) in self.text[from..].grapheme_indices(true) {
            let (start, end) = (from + at, from + at + grapheme.len());
            while self.whole.get(next).is_some_and(|whole| whole.1 <= start) {
                next += 1;
            }
            let whole = self.whole.get(next).copied();
            let piece = match whole {
                _ if start < counted => "",
                Some((first, last)) if first <= start => {
                    counted = last;
                    &self.text[start..last]
                }
                _ => grapheme,
            };
            let more = self.size(piece);
            size = (size.0 + more.0, size.1 + more.1);
            if !self.within(size) {
                break;
            }
            if end >= counted && !whole.is_some_and(|(first, last)| first < end && end < last) {
                borders.push(end);
            }
        }
        borders
    }

    /// The best of the borders: the end of the text; else the end of a sentence, if that keeps half; else
    /// white space, unless the word behind it is too long for any piece; else a border in that word.
    fn best(&self, from: usize, borders: &[usize], taken: Size) -> Option<Head> {
        let &last = borders.last()?;
        let keeps_half = |end: &usize| (end - from) * 2 >= last - from;
        let trimmed = |end: usize| from + self.text[from..end].trim_end().len();
        let is_border = |end: &usize| *end > from && borders.binary_search(end).is_ok();
        let word_border = |end: usize| {
            Some(Head {
                end,
                sentence: false,
            })
        };
        // The last border may lie in white space.
        let last_word = Some(trimmed(last)).filter(is_border).unwrap_or(last);
        if self.text[last..].trim_start().is_empty() {
            return word_border(last_word);
        }
        let mut sentences = sentence::ends(self.text, from, last).into_iter();
        if let Some(end) = sentences.rfind(is_border).filter(keeps_half) {
            return Some(Head {
                end,
                sentence: true,
            });
        }
        let space = match self.text[last..].starts_with(char::is_whitespace) {
            true => Some(last),
            false => self.text[from..last]
                .rfind(char::is_whitespace)
                .map(|at| from + at),
        };
        if let Some(end) = space.map(trimmed).filter(is_border)
            && self.word_fits(self.skip_space(end), taken)
        {
            return word_border(end);
        }
        // A little more than the piece, so that what follows the last border is seen.
        let near = self.text.floor_char_boundary(last + LOOK_AHEAD);
        let words = self.text[from..near].split_word_bound_indices();
        let words = words
            .map(|(at, w)| trimmed(from + at + w.len()))
            .take_while(|end| *end <= last);
        let word = words.filter(is_border).last().filter(keeps_half);
        word_border(word.unwrap_or(last_word))
    }

    /// Whether the word that begins at `start` fits into a piece of its own.
    fn word_fits(&self, start: usize, taken: Size) -> bool {
        let Some(&end) = self.borders(start, taken).last() else {
            return false;
        };
        end == self.text.len()
            || self.text[end..].starts_with(char::is_whitespace)
            || self.text[start..end].contains(char::is_whitespace)
    }
}

/// What must not be broken: all that is clickable, and what has a scheme whatever its host.
fn unbroken(text: &str) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> = spans(text)
        .iter()
        .map(|span| (span.start, span.end))
        .collect();
    all.extend(
        tags::remote_mentions(text)
            .into_iter()
            .map(|(span, _)| span),
    );
    let mut from = 0;
    while let Some(at) = text[from..].find("://").map(|at| from + at) {
        let scheme = text[from..at]
            .bytes()
            .rev()
            .take_while(u8::is_ascii_alphanumeric)
            .count();
        let ends = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>');
        let end = text[at..].find(ends).map_or(text.len(), |len| at + len);
        all.push((at - scheme, end));
        from = end;
    }
    all.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(all.len());
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}
