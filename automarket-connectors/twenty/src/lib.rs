#![doc = include_str!("../README.md")]

mod api;
mod batch;
mod changes;
mod config;
mod connector;
mod error;
mod oauth;
mod raw;
mod rows;
mod schema;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_core::Platform;
pub use config::TwentyConfig;
pub use connector::Twenty;
pub use oauth::oauth;

/// This connector's platform.
pub const PLATFORM: Platform = Platform::from_static("twenty");
