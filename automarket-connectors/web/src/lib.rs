#![doc = include_str!("../README.md")]

mod connector;
mod file;
#[cfg(feature = "testing")]
pub mod testing;

pub use connector::Web;
pub use file::FilePages;

use automarket_core::Platform;

/// The platform's id.
pub const PLATFORM: Platform = Platform::from_static("web");
