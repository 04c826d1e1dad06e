#![doc = include_str!("../README.md")]

mod api;
mod blocks;
mod config;
mod connector;
mod error;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

pub use config::SlackConfig;
pub use connector::Slack;

use automarket_core::Platform;

/// The platform's id.
pub const PLATFORM: Platform = Platform::SLACK;
