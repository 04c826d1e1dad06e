//! automarket's connectors, one feature each: re-exports, no logic.

#[cfg(feature = "claude")]
pub use automarket_connector_claude as claude;
#[cfg(feature = "facebook")]
pub use automarket_connector_facebook as facebook;
#[cfg(feature = "firecrawl")]
pub use automarket_connector_firecrawl as firecrawl;
#[cfg(feature = "instagram")]
pub use automarket_connector_instagram as instagram;
#[cfg(feature = "linkedin")]
pub use automarket_connector_linkedin as linkedin;
#[cfg(feature = "mixpost")]
pub use automarket_connector_mixpost as mixpost;
#[cfg(feature = "slack")]
pub use automarket_connector_slack as slack;
#[cfg(feature = "twenty")]
pub use automarket_connector_twenty as twenty;
#[cfg(feature = "web")]
pub use automarket_connector_web as web;
#[cfg(feature = "x")]
pub use automarket_connector_x as x;
