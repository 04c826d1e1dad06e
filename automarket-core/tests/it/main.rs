//! The integration tests of the core, one module per subject.

mod generator;
mod grounding;
mod writer;
