//! One block's text as Markdown with its emphasis, code and links.
//!
//! CommonMark reads a mark as one only beside certain characters, on both of its sides. So marks are written
//! when the block is whole, and only where they are read: elsewhere the text stays without them.

use std::fmt::Write as _;

/// A block under way.
#[derive(Default)]
pub(super) struct Line {
    /// Its text, escaped, without marks.
    pub(super) text: String,
    /// Ends and beginnings of elements, in the order of the page.
    marks: Vec<Mark>,
    elements: Vec<Element>,
    /// Indices of the elements that are open.
    open: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    element: usize,
    opens: bool,
}

struct Element {
    name: &'static str,
    address: Option<String>,
    /// Empty, or of marks that nobody would read.
    dropped: bool,
}

impl Line {
    pub(super) fn inside(&self, name: &str) -> bool {
        self.open.iter().any(|at| self.elements[*at].name == name)
    }

    pub(super) fn open(&mut self, name: &'static str, address: Option<String>) {
        let element = self.elements.len();
        self.elements.push(Element {
            name,
            address,
            dropped: false,
        });
        self.open.push(element);
        self.mark(element, true);
    }

    /// Ends the element of this name, and those inside it.
    pub(super) fn close(&mut self, name: &str) {
        let named = |at: &usize| self.elements[*at].name == name;
        if let Some(kept) = self.open.iter().position(named) {
            self.close_to(kept);
        }
    }

    fn close_to(&mut self, kept: usize) {
        while self.open.len() > kept
            && let Some(element) = self.open.pop()
        {
            self.mark(element, false);
        }
    }

    fn mark(&mut self, element: usize, opens: bool) {
        self.marks.push(Mark {
            at: self.text.len(),
            element,
            opens,
        });
    }

    /// The block with its marks; a new one begins.
    pub(super) fn take(&mut self) -> String {
        self.close_to(0);
        let mut line = std::mem::take(self);
        if !line.marks.is_empty() {
            line.trim();
            line.join();
            // What is dropped changes what stands beside it; more than twice is made up.
            for _ in 0..4 {
                if !line.leave_out() {
                    break;
                }
                line.join();
            }
        }
        line.written()
    }

    /// Moves white space out of the elements, which a mark beside it would not be read for, and drops those
    /// that hold nothing.
    fn trim(&mut self) {
        for mark in &mut self.marks {
            while let Some(length) = space(&self.text, mark.at, mark.opens) {
                mark.at = if mark.opens {
                    mark.at + length
                } else {
                    mark.at - length
                };
            }
        }
        let mut starts = vec![0; self.elements.len()];
        for mark in &self.marks {
            if mark.opens {
                starts[mark.element] = mark.at;
            } else if mark.at <= starts[mark.element] {
                self.elements[mark.element].dropped = true;
            }
        }
        self.forget_dropped();
    }

    /// Of two of the same element side by side makes one.
    fn join(&mut self) {
        let mut joined: Vec<Mark> = Vec::with_capacity(self.marks.len());
        // Which element a later one goes on.
        let mut goes_on: Vec<usize> = (0..self.elements.len()).collect();
        for mut mark in std::mem::take(&mut self.marks) {
            let before = joined.last().filter(|before| {
                let same = self.elements[before.element].name == self.elements[mark.element].name;
                mark.opens && !before.opens && before.at == mark.at && same
            });
            if let Some(before) = before
                && self.elements[mark.element].address.is_none()
            {
                goes_on[mark.element] = before.element;
                joined.pop();
            } else {
                mark.element = goes_on[mark.element];
                joined.push(mark);
            }
        }
        self.marks = joined;
    }

    /// Drops elements whose marks would not be read as theirs. Whether there were any.
    fn leave_out(&mut self) -> bool {
        let mut dropped = false;
        let mut stars = 0_usize;
        for at in 0..self.marks.len() {
            let mark = self.marks[at];
            let Some(sign) = self.elements[mark.element].sign() else {
                continue;
            };
            if sign == '*' {
                stars = if mark.opens {
                    stars + 1
                } else {
                    stars.saturating_sub(1)
                };
            }
            let nested = sign == '*' && stars > usize::from(mark.opens);
            let read = self.beside(at, sign).reads(mark.opens, nested);
            let element = &mut self.elements[mark.element];
            dropped |= !read && !element.dropped;
            element.dropped |= !read;
        }
        self.forget_dropped();
        dropped
    }

    fn forget_dropped(&mut self) {
        self.marks
            .retain(|mark| !self.elements[mark.element].dropped);
    }

    /// What stands beside the run of signs that a mark is part of.
    fn beside(&self, at: usize, sign: char) -> Beside {
        let mark = self.marks[at];
        let touching = |other: &&Mark| other.at == mark.at;
        let kept = |other: &&Mark| !self.elements[other.element].dropped;
        let signs = |other: &&Mark| self.elements[other.element].sign() == Some(sign);
        let before = self.marks[..at].iter().rev().take_while(touching);
        let mut before = before.filter(kept);
        let after = self.marks[at + 1..].iter().take_while(touching);
        let mut after = after.filter(kept);
        let turned = |other: &Mark| other.opens != mark.opens;
        let mixed = mark.opens && before.clone().take_while(signs).any(turned);
        // Other marks are punctuation.
        let other_before = before.find(|other| !signs(other)).map(|_| '[');
        let other_after = after.find(|other| !signs(other)).map(|_| '[');
        Beside {
            before: other_before.or_else(|| self.text[..mark.at].chars().next_back()),
            after: other_after.or_else(|| self.text[mark.at..].chars().next()),
            mixed,
        }
    }

    fn written(self) -> String {
        let mut out = String::with_capacity(self.text.len() + 8 * self.marks.len());
        let (mut at, mut fence) = (0, String::new());
        for (n, mark) in self.marks.iter().enumerate() {
            out.push_str(self.text.get(at..mark.at).unwrap_or_default());
            at = mark.at;
            let element = &self.elements[mark.element];
            match (element.name, &element.address) {
                ("code", _) if mark.opens => {
                    // Nothing inside is marked.
                    let end = self.marks.get(n + 1).map_or(at, |end| end.at);
                    let code = self.text.get(at..end).unwrap_or_default();
                    let ticks = "`".repeat(longest_run(code, '`') + 1);
                    let padded = code.starts_with('`') || code.ends_with('`');
                    fence = if padded { format!("{ticks} ") } else { ticks };
                    out.push_str(&fence);
                }
                ("code", _) => out.extend(fence.chars().rev()),
                (_, Some(address)) if !mark.opens => {
                    let _ = write!(out, "]({address})");
                }
                (_, Some(_)) => {
                    // Right before the link it would make a picture of it.
                    if out.ends_with('!') {
                        out.insert(out.len() - 1, '\\');
                    }
                    out.push('[');
                }
                ("strong", _) => out.push_str("**"),
                ("em", _) => out.push('*'),
                _ => out.push_str("~~"),
            }
        }
        out.push_str(&self.text[at..]);
        out
    }
}

impl Element {
    /// What its marks are made of, where they are read by what stands beside them.
    fn sign(&self) -> Option<char> {
        match self.name {
            "strong" | "em" => Some('*'),
            "del" => Some('~'),
            _ => None,
        }
    }
}

struct Beside {
    before: Option<char>,
    after: Option<char>,
    /// Whether the run both ends and begins elements: which sign is whose cannot be told.
    mixed: bool,
}

impl Beside {
    fn reads(&self, opens: bool, nested: bool) -> bool {
        let (inside, outside) = if opens {
            (self.after, self.before)
        } else {
            (self.before, self.after)
        };
        let letters = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // With no blank outside it might as well be the other mark of what is around it.
        let close = outside.is_some_and(|c| !c.is_whitespace());
        let either = nested && close && (letters(outside) || !letters(inside));
        let apart = outside.is_none_or(|c| c.is_whitespace() || is_punctuation(c));
        !self.mixed && !either && (letters(inside) || apart)
    }
}

/// Punctuation to every reader of Markdown.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '«' | '»' | '¿' | '¡' | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

/// The length of the white space or line break behind or before a place.
fn space(text: &str, at: usize, behind: bool) -> Option<usize> {
    let found = |space: &&str| match behind {
        true => text[at..].starts_with(*space),
        false => text[..at].ends_with(*space),
    };
    [" ", "\\\n"]
        .iter()
        .find(|space| found(space))
        .map(|space| space.len())
}

pub(super) fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
