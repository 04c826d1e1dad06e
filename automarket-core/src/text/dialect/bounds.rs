//! What is looked at before Markdown is parsed: size and nesting. Both bound time and memory of all that follows.

/// The largest text that is read as Markdown.
const MAX_BYTES: usize = 512 * 1024;
/// The deepest nesting of quotes and lists that is read as Markdown.
const MAX_DEPTH: usize = 32;

/// Whether `markdown` may be parsed.
pub(super) fn are_kept(markdown: &str) -> bool {
    markdown.len() <= MAX_BYTES && markdown.lines().all(|line| depth(line) <= MAX_DEPTH)
}

/// How deep a line can nest at most: each quote or list around its text shows as a marker or as two columns.
fn depth(line: &str) -> usize {
    let bytes = line.as_bytes();
    let (mut at, mut columns, mut markers) = (0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4,
            b'>' | b'-' | b'+' | b'*' => markers += 1,
            b'0'..=b'9' => {
                let digits = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                if !matches!(bytes.get(at + digits), Some(b'.' | b')')) {
                    break;
                }
                at += digits;
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
        ] {
            assert_eq!(depth(line), deep, "{line:?}");
        }
    }

    #[test]
    fn too_large_and_too_deep_are_not_kept() {
        assert!(are_kept(&"a\n".repeat(1000)));
        assert!(are_kept(&"> ".repeat(20)));
        assert!(!are_kept(&">".repeat(MAX_DEPTH + 1)));
        assert!(!are_kept(&"a".repeat(MAX_BYTES + 1)));
    }
}
