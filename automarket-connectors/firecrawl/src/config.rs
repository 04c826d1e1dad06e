use std::time::Duration;

use automarket_core::{Error, Result, Url};
use serde::{Deserialize, Serialize};

/// Where Firecrawl is and how it reads. An account's settings may override it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FirecrawlConfig {
    /// The service's origin, without the version; a self-hosted one is `http://localhost:3002` by default.
    pub base_url: String,
    /// How long Firecrawl may take for a page, in milliseconds: 1,000 to 300,000.
    pub timeout_ms: u64,
    /// How old a cached page may be, in milliseconds; 0 reads it afresh.
    pub max_age_ms: u64,
    /// Whether the page's branding (colours, logo) is asked for; it costs more credits.
    pub branding: bool,
}

impl Default for FirecrawlConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.firecrawl.dev".into(),
            timeout_ms: 60_000,
            max_age_ms: 0,
            branding: true,
        }
    }
}

impl FirecrawlConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        if !(1_000..=300_000).contains(&self.timeout_ms) {
            return Err(Error::invalid(
                "timeout_ms",
                "Firecrawl takes 1,000 to 300,000 ms for a page",
            ));
        }
        Ok(())
    }

    pub(crate) fn endpoint(&self, path: &str) -> Result<String> {
        let base = Url::parse(&self.base_url).map_err(|error| {
            Error::invalid("base_url", "not an absolute address").with_source(error)
        })?;
        Ok(format!("{}/v2/{path}", base.as_str().trim_end_matches('/')))
    }

    /// The time for a whole call: Firecrawl's own, and some for the way.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout_ms) + Duration::from_secs(15)
    }
}
