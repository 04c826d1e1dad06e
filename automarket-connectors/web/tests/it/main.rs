//! The web reader against its fake site, the scripted wire and files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod files;
mod site;
