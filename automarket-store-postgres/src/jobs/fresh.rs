//! Whether nobody can have put a job in before.

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::{Builder, Uuid};

/// In milliseconds. An id that is older may have come from elsewhere, or have been kept over a restart.
const JUST_NOW: u64 = 100;

/// The highest id that this store has put in.
#[derive(Default)]
pub(super) struct Highest(Mutex<Uuid>);

impl Highest {
    /// Whether these ids (version 7), of which the ends are given, were made just now and after all that this store has
    /// put in. They are noted.
    pub(super) fn rises(&self, lowest: Uuid, highest: Uuid) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0));
        self.rises_at(millis, lowest, highest)
    }

    fn rises_at(&self, millis: u64, lowest: Uuid, highest: Uuid) -> bool {
        let since = made_at(millis.saturating_sub(JUST_NOW), 0);
        let now = made_at(millis, u8::MAX);
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rises = lowest > *before && lowest >= since && highest <= now;
        // One of a clock that is ahead is never new, and keeps no other from being so.
        *before = highest.min(now).max(*before);
        rises
    }
}

fn made_at(millis: u64, rest: u8) -> Uuid {
    Builder::from_unix_timestamp_millis(millis, &[rest; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn an_id_is_new_once() {
        let highest = Highest::default();
        let [first, second, third, last] = [1, 2, 3, 4].map(|rest| made_at(NOW, rest));
        let rises = |lowest, most| highest.rises_at(NOW, lowest, most);
        assert!(rises(first, second));
        assert!(!rises(second, second), "a repeat");
        assert!(!rises(first, third), "one of them was put in before");
        assert!(!rises(third, third), "noted in whatever company");
        assert!(rises(last, last));
    }

    #[test]
    fn an_id_of_before_is_not_new() {
        let (old, new) = (made_at(NOW - JUST_NOW - 1, 0xff), made_at(NOW, 0));
        assert!(!Highest::default().rises_at(NOW, old, new));
        let old = made_at(NOW - JUST_NOW, 0);
        assert!(Highest::default().rises_at(NOW, old, new));
    }

    #[test]
    fn an_id_of_a_clock_that_is_ahead_is_not_new_and_others_are() {
        let highest = Highest::default();
        let (first, ahead) = (made_at(NOW, 1), made_at(NOW + 1, 0));
        assert!(!highest.rises_at(NOW, first, ahead));
        assert!(
            !highest.rises_at(NOW, first, first),
            "noted in whatever company"
        );
        let next = made_at(NOW + 2, 0);
        assert!(!highest.rises_at(NOW, made_at(NOW + 60_000, 0), made_at(NOW + 60_000, 0)));
        assert!(highest.rises_at(NOW + 2, next, next));
    }

    #[test]
    fn what_is_made_now_is_new() {
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let now = second.as_u128() >> 80;
        let now = u64::try_from(now).unwrap();
        assert!(Highest::default().rises_at(now, first, second));
    }
}
