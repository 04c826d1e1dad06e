//! Trouble of our own: the store is away, read-only or knows our password no more; a key, a connector, a transport or a
//! place for media is missing here. It says nothing of what was to be done, which waits: it may pass, or another process has what is
//! missing.

use automarket_core::{Error, ErrorKind, Retry};

/// Whether an error of this kind is such, where it is not a platform's.
pub(crate) fn is_ours(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Storage | ErrorKind::Config)
}

/// The error; one of our own is to be tried again, and no platform's.
pub(crate) fn waits(error: Error) -> Error {
    match error.retry() {
        Retry::Never if is_ours(error.kind()) && error.platform().is_none() => {
            error.with_retry(Retry::After(None))
        }
        _ => error,
    }
}
