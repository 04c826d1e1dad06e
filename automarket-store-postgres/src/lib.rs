#![doc = include_str!("../README.md")]

mod accounts;
mod attempts;
mod audit;
mod campaigns;
mod connect;
mod credentials;
mod db;
mod error;
mod events;
mod flows;
mod gates;
mod heart;
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
