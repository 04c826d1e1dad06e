//! Whether nobody can have put a job in before.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

/// An id that is older may have come from elsewhere, or have been kept over a restart.
const JUST_NOW: Duration = Duration::from_millis(100);

/// The highest id that this process has put in.
#[derive(Default)]
pub(super) struct Highest(Mutex<Uuid>);

impl Highest {
    /// Whether these ids (version 7), of which the ends are given, were made just now and after all that this process
    /// has put in. They are noted.
    pub(super) fn rises(&self, lowest: Uuid, highest: Uuid) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rises = lowest > *before;
        *before = highest.max(*before);
        rises && is_from_just_now(lowest) && is_from_just_now(highest)
    }
}

fn is_from_just_now(id: Uuid) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let made = id.get_timestamp().map(|made| {
        let (seconds, nanos) = made.to_unix();
        Duration::new(seconds, nanos)
    });
    match (now, made) {
        (Ok(now), Some(made)) => now.checked_sub(made).is_some_and(|age| age <= JUST_NOW),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::{NoContext, Timestamp};

    use super::*;

    fn made(at: SystemTime) -> Uuid {
        let at = at.duration_since(UNIX_EPOCH).unwrap();
        Uuid::new_v7(Timestamp::from_unix(
            NoContext,
            at.as_secs(),
            at.subsec_nanos(),
        ))
    }

    #[test]
    fn an_id_is_new_once() {
        let highest = Highest::default();
        let (first, second, third) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        assert!(highest.rises(first, second));
        assert!(!highest.rises(second, second), "a repeat");
        assert!(
            !highest.rises(first, third),
            "one of them was put in before"
        );
        assert!(
            !highest.rises(third, third),
            "noted, though it was in bad company"
        );
        let next = Uuid::now_v7();
        assert!(highest.rises(next, next));
    }

    #[test]
    fn an_id_of_before_or_of_a_clock_that_is_ahead_is_not_new() {
        let minute = Duration::from_secs(60);
        let old = made(SystemTime::now() - minute);
        assert!(!Highest::default().rises(old, Uuid::now_v7()));
        let ahead = made(SystemTime::now() + minute);
        assert!(!Highest::default().rises(Uuid::now_v7(), ahead));
    }
}
