//! The bytes of media: opened wherever they are, read in ranges, learned from without decoding.

mod address;
mod file;
pub(crate) mod host;
mod sniff;

pub use file::{MediaFile, ReadRange};
pub use host::MediaHost;
pub use sniff::{Facts, sniff};
pub(crate) use sniff::{UNRECOGNISED, has_signature};
