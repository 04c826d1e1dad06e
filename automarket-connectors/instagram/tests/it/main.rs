//! The crate's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod accounts;
mod conformance;
mod containers;
mod faults;
mod login;
mod posts;
mod wire;
mod world;
