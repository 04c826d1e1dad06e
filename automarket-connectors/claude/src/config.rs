use automarket_core::{Error, ErrorKind, Result, Url};
use serde::{Deserialize, Serialize};

/// Which model writes, how long and how hard it thinks. Holds no secret: the API key is the context's
/// credential. An account's settings lie over it field by field.
///
/// ```
/// use automarket_connector_claude::{ClaudeConfig, Effort};
/// let config = ClaudeConfig::default().model("claude-haiku-5-5").effort(Effort::Medium);
/// assert_eq!(config.base_url, "https://api.anthropic.com");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClaudeConfig {
    /// The model's id; `claude-sonnet-5-5` unless set. `identify` lists what the key may use.
    pub model: String,
    /// Where the API is: another address for gateways that speak the same protocol.
    pub base_url: String,
    /// Tokens to write at the most, thinking included; 16,000 unless set. A request that asks for fewer gets
    /// fewer. Below 4,000 a model that thinks may be cut off before its answer.
    pub max_tokens: u32,
    /// How hard to think; `low` unless set, which short texts need. `None` leaves it to the model, as older
    /// models need.
    pub effort: Option<Effort>,
}

/// How hard a model thinks (`output_config.effort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Effort {
    /// Least: fast and cheap.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More, where the model knows it.
    Xhigh,
    /// All it can.
    Max,
}

impl Default for ClaudeConfig {
    fn default() -> Self {
        Self {
            model: "claude-sonnet-5-5".to_owned(),
            base_url: "https://api.anthropic.com".to_owned(),
            max_tokens: 16_000,
            effort: Some(Effort::Low),
        }
    }
}

impl ClaudeConfig {
    /// Sets the model.
    #[must_use]
    pub fn model(mut self, id: impl Into<String>) -> Self {
        self.model = id.into();
        self
    }

    /// Sets where the API is.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets how many tokens are written at the most.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = tokens;
        self
    }

    /// Sets how hard to think; `None` leaves it to the model.
    #[must_use]
    pub fn effort(mut self, effort: impl Into<Option<Effort>>) -> Self {
        self.effort = effort.into();
        self
    }

    /// Names the field that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        let wrong = |field: &str, why: &str| {
            Err(Error::new(ErrorKind::Config, format!("{field} {why}"))
                .with_platform(&crate::PLATFORM))
        };
        let http = Url::parse(&self.base_url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !http {
            return wrong("base_url", "is not an http or https address without query");
        }
        if self.model.trim().is_empty() {
            return wrong("model", "is empty");
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", "is zero");
        }
        Ok(())
    }
}
