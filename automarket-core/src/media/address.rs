//! Media at an address: read in ranges where the server sends them, else once into a temporary file.

use std::{
    fs::File,
    io::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Response, StatusCode, header};
use url::Url;

use super::{
    MediaFile, ReadRange,
    file::{changed, keeping},
};
use crate::{
    Context, Error, ErrorKind, Result,
    http::{Body, Call, Reply},
};

/// Redirects to follow.
const HOPS: usize = 5;
/// How much the first question asks for: most headers of images and films.
const FIRST: usize = 16 * 1024;
/// What is copied to disk at the most, whatever a platform takes.
pub(super) const LARGEST: u64 = 2 * 1024 * 1024 * 1024;
/// For copying all of it, and for one piece of it to come.
const COPY: Duration = Duration::from_secs(15 * 60);
const PIECE: Duration = Duration::from_secs(30);

/// Copies no more than `most` bytes.
pub(super) async fn open(cx: &Context, url: &Url, most: u64) -> Result<MediaFile> {
    let call = ranged(url, 0, FIRST)?;
    let (ended, response) = cx.open_following(call, HOPS).await?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            let size = whole_size(response.headers())
                .ok_or_else(|| unreadable("the server sends a range of unknown size"))?;
            let unchanged = unchanged(response.headers());
            let version = unchanged.as_ref().map(|(_, version)| version.clone());
            let beginning = collect(response.into_body(), FIRST).await?;
            if beginning.len() as u64 != size.min(FIRST as u64) {
                return Err(unreadable(
                    "the server sent another range than was asked for",
                ));
            }
            let remote = Remote {
                cx: cx.clone(),
                given: url.clone(),
                ended: Mutex::new(ended),
                size,
                unchanged,
                beginning,
            };
            Ok(MediaFile::new(size, remote).with_version(version.as_deref()))
        }
        // No byte can be asked for of what has none.
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(MediaFile::memory(Bytes::new())),
        StatusCode::OK => copy(response, most.min(LARGEST)).await,
        status => Err(refused(status)),
    }
}

/// What a server that sends ranges keeps.
struct Remote {
    cx: Context,
    given: Url,
    /// Where its redirects ended.
    ended: Mutex<Url>,
    size: u64,
    /// On what header the server is to send a range, so that all are of one version.
    unchanged: Option<(&'static str, String)>,
    beginning: Bytes,
}

#[async_trait]
impl ReadRange for Remote {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        if end <= self.beginning.len() as u64 {
            // Both are at most the length of something in memory.
            return Ok(self.beginning.slice(offset as usize..end as usize));
        }
        let changed = || changed().with_operation("media.fetch");
        let reply = match self.ask(offset, length).await {
            // Sent whole again.
            Err(error) if error.kind() == ErrorKind::TooLarge => return Err(changed()),
            reply => reply?,
        };
        let size = whole_size(&reply.headers);
        match reply.status {
            StatusCode::PARTIAL_CONTENT if size.is_some_and(|size| size != self.size) => {
                Err(changed())
            }
            StatusCode::PARTIAL_CONTENT if starts_at(&reply.headers, offset) => Ok(reply.body),
            StatusCode::PARTIAL_CONTENT => Err(unreadable(
                "the server sent another range than was asked for",
            )),
            // Shorter, if the range is not there.
            StatusCode::OK
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::RANGE_NOT_SATISFIABLE => Err(changed()),
            status => Err(refused(status)),
        }
    }
}

impl Remote {
    /// Asks where the redirects ended. Often that is an address which is signed for some minutes: when it is good no
    /// more, the redirects are followed anew.
    async fn ask(&self, offset: u64, length: usize) -> Result<Reply> {
        let ended = || self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let url = ended().clone();
        let reply = self.cx.call(self.range(&url, offset, length)?).await?;
        // Google's store says 400 of a signature that is over, others 401 or 403.
        let over = matches!(reply.status.as_u16(), 400 | 401 | 403 | 404 | 410);
        if !over || url == self.given {
            return Ok(reply);
        }
        let call = self.range(&self.given, offset, length)?;
        let (url, reply) = self.cx.get_following(call, HOPS).await?;
        if reply.status == StatusCode::PARTIAL_CONTENT {
            *ended() = url;
        }
        Ok(reply)
    }

    fn range(&self, url: &Url, offset: u64, length: usize) -> Result<Call> {
        let call = ranged(url, offset, length)?.max_body(length);
        match &self.unchanged {
            Some((header, value)) => call.header(header, value),
            None => Ok(call),
        }
    }
}

fn ranged(url: &Url, offset: u64, length: usize) -> Result<Call> {
    let last = offset.saturating_add(length as u64).saturating_sub(1);
    // A coded body would have ranges of its own.
    Call::get("media.fetch", url.as_str())?
        .elsewhere()
        .header("range", &format!("bytes={offset}-{last}"))?
        .header("accept-encoding", "identity")
}

/// The 90 of `bytes 0-9/90`.
fn whole_size(headers: &HeaderMap) -> Option<u64> {
    content_range(headers)?.1.parse().ok()
}

fn starts_at(headers: &HeaderMap, offset: u64) -> bool {
    let first = content_range(headers).and_then(|(range, _)| range.split('-').next());
    first.and_then(|first| first.trim().parse().ok()) == Some(offset)
}

fn content_range(headers: &HeaderMap) -> Option<(&str, &str)> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = range.strip_prefix("bytes")?.trim().split_once('/')?;
    Some((range, size.trim()))
}

/// Only a strong tag means that the bytes are the same; without one the time of the last change is the best there is.
fn unchanged(headers: &HeaderMap) -> Option<(&'static str, String)> {
    let value = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let tag = value(header::ETAG).filter(|tag| tag.starts_with('"'));
    tag.map(|tag| ("if-match", tag)).or_else(|| {
        let since = value(header::LAST_MODIFIED)?;
        Some(("if-unmodified-since", since))
    })
}

async fn collect(body: Body, cap: usize) -> Result<Bytes> {
    let whole = tokio::time::timeout(PIECE, body.collect(cap)).await;
    whole
        .map_err(|_| stopped())?
        .map_err(|error| error.into_error(crate::http::Effect::Read))
}

/// Copies a body to a file that has no name and goes with its handle.
async fn copy(response: Response<Body>, most: u64) -> Result<MediaFile> {
    let said = response.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    if said.is_some_and(|length: u64| length > most) {
        return Err(too_large(most));
    }
    let version = unchanged(response.headers()).map(|(_, version)| version);
    let body = response.into_body();
    let copying = async {
        let mut file = keeping(tempfile::tempfile).await?;
        let mut size: u64 = 0;
        let mut pieces = body.into_stream();
        while let Some(piece) = tokio::time::timeout(PIECE, pieces.next())
            .await
            .map_err(|_| stopped())?
        {
            let piece = piece.map_err(|error| error.into_error(crate::http::Effect::Read))?;
            size += piece.len() as u64;
            if size > most {
                return Err(too_large(most));
            }
            file = keeping(move || append(file, &piece)).await?;
        }
        let (file, facts) = keeping(move || file.metadata().map(|facts| (file, facts))).await?;
        Ok(MediaFile::open(file, &facts).with_version(version.as_deref()))
    };
    tokio::time::timeout(COPY, copying)
        .await
        .map_err(|_| stopped())?
}

fn append(mut file: File, piece: &[u8]) -> std::io::Result<File> {
    file.write_all(piece)?;
    Ok(file)
}

fn too_large(most: u64) -> Error {
    let message = format!("the media is larger than {most} bytes");
    Error::new(ErrorKind::TooLarge, message).with_field("media")
}

fn refused(status: StatusCode) -> Error {
    let message = format!("its server answered {status}");
    if matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error() {
        Error::new(ErrorKind::Unavailable, message).with_operation("media.fetch")
    } else {
        unreadable(message).with_status(status.as_u16())
    }
}

fn unreadable(why: impl Into<String>) -> Error {
    Error::invalid("media", why)
        .with_operation("media.fetch")
        .with_remedy("Give an address that serves the file to everyone")
}

fn stopped() -> Error {
    Error::new(ErrorKind::Timeout, "the media stopped coming").with_operation("media.fetch")
}
