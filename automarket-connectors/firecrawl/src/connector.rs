use automarket_core::{
    Context, Error, PageSource, Result, Url, async_trait,
    chrono::DateTime,
    html,
    http::Guard,
    profile::Markup,
    source::{Page, capped},
    text,
};
use serde_json::{Map, Value};

use crate::{
    PLATFORM, api,
    config::FirecrawlConfig,
    error::{self, NO_BRANDING},
    wire::{Branding, CreditUsage, Data},
};

/// How much of the main text is its excerpt, in characters.
const EXCERPT: usize = 300;

/// Reads pages through Firecrawl: rendered by a browser, main content as Markdown, branding.
#[derive(Clone, Debug, Default)]
pub struct Firecrawl {
    config: FirecrawlConfig,
    guard: Guard,
}

impl Firecrawl {
    /// Firecrawl at its usual address, reading afresh, with branding.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Firecrawl elsewhere, or with other habits.
    #[must_use]
    pub fn with_config(config: FirecrawlConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// With another judgement of the addresses that Firecrawl is asked to read; a public host is wanted otherwise.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// The credits that are left. Also the health check.
    ///
    /// # Errors
    /// `Unauthorized` for a bad key, and the transport's kinds.
    pub async fn credits(&self, cx: &Context) -> Result<f64> {
        let config: FirecrawlConfig = cx.config(&self.config)?;
        let call = api::credit_usage(&config, cx.credential())?;
        let reply = cx
            .call(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        if !reply.ok() {
            return Err(automarket_core::http::classify(&reply, cx.now()).with_platform(&PLATFORM));
        }
        let usage: CreditUsage = reply
            .json()
            .map_err(|error| error.with_platform(&PLATFORM))?;
        Ok(usage.data.remaining_credits)
    }

    /// The address, if it is one that Firecrawl may be asked to read.
    fn checked(&self, address: &str) -> Result<Url> {
        let url = Url::parse(address).map_err(|error| {
            Error::invalid("address", "not an absolute address").with_source(error)
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            let message = "a page's address is http or https";
            return Err(Error::invalid("address", message));
        }
        let handed = self.guard.hand_over(&url);
        handed.map_err(|error| error.with_platform(&PLATFORM).with_operation("scrape"))?;
        Ok(url)
    }

    async fn scrape(
        &self,
        cx: &Context,
        config: &FirecrawlConfig,
        url: &Url,
        branding: bool,
    ) -> Result<Data> {
        let call = api::scrape(config, cx.credential(), url, branding)?;
        let reply = cx
            .call(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        error::scraped(&reply, cx.now())
    }
}

#[async_trait]
impl PageSource for Firecrawl {
    fn check(&self, address: &str) -> Result<()> {
        self.checked(address).map(drop)
    }

    async fn read(&self, cx: &Context, address: &str) -> Result<Page> {
        let config: FirecrawlConfig = cx.config(&self.config)?;
        config.validate()?;
        let url = self.checked(address)?;
        let data = match self.scrape(cx, &config, &url, config.branding).await {
            Err(error) if config.branding && error.platform_code() == Some(NO_BRANDING) => {
                self.scrape(cx, &config, &url, false).await?
            }
            data => data?,
        };
        Ok(page(&url, data))
    }
}

fn page(asked: &Url, data: Data) -> Page {
    let meta = &data.metadata;
    let (markdown, cut) = capped(data.markdown.unwrap_or_default());
    // What a reader sees: plain text of Markdown itself shows where links and pictures lead to.
    let (text, text_cut) = capped(html::to_text(&text::render(&markdown, Markup::Html)));
    let url = first(meta, &["url", "sourceURL"]).and_then(|text| html::web_address(None, &text));
    let base = url.unwrap_or_else(|| asked.clone());
    let address =
        |names: &[&str]| first(meta, names).and_then(|text| html::web_address(Some(&base), &text));
    let branding = data.branding.unwrap_or_default();
    Page {
        title: first(meta, &["title", "ogTitle", "og:title"]),
        description: first(meta, &["description", "ogDescription", "og:description"]),
        byline: first(meta, &["author", "article:author"]),
        site_name: first(meta, &["ogSiteName", "og:site_name"]),
        language: first(meta, &["language", "lang"]).and_then(|tag| html::language_tag(&tag)),
        direction: None,
        excerpt: Some(html::beginning(&text, EXCERPT)).filter(|text| !text.is_empty()),
        published: first(meta, &["publishedTime", "article:published_time"])
            .and_then(|text| DateTime::parse_from_rfc3339(&text).ok()),
        image: address(&["ogImage", "og:image"]).or_else(|| image(&branding, &base, "ogImage")),
        icon: address(&["favicon"]).or_else(|| image(&branding, &base, "favicon")),
        colors: colors(&branding),
        url: Some(base),
        text,
        markdown,
        truncated: cut || text_cut,
    }
    .bounded()
}

/// The first of these that is there; each may be a string or a list of strings.
fn first(meta: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let value = meta.get(*name)?;
        let text = value
            .as_str()
            .or_else(|| value.as_array()?.first()?.as_str())?
            .trim();
        (!text.is_empty()).then(|| text.to_owned())
    })
}

fn image(branding: &Branding, base: &Url, name: &str) -> Option<Url> {
    html::web_address(Some(base), branding.images.get(name)?.as_str()?)
}

/// The declared colours, the main one first, each once, as `#rrggbb`.
fn colors(branding: &Branding) -> Vec<String> {
    let mut colors: Vec<String> = Vec::new();
    for name in ["primary", "secondary", "accent"] {
        let color = branding
            .colors
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let hex = color
            .strip_prefix('#')
            .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if hex && !colors.contains(&color) {
            colors.push(color);
        }
    }
    colors
}
