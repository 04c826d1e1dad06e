#![doc = include_str!("../README.md")]

mod api;
mod config;
mod connector;
mod error;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

pub use config::FirecrawlConfig;
pub use connector::Firecrawl;

use automarket_core::{Platform, profile::ApiVersion};

/// The platform's id.
pub const PLATFORM: Platform = Platform::from_static("firecrawl");

/// The pinned API version.
pub const API: ApiVersion = ApiVersion::new(
    "v2",
    "https://docs.firecrawl.dev/api-reference/v2-introduction",
);
