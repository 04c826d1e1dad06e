//! Opened credentials, so that a context costs no look at the store.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use automarket_core::{
    Credential,
    chrono::{DateTime, Utc},
    store::Account,
};
use tokio::time::Instant;

use super::{Key, Opened};

/// How long another process's change may go unseen.
const STALE: Duration = Duration::from_secs(30);
/// So many credentials are held open at the most.
const CAPACITY: usize = 10_000;

#[derive(Default)]
pub(super) struct Cache(Mutex<Held>);

#[derive(Default)]
struct Held {
    entries: HashMap<Key, Entry>,
    forgets: u64,
}

pub(super) struct Entry {
    opened: Opened,
    account: Account,
    /// Until when it lives, by this process's clock; `None` is for ever, or unknown.
    until: Option<DateTime<Utc>>,
    read: Instant,
    noted: Option<Instant>,
}

impl Entry {
    pub(super) fn new(opened: Opened, account: Account, until: Option<DateTime<Utc>>) -> Self {
        Self {
            opened,
            account,
            until,
            read: Instant::now(),
            noted: None,
        }
    }

    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.read.elapsed() < STALE && self.until.is_none_or(|until| now < until)
    }
}

impl Cache {
    pub(super) fn fresh(&self, key: &Key, now: DateTime<Utc>) -> Option<Opened> {
        let held = self.lock();
        let entry = held.entries.get(key).filter(|entry| entry.is_fresh(now))?;
        Some(entry.opened.clone())
    }

    /// As [`fresh`](Self::fresh), the account.
    pub(super) fn account(&self, key: &Key, now: DateTime<Utc>) -> Option<Account> {
        let held = self.lock();
        let entry = held.entries.get(key).filter(|entry| entry.is_fresh(now))?;
        Some(entry.account.clone())
    }

    /// What is known of this version, however long ago it was read.
    pub(super) fn credential(&self, key: &Key, version: i64) -> Option<Credential> {
        let held = self.lock();
        let entry = held
            .entries
            .get(key)
            .filter(|entry| entry.opened.version == version)?;
        Some(entry.opened.credential.clone())
    }

    /// How often something was forgotten: whoever reads the store to [`put`](Self::put) asks it first.
    pub(super) fn forgets(&self) -> u64 {
        self.lock().forgets
    }

    /// Keeps an entry; whether its use has not been noted for so long. Nothing is kept, and no use is to be noted, if
    /// something was forgotten since `read_at`: it may have been this, after it was read and before it is put.
    pub(super) fn put(
        &self,
        key: Key,
        mut entry: Entry,
        read_at: u64,
        note_every: Duration,
    ) -> bool {
        let mut held = self.lock();
        if held.forgets != read_at {
            return false;
        }
        let entries = &mut held.entries;
        let noted = entries.get(&key).and_then(|old| old.noted);
        let wants_note = noted.is_none_or(|noted| noted.elapsed() >= note_every);
        entry.noted = if wants_note { Some(entry.read) } else { noted };
        if entries.len() >= CAPACITY && !entries.contains_key(&key) {
            make_room(entries);
        }
        entries.insert(key, entry);
        wants_note
    }

    pub(super) fn forget(&self, key: &Key) {
        let mut held = self.lock();
        held.entries.remove(key);
        held.forgets += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the half that was read longest ago.
fn make_room(entries: &mut HashMap<Key, Entry>) {
    let mut reads: Vec<Instant> = entries.values().map(|entry| entry.read).collect();
    let (_, middle, _) = reads.select_nth_unstable(CAPACITY / 2);
    let middle = *middle;
    entries.retain(|_, entry| entry.read > middle);
}

#[cfg(test)]
mod tests {
    use automarket_core::{Platform, TenantId};

    use super::*;

    #[test]
    fn the_cache_is_bounded_and_drops_the_oldest() {
        let cache = Cache::default();
        let tenant = TenantId::new("acme").unwrap();
        let account = |n: usize| Account::new(tenant.clone(), Platform::X, n.to_string());
        for n in 0..=CAPACITY {
            let opened = Opened {
                credential: Credential::None,
                version: 1,
            };
            let entry = Entry::new(opened, account(n), None);
            cache.put((tenant.clone(), account(n).id), entry, 0, STALE);
        }
        assert!(cache.lock().entries.len() <= CAPACITY);
        let newest = (tenant.clone(), account(CAPACITY).id);
        assert!(cache.fresh(&newest, Utc::now()).is_some());
        let oldest = (tenant.clone(), account(0).id);
        assert!(cache.fresh(&oldest, Utc::now()).is_none());
    }
}
