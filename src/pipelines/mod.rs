//! The pipelines of the mission.

pub mod campaign;
