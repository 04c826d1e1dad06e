//! Bringing media into Mixpost's library: whole, in chunks, or by address.

use std::time::Duration;

use automarket_core::{
    Context, Error, ErrorKind, Media, Result, Retry, Url,
    content::{MediaKind, MediaSource},
    http::Upload,
    media::MediaFile,
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
/// How often a file is fetched whose pending download Mixpost forgets, or cannot finish.
const FETCHES: u32 = 3;
/// The rule of a fetch that failed, for another reason than the file.
const FETCH_FAILED: &str = "mixpost.fetch_failed";

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
    let MediaSource::Address(url) = &media.source else {
        return cx.step(&step, || upload(cx, api, media)).await;
    };
    for number in 1..=FETCHES {
        let step = match number {
            1 => step.clone(),
            again => format!("{step}.again.{again}"),
        };
        let begun = cx
            .step(&format!("{step}.fetch"), || fetch(cx, api, url, media))
            .await?;
        let download = match begun {
            Fetched::Media(id) => return Ok(id),
            Fetched::Pending(download) => download,
        };
        let found: Option<u64> = match cx.step(&step, || wait(cx, api, &download)).await {
            // It may tell that end again for an hour: the next attempt begins anew.
            Err(error) if error.rule() == Some(FETCH_FAILED) => {
                cx.step(&step, || async { Ok(None::<u64>) }).await?;
                return Err(error);
            }
            found => found?,
        };
        if let Some(id) = found {
            return Ok(id);
        }
    }
    let message = "Mixpost could not finish fetching it, or forgot it, each time";
    Err(Error::invalid("media", message)
        .with_operation("media.fetch_status")
        .with_remedy("give the file itself, or look after the instance's cache and queue"))
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

/// The media, or `None` where Mixpost knows of no such download any more: it tells the end of one once, forgets it an
/// hour after it last heard of it, and all of them with its cache.
async fn wait(cx: &Context, api: &Api, download: &str) -> Result<Option<u64>> {
    for _ in 0..POLLS {
        tokio::time::sleep(POLL_WAIT).await;
        let reply = match send(cx, api.fetch_status(download)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            reply => reply?,
        };
        if let Some(id) = finished(cx, &reply.json()?)? {
            return Ok(Some(id));
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "Mixpost is still fetching the media; nothing was posted yet",
    )
    .with_operation("media.fetch_status")
    .with_retry(Retry::After(Some(Duration::from_secs(15)))))
}

/// The media once it is there; failure comes with status 200. Only words of its type or size are the file's fault: the rest
/// is what its host and the line to it did.
fn finished(cx: &Context, download: &Download) -> Result<Option<u64>> {
    match download.status.to_lowercase().as_str() {
        "failed" => {
            let said = download.error.as_deref().unwrap_or("no reason given");
            let message = format!("Mixpost cannot fetch it: {}", bounded(said, cx));
            Err(match is_of_the_file(said) {
                true => Error::invalid("media", message),
                false => Error::new(ErrorKind::Unavailable, message)
                    .with_retry(Retry::After(None))
                    .with_rule(FETCH_FAILED)
                    .with_remedy("look whether Mixpost's server reaches the address"),
            })
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

fn is_of_the_file(said: &str) -> bool {
    const WORDS: &[&str] = &[
        "extension",
        "format",
        "kilobytes",
        "large",
        "mime",
        "size",
        "type",
    ];
    if said.starts_with("cURL error") || said.starts_with("Allowed memory size") {
        return false;
    }
    // An address or a host says nothing.
    let inside = |word: &str| {
        word.trim_matches(|c: char| !c.is_alphanumeric())
            .contains(['.', '/'])
    };
    let words = said.split_whitespace().filter(|word| !inside(word));
    words
        .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()))
        .any(|word| WORDS.contains(&&*word.to_lowercase()))
}

/// Brings bytes in, whole or in chunks, and returns the file's number.
async fn upload(cx: &Context, api: &Api, media: &Media) -> Result<u64> {
    let file = media.open(cx).await?;
    let name = file_name(media);
    let mime = mime(media);
    if file.size() <= WHOLE {
        let call = api.upload(&name, mime, file, media.alt.as_deref())?;
        let record: MixpostMedia = resource(&send(cx, call).await?)?;
        return Ok(record.id);
    }
    let record = in_chunks(cx, api, &file, &name, mime).await?;
    if let Some(alt) = &media.alt {
        // Chunked uploads take no alternative text of their own.
        send(cx, api.update_media(&record.uuid, Some(alt), None)?).await?;
    }
    Ok(record.id)
}

/// The chunks are read as they leave.
async fn in_chunks(
    cx: &Context,
    api: &Api,
    file: &MediaFile,
    name: &str,
    mime: &str,
) -> Result<MixpostMedia> {
    let size = file.size();
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
            let length = session.chunk_size.min(size - offset);
            let chunk = Upload::range(file.clone(), offset, length);
            send(cx, api.upload_chunk(&session.upload_uuid, index, chunk)?).await?;
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
