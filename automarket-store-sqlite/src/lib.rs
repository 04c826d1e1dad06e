#![doc = include_str!("../README.md")]

mod accounts;
mod audit;
mod campaigns;
mod credentials;
mod error;
mod events;
mod flows;
mod jobs;
mod migrations;
mod publications;
mod readers;
mod store;
mod value;
mod writer;

pub use store::{SqliteStore, SqliteStoreBuilder, Synchronous};
