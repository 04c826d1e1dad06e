use std::{fmt, pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::Instant;

use super::Upload;
use crate::{Error, ErrorKind, Result, Retry, http::Effect};

/// Sends requests. The one real one is `ReqwestTransport`; tests script theirs.
///
/// An implementation follows no redirects, adds no credentials, keeps no cookies, decodes compressed bodies
/// as they arrive, and refuses addresses that the outbound guard refuses. It need not bound time and size:
/// [`Context::call`](crate::Context::call) does.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request and returns the answer whatever its status. The body may still be on its way.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, TransportError>;

    /// As [`send`](Self::send) of a body that is read as it leaves. Unless an implementation can stream, the
    /// body is collected here and sent; more than 64 MiB are refused then.
    async fn send_upload(
        &self,
        request: http::Request<Upload>,
    ) -> Result<http::Response<Body>, TransportError> {
        let (parts, upload) = request.into_parts();
        let body = upload.collect(COLLECTED).await?;
        self.send(http::Request::from_parts(parts, body)).await
    }
}

/// What a transport without streams holds of a request's body.
const COLLECTED: usize = 64 * 1024 * 1024;

const _: Option<&dyn Transport> = None;

/// Pieces of a body as they arrive, decompressed.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// The body of an answer.
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Still arriving.
    Stream(ByteStream),
}

impl Body {
    /// Reads it to its end, refusing more than `cap` decoded bytes. Holds `cap` bytes and one piece at the
    /// most.
    ///
    /// # Errors
    /// `TooLarge`, and what the stream gives.
    pub async fn collect(self, cap: usize) -> Result<Bytes, TransportError> {
        let mut stream = match self {
            Self::Full(bytes) if bytes.len() <= cap => return Ok(bytes),
            Self::Full(_) => return Err(too_large(cap)),
            Self::Stream(stream) => stream,
        };
        let mut whole = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            if piece.len() > cap - whole.len() {
                return Err(too_large(cap));
            }
            append(&mut whole, &piece, cap);
        }
        Ok(whole.into())
    }

    /// As much of it as comes before `cap`, `until` or its breaking off: for answers whose status already
    /// says all that matters.
    pub(crate) async fn beginning(self, cap: usize, until: Instant) -> Bytes {
        let mut stream = self.into_stream();
        let mut whole = Vec::new();
        while let Ok(Some(Ok(piece))) = tokio::time::timeout_at(until, stream.next()).await {
            let room = cap - whole.len();
            append(&mut whole, &piece[..piece.len().min(room)], cap);
            if piece.len() >= room {
                break;
            }
        }
        whole.into()
    }

    /// The body as a stream.
    #[must_use]
    pub fn into_stream(self) -> ByteStream {
        match self {
            Self::Full(bytes) => Box::pin(futures_util::stream::once(async move { Ok(bytes) })),
            Self::Stream(stream) => stream,
        }
    }
}

fn too_large(cap: usize) -> TransportError {
    let message = format!("the answer is larger than {cap} bytes");
    TransportError::new(ErrorKind::TooLarge, true, message)
}

/// Grows by doubling, never beyond `cap`.
fn append(whole: &mut Vec<u8>, piece: &[u8], cap: usize) {
    let need = whole.len() + piece.len();
    if need > whole.capacity() {
        let capacity = need.max(whole.capacity() * 2).min(cap.max(need));
        whole.reserve_exact(capacity - whole.len());
    }
    whole.extend_from_slice(piece);
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => f.write_str("stream"),
        }
    }
}

/// Why a transport gave no answer, and whether the request may have left.
#[derive(Debug)]
pub struct TransportError {
    /// `Network`, `Timeout`, `Refused`, `TooLarge` or `UnexpectedReply`; `RateLimited` when it was held back
    /// here, `Config` or `Storage` for trouble of our own. Others are taken for `Network`, unless they are the body's.
    pub kind: ErrorKind,
    /// Whether any byte of the request may have reached the other side.
    pub sent: bool,
    /// What happened, without addresses' queries and without secrets.
    pub message: String,
    /// How long to wait before it is tried again, where that is known.
    pub wait: Option<Duration>,
    /// Whether it was the request's own body that could not be had: that says nothing of the other side.
    pub own_body: bool,
}

impl TransportError {
    /// An error of these facts.
    #[must_use]
    pub fn new(kind: ErrorKind, sent: bool, message: impl Into<String>) -> Self {
        Self {
            kind,
            sent,
            message: message.into(),
            wait: None,
            own_body: false,
        }
    }

    /// Says that the request's own body could not be had.
    #[must_use]
    pub fn of_own_body(mut self) -> Self {
        self.own_body = true;
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// What it means for a call with this effect: a write that may have left is to be looked up.
    #[must_use]
    pub fn into_error(self, effect: Effect) -> Error {
        let kind = match self.kind {
            ErrorKind::Network
            | ErrorKind::Timeout
            | ErrorKind::Refused
            | ErrorKind::TooLarge
            | ErrorKind::UnexpectedReply
            | ErrorKind::RateLimited
            | ErrorKind::Config
            | ErrorKind::Storage => self.kind,
            kind if self.own_body => kind,
            // No word of the other side's, such as a proxy's `Unauthorized`.
            _ => ErrorKind::Network,
        };
        let retry = match (kind, self.sent, effect) {
            (ErrorKind::Refused, ..)
            | (ErrorKind::TooLarge | ErrorKind::UnexpectedReply, _, Effect::Read) => Retry::Never,
            (_, true, Effect::Write) => Retry::Reconcile,
            _ => Retry::After(self.wait),
        };
        Error::new(kind, self.message).with_retry(retry)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransportError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that wants a password says nothing of the platform's.
    #[test]
    fn a_kind_that_no_transport_has_is_no_word_of_the_other_side() {
        for kind in [ErrorKind::Unauthorized, ErrorKind::CannotTell] {
            let error = TransportError::new(kind, false, "407").into_error(Effect::Write);
            assert_eq!(error.kind(), ErrorKind::Network);
            assert_eq!(error.retry(), Retry::After(None));
        }
        let own = TransportError::new(ErrorKind::InvalidInput, true, "gone").of_own_body();
        assert_eq!(own.into_error(Effect::Read).kind(), ErrorKind::InvalidInput);
    }
}
