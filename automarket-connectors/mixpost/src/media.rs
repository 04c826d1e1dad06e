//! Bringing media into Mixpost's library: whole, in chunks, or by address.

use std::{path::Path, path::PathBuf, time::Duration};

use automarket_core::{
    Bytes, Context, Error, ErrorKind, Media, Result, Retry, Url,
    content::{MediaKind, MediaSource},
};
use serde::{Deserialize, Serialize};

use crate::{
    api::Api,
    error::{bounded, send},
    operations::{newer, resource},
    records::MixpostMedia,
    wire::{Download, Session},
};

/// Larger files go in chunks (docs.mixpost.app, chunked upload).
const WHOLE: u64 = 10 * 1024 * 1024;
/// How often a pending download is asked for before the attempt ends, and how long to wait in between.
const POLLS: u32 = 10;
const POLL_WAIT: Duration = Duration::from_secs(2);

/// Where fetching from an address stands, as a step remembers it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fetched {
    Media(u64),
    Pending(String),
}

/// Brings the `index`th file of a post in and returns its number. Done once per intent; a lost answer
/// leaves at most an unused file in the library.
pub(crate) async fn bring(cx: &Context, api: &Api, index: usize, media: &Media) -> Result<u64> {
    let step = format!("mixpost.media.{index}");
    match &media.source {
        MediaSource::Address(url) => {
            let begun = cx
                .step(&format!("{step}.fetch"), || fetch(cx, api, url, media))
                .await?;
            match begun {
                Fetched::Media(id) => Ok(id),
                Fetched::Pending(download) => cx.step(&step, || wait(cx, api, &download)).await,
            }
        }
        MediaSource::Bytes(bytes) => {
            let source = Source::Memory(bytes.clone());
            cx.step(&step, || upload(cx, api, source, media)).await
        }
        MediaSource::File(path) => {
            let source = Source::File(path.clone());
            cx.step(&step, || upload(cx, api, source, media)).await
        }
    }
}

async fn fetch(cx: &Context, api: &Api, url: &Url, media: &Media) -> Result<Fetched> {
    let call = api.fetch(url, media.alt.as_deref())?;
    let reply = send(cx, call)
        .await
        .map_err(|error| newer(error, "fetching media by its address"))?;
    let download: Download = reply.json()?;
    if let Some(id) = finished(cx, &download)? {
        return Ok(Fetched::Media(id));
    }
    match download.download_id {
        Some(id) => Ok(Fetched::Pending(id)),
        None => Err(reply.unexpected("a pending download without an id")),
    }
}

async fn wait(cx: &Context, api: &Api, download: &str) -> Result<u64> {
    for _ in 0..POLLS {
        tokio::time::sleep(POLL_WAIT).await;
        let status: Download = send(cx, api.fetch_status(download)?).await?.json()?;
        if let Some(id) = finished(cx, &status)? {
            return Ok(id);
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "Mixpost is still fetching the media; nothing was posted yet",
    )
    .with_operation("media.fetch_status")
    .with_retry(Retry::After(Some(Duration::from_secs(15)))))
}

/// The media once it is there; failure comes with status 200.
fn finished(cx: &Context, download: &Download) -> Result<Option<u64>> {
    match download.status.to_lowercase().as_str() {
        "failed" => {
            let said = download.error.as_deref().unwrap_or("no reason given");
            let said = bounded(said, cx);
            Err(Error::invalid(
                "media",
                format!("Mixpost cannot fetch it: {said}"),
            ))
        }
        // One is documented, the other comes from PostBoost.
        "completed" | "complete" => match &download.media {
            Some(media) => Ok(Some(media.id)),
            None => Err(Error::new(
                ErrorKind::UnexpectedReply,
                "a completed download without media",
            )),
        },
        _ => Ok(None),
    }
}

/// Brings bytes in, whole or in chunks, and returns the file's number.
async fn upload(cx: &Context, api: &Api, source: Source, media: &Media) -> Result<u64> {
    let size = source.size().await?;
    let name = file_name(media);
    let mime = mime(media);
    if size <= WHOLE {
        let bytes = source.read(0, size).await?;
        let call = api.upload(&name, mime, &bytes, media.alt.as_deref())?;
        let record: MixpostMedia = resource(&send(cx, call).await?)?;
        return Ok(record.id);
    }
    let record = in_chunks(cx, api, &source, size, &name, mime).await?;
    if let Some(alt) = &media.alt {
        // Chunked uploads take no alternative text of their own.
        send(cx, api.update_media(&record.uuid, Some(alt), None)?).await?;
    }
    Ok(record.id)
}

/// At most one chunk is in memory, twice: as read and inside its form.
async fn in_chunks(
    cx: &Context,
    api: &Api,
    source: &Source,
    size: u64,
    name: &str,
    mime: &str,
) -> Result<MixpostMedia> {
    let session: Session = send(cx, api.open_upload(name, mime, size)?)
        .await
        .map_err(|error| newer(error, "uploading files over 10 MiB"))?
        .json()?;
    let parts = async {
        if session.chunk_size == 0
            || session.chunk_size > 8 * WHOLE
            || u64::from(session.total_chunks) != size.div_ceil(session.chunk_size)
        {
            return Err(Error::new(
                ErrorKind::UnexpectedReply,
                "the chunks of the upload do not cover the file",
            ));
        }
        for index in 0..session.total_chunks {
            let offset = u64::from(index) * session.chunk_size;
            let bytes = source
                .read(offset, session.chunk_size.min(size - offset))
                .await?;
            send(cx, api.upload_chunk(&session.upload_uuid, index, &bytes)?).await?;
        }
        resource(&send(cx, api.complete_upload(&session.upload_uuid)?).await?)
    };
    match parts.await {
        Ok(media) => Ok(media),
        Err(error) => {
            // Leaves nothing half on the server; if this fails too, the server cleans up by itself.
            if let Ok(call) = api.abort_upload(&session.upload_uuid) {
                let _ = send(cx, call).await;
            }
            Err(error)
        }
    }
}

/// Where the bytes are.
enum Source {
    Memory(Bytes),
    File(PathBuf),
}

impl Source {
    async fn size(&self) -> Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => {
                let path = path.clone();
                blocking(move || std::fs::metadata(&path).map(|facts| facts.len())).await
            }
        }
    }

    async fn read(&self, offset: u64, length: u64) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let whole = bytes.len() as u64;
                let (from, to) = (offset.min(whole), offset.saturating_add(length).min(whole));
                // Both are at most the length of something in memory.
                Ok(bytes.slice(from as usize..to as usize))
            }
            Self::File(path) => {
                let path = path.clone();
                blocking(move || read_range(&path, offset, length)).await
            }
        }
    }
}

fn read_range(path: &Path, offset: u64, length: u64) -> std::io::Result<Bytes> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes.into())
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            Err(Error::invalid("media", "the file cannot be read").with_source(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::Internal, "reading the file panicked").with_source(error))
        }
    }
}

fn mime(media: &Media) -> &str {
    media.mime.as_deref().unwrap_or(match media.kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Gif => "image/gif",
        MediaKind::Video => "video/mp4",
        _ => "application/octet-stream",
    })
}

/// Mixpost looks at the extension too, so there always is one.
fn file_name(media: &Media) -> String {
    let from_path = || match &media.source {
        MediaSource::File(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
        _ => None,
    };
    media.name.clone().or_else(from_path).unwrap_or_else(|| {
        let extension = match mime(media) {
            "image/png" => "png",
            "image/gif" => "gif",
            "image/webp" => "webp",
            "video/mp4" => "mp4",
            "video/x-m4v" => "m4v",
            _ => "jpg",
        };
        format!("media.{extension}")
    })
}
