//! The package's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "../../examples/chaos/connectors.rs"]
#[allow(dead_code, reason = "chaos wants more of each")]
mod connectors;

mod accounts;
mod campaign;
mod connect;
mod direct;
mod doctor;
mod everywhere;
mod faults;
mod linkedin;
mod live;
mod loopback;
mod media;
mod media_host;
mod probe;
mod publishing;
mod quickstart;
mod same_words;
mod telemetry;
mod tenants;
mod worker;
mod workspace;
mod x;
