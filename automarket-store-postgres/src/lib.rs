#![doc = include_str!("../README.md")]

mod accounts;
mod campaigns;
mod connect;
mod db;
mod error;
mod events;
#[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
mod in_transaction;
mod jobs;
mod migrations;
mod publications;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod value;
mod wake;
#[cfg(feature = "sqlx")]
pub mod with_sqlx;
#[cfg(feature = "tokio-postgres")]
pub mod with_tokio_postgres;

pub use store::{PostgresStore, PostgresStoreBuilder};
