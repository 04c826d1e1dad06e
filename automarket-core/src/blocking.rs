//! Work that would hold up everything else on its thread.

use crate::{Error, ErrorKind, Result};

/// Does work that takes long without waiting for anything (a page of hundreds of kilobytes is read, or compared) on a
/// thread for such. It cannot be stopped: its bounds are its own.
///
/// # Errors
/// `Internal` when it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| {
        Error::new(ErrorKind::Internal, "the work on its own thread failed").with_source(panic)
    })
}
