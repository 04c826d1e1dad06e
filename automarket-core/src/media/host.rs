use async_trait::async_trait;
use chrono::{DateTime, Utc};
use url::Url;

use super::MediaFile;
use crate::{Context, Media, Result};

/// The host's own place for media: an object store, a folder behind a web server.
///
/// The host gives it to the builder or to [`Context::with_media_host`]. Both operations may be called again
/// after a crash, and then answer for the same media.
#[async_trait]
pub trait MediaHost: Send + Sync {
    /// Opens what the host keeps under a key ([`MediaSource::Host`](crate::content::MediaSource)). The key
    /// came with the post: one that is not of the tenant of [`Context::account`] is `NotFound`.
    async fn open(&self, cx: &Context, key: &str) -> Result<MediaFile>;

    /// A public https address at which a platform can fetch this media until that time at least; needed for
    /// networks that take media by address only. What is not there already is read with [`Media::open`].
    async fn address(&self, cx: &Context, media: &Media, until: DateTime<Utc>) -> Result<Url>;
}

const _: Option<&dyn MediaHost> = None;
