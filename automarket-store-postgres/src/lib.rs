#![doc = include_str!("../README.md")]

mod accounts;
mod campaigns;
mod connect;
mod db;
mod error;
mod events;
mod gates;
mod jobs;
mod migrations;
mod publications;
mod schedules;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod upkeep;
mod value;

pub use store::{PostgresStore, PostgresStoreBuilder};
