//! What a page's own style sheets hide, as far as plain rules say: `.note { display: none }`.

use std::collections::HashSet;

use super::{hidden::hides, scan::Tag};

/// Bytes of all style sheets that are looked at.
const MAX_BYTES: usize = 256 * 1024;

/// Classes and ids that are not shown. Rules for other selectors, and those inside `@media` and the like,
/// are left alone: what they hide depends on more than the page.
#[derive(Default)]
pub(super) struct Sheet {
    classes: HashSet<String>,
    ids: HashSet<String>,
    read: usize,
}

impl Sheet {
    /// Takes up the rules of a `style` element.
    pub(super) fn read(&mut self, css: &str) {
        self.read += css.len();
        if self.read > MAX_BYTES {
            return;
        }
        let css = super::hidden::without_comments(css);
        let mut rest = css.as_str();
        while let Some((selectors, after)) = rest.split_once('{') {
            // A statement such as `@import ...;` may stand before the selectors.
            let selectors = selectors
                .rsplit([';', '}'])
                .next()
                .unwrap_or_default()
                .trim();
            if selectors.starts_with('@') {
                rest = after_block(after);
                continue;
            }
            let (declarations, next) = after.split_once('}').unwrap_or((after, ""));
            rest = next;
            if hides(declarations) {
                selectors
                    .split(',')
                    .for_each(|selector| self.add(selector.trim()));
            }
        }
    }

    fn add(&mut self, selector: &str) {
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        };
        match (selector.strip_prefix('.'), selector.strip_prefix('#')) {
            (Some(class), _) if is_name(class) => self.classes.insert(class.to_owned()),
            (_, Some(id)) if is_name(id) => self.ids.insert(id.to_owned()),
            _ => false,
        };
    }

    /// Whether the element is one of those. The parts that hold a page's content are not: a page that hides
    /// them shows them by script.
    pub(super) fn hides(&self, tag: &Tag<'_>) -> bool {
        if (self.classes.is_empty() && self.ids.is_empty())
            || matches!(&*tag.name, "main" | "article")
        {
            return false;
        }
        let class = tag
            .get("class")
            .is_some_and(|all| all.split_whitespace().any(|one| self.classes.contains(one)));
        class || tag.get("id").is_some_and(|id| self.ids.contains(id.trim()))
    }
}

/// What comes after a block with blocks inside.
fn after_block(css: &str) -> &str {
    let mut depth = 1;
    for (at, c) in css.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &css[at + 1..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::Sheet;

    #[test]
    fn plain_rules_count_and_conditional_ones_do_not() {
        let mut sheet = Sheet::default();
        sheet.read(
            "@import 'x.css'; /* .c{display:none} */ .a, #b { color: red; display: none !important }
             @media print { .menu { display: none } } .nav .deep { display: none } p { display: none }
             .off:hover { display: none } .last { visibility: hidden",
        );
        let mut classes: Vec<_> = sheet.classes.iter().map(String::as_str).collect();
        classes.sort_unstable();
        assert_eq!(classes, ["a", "last"]);
        assert!(sheet.ids.contains("b"));
    }
}
