//! What a dialect says: how each piece is spelled. Where pieces stand is not its business.

/// How one platform spells formatted text.
pub(super) trait Dialect {
    /// Literal text of one line.
    fn text(&self, text: &str, at_line_start: bool) -> String;
    /// The mark around a style; empty where there is none. `before` is what is written so far, and `opened`
    /// says whether it ends with the opening mark of another style.
    fn mark(&self, style: Style, before: &str, opened: bool) -> &'static str;
    /// Code within a line; `None` where it can only be literal text.
    fn code(&self, code: &str) -> Option<String>;
    /// A block of code, without its last line end; `None` where it can only be literal text.
    fn code_block(&self, language: &str, code: &str) -> Option<String>;
    /// A link. `label` is in the dialect, `raw` is its letters.
    fn link(&self, label: &str, raw: &str, url: &str) -> String;
    /// An image.
    fn image(&self, label: &str, raw: &str, url: &str) -> String {
        self.link(label, raw, url)
    }
    /// What stands before a heading; `None` where a heading is a line in bold.
    fn heading(&self, level: usize) -> Option<String>;
    /// The marker of a list item. Lists that follow each other alternate.
    fn marker(&self, number: Option<u64>, alternate: bool) -> String;
    /// What stands before each quoted line.
    fn quote(&self) -> &'static str {
        "> "
    }
    /// A line between parts.
    fn rule(&self) -> &'static str {
        "———"
    }
    /// A line break that the author asked for.
    fn hard_break(&self) -> &'static str {
        "\n"
    }
    /// Between the cells of a table.
    fn cell_border(&self) -> &'static str {
        " | "
    }
    /// Whether styles run over line ends, hold code, and quotes nest and hold code.
    fn nests(&self) -> bool {
        false
    }
    /// Whether a link after `@` to this target is a mention; it then comes to [`Dialect::link`].
    fn takes_mention(&self, _target: &str) -> bool {
        false
    }
    /// Whether tables are tables.
    fn tables(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Emphasis,
    Strong,
    Strike,
}
