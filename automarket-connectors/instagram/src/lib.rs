#![doc = include_str!("../README.md")]

mod api;
mod config;
mod connector;
mod container;
mod error;
mod find;
mod oauth;
mod options;
mod rules;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_core::Platform;

pub use config::{InstagramConfig, Login};
pub use connector::Instagram;
pub use oauth::{oauth, oauth_facebook};
pub use options::{InstagramOptions, UserTag};

/// The connector's id.
pub const PLATFORM: Platform = Platform::INSTAGRAM;
