//! The crate's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod alone;
mod check;
mod classify;
mod conformance;
mod content;
mod context;
mod dialect;
mod email;
mod generator;
mod grounding;
mod guard;
mod html;
mod media;
mod networks;
mod oauth;
mod quote;
mod retry_after;
mod sandbox;
mod store;
mod text;
mod timetable;
mod tls;
mod transport;
mod vault;
mod writer;
