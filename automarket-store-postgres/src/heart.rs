//! Heartbeats on a connection of their own, driven by a thread of its own: a runtime whose threads are all
//! blocked by jobs answers no query, and the leases of these very jobs would run out.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use automarket_core::{Error, ErrorKind, Result, store::LeaseToken};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::{db::Database, jobs};

pub(crate) struct Heart {
    /// With a pool of one connection, which is made on the thread.
    db: Arc<Database>,
    thread: OnceLock<Option<Thread>>,
}

/// Ends when it is dropped.
struct Thread {
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Heart {
    pub(crate) fn new(db: Database) -> Self {
        Self {
            db: Arc::new(db),
            thread: OnceLock::new(),
        }
    }

    /// Prolongs leases; the first call starts the thread, so that a process without workers has none.
    pub(crate) async fn beat(
        &self,
        leases: &[LeaseToken],
        lease: Duration,
    ) -> Result<Vec<LeaseToken>> {
        let Some(thread) = self.thread.get_or_init(|| Thread::start().ok()) else {
            return Ok(jobs::prolong(&self.db, leases, lease).await?);
        };
        let (db, leases) = (self.db.clone(), leases.to_vec());
        let beat = async move { Ok(jobs::prolong(&db, &leases, lease).await?) };
        let joined = thread.runtime.spawn(beat).await;
        joined.map_err(|error| {
            Error::new(ErrorKind::Internal, "a heartbeat did not finish").with_source(error)
        })?
    }
}

impl Thread {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("automarket-beats".to_owned())
            .spawn(move || {
                // Both ends of this are a stop.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            runtime: handle,
            _stop: stop,
        })
    }
}
