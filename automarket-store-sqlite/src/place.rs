//! Whether the file is still where it was opened. SQLite goes on with the one it has, and what it acknowledges then is
//! in no file that anybody opens again.

use std::{
    io,
    path::{Path, PathBuf},
};

use automarket_core::{Error, ErrorKind};
use rusqlite::{Connection, ErrorCode};

use crate::error::{Outcome, by_code, said};

/// Where a file and its log are, and which they are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    files: Vec<(PathBuf, Id)>,
}

/// Device and inode.
type Id = (u64, u64);

impl Place {
    /// Of the file that this connection opened by this path.
    pub(crate) fn of(db: &Connection, asked: &Path) -> Outcome<Self> {
        // The log is there from the first read to the last close: who removes it needs the whole file's lock, of which
        // each open connection has a share.
        db.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        let path = match db.path() {
            // SQLite followed all links.
            Some(path) => PathBuf::from(path),
            // What is not UTF-8 it does not tell.
            None => asked.canonicalize().map_err(unreadable)?,
        };
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let mut files = Vec::new();
        for file in [path.clone(), log.into()] {
            if let Some(id) = id(&file).map_err(unreadable)? {
                files.push((file, id));
            }
        }
        Ok(Self { path, files })
    }

    /// No link stands in it, and it begins at the root.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `sqlite.moved` when another file is there now, or none.
    pub(crate) fn check(&self) -> Outcome<()> {
        for (file, was) in &self.files {
            match id(file) {
                Ok(is) if is == Some(*was) => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unreadable(error).into());
                }
                _ => return Err(moved(file).into()),
            }
        }
        Ok(())
    }

    /// Whether another process has begun a log of its own by now.
    pub(crate) fn has_another_log(&self) -> bool {
        let log = self.files.get(1);
        log.is_some_and(|(log, was)| matches!(id(log), Ok(Some(is)) if is != *was))
    }
}

/// Asked by path: to open a file and close it would drop the locks that SQLite has on it.
#[cfg(unix)]
fn id(file: &Path) -> io::Result<Option<Id>> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    Ok(Some((file.dev(), file.ino())))
}

/// Elsewhere a file that is open cannot be taken away.
#[cfg(not(unix))]
fn id(_: &Path) -> io::Result<Option<Id>> {
    Ok(None)
}

fn moved(file: &Path) -> Error {
    let file = file.display();
    let message =
        format!("{file} was replaced, moved or removed while it was open; nothing was done");
    Error::new(ErrorKind::Storage, message)
        .with_rule("sqlite.moved")
        .with_remedy("stop every process that has it open, put the file back, and open it anew")
}

fn unreadable(error: io::Error) -> Error {
    said(by_code(Some(ErrorCode::SystemIoFailure)), error)
}
