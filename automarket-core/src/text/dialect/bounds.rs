//! What is looked at before Markdown is parsed: size and nesting. Both bound time and memory of all that follows.

/// The largest text that is read as Markdown.
const MAX_BYTES: usize = 512 * 1024;
/// The deepest nesting of quotes and lists that is read as Markdown.
const MAX_DEPTH: usize = 32;

/// Whether `markdown` may be parsed.
pub(super) fn are_kept(markdown: &str) -> bool {
    let mut lines = markdown.split(['\n', '\r']);
    markdown.len() <= MAX_BYTES && lines.all(|line| depth(line) <= MAX_DEPTH)
}

/// How deep a line can nest at most: each quote or list around its text shows as a marker or as two columns.
fn depth(line: &str) -> usize {
    let bytes = line.as_bytes();
    let rule = rule_start(line);
    let (mut at, mut columns, mut markers) = (0, 0, 0);
    while at < rule
        && let Some(byte) = bytes.get(at)
    {
        // The marker of a list stands before a blank or the line's end.
        let ends = |at: usize| matches!(bytes.get(at), None | Some(b' ' | b'\t'));
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4,
            b'>' => markers += 1,
            b'-' | b'+' | b'*' if ends(at + 1) => markers += 1,
            b'0'..=b'9' => {
                let digits = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                at += digits;
                if !matches!(bytes.get(at), Some(b'.' | b')')) || !ends(at + 1) {
                    break;
                }
                markers += 1;
            }
            _ => break,
        }
        at += 1;
    }
    if markers == 0 {
        0
    } else {
        markers + columns / 2
    }
}

/// Where the rule begins that the line ends with (`---`, `* * *`); else the line's end. A rule is read before
/// any list.
fn rule_start(line: &str) -> usize {
    let trimmed = line.trim_end_matches([' ', '\t']);
    for mark in ['-', '*'] {
        let start = trimmed.trim_end_matches([mark, ' ', '\t']).len();
        let marks = trimmed[start..].matches(mark).count();
        if marks >= 3 {
            return start;
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_markers_and_columns() {
        for (line, deep) in [
            ("text", 0),
            ("        indented code", 0),
            ("- item", 1),
            ("> quote", 1),
            ("> > quote", 3),
            ("    - third level", 3),
            ("10. item", 1),
            ("2026 was good", 0),
            ("----", 0),
            ("+--+--+", 0),
            ("**bold** - text", 0),
            ("1.1.1", 0),
            ("-", 1),
            ("- +", 2),
            ("- - x", 3),
            ("- - - x", 4),
            ("> * * * *", 1),
            ("+ + + +", 5),
        ] {
            assert_eq!(depth(line), deep, "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_nests_deeper_than_its_depth(line in "[-+*>1.x \t]{0,12}|([-*+] ){0,8}|(> ?|1\\. |- ){0,4}[-*] ?[-*] ?[-*] ?[-*]?") {
            use pulldown_cmark::{Event, Parser, Tag, TagEnd};
            let (mut open, mut deepest) = (0, 0);
            for event in Parser::new(&line) {
                match event {
                    Event::Start(Tag::BlockQuote(_) | Tag::Item) => open += 1,
                    Event::End(TagEnd::BlockQuote(_) | TagEnd::Item) => open -= 1,
                    _ => {}
                }
                deepest = deepest.max(open);
            }
            proptest::prop_assert!(deepest <= depth(&line), "{line:?} is {deepest} deep");
        }
    }

    #[test]
    fn too_large_and_too_deep_are_not_kept() {
        assert!(are_kept(&"a\n".repeat(1000)));
        assert!(are_kept(&"> ".repeat(20)));
        assert!(!are_kept(&">".repeat(MAX_DEPTH + 1)));
        assert!(!are_kept(&format!("a\r{}", ">".repeat(MAX_DEPTH + 1))));
        assert!(!are_kept(&"a".repeat(MAX_BYTES + 1)));
    }
}
