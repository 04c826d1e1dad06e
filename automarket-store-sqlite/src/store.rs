use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use automarket_core::{Clock, Error, ErrorKind, Result, SystemClock};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{
    error::{Fault, Outcome},
    lock::Lock,
    migrations,
    place::Place,
    readers::Readers,
    writer::Writer,
};

/// The store on a SQLite file. Clones are handles to the same store. The file may be the host's own: every
/// table is named `automarket_…`, and no other is touched.
///
/// Dropping the last handle writes what was handed over and closes the file.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) inner: Arc<Inner>,
}

/// So many connections read at once.
const READERS: usize = 4;
const READERS_OF_CLAIMED: usize = 2;

/// SQLite counts milliseconds in 32 bits.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

/// The reading connections close before the writing one, which then folds the write-ahead log back.
pub(crate) struct Inner {
    pub(crate) readers: Arc<Readers>,
    /// For what was claimed: claims wait for nobody's long reads.
    pub(crate) claimed: Arc<Readers>,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the file, creates it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// As [`SqliteStoreBuilder::build`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).build().await
    }

    /// Opens the file with other settings than the usual.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder {
            path: path.as_ref().to_owned(),
            clock: Arc::new(SystemClock),
            settings: Settings {
                synchronous: Synchronous::Full,
                busy_timeout: Duration::from_secs(5),
            },
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A crash of the process, of the system, and a loss of power: every commit waits for the disk. Calls
    /// that wait at the same time share one commit, so the price is a few milliseconds per call on a
    /// spinning disk, less on flash, and hardly any throughput when many call. Leases alone do not wait: with
    /// the system their holders are gone too, and those jobs are there at once instead of after their leases.
    #[default]
    Full,
    /// A crash of the process. Commits do not wait for the disk: a crash of the system or a loss of power may take the
    /// newest writes with it, minutes of them, though never damage the file. Where these said that a post was begun or is
    /// out, it is sent again without a look: that nothing is posted twice holds for crashes of the process alone.
    Normal,
}

/// Settings of a [`SqliteStore`].
pub struct SqliteStoreBuilder {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl SqliteStoreBuilder {
    /// The store's clock; the machine's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What an acknowledged write survives; [`Synchronous::Full`] unless set.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.settings.synchronous = synchronous;
        self
    }

    /// How long to wait for another process that writes, before the answer is a `Storage` error; 5 s unless
    /// set, 24 days at the most.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.settings.busy_timeout = timeout.min(LONGEST_WAIT);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// `Config` when the path is none of a file, when the schema is newer than this version of the crate,
    /// or when a migration that ran is not the one this version knows. `Storage` when the file is locked,
    /// full or read-only; `Internal` when it is damaged or no database.
    pub async fn build(self) -> Result<SqliteStore> {
        let opened = tokio::task::spawn_blocking(move || self.build_blocking()).await;
        opened
            .map_err(|e| Error::new(ErrorKind::Internal, "opening did not finish").with_source(e))?
    }

    fn build_blocking(self) -> Result<SqliteStore> {
        if self.path.as_os_str().is_empty() || self.path.as_os_str() == ":memory:" {
            return Err(no_file("name a file, or use MemoryStore"));
        }
        if self
            .path
            .as_os_str()
            .as_encoded_bytes()
            .starts_with(b"file:")
        {
            return Err(no_file("give the path alone, without `file:`"));
        }
        if self.path.is_dir() {
            let message = format!("{} is a directory", self.path.display());
            return Err(Error::new(ErrorKind::Config, message).with_remedy("name a file in it"));
        }
        let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|d| !d.is_dir()) {
            let message = format!("there is no directory {}", directory.display());
            return Err(Error::new(ErrorKind::Config, message));
        }
        let path = std::path::absolute(&self.path).map_err(|error| {
            let message = "the path of the SQLite store has no beginning";
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        let db = self.settings.connect(&path, true)?;
        let place = Place::of(&db, &path)?;
        let lock = Lock::new(&db, self.settings.busy_timeout)?;
        migrations::run(&db, &lock, self.clock.now())?;
        let synchronous = self.settings.synchronous;
        let writer = Writer::start(db, lock, place.clone(), self.clock.clone(), synchronous)?;
        Ok(SqliteStore {
            inner: Arc::new(Inner {
                readers: Readers::new(place.clone(), self.settings, READERS),
                claimed: Readers::open(place, self.settings, READERS_OF_CLAIMED)?,
                writer,
                clock: self.clock,
            }),
        })
    }
}

fn no_file(remedy: &str) -> Error {
    let message = "the path of the SQLite store names no file";
    Error::new(ErrorKind::Config, message).with_remedy(remedy)
}

impl fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStoreBuilder")
            .field("path", &self.path)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How connections are opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    synchronous: Synchronous,
    busy_timeout: Duration,
}

impl Settings {
    pub(crate) fn connect(self, path: &Path, create: bool) -> Outcome<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(self.busy_timeout)?;
        db.set_prepared_statement_cache_capacity(64);
        // Otherwise cached statements are planned anew whenever a value bound to them changes.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        if create {
            self.write_ahead(&db)?;
        }
        let synchronous = match self.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        db.pragma_update(None, "synchronous", synchronous)?;
        if self.synchronous == Synchronous::Full {
            // On macOS a disk answers before it has written, unless it is asked for that.
            db.pragma_update(None, "fullfsync", true)?;
            db.pragma_update(None, "checkpoint_fullfsync", true)?;
        }
        // Our statements keep the references; a look-up for each row that is written would cost a fifth.
        db.pragma_update(None, "foreign_keys", false)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        // Kibibytes, not pages. All connections together stay below 56 MiB.
        db.pragma_update(None, "cache_size", if create { -32_768 } else { -4_096 })?;
        Ok(db)
    }

    /// Turns the write-ahead log on. SQLite does not wait for others here by itself.
    fn write_ahead(self, db: &Connection) -> Outcome<()> {
        let give_up = std::time::Instant::now() + self.busy_timeout;
        loop {
            let mode = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
                row.get::<_, String>(0)
            });
            match mode {
                Ok(mode) if mode == "wal" => break,
                Ok(_) => {
                    return Err(Fault::Ours(Error::new(
                        ErrorKind::Config,
                        "this file system cannot keep a write-ahead log",
                    )));
                }
                Err(error) if std::time::Instant::now() >= give_up => return Err(error.into()),
                Err(error)
                    if matches!(
                        error.sqlite_error_code(),
                        Some(rusqlite::ErrorCode::DatabaseBusy)
                    ) =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // What is deleted is overwritten, always: set for erasures alone it would miss more of what lay in pages' gaps
        // by then (README). It costs a hundredth or two of a drain's CPU.
        db.pragma_update(None, "secure_delete", true)?;
        // Pages, 16 MiB: a page that is written again and again reaches the file less often.
        db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        // After a burst the log shrinks back to this.
        db.pragma_update(None, "journal_size_limit", 64 << 20)?;
        Ok(())
    }
}
