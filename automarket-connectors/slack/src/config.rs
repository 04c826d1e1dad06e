use automarket_core::{Error, Result, Url};
use serde::{Deserialize, Serialize};

/// Where Slack is. An account's settings may override it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SlackConfig {
    /// The base of the Web API; `https://slack-gov.com/api/` for GovSlack.
    pub base_url: String,
}

impl Default for SlackConfig {
    fn default() -> Self {
        Self {
            base_url: "https://slack.com/api/".into(),
        }
    }
}

impl SlackConfig {
    /// The address of a method.
    pub(crate) fn method(&self, name: &str) -> Result<String> {
        let base = Url::parse(&self.base_url).map_err(|error| {
            Error::invalid("base_url", "not an absolute address").with_source(error)
        })?;
        Ok(format!("{}/{name}", base.as_str().trim_end_matches('/')))
    }
}
