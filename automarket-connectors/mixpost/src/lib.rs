#![doc = include_str!("../README.md")]

mod api;
mod compose;
mod config;
mod connector;
mod delete;
mod error;
mod find;
mod media;
mod operations;
pub mod options;
mod outcome;
mod records;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

use automarket_core::Platform;

pub use config::MixpostConfig;
pub use connector::Mixpost;
pub use operations::{DeleteMode, MixpostPostInput, PostFilter};
pub use options::MixpostOptions;
pub use records::{
    MixpostAccount, MixpostContent, MixpostMedia, MixpostPage, MixpostPost, MixpostStatus,
    MixpostTag, MixpostVersion, MixpostWorkspace,
};

/// The connector's id.
pub const PLATFORM: Platform = Platform::from_static("mixpost");
