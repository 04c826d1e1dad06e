use automarket_connector_graph::{FACEBOOK_URL, VERSION};
use serde::{Deserialize, Serialize};

/// Where the Graph API is, and in which version it is spoken. An account's settings are laid over it
/// (`Context::config`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FacebookConfig {
    /// Where the API is, without a slash at its end.
    pub base_url: String,
    /// Where videos go in chunks.
    pub video_url: String,
    /// Where reels go; the only place that the token is sent to for them.
    pub upload_url: String,
    /// The version. One that has expired is answered in another, which `identify` reports.
    pub version: String,
}

impl Default for FacebookConfig {
    fn default() -> Self {
        Self {
            base_url: FACEBOOK_URL.to_owned(),
            video_url: "https://graph-video.facebook.com".to_owned(),
            upload_url: "https://rupload.facebook.com".to_owned(),
            version: VERSION.to_owned(),
        }
    }
}
