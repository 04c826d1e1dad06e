#![doc = include_str!("../README.md")]

mod api;
mod config;
mod connector;
mod error;
mod find;
mod kind;
mod media;
mod options;
mod rules;
mod send;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_connector_graph::facebook_login;
use automarket_core::{Platform, oauth::Provider};

pub use config::FacebookConfig;
pub use connector::Facebook;
pub use options::FacebookOptions;

/// The connector's id.
pub const PLATFORM: Platform = Platform::FACEBOOK;

/// Facebook Login with what publishing, comments and insights of pages need. The token that comes of it is a
/// user's; [`identify`](automarket_core::Publisher::identify) gives each page's own, which has no end.
#[must_use]
pub fn oauth() -> Provider {
    facebook_login(
        PLATFORM,
        &[
            "pages_show_list",
            "pages_read_engagement",
            "pages_manage_posts",
            "pages_manage_engagement",
            "read_insights",
        ],
    )
}
