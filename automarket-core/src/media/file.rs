use std::{
    fmt,
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{UNRECOGNISED, address, has_signature, host, sniff};
use crate::{
    Content, Context, Error, ErrorKind, Media, Result, Retry, check::media::mime as said_type,
    content::MediaSource, profile::MediaRules,
};

/// Bytes that can be read at any place, and again.
#[async_trait]
pub trait ReadRange: Send + Sync {
    /// `length` bytes from `offset`. Both lie within the size that was said when it was opened. What changed since
    /// then is an error, so that no upload is half of each.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes>;
}

const _: Option<&dyn ReadRange> = None;

/// Opened media. Cheap to clone; nothing of it is held in memory but what is read.
#[derive(Clone)]
pub struct MediaFile {
    size: u64,
    version: Option<Arc<str>>,
    bytes: Arc<dyn ReadRange>,
}

impl MediaFile {
    /// Bytes of this size, from wherever a host keeps them.
    ///
    /// ```
    /// use automarket_core::{Bytes, Result, async_trait, media::{MediaFile, ReadRange}};
    ///
    /// struct Zeros;
    ///
    /// #[async_trait]
    /// impl ReadRange for Zeros {
    ///     async fn read(&self, _: u64, length: usize) -> Result<Bytes> {
    ///         Ok(vec![0; length].into())
    ///     }
    /// }
    ///
    /// assert_eq!(MediaFile::new(1 << 40, Zeros).size(), 1 << 40);
    /// ```
    #[must_use]
    pub fn new(size: u64, bytes: impl ReadRange + 'static) -> Self {
        Self {
            size,
            version: None,
            bytes: Arc::new(bytes),
        }
    }

    /// Says which version of the media it is: something that is another once the bytes are (a tag, a time, a hash),
    /// and the same as long as they are.
    #[must_use]
    pub fn with_version(mut self, version: Option<&str>) -> Self {
        self.version = version.map(Arc::from);
        self
    }

    /// The same bytes, read this way.
    pub(super) fn read_by<R: ReadRange + 'static>(
        mut self,
        by: impl FnOnce(Arc<dyn ReadRange>) -> R,
    ) -> Self {
        self.bytes = Arc::new(by(self.bytes));
        self
    }

    pub(crate) fn memory(bytes: Bytes) -> Self {
        Self::new(bytes.len() as u64, Memory(bytes))
    }

    /// A file of this machine, held open, so that it stays the same file.
    pub(crate) fn open(file: File, facts: &Metadata) -> Self {
        let opened = OpenFile {
            file: Arc::new(Mutex::new(file)),
            version: Version::of(facts),
        };
        Self::new(facts.len(), opened)
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which version of the media it is, where that is known: an upload that was begun with another is begun anew.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Exactly these bytes.
    ///
    /// # Errors
    /// `InvalidInput` (`media`) when they are not all there; those of reading.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let within = offset
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.size);
        if !within {
            return Err(shorter());
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self.bytes.read(offset, length).await?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(shorter())
        }
    }

    /// All of it, for calls that need it whole.
    ///
    /// # Errors
    /// `TooLarge` when it has more than `max` bytes; as [`read`](Self::read).
    pub async fn all(&self, max: usize) -> Result<Bytes> {
        match usize::try_from(self.size) {
            Ok(size) if size <= max => self.read(0, size).await,
            _ => Err(Error::new(
                ErrorKind::TooLarge,
                format!("the media is larger than {max} bytes"),
            )),
        }
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of media", self.size)
    }
}

impl Media {
    /// Opens it wherever it is. An address is asked for through the context's transport, and so through its
    /// guard; a server that sends no ranges is read once into an unnamed temporary file of at most 2 GiB.
    ///
    /// # Errors
    /// `InvalidInput` (`media`) when the file or address cannot be read; `Storage` when that is this machine's
    /// doing (a full disk); `Config` for a key without [`MediaHost`](super::MediaHost); those of the host and of [`Context::open`].
    pub async fn open(&self, cx: &Context) -> Result<MediaFile> {
        self.open_within(cx, address::LARGEST).await
    }

    /// As [`open`](Self::open), for a caller who has no use for more than `most` bytes: of an address whose server
    /// sends no ranges no more is copied.
    ///
    /// # Errors
    /// `TooLarge` then; as [`open`](Self::open).
    pub async fn open_within(&self, cx: &Context, most: u64) -> Result<MediaFile> {
        match &self.source {
            MediaSource::Bytes(bytes) => Ok(MediaFile::memory(bytes.clone())),
            MediaSource::File(path) => open(path).await,
            MediaSource::Host(key) => host::open(cx, key).await,
            MediaSource::Address(url) => address::open(cx, url, most).await,
        }
    }

    /// Learns size, type, dimensions and duration from its first bytes and its index. What is found replaces
    /// what was said; what cannot be told stays as it is, but for a type that the bytes are surely not of (`image/png`
    /// without its signature): that becomes `application/octet-stream; found=other`. Returns what it opened, which may break the rules. Of
    /// an address whose server sends no ranges no more is copied than they let pass of the kind that it is said to be.
    ///
    /// # Errors
    /// As [`open_within`](Self::open_within).
    pub async fn inspect(&mut self, cx: &Context, rules: &MediaRules) -> Result<MediaFile> {
        let file = self.open_within(cx, rules.most(self.kind)).await?;
        self.learn(&file).await?;
        Ok(file)
    }

    async fn learn(&mut self, file: &MediaFile) -> Result<()> {
        let facts = sniff(file).await?;
        self.bytes = Some(file.size());
        let said = said_type(self).unwrap_or_default();
        let is_other = file.size() > 0 && has_signature(&said);
        let mime = facts.mime.or(is_other.then_some(UNRECOGNISED));
        if let Some(mime) = mime {
            self.mime = Some(mime.to_owned());
        }
        self.kind = facts.kind.unwrap_or(self.kind);
        self.width = facts.width.or(self.width);
        self.height = facts.height.or(self.height);
        self.seconds = facts.seconds.or(self.seconds);
        self.pages = facts.pages.or(self.pages);
        Ok(())
    }
}

impl Content {
    /// Learns of all its media what [`Media::inspect`] does, so that the checks can judge it, and returns what
    /// it opened.
    ///
    /// # Errors
    /// As [`Media::inspect`], naming which.
    pub async fn inspect(&mut self, cx: &Context, rules: &MediaRules) -> Result<Vec<MediaFile>> {
        let mut files = Vec::new();
        for (number, media) in (1..).zip(&mut self.media) {
            let inspected = media.inspect(cx, rules).await;
            let inspected = inspected.map_err(|error| error.about(&format!("media {number}")));
            files.push(inspected?);
        }
        Ok(files)
    }

    /// As [`inspect`](Self::inspect) without the network: what stands at an address stays as it is said to be.
    ///
    /// # Errors
    /// As [`inspect`](Self::inspect).
    pub async fn inspect_local(&mut self, cx: &Context) -> Result<()> {
        for (number, media) in (1..).zip(&mut self.media) {
            if !matches!(media.source, MediaSource::Address(_)) {
                let about = |error: Error| error.about(&format!("media {number}"));
                let file = media.open(cx).await.map_err(about)?;
                media.learn(&file).await.map_err(about)?;
            }
        }
        Ok(())
    }
}

async fn open(path: &Path) -> Result<MediaFile> {
    let path = path.to_owned();
    let (file, facts) = blocking(move || {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        Ok((file, facts))
    })
    .await?;
    if !facts.is_file() {
        return Err(Error::invalid("media", "the path is no file"));
    }
    let changed = facts.modified().ok();
    let changed = changed.map(|at| DateTime::<Utc>::from(at).to_rfc3339());
    Ok(MediaFile::open(file, &facts).with_version(changed.as_deref()))
}

struct Memory(Bytes);

#[async_trait]
impl ReadRange for Memory {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(length);
        if to <= self.0.len() {
            Ok(self.0.slice(from..to))
        } else {
            Err(shorter())
        }
    }
}

struct OpenFile {
    file: Arc<Mutex<File>>,
    version: Version,
}

/// What changes when somebody writes to a file; its time where the system knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version(u64, Option<SystemTime>);

impl Version {
    fn of(facts: &Metadata) -> Self {
        Self(facts.len(), facts.modified().ok())
    }
}

#[async_trait]
impl ReadRange for OpenFile {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let (file, version) = (Arc::clone(&self.file), self.version);
        let read = blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = vec![0; length];
            let read = file.read_exact(&mut bytes);
            // Asked afterwards, so that it holds for these bytes too.
            if Version::of(&file.metadata()?) != version {
                return Ok(None);
            }
            read.map(|()| Some(bytes.into()))
        });
        read.await?.ok_or_else(changed)
    }
}

/// Work on a file, on a thread of its own. Only what says something of the file is the post's doing.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = on_disk(work).await?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof => {
            Error::invalid("media", "the file cannot be read").with_source(error)
        }
        _ => no_disk(error),
    })
}

/// Work on a file of our own.
pub(super) async fn keeping<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    on_disk(work).await?.map_err(no_disk)
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(no_disk)
}

/// A full disk, too many open files: it passes, or another machine has none of it.
fn no_disk(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = "this machine could not read or keep the file";
    Error::new(ErrorKind::Storage, message)
        .with_retry(Retry::After(None))
        .with_source(error)
}

/// Read from its beginning it may be one again.
pub(super) fn changed() -> Error {
    Error::invalid("media", "it changed while it was read").with_retry(Retry::After(None))
}

fn shorter() -> Error {
    Error::invalid("media", "it has fewer bytes than it should have")
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind as Io};

    use super::*;

    #[tokio::test]
    async fn what_says_something_of_the_file_is_the_posts_and_the_rest_this_machines() {
        for (kind, retry) in [
            (Io::NotFound, Retry::Never),
            (Io::PermissionDenied, Retry::Never),
            (Io::IsADirectory, Retry::Never),
            (Io::NotADirectory, Retry::Never),
            (Io::InvalidFilename, Retry::Never),
            (Io::InvalidInput, Retry::Never),
            (Io::UnexpectedEof, Retry::Never),
            (Io::StorageFull, Retry::After(None)),
            (Io::ReadOnlyFilesystem, Retry::After(None)),
            (Io::StaleNetworkFileHandle, Retry::After(None)),
            (Io::Other, Retry::After(None)),
        ] {
            let done = blocking(move || Err::<(), _>(IoError::from(kind))).await;
            assert_eq!(done.unwrap_err().retry(), retry, "{kind}");
        }
        // Too many open files.
        let done = blocking(|| Err::<(), _>(IoError::from_raw_os_error(24))).await;
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
    }
}
