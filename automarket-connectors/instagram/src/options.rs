use automarket_core::{Platform, Url, content::PlatformOptions};
use serde::{Deserialize, Serialize};

/// What a post says to Instagram beside its caption.
///
/// ```
/// use automarket_connector_instagram::{InstagramOptions, UserTag};
/// use automarket_core::content::Variant;
///
/// let options = InstagramOptions {
///     collaborators: vec!["globex".into()],
///     user_tags: vec![UserTag::at("acme", 0.5, 0.25)],
///     ..InstagramOptions::default()
/// };
/// let variant = Variant::text("Together").with_options(&options)?;
/// # let _ = variant;
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstagramOptions {
    /// Whether it is a story: one image or video for a day, without a caption.
    pub story: bool,
    /// Names of up to three accounts that are asked to be authors too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collaborators: Vec<String>,
    /// The id of the page of a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who is seen; of a single image or reel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_tags: Vec<UserTag>,
    /// Whether a reel is also shown in the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_to_feed: Option<bool>,
    /// Where a reel's cover is, as JPEG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Url>,
    /// Which moment of a reel is its cover, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_at: Option<u64>,
    /// The name of a reel's own sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_name: Option<String>,
}

impl PlatformOptions for InstagramOptions {
    const PLATFORM: Platform = crate::PLATFORM;
}

/// Somebody who is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserTag {
    /// The account's name.
    pub username: String,
    /// From the left, 0 to 1; in images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// From the top, 0 to 1; in images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

impl UserTag {
    /// Somebody in a reel.
    #[must_use]
    pub fn new(username: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            x: None,
            y: None,
        }
    }

    /// Somebody at this place of an image.
    #[must_use]
    pub fn at(username: impl Into<String>, x: f64, y: f64) -> Self {
        Self {
            x: Some(x),
            y: Some(y),
            ..Self::new(username)
        }
    }
}
