//! The integration tests of the core, one module per subject.

mod check;
mod content;
mod dialect;
mod networks;
mod quote;
