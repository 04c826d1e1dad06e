#![doc = include_str!("../README.md")]

pub use automarket_connectors as connectors;
pub use automarket_core as core;
