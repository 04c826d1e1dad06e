#![doc = include_str!("../README.md")]

mod accounts;
mod audit;
mod campaigns;
mod connect;
mod credentials;
mod db;
mod error;
mod events;
mod flows;
mod jobs;
mod migrations;
mod publications;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

pub use store::{PostgresStore, PostgresStoreBuilder};
