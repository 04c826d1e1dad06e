#![doc = include_str!("../README.md")]

mod accounts;
mod attempts;
mod audit;
mod campaigns;
mod changes;
mod connect;
mod credentials;
mod db;
mod error;
mod events;
mod flows;
mod gates;
mod heart;
mod in_transaction;
mod jobs;
mod lent;
mod measurements;
mod migrations;
mod opening;
mod posts;
mod publications;
mod schedules;
mod separately;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod together;
mod upkeep;
mod value;
mod wake;
#[cfg(feature = "sqlx")]
pub mod with_sqlx;
pub mod with_tokio_postgres;

pub use store::{PostgresStore, PostgresStoreBuilder};
