//! The package's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod accounts;
mod campaign;
mod connect;
mod faults;
mod live;
mod media;
mod publishing;
mod quickstart;
mod tenants;
mod worker;
mod workspace;
mod x;
