use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use tokio::time::Instant;

use crate::Clock;

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// A clock that shows this instant.
    #[must_use]
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(instant)))
    }

    /// A clock that shows this RFC 3339 instant.
    ///
    /// # Panics
    /// When the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(instant) => Self::at(instant),
            Err(error) => panic!("{text} is no instant: {error}"),
        }
    }

    /// Moves it forward (or back).
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that goes as tokio's does: in a test whose time is paused, with every sleep.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock(DateTime<Utc>, Instant);

impl TokioClock {
    /// A clock that shows this instant now.
    #[must_use]
    pub fn from(instant: DateTime<Utc>) -> Self {
        Self(instant, Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> DateTime<Utc> {
        self.0 + Duration::from_std(self.1.elapsed()).unwrap_or_default()
    }
}
