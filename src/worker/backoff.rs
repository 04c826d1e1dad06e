use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

/// How long a job waits after its failed attempt number `attempt` (from 1): exponential from 1 s, at most
/// 1 h, with full jitter. `random` is uniform in `0.0..1.0`.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(automarket::worker::backoff(3, 1.0), Duration::from_secs(4));
/// assert_eq!(automarket::worker::backoff(1_000_000, 1.0), Duration::from_secs(3600));
/// ```
#[must_use]
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let cap = Duration::from_secs(3600);
    let delays = ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_factor(2.0)
        .with_max_delay(cap);
    // After 32 doublings every delay is the cap.
    let nth = attempt.clamp(1, 32) as usize - 1;
    let delay = delays.without_max_times().build().nth(nth).unwrap_or(cap);
    delay.mul_f64(random.clamp(0.0, 1.0))
}
