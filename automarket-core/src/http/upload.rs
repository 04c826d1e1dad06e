use std::{collections::VecDeque, fmt, sync::Arc};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};

use super::{Body, ByteStream, TransportError};
use crate::media::MediaFile;

/// How much of a file is in memory at a time.
const PIECE: u64 = 256 * 1024;

/// The body of a request that is read as it leaves: bytes and parts of files, one after the other. It can be
/// cloned and read again.
///
/// ```
/// # use automarket_core::{http::Upload, media::{MediaFile, ReadRange}};
/// # fn body(file: MediaFile) -> Upload {
/// // The second mebibyte.
/// Upload::range(file, 1 << 20, 1 << 20)
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Upload {
    pieces: VecDeque<Piece>,
    watch: Option<Watch>,
}

/// Who is told how many bytes were read, and of how many.
type Watch = Arc<dyn Fn(u64, u64) + Send + Sync>;

#[derive(Clone)]
enum Piece {
    Bytes(Bytes),
    File { file: MediaFile, from: u64, to: u64 },
}

impl Upload {
    /// `length` bytes of a file from `offset`. What goes beyond its end fails when it is read.
    #[must_use]
    pub fn range(file: MediaFile, offset: u64, length: u64) -> Self {
        let piece = Piece::File {
            file,
            from: offset,
            to: offset.saturating_add(length),
        };
        Self {
            pieces: VecDeque::from([piece]),
            watch: None,
        }
    }

    /// A whole file.
    #[must_use]
    pub fn file(file: MediaFile) -> Self {
        let size = file.size();
        Self::range(file, 0, size)
    }

    /// Tells somebody, after each piece that is read to be sent, how many bytes have been and how many there are:
    /// for a transport of the host's that shows progress.
    #[must_use]
    pub fn watched(mut self, watch: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        let sizes = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { from, to, .. } => to - from,
        });
        sizes.fold(0, u64::saturating_add)
    }

    pub(super) fn push_bytes(&mut self, bytes: Bytes) {
        self.pieces.push_back(Piece::Bytes(bytes));
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.pieces.append(&mut other.pieces);
    }

    /// The bytes when all of them are in memory already.
    pub(super) fn in_memory(&self) -> Option<Bytes> {
        let bytes = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => Some(bytes.clone()),
            Piece::File { .. } => None,
        };
        let pieces: Vec<Bytes> = self.pieces.iter().map(bytes).collect::<Option<_>>()?;
        match pieces.as_slice() {
            [one] => Some(one.clone()),
            many => Some(many.concat().into()),
        }
    }

    /// The bytes as they are read, at most 256 KiB at a time. A file that cannot be read ends the stream with
    /// an error of its kind.
    #[must_use]
    pub fn into_stream(self) -> ByteStream {
        let (watch, size) = (self.watch.clone(), self.size());
        let mut sent = 0;
        let pieces = stream::try_unfold(self.pieces, |mut pieces| async {
            Ok(match pieces.pop_front() {
                None => None,
                Some(Piece::Bytes(bytes)) => Some((bytes, pieces)),
                Some(Piece::File { file, from, to }) => {
                    let length = PIECE.min(to - from);
                    // At most 256 KiB.
                    let read = file.read(from, length as usize).await;
                    let bytes = read.map_err(|error| {
                        TransportError::new(error.kind(), true, error.message().to_owned())
                            .of_own_body()
                    })?;
                    let from = from + length;
                    if from < to {
                        pieces.push_front(Piece::File { file, from, to });
                    }
                    Some((bytes, pieces))
                }
            })
        });
        Box::pin(pieces.inspect_ok(move |piece: &Bytes| {
            sent += piece.len() as u64;
            if let Some(watch) = &watch {
                watch(sent, size);
            }
        }))
    }

    /// All of it, for those that cannot stream.
    ///
    /// # Errors
    /// `TooLarge`, unsent; those of reading.
    pub async fn collect(self, cap: usize) -> Result<Bytes, TransportError> {
        if self.size() > cap as u64 {
            let message = format!("the request is larger than {cap} bytes");
            let error = TransportError::new(crate::ErrorKind::TooLarge, false, message);
            return Err(error.of_own_body());
        }
        Body::Stream(self.into_stream()).collect(cap).await
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to upload", self.size())
    }
}
