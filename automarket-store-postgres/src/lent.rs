//! A connection that the pool has lent.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

use deadpool_postgres::Object;

use crate::error::Outcome;

/// Goes back to its pool when it is dropped, but not once a statement was left behind on it: whoever drops a call before
/// its answer, as one that takes too long, leaves the statement running, and the next one would wait behind it.
pub(crate) struct Lent {
    /// There until this is dropped.
    client: Option<Object>,
    left: Left,
}

/// Whether a statement was left behind.
#[derive(Default)]
pub(crate) struct Left(AtomicBool);

impl Lent {
    pub(crate) fn new(client: Object) -> Self {
        Self {
            client: Some(client),
            left: Left::default(),
        }
    }

    /// The connection, and where to say that a statement is under way on it.
    pub(crate) fn parts(&self) -> (&Object, &Left) {
        (there(self.client.as_ref()), &self.left)
    }

    /// As [`parts`](Self::parts).
    pub(crate) fn parts_mut(&mut self) -> (&mut Object, &Left) {
        (there(self.client.as_mut()), &self.left)
    }

    /// Whether it may be used again.
    pub(crate) fn is_good(&self) -> bool {
        !self.left.0.load(Ordering::Relaxed) && !self.parts().0.is_closed()
    }
}

fn there<T>(client: Option<T>) -> T {
    client.unwrap_or_else(|| unreachable!("it is dropped"))
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_good() {
            drop(self.client.take().map(Object::take));
        }
    }
}

impl Left {
    /// The end of a statement.
    pub(crate) async fn behind<T>(
        &self,
        statement: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        let mut under_way = UnderWay(Some(self));
        let end = statement.await;
        under_way.0 = None;
        end
    }
}

struct UnderWay<'a>(Option<&'a Left>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.0 {
            left.0.store(true, Ordering::Relaxed);
        }
    }
}
