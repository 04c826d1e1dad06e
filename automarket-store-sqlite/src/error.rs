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
            Fault::Sqlite(error) if is_foreign(&error.to_string()) => no_store(error),
            Fault::Sqlite(error) => said(by_code(error.sqlite_error_code()), error),
        }
    }
}

/// Kind, message and rule of an error.
type Words = (ErrorKind, &'static str, &'static str);

/// `Storage` (try again later) for what passes or can be mended from outside: locked, full, read-only, I/O,
/// out of memory. `Internal` for a damaged file and for faults of ours.
pub(crate) fn by_code(code: Option<ErrorCode>) -> Words {
    match code {
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
    }
}

/// Whether it is of the file and not of what was to be written: whoever comes next meets it, too.
pub(crate) fn is_of_file(error: &Error) -> bool {
    const RULES: [&str; 5] = [
        "sqlite.corrupt",
        "sqlite.io",
        "sqlite.locked",
        "sqlite.moved",
        "sqlite.readonly",
    ];
    error.rule().is_some_and(|rule| RULES.contains(&rule))
}

pub(crate) fn said(
    (kind, message, rule): Words,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(kind, message)
        .with_rule(rule)
        .with_source(source)
}

/// Whether the file has no store: SQLite has no code for a table that is not there.
pub(crate) fn is_foreign(said: &str) -> bool {
    said.contains("no such table: automarket_")
}

pub(crate) fn no_store(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    let words = (
        ErrorKind::Config,
        "the database file holds no store of this version",
        "sqlite.no_store",
    );
    said(words, source).with_remedy("open a SqliteStore on this file first; is its path right?")
}

/// Some faults (a full disk, I/O) end a transaction by themselves, the host's too.
pub(crate) fn transaction_gone(why: Error) -> Error {
    Error::new(
        why.kind(),
        "the transaction was rolled back by the database",
    )
    .with_rule("sqlite.transaction_gone")
    .with_remedy("begin it anew: all of it was rolled back")
    .with_source(why)
}
