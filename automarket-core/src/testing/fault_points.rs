use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The environment variable that names the point at which the process ends: `publish.intent:after`, or
/// `publish.intent:after#3` for the third time.
pub const FAULT_POINT: &str = "AUTOMARKET_FAULT_POINT";

struct Armed {
    name: String,
    left: AtomicU32,
}

/// Ends the process, hard, when this is the point that [`FAULT_POINT`] names; see
/// [`fault_point`](crate::fault_point).
pub(crate) fn reach(name: &str, stage: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let value = std::env::var(FAULT_POINT).ok()?;
        let (name, nth) = value.rsplit_once('#').unwrap_or((&value, "1"));
        Some(Armed {
            name: name.to_owned(),
            left: AtomicU32::new(nth.parse().unwrap_or(1)),
        })
    });
    let Some(armed) = armed else { return };
    let here = armed
        .name
        .rsplit_once(':')
        .is_some_and(|(n, s)| n == name && s == stage);
    if here && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}
