//! HTML that is safe to embed.

use super::{
    MAX_MARKUP,
    walk::{Rewriter, unmasked, walk_markup},
};

/// The fragment with nothing left that runs, loads in the background or leaves the page's own area: an
/// allow-list of elements and attributes; no scripts, styles, frames, forms or event handlers; links and
/// pictures only to http, https and mailto; `rel="noopener noreferrer"` on links. Hidden parts are left
/// out, depth and size are bounded.
///
/// ```
/// let clean = automarket_core::html::sanitize("<p onclick=x()>Hi <script>evil()</script><b>you</b>");
/// assert_eq!(clean, "<p>Hi <b>you</b></p>");
/// ```
#[must_use]
pub fn sanitize(html: &str) -> String {
    let mut rewriter = Rewriter::new(MAX_MARKUP);
    walk_markup(html, |event| rewriter.event(&event));
    let mut rules = ammonia::Builder::default();
    // Addresses whose scheme it does not look at.
    for tag in ["blockquote", "del", "ins", "q"] {
        rules.rm_tag_attributes(tag, ["cite"]);
    }
    let clean = rules
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer"))
        .clean(&rewriter.html)
        .to_string();
    unmasked(&clean)
}
