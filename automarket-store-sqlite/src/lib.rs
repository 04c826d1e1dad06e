#![doc = include_str!("../README.md")]

mod accounts;
mod attempts;
mod campaigns;
mod error;
mod events;
mod jobs;
mod migrations;
mod publications;
mod readers;
mod store;
mod value;
mod writer;

pub use store::{SqliteStore, SqliteStoreBuilder, Synchronous};
