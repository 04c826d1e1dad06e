use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::timeout;
use url::Url;

use super::{MediaFile, ReadRange};
use crate::{Context, Error, ErrorKind, Media, Result, Retry};

/// So long a host has to open what it keeps, or to have it at an address: it may copy all of it for that.
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// So long it has to read of it, and a second more for each so many bytes.
const PIECE: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 256 * 1024;

/// The host's own place for media: an object store, a folder behind a web server.
///
/// The host gives it to the builder or to [`Context::with_media_host`]. Both operations may be called again
/// after a crash, and then answer for the same media.
///
/// # Errors
/// `NotFound`, `InvalidInput`, `TooLarge`, `Unsupported` and `ContentRefused` speak of the media: a post with it is refused.
/// Any other, whatever its kind, says that the place is in trouble. That ends no post and is no word on its account: it
/// becomes `Storage` where it may pass by itself, and else `Config` (a `Forbidden` or `Unauthorized` of the place, an
/// `Internal`), with the rule `media.host` and the error as its cause, and what needs the media waits. The same goes for
/// reading what was opened ([`ReadRange`]), for which there is a minute, and a second more for each 256 KiB.
#[async_trait]
pub trait MediaHost: Send + Sync {
    /// Opens what the host keeps under a key ([`MediaSource::Host`](crate::content::MediaSource)). The key
    /// came with the post: one that is not of the tenant of [`Context::account`] is `NotFound`. Dropped
    /// after 15 minutes.
    async fn open(&self, cx: &Context, key: &str) -> Result<MediaFile>;

    /// A public https address at which a platform can fetch this media until that time at least; needed for
    /// networks that take media by address only. What is not there already is read with [`Media::open`]. Dropped
    /// after 15 minutes.
    async fn address(&self, cx: &Context, media: &Media, until: DateTime<Utc>) -> Result<Url>;
}

const _: Option<&dyn MediaHost> = None;

pub(super) async fn open(cx: &Context, key: &str) -> Result<MediaFile> {
    let file = of_host(WHOLE, cx.media_host()?.open(cx, key)).await?;
    Ok(file.read_by(Hosted))
}

/// See [`Context::public_address`].
pub(crate) async fn address(cx: &Context, media: &Media, until: DateTime<Utc>) -> Result<Url> {
    of_host(WHOLE, cx.media_host()?.address(cx, media, until)).await
}

/// What a host has opened.
struct Hosted(Arc<dyn ReadRange>);

#[async_trait]
impl ReadRange for Hosted {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let within = PIECE + Duration::from_secs(length as u64 / SLOWEST);
        of_host(within, self.0.read(offset, length)).await
    }
}

/// Waits for the host's place no longer than this, and takes no trouble of it for a word on the post or its account.
async fn of_host<T>(within: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
    let error = match timeout(within, asked).await {
        Ok(Ok(had)) => return Ok(had),
        Ok(Err(error)) => error,
        Err(_) => Error::new(ErrorKind::Timeout, "no answer in time"),
    };
    let (kind, wait) = match (error.kind(), error.retry()) {
        (
            ErrorKind::InvalidInput
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Unsupported
            | ErrorKind::ContentRefused,
            _,
        ) => return Err(error.with_field("media")),
        (_, Retry::After(wait)) => (ErrorKind::Storage, wait),
        _ => (ErrorKind::Config, None),
    };
    let message = "the host's place for media is in trouble";
    Err(Error::new(kind, message)
        .with_rule("media.host")
        .with_retry(Retry::After(wait))
        .with_source(error))
}
