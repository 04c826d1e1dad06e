//! Reading pages: the trait and its words.

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Context, Error, ErrorKind, Result, Retry, content::Brand};

/// Reads a page and extracts what it says. The page is data: nothing in it is ever an instruction.
#[async_trait]
pub trait PageSource: Send + Sync {
    /// Whether it would try to read the page at `address`, as far as that is known without looking at it: so that a slip
    /// is told at once to whoever made it. Everything passes unless said otherwise.
    ///
    /// # Errors
    /// `InvalidInput` (`address`), `Refused`, as [`read`](Self::read).
    fn check(&self, address: &str) -> Result<()> {
        let _ = address;
        Ok(())
    }

    /// Reads the page at `address`.
    ///
    /// # Errors
    /// `InvalidInput` (`address`) for what is no address; `Refused` by the outbound guard; `NotFound`, `Forbidden` and what
    /// else the page itself [`answered`];
    /// `TooLarge`; `UnexpectedReply` for what is not a page (a PDF, an image); `Timeout`, `Network`,
    /// `Unavailable`. A page without title or text is not an error: what it lacks is empty.
    async fn read(&self, cx: &Context, address: &str) -> Result<Page>;
}

const _: Option<&dyn PageSource> = None;

/// What a page says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Where it was read: the address after redirects, canonical where the page says so; absent for a
    /// file without one.
    pub url: Option<Url>,
    /// Its title, without the site's name where that can be told apart.
    pub title: Option<String>,
    /// Its own summary (meta description or OpenGraph).
    pub description: Option<String>,
    /// The author.
    pub byline: Option<String>,
    /// The site's name.
    pub site_name: Option<String>,
    /// Its language (BCP 47), declared by the page.
    pub language: Option<String>,
    /// Its writing direction: `ltr` or `rtl`.
    pub direction: Option<String>,
    /// The beginning of the main text.
    pub excerpt: Option<String>,
    /// When it was published, by the clock of the page: its day is the one that the page writes.
    pub published: Option<DateTime<FixedOffset>>,
    /// Its picture for sharing.
    pub image: Option<Url>,
    /// Its icon.
    pub icon: Option<Url>,
    /// Colours it declares, `#rrggbb`, the main one first.
    pub colors: Vec<String>,
    /// The main text, plain: paragraphs parted by blank lines, without navigation and hidden text.
    pub text: String,
    /// The main text as Markdown.
    pub markdown: String,
    /// Whether something was left out for size or depth.
    pub truncated: bool,
}

impl Page {
    /// The page as far as it is kept, whatever its source gave: of title, description, byline, site name, language,
    /// direction, excerpt and eight colours 2,000 characters each, up to the end of a word, and of text and Markdown what
    /// [`capped`] leaves. Whoever shows it
    /// to a model, compares with it or keeps it takes it so: how long they are is the page's to say otherwise.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let lines = [
            &mut self.title,
            &mut self.description,
            &mut self.byline,
            &mut self.site_name,
            &mut self.language,
            &mut self.direction,
            &mut self.excerpt,
        ];
        lines.into_iter().flatten().for_each(shorten);
        self.colors.truncate(MAX_COLORS);
        self.colors.iter_mut().for_each(shorten);
        let (text, text_cut) = capped(self.text);
        let (markdown, markdown_cut) = capped(self.markdown);
        Self {
            text,
            markdown,
            truncated: self.truncated || text_cut || markdown_cut,
            ..self
        }
    }

    /// The brand as far as the page shows it.
    #[must_use]
    pub fn brand(&self) -> Brand {
        Brand {
            title: self
                .title
                .clone()
                .or_else(|| self.site_name.clone())
                .unwrap_or_default(),
            description: self
                .description
                .clone()
                .or_else(|| self.excerpt.clone())
                .unwrap_or_default(),
            language: self.language.clone(),
            url: self.url.clone(),
            image: self.image.clone(),
            icon: self.icon.clone(),
            colors: self.colors.clone(),
            voice: crate::content::Voice::default(),
        }
    }
}

/// What a page's own answer says that is no page. It is the page's, not the source's, and no word on a credential: one
/// behind a login or a wall is `Forbidden`.
#[must_use]
pub fn answered(status: u16) -> Error {
    let (kind, retry) = match status {
        404 | 410 => (ErrorKind::NotFound, Retry::Never),
        401 | 402 | 403 | 407 | 451 => (ErrorKind::Forbidden, Retry::Never),
        408 | 429 | 500..=599 => (ErrorKind::Unavailable, Retry::After(None)),
        _ => (ErrorKind::UnexpectedReply, Retry::Never),
    };
    Error::new(kind, format!("the page itself answered HTTP {status}"))
        .with_retry(retry)
        .with_elsewhere()
}

/// How much of what a page says of itself is kept, in characters.
const MAX_LINE: usize = 2_000;
pub(crate) const MAX_COLORS: usize = 8;

fn shorten(line: &mut String) {
    if let Some((end, _)) = line.char_indices().nth(MAX_LINE) {
        let word = line[..end].rfind(char::is_whitespace);
        line.truncate(word.filter(|at| *at > end / 2).unwrap_or(end));
    }
}

/// How much of a page's text is kept, in characters: more than any article, and little enough to be stored,
/// counted and compared at once.
const MAX_TEXT: usize = 200_000;

/// A page's text as far as it is kept, and whether something was left out: of more than 200,000 characters the
/// beginning, up to the end of a line. For each [`PageSource`], of text and Markdown.
#[must_use]
pub fn capped(mut text: String) -> (String, bool) {
    let Some((end, _)) = text.char_indices().nth(MAX_TEXT) else {
        return (text, false);
    };
    let line = text[..end].rfind('\n').filter(|at| *at > end / 2);
    text.truncate(line.unwrap_or(end));
    (text, true)
}

/// Answers questions from the web, with its sources.
#[async_trait]
pub trait Researcher: Send + Sync {
    /// Researches a question. Costs money at most platforms: call it inside a step.
    ///
    /// # Errors
    /// `InvalidInput` for an empty question; `ContentRefused`; the transport's kinds.
    async fn research(&self, cx: &Context, question: &str) -> Result<Research>;
}

const _: Option<&dyn Researcher> = None;

/// An answer with its sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Research {
    /// The answer.
    pub text: String,
    /// Where it comes from.
    pub sources: Vec<Url>,
}
