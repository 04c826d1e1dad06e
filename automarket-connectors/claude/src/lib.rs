#![doc = include_str!("../README.md")]

mod api;
mod config;
mod connector;
mod error;
mod sse;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

pub use config::{ClaudeConfig, Effort};
pub use connector::Claude;

/// The platform's id.
pub const PLATFORM: automarket_core::Platform = automarket_core::Platform::from_static("claude");
