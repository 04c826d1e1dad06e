//! A few reading connections, so that reads do not wait for the writer.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{error::Outcome, place::Place, store::Settings};

pub(crate) struct Readers {
    place: Place,
    settings: Settings,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(place: Place, settings: Settings, connections: usize) -> Arc<Self> {
        Arc::new(Self {
            place,
            settings,
            idle: Mutex::default(),
            free: Arc::new(Semaphore::new(connections)),
        })
    }

    /// As [`new`](Self::new), with all connections open, so that a read needs nothing more of the system.
    pub(crate) fn open(place: Place, settings: Settings, connections: usize) -> Outcome<Arc<Self>> {
        let readers = Self::new(place, settings, connections);
        for _ in 0..connections {
            let db = readers.connect()?;
            readers.idle().push(db);
        }
        Ok(readers)
    }

    /// Reads from one snapshot, which holds every write that was answered before.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let free = self.free.clone().acquire_owned().await;
        let readers = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _free = free;
            let db = readers.take()?;
            let result = snapshot(&db, work);
            if db.is_autocommit() {
                readers.idle().push(db);
            }
            result
        });
        let read = reading.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "a read did not finish").with_source(error)
        })?;
        Ok(read?)
    }

    fn take(&self) -> Outcome<Connection> {
        self.place.check()?;
        let idle = self.idle().pop();
        match idle {
            Some(db) => Ok(db),
            None => self.connect(),
        }
    }

    fn connect(&self) -> Outcome<Connection> {
        let db = self.settings.connect(self.place.path(), false)?;
        db.pragma_update(None, "query_only", true)?;
        // Reads see what the writer wrote, so it has to be the same file.
        self.place.check()?;
        Ok(db)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot<T>(db: &Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    let transaction = db.unchecked_transaction()?;
    let result = work(&transaction)?;
    transaction.commit()?;
    Ok(result)
}
