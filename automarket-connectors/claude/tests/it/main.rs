//! The connector against the scripted wire, the API's description and the fake.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod conformance;
mod contract;
mod faults;
mod stream;
mod wire;
