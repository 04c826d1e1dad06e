use automarket_core::{Platform, content::PlatformOptions};
use serde::{Deserialize, Serialize};

/// What a post says to Facebook beside its text.
///
/// ```
/// use automarket_connector_facebook::FacebookOptions;
/// use automarket_core::content::Variant;
///
/// let options = FacebookOptions { reel: true, ..FacebookOptions::default() };
/// let variant = Variant::text("Behind the scenes").with_options(&options)?;
/// # let _ = variant;
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FacebookOptions {
    /// Its video becomes a reel.
    pub reel: bool,
    /// The title of its video; for nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The id of the page of the place that it is about; of videos only for reels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl PlatformOptions for FacebookOptions {
    const PLATFORM: Platform = crate::PLATFORM;
}
