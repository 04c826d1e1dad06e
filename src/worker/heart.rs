//! A thread of its own for heartbeats, so that jobs which block the host's runtime do not cost the worker its
//! leases.

use std::{future::Future, sync::Arc};

use automarket_core::{Error, ErrorKind, Result, Store};
use tokio::sync::oneshot;

use super::held::Held;

/// Beats until it is dropped.
pub(super) struct Heart {
    _stop: oneshot::Sender<()>,
}

impl Heart {
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub(super) fn start(held: Arc<Held>, store: Arc<dyn Store>) -> Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let started = std::thread::Builder::new()
            .name("automarket-heart".to_owned())
            .spawn(move || {
                run(async move {
                    tokio::select! {
                        _ = stopped => {}
                        never = held.beat(&*store) => match never {},
                    }
                });
            });
        started.map_err(|error| {
            Error::new(ErrorKind::Internal, "no thread for heartbeats").with_source(error)
        })?;
        Ok(Self { _stop: stop })
    }
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => tracing::error!(%error, "no runtime for heartbeats: leases will run out"),
    }
}
