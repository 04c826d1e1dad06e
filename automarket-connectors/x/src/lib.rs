#![doc = include_str!("../README.md")]

mod api;
mod compare;
mod config;
mod connector;
mod error;
mod find;
mod media;
mod oauth;
mod options;
mod rules;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_core::Platform;

pub use config::XConfig;
pub use connector::X;
pub use oauth::oauth;
pub use options::{Poll, Replies, XOptions};

/// The connector's id.
pub const PLATFORM: Platform = Platform::X;
