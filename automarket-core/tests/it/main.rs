//! The crate's one integration-test binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod alone;
mod classify;
mod context;
mod guard;
mod retry_after;
mod store;
mod tls;
mod transport;
