//! Heartbeats on a connection of their own, driven by a thread of its own: a runtime whose threads are all
//! blocked by jobs answers no query, and the leases of these very jobs would run out.

use std::{
    io,
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};

use automarket_core::{Error, ErrorKind, Result, store::LeaseToken};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::timeout,
};

use crate::{db::Database, jobs};

/// So long a heartbeat may take in any case.
const LEAST: Duration = Duration::from_secs(1);

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
        let beat = beat(self.db.clone(), leases.to_vec(), lease);
        let Some(thread) = self
            .thread
            .get_or_init(|| Thread::start(thread::Builder::new()).ok())
        else {
            return beat.await;
        };
        let joined = thread.runtime.spawn(beat).await;
        joined.map_err(|error| {
            Error::new(ErrorKind::Internal, "a heartbeat did not finish").with_source(error)
        })?
    }
}

/// Not for longer than until the next one is due, though its caller may have gone by then: the connection, which
/// idles as long as the workers do, may be one that the network forgot. It is not used again.
async fn beat(
    db: Arc<Database>,
    leases: Vec<LeaseToken>,
    lease: Duration,
) -> Result<Vec<LeaseToken>> {
    let connection = db.connection().await?;
    let beat = jobs::prolong(&connection, &leases, lease);
    let Ok(answer) = timeout(LEAST.max(lease / 3), beat).await else {
        let message = "a heartbeat was not answered in time";
        return Err(Error::new(ErrorKind::Storage, message).with_rule("postgres.timeout"));
    };
    Ok(answer?)
}

impl Thread {
    /// The runtime is made on the thread: were there none, to drop it here would be a panic.
    fn start(thread: thread::Builder) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (made, runtime) = mpsc::channel();
        thread.name("automarket-beats".to_owned()).spawn(
            move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = made.send(Ok(runtime.handle().clone()));
                    // Both ends of this are a stop.
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(made.send(Err(error))),
            },
        )?;
        Ok(Self {
            runtime: runtime.recv().map_err(io::Error::other)??,
            _stop: stop,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_the_system_gives_no_thread_that_is_told() {
        let too_large = thread::Builder::new().stack_size(1 << 60);
        assert!(Thread::start(too_large).is_err());
    }
}
