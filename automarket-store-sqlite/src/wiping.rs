//! What was erased is wiped from the write-ahead log, too, where its pages stand as they were before.

use std::{
    cell::Cell,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::{place::Place, writer::Work};

/// So often at the most by itself: retention removes by batches, and each wiping writes the log back into the file.
const PAUSE: Duration = Duration::from_secs(1);
/// So long it waits for those who read older pages; the next time they may have gone.
const PATIENCE: Duration = Duration::from_millis(20);

/// Whether the log holds what was erased, and when it is emptied.
pub(crate) struct Wiping {
    /// Set by the calls that erase, so that it is done also when nobody waits for it.
    pub(crate) due: Cell<bool>,
    not_before: Instant,
    /// The log of a file that was taken away may be another's by now.
    place: Place,
}

impl Wiping {
    /// Due: a process that was killed may have left something.
    pub(crate) fn new(place: Place) -> Self {
        Self {
            due: Cell::new(true),
            not_before: Instant::now(),
            place,
        }
    }

    /// The next call, or `None` when there will be none; wipes meanwhile.
    pub(crate) fn next(
        &mut self,
        db: &Connection,
        waiting: &Receiver<Box<dyn Work>>,
    ) -> Option<Box<dyn Work>> {
        while self.due.get() {
            let pause = self.not_before.saturating_duration_since(Instant::now());
            match waiting.recv_timeout(pause) {
                Ok(next) => return Some(next),
                Err(RecvTimeoutError::Timeout) => self.now(db),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        waiting.recv().ok()
    }

    /// When it is time.
    pub(crate) fn in_time(&mut self, db: &Connection) {
        if self.due.get() && Instant::now() >= self.not_before {
            self.now(db);
        }
    }

    /// Empties the log, if it is due. What was erased is erased, whatever becomes of this: it stays due where somebody
    /// reads older pages, or the disk fails.
    pub(crate) fn now(&mut self, db: &Connection) {
        if !self.due.get() {
            return;
        }
        let wiped = self.place.check().is_ok()
            && db
                .busy_timeout(PATIENCE)
                .and_then(|()| {
                    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                        Ok(!row.get::<_, bool>(0)?)
                    })
                })
                .unwrap_or(false);
        // As `Lock` wants it.
        let _ = db.busy_timeout(Duration::ZERO);
        self.due.set(!wiped);
        self.not_before = Instant::now() + PAUSE;
    }
}
