use crate::profile::Markup;

/// Markdown in the dialect of a platform.
#[must_use]
pub fn render(markdown: &str, _markup: Markup) -> String {
    markdown.to_owned()
}
