//! What SQLite says, in core's words.

use automarket_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// What may go wrong inside a transaction; becomes core's error at the crate's edge.
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ours(error) => error,
            Fault::Sqlite(error) => classify(error),
        }
    }
}

/// `Storage` (try again later) for what passes or can be mended from outside: locked, full, read-only, I/O,
/// out of memory. `Internal` for a damaged file and for faults of ours.
fn classify(error: rusqlite::Error) -> Error {
    let (kind, message, rule) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Storage,
            "the database is locked",
            "sqlite.locked",
        ),
        Some(ErrorCode::DiskFull) => (
            ErrorKind::Storage,
            "the disk or database is full",
            "sqlite.full",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            ErrorKind::Storage,
            "the database is read-only",
            "sqlite.readonly",
        ),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed,
        ) => (
            ErrorKind::Storage,
            "the database file cannot be read or written",
            "sqlite.io",
        ),
        Some(ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted) => (
            ErrorKind::Storage,
            "the database could not finish",
            "sqlite.interrupted",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            ErrorKind::Internal,
            "the database file is damaged or none",
            "sqlite.corrupt",
        ),
        _ => (
            ErrorKind::Internal,
            "the database did not do what was asked",
            "sqlite.other",
        ),
    };
    Error::new(kind, message).with_rule(rule).with_source(error)
}
