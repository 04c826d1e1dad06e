//! Reading HTML that nobody vouches for: a page's main text, what it declares about itself, clean HTML,
//! Markdown.
//!
//! Everything here is bounded by size, not by luck: of a page at most 4 MiB are read, and 2 MiB,
//! 50,000 elements and 256 levels of that reach a parser; elements are balanced before a tree is built, and hidden parts are left out. What
//! comes out is data, never an instruction.

mod bytes;
mod hidden;
mod inline;
mod json_ld;
mod markdown;
mod metadata;
mod raised;
mod reference;
mod sanitize;
mod scan;
mod table;
mod text;
mod walk;

use std::time::Duration;

use dom_smoothie::{Config, Readability};
use metadata::Metadata;
use url::Url;
use walk::{Event, Rewriter, masked, unmasked, walk};

use crate::{
    Bytes, Error, ErrorKind, Result, blocking,
    source::{Page, capped},
};

pub use markdown::to_markdown;
pub use metadata::{language_tag, web_address};
pub use sanitize::sanitize;
pub use text::{beginning, to_text};

/// What is left of a page's markup when it is parsed, in bytes at the most.
const MAX_MARKUP: usize = 2 * 1024 * 1024;
/// How much of the main text the excerpt shows, in characters.
const EXCERPT: usize = 240;

/// Reads a page: its main text and Markdown without navigation and hidden parts, and what it declares
/// about itself. `url` is where it was read, for relative addresses; `content_type` is the answer's, for
/// its charset.
///
/// Of a page beyond the bounds of this module the beginning is read, and [`Page::truncated`] says so. The
/// work takes up to a second: in async code use [`extract_bounded`].
///
/// ```
/// let html = b"<html lang=en><title>News - Acme</title><meta property=og:site_name content=Acme>
///     <nav><a href=/>Home</a></nav><main><h1>News</h1><p>We shipped the thing you asked for.</p></main>";
/// let page = automarket_core::html::extract(html, None, None)?;
/// assert_eq!(page.title.as_deref(), Some("News"));
/// assert!(page.text.contains("We shipped"));
/// # Ok::<(), automarket_core::Error>(())
/// ```
///
/// # Errors
/// `UnexpectedReply` (rule `not-a-page`) for what is certainly no page: a PDF, an image, an archive,
/// binary data. An empty page is none of these: everything in it is empty.
pub fn extract(bytes: &[u8], url: Option<&Url>, content_type: Option<&str>) -> Result<Page> {
    let (html, cut) = bytes::decode(bytes, content_type)?;
    let mut metadata = Metadata::default();
    let mut rewriter = Rewriter::new(MAX_MARKUP);
    let mut frame = Frame::default();
    let walked = walk(&html, |event| {
        metadata.event(&event);
        if !frame.holds(&event) {
            rewriter.event(&event);
        }
    });
    let main = main_part(rewriter.html, metadata.page_title());

    let base = metadata.base(url);
    let (text, text_cut) = capped(to_text(&main));
    let (markdown, markdown_cut) = capped(to_markdown(&main, base.as_ref()));
    let address = metadata.url(url);
    Ok(Page {
        title: metadata.title(address.as_ref()),
        description: metadata.description(),
        byline: metadata.byline(),
        site_name: metadata.site_name(),
        language: metadata.language(),
        direction: metadata.direction(),
        excerpt: Some(text::beginning(&text, EXCERPT)).filter(|excerpt| !excerpt.is_empty()),
        published: metadata.published(),
        image: metadata.image(base.as_ref()),
        icon: metadata.icon(base.as_ref()),
        colors: metadata.colors(),
        markdown,
        text,
        truncated: cut || walked || rewriter.cut || text_cut || markdown_cut,
        url: address,
    })
}

/// As [`extract`], on a thread for blocking work, given up after `deadline`. The bounds of this module
/// end the work; the deadline only frees the caller on a machine that is stalled.
///
/// # Errors
/// As [`extract`]; `Timeout` after the deadline.
pub async fn extract_bounded(
    bytes: Bytes,
    url: Option<Url>,
    content_type: Option<String>,
    deadline: Duration,
) -> Result<Page> {
    let work = blocking(move || extract(&bytes, url.as_ref(), content_type.as_deref()));
    match tokio::time::timeout(deadline, work).await {
        Ok(page) => page?,
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "reading the page took too long",
        )),
    }
}

/// What a page itself declares to stand round its content: navigation, dialogs, its own footer. Told apart
/// here, since what finds the main part gives up doing so on short pages.
#[derive(Default)]
struct Frame {
    /// Elements open inside an outer one that is frame.
    depth: usize,
    /// Open elements whose footers are part of the content.
    content: usize,
}

impl Frame {
    /// Whether the event belongs to the frame.
    fn holds(&mut self, event: &Event<'_, '_>) -> bool {
        let is_content = |name: &str| matches!(name, "article" | "main" | "blockquote" | "figure");
        match event {
            Event::Open(tag) => {
                let role = tag.raw("role").unwrap_or_default();
                let framing = tag.name == "nav"
                    || matches!(
                        role,
                        "navigation" | "dialog" | "alertdialog" | "contentinfo"
                    )
                    || (tag.name == "footer" && self.content == 0);
                self.content += usize::from(is_content(&tag.name));
                self.depth += usize::from(self.depth > 0 || framing);
                self.depth > 0
            }
            Event::Close(name) => {
                self.content -= usize::from(is_content(name));
                let held = self.depth > 0;
                self.depth -= usize::from(held);
                held
            }
            _ => self.depth > 0,
        }
    }
}

/// The markup of the main part of a tidied body. Where none stands out, all of it.
fn main_part(body: String, title: Option<&str>) -> String {
    if body.trim().is_empty() {
        return String::new();
    }
    let title = masked(title.unwrap_or_default());
    let page = format!(
        "<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
    );
    let config = Config {
        disable_json_ld: true,
        ..Config::default()
    };
    let article = Readability::new(page, None, Some(config)).and_then(|mut reader| reader.parse());
    unmasked(&article.map_or(body, |article| article.content.to_string()))
}
