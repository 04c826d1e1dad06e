use automarket_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{PLATFORM, rules};

/// Which LinkedIn, and in which version. An account's settings are laid over it (`Context::config`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkedInConfig {
    /// Where the API is, without a slash at its end.
    pub base_url: String,
    /// The version that calls name, six digits of year and month. LinkedIn retires each about a year after
    /// its month (`ApiVersionRetired`); a host can name a newer one without waiting for a new automarket.
    pub version: String,
    /// Whether a member's post without media is sent again after a lost answer, within twelve hours, trusting
    /// that LinkedIn refuses the same text twice and names the first. `false`: such a post stays unknown,
    /// since a member's own posts cannot be listed. Organisations' can, and do not need this.
    pub trust_duplicates: bool,
}

impl Default for LinkedInConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.linkedin.com".to_owned(),
            version: rules::profile().api.version.to_owned(),
            trust_duplicates: false,
        }
    }
}

impl LinkedInConfig {
    /// Whether the version can be one.
    pub(crate) fn check(&self) -> Result<()> {
        if self.version.len() == 6 && self.version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            "a version of LinkedIn's API is six digits, such as 202610",
        )
        .with_platform(&PLATFORM)
        .with_remedy("correct LinkedInConfig::version, or the account's setting `version`"))
    }
}
