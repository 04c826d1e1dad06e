//! Calls that go together only with those of the same key, such as a tenant.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use automarket_core::Result;
use tokio::runtime::Handle;

use crate::together::{Together, Waiting};

/// A line for each key with calls under way: one that waits for somebody's transaction holds no other up.
pub(crate) struct Separately<K: Clone + Eq + Hash, C, A> {
    lines: Mutex<HashMap<K, Busy<C, A>>>,
    start: Box<dyn Fn() -> Together<C, A> + Send + Sync>,
}

struct Busy<C, A> {
    line: Arc<Together<C, A>>,
    callers: usize,
}

/// One call of a key; with its last one the key's line ends.
struct Caller<'a, K: Clone + Eq + Hash, C, A> {
    lines: &'a Mutex<HashMap<K, Busy<C, A>>>,
    key: &'a K,
}

impl<K, C, A> Separately<K, C, A>
where
    K: Clone + Eq + Hash,
    C: Clone + Send + 'static,
    A: Send + 'static,
{
    /// `send` takes groups of so many calls at the most, one of a key at a time: another would only wait beside the first.
    pub(crate) fn start<F>(
        most: usize,
        send: impl Fn(Vec<Waiting<C, A>>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Of whoever opened the store, and not of a caller, which may end.
        let runtime = Handle::current();
        let start = move || {
            let _in_it = runtime.enter();
            Together::start(1, 0, most, |_| 1, send.clone())
        };
        Self {
            lines: Mutex::default(),
            start: Box::new(start),
        }
    }

    /// Makes the call in the next group of its key, or `alone` when there is nobody else about.
    pub(crate) async fn call<F>(&self, key: &K, call: &C, alone: impl FnOnce() -> F) -> Result<A>
    where
        F: Future<Output = Result<A>>,
    {
        let (line, _caller) = self.line_of(key);
        if let Some(_turn) = line.alone() {
            return alone().await;
        }
        line.call(call.clone()).await
    }

    fn line_of<'a>(&'a self, key: &'a K) -> (Arc<Together<C, A>>, Caller<'a, K, C, A>) {
        let mut lines = lock(&self.lines);
        let busy = lines.entry(key.clone()).or_insert_with(|| Busy {
            line: Arc::new((self.start)()),
            callers: 0,
        });
        busy.callers += 1;
        let caller = Caller {
            lines: &self.lines,
            key,
        };
        (busy.line.clone(), caller)
    }
}

impl<K: Clone + Eq + Hash, C, A> Drop for Caller<'_, K, C, A> {
    fn drop(&mut self) {
        let mut lines = lock(self.lines);
        if let Some(busy) = lines.get_mut(self.key) {
            busy.callers -= 1;
            if busy.callers == 0 {
                lines.remove(self.key);
            }
        }
    }
}

fn lock<T>(lines: &Mutex<T>) -> MutexGuard<'_, T> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
