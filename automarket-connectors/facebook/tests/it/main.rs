//! The crate's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod conformance;
mod faults;
mod finish;
mod gone;
mod login;
mod media;
mod pages;
mod posts;
mod wire;
mod world;
