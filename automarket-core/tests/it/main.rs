//! The integration tests of the core, one module per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod alone;
mod classify;
mod context;
mod guard;
mod retry_after;
mod tls;
mod transport;
