#![doc = include_str!("../README.md")]

mod accounts;
mod campaigns;
mod error;
mod events;
mod gates;
mod jobs;
mod migrations;
mod publications;
mod readers;
mod schedules;
mod store;
mod upkeep;
mod value;
mod writer;

pub use store::{SqliteStore, SqliteStoreBuilder, Synchronous};
