#![doc = include_str!("../README.md")]

mod api;
mod blocks;
mod config;
mod connector;
mod error;
mod oauth;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

pub use config::SlackConfig;
pub use connector::Slack;
pub use oauth::{oauth, oauth_user};

use automarket_core::Platform;

/// The platform's id.
pub const PLATFORM: Platform = Platform::SLACK;
