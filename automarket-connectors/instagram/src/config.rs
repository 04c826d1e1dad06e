use automarket_connector_graph::{FACEBOOK_URL, VERSION};
use serde::{Deserialize, Serialize};

/// How the account logged in, and where its API is. An account's settings are laid over it
/// (`Context::config`); [`identify`](automarket_core::Publisher::identify) gives `login` as a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstagramConfig {
    /// Which login the token comes of.
    pub login: Login,
    /// Where the API is, without a slash at its end; the login's host unless said otherwise.
    pub base_url: Option<String>,
    /// The version. One that has expired is answered in another, which `identify` reports.
    pub version: String,
}

/// Which login a token comes of: the two have an API of their own each, with the same calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Instagram's own: no Facebook page is needed, and posts cannot be deleted.
    #[default]
    Instagram,
    /// Facebook's, of a page that the account is linked to.
    Facebook,
}

impl Default for InstagramConfig {
    fn default() -> Self {
        Self {
            login: Login::default(),
            base_url: None,
            version: VERSION.to_owned(),
        }
    }
}

impl InstagramConfig {
    /// A configuration for tokens of a login.
    #[must_use]
    pub fn of(login: Login) -> Self {
        Self {
            login,
            ..Self::default()
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        let host = match self.login {
            Login::Instagram => "https://graph.instagram.com",
            Login::Facebook => FACEBOOK_URL,
        };
        self.base_url.as_deref().unwrap_or(host)
    }
}
