//! Where sentences end.
//!
//! A plain reading that takes linear time: Unicode's own rules look ahead without bound, which takes
//! quadratic time on long white space.

/// The ends of sentences in `text` that lie behind `from` and not behind `last`, without the space that
/// follows. A sentence ends at a line break, behind `。！？`, and behind `.`, `!`, `?` or `…` when white space
/// and no small letter follow; closing quotes and brackets belong to it.
pub(super) fn ends(text: &str, from: usize, last: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut open: Option<Open> = None;
    let mut word_end = from;
    for (at, c) in text[from..].char_indices() {
        let at = from + at;
        if at > last && open.is_none_or(|open| open.end > last) {
            return ends;
        }
        let next = at + c.len_utf8();
        if c.is_whitespace() {
            if matches!(c, '\n' | '\u{2028}' | '\u{2029}') && word_end > from {
                open = Some(Open {
                    end: word_end,
                    sure: true,
                    spaced: true,
                });
            }
            open = open.map(|open| Open {
                spaced: true,
                ..open
            });
            continue;
        }
        word_end = next;
        open = match open {
            Some(open) if !open.spaced && is_closing(c) => Some(Open { end: next, ..open }),
            Some(open) => {
                if open.end <= last && (open.sure || (open.spaced && !c.is_lowercase())) {
                    ends.push(open.end);
                }
                Open::by(c, next)
            }
            None => Open::by(c, next),
        };
    }
    ends.extend(open.map(|open| open.end).filter(|end| *end <= last));
    ends
}

/// A sentence that may have ended.
#[derive(Clone, Copy)]
struct Open {
    end: usize,
    /// Whether it has, whatever follows.
    sure: bool,
    /// Whether white space has followed.
    spaced: bool,
}

impl Open {
    fn by(c: char, end: usize) -> Option<Self> {
        let sure = matches!(c, '。' | '！' | '？' | '｡' | '।');
        (sure || matches!(c, '.' | '!' | '?' | '…' | '؟' | '۔')).then_some(Self {
            end,
            sure,
            spaced: false,
        })
    }
}

fn is_closing(c: char) -> bool {
    matches!(
        c,
        ')' | ']' | '"' | '\'' | '”' | '’' | '»' | '」' | '』' | '）'
    )
}
