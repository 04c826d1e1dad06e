//! What operators ask: is it healthy, how full is it, how fast does it go.

mod counts;
mod doctor;
pub mod events;
mod health;
pub mod metrics;
mod stats;

pub(crate) use counts::Counts;
pub use counts::{RunCounts, RunEnd};
pub use doctor::Sunset;
pub use health::{Health, HealthLimits, StoreHealth};
pub use stats::{PlatformStats, Stats};
