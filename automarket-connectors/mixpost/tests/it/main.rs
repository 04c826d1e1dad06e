//! The connector against scripted wires and against its fake.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod conformance;
mod delete;
mod find;
mod lifecycle;
mod media;
mod operations;
mod wire;
mod world;
