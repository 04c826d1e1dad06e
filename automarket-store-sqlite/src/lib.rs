#![doc = include_str!("../README.md")]

mod accounts;
mod attempts;
mod audit;
mod campaigns;
mod credentials;
mod error;
mod events;
mod flows;
mod gates;
mod jobs;
mod lock;
mod measurements;
mod migrations;
mod place;
mod publications;
mod readers;
mod schedules;
mod store;
mod together;
mod upkeep;
mod value;
mod wiping;
pub mod with_rusqlite;
#[cfg(feature = "sqlx")]
pub mod with_sqlx;
mod writer;

pub use store::{SqliteStore, SqliteStoreBuilder, Synchronous};
