//! Waiting for others: as long as anything moves.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

use automarket::{Result as Outcome, Retry};

/// Nothing moves any more: a promise that was not kept.
#[derive(Debug)]
pub(crate) struct Stuck(pub(crate) String);

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stuck {}

/// Notices when nothing has moved for long. How long all of it takes is nobody's fault.
pub(crate) struct Wait<T> {
    limit: Duration,
    last: Option<T>,
    moved: Instant,
}

impl<T: PartialEq> Wait<T> {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            last: None,
            moved: Instant::now(),
        }
    }

    /// An error once things have stood like this for too long.
    pub(crate) fn at(&mut self, now: T, what: impl FnOnce() -> String) -> Result<(), Stuck> {
        if self.last.as_ref() != Some(&now) {
            (self.last, self.moved) = (Some(now), Instant::now());
        }
        if self.moved.elapsed() > self.limit {
            return Err(Stuck(what()));
        }
        Ok(())
    }
}

/// Does it again as long as it may be done again: a store may be busy for a while.
pub(crate) async fn persist<T, F>(mut call: impl FnMut() -> F) -> Outcome<T>
where
    F: Future<Output = Outcome<T>>,
{
    let begun = Instant::now();
    loop {
        match call().await {
            Err(error)
                if error.retry() != Retry::Never && begun.elapsed() < Duration::from_secs(60) =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
}
