//! The integration tests of the core, one module per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod alone;
mod check;
mod classify;
mod content;
mod context;
mod dialect;
mod email;
mod generator;
mod grounding;
mod guard;
mod html;
mod networks;
mod quote;
mod retry_after;
mod store;
mod text;
mod timetable;
mod tls;
mod transport;
mod writer;
