//! The store from the outside: its contract, its file, its faults, and what a kill leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed assumption of a test is a panic"
)]

mod bad_rows;
mod contract;
mod elsewhere;
mod erasing;
mod faults;
mod flood;
mod kill;
#[cfg(unix)]
mod moved;
mod opening;
mod schema;
mod transaction;
mod turns;
