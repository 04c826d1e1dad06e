use automarket_core::{Context, Error, ErrorKind, Result, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::PLATFORM;

/// Where the workspace lives. An account that logged in elsewhere lives there, and its settings
/// (`{"base_url": ".."}`) are laid over both.
///
/// ```
/// use automarket_connector_twenty::TwentyConfig;
/// assert_eq!(TwentyConfig::default().base_url.as_str(), "https://api.twenty.com/");
/// assert!(TwentyConfig::at("ftp://crm.example.com").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TwentyConfig {
    /// The instance's own address: `https://api.twenty.com`, or the origin of a self-hosted one.
    /// `/rest` and `/graphql` are added to it, never `/api`.
    pub base_url: Url,
}

impl TwentyConfig {
    /// An instance at this address.
    ///
    /// # Errors
    /// `Config` unless it is an http or https address without user, query and fragment.
    pub fn at(base_url: &str) -> Result<Self> {
        let base_url = Url::parse(base_url.trim()).map_err(|error| {
            Error::new(ErrorKind::Config, "base_url is not an address")
                .with_platform(&PLATFORM)
                .with_source(error)
        })?;
        let config = Self { base_url };
        config.base()?;
        Ok(config)
    }

    /// Where the account lives: what its settings say, else where it logged in, else what is said here.
    pub(crate) fn of(&self, cx: &Context) -> Result<Self> {
        let login = cx
            .tokens()
            .map(|tokens| &tokens.extra["places"]["instance"]);
        let base = match login.and_then(Value::as_str) {
            Some(instance) => Self::at(instance)?,
            None => self.clone(),
        };
        cx.config(&base)
            .map_err(|error| error.with_platform(&PLATFORM))
    }

    /// The address without the slash at its end.
    pub(crate) fn base(&self) -> Result<String> {
        let url = &self.base_url;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain {
            Ok(url.as_str().trim_end_matches('/').to_owned())
        } else {
            Err(Error::new(
                ErrorKind::Config,
                "base_url is an http or https address without user, query and fragment",
            )
            .with_platform(&PLATFORM))
        }
    }

    /// The name of the machine, for people.
    pub(crate) fn host(&self) -> &str {
        self.base_url.host_str().unwrap_or_default()
    }
}

impl Default for TwentyConfig {
    fn default() -> Self {
        match Url::parse("https://api.twenty.com") {
            Ok(base_url) => Self { base_url },
            Err(_) => unreachable!("a constant address"),
        }
    }
}
