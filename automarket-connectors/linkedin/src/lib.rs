#![doc = include_str!("../README.md")]

mod api;
mod author;
mod config;
mod connector;
mod error;
mod find;
mod identify;
mod measure;
mod media;
mod oauth;
mod options;
mod rules;
mod send;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_core::Platform;

pub use config::LinkedInConfig;
pub use connector::LinkedIn;
pub use oauth::oauth;
pub use options::{LinkedInOptions, Poll, PollDays, Visibility};

/// The connector's id.
pub const PLATFORM: Platform = Platform::LINKEDIN;
