//! Bringing media to X: images whole, GIFs and videos in chunks, all of it read as it leaves.

use std::time::Duration;

use automarket_core::{
    Content, Context, Error, ErrorKind, Media, Profile, Result, Retry,
    check::check,
    chrono::{DateTime, TimeDelta, Utc},
    content::{MediaKind, Voice},
    http::Upload,
    media::MediaFile,
};
use serde::{Deserialize, Serialize};

use crate::{
    PLATFORM,
    api::{Api, chunk_size},
    error::{ask, tell},
    wire,
};

/// What is uploaded lasts a day unless X says otherwise; it is not used in its last minutes.
const DAY: i64 = 86_400;
const MARGIN: TimeDelta = TimeDelta::minutes(10);
/// How often it is brought again when it ran out before the post could go.
const ROUNDS: u32 = 5;
/// How long processing is waited for before the attempt ends, and how long until the next.
const PATIENCE: Duration = Duration::from_secs(90);
const LATER: Duration = Duration::from_secs(30);

/// Media that can be attached, until when.
#[derive(Debug, Serialize, Deserialize)]
struct Brought {
    ids: Vec<String>,
    until: DateTime<Utc>,
}

/// One uploaded file, which X may still be processing.
#[derive(Debug, Serialize, Deserialize)]
struct Uploaded {
    id: String,
    until: DateTime<Utc>,
    processing: Option<wire::Processing>,
}

/// Brings the content's media, and returns its ids. Done once per intent; what a crash leaves half done is
/// begun anew, and what is never attached is seen by nobody.
pub(crate) async fn bring(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    profile: &Profile,
) -> Result<Vec<String>> {
    if content.media.is_empty() {
        return Ok(Vec::new());
    }
    for round in 0..ROUNDS {
        let step = step(round);
        let brought = cx
            .step(&step, || bring_all(cx, api, content, profile, &step))
            .await?;
        if cx.now() < brought.until {
            return Ok(brought.ids);
        }
    }
    Err(Error::new(
        ErrorKind::Timeout,
        "the media ran out each time before the post could go",
    )
    .with_retry(Retry::Never))
}

fn step(round: u32) -> String {
    format!("x.media.{round}")
}

/// The ids of all that was brought: a post that shows one of them is ours, also when they ran out since.
pub(crate) async fn known(cx: &Context) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        match cx.ended::<Brought>(&step(round)).await? {
            Some(brought) => ids.extend(brought.ids),
            None => break,
        }
    }
    Ok(ids)
}

async fn bring_all(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    profile: &Profile,
    step: &str,
) -> Result<Brought> {
    let mut content = content.clone();
    let files = content.inspect(cx, &profile.media).await?;
    check(&content, profile, &Voice::default()).require()?;
    let mut brought = Brought {
        ids: Vec::new(),
        until: cx.now() + TimeDelta::seconds(DAY),
    };
    for (index, (media, file)) in content.media.iter().zip(files).enumerate() {
        let step = format!("{step}.{index}");
        let uploaded = cx
            .step(&step, || upload(cx, api, media, file, index))
            .await?;
        brought.until = brought.until.min(uploaded.until);
        if cx.now() >= brought.until {
            // X has dropped it before it was ready: the next round brings all of it anew, whatever the clock shows then.
            return Ok(Brought {
                ids: Vec::new(),
                until: DateTime::UNIX_EPOCH,
            });
        }
        cx.step(&format!("{step}.ready"), || {
            make_ready(cx, api, media, &uploaded)
        })
        .await?;
        brought.ids.push(uploaded.id);
    }
    Ok(brought)
}

async fn upload(
    cx: &Context,
    api: &Api<'_>,
    media: &Media,
    file: MediaFile,
    index: usize,
) -> Result<Uploaded> {
    let answer = match media.kind {
        MediaKind::Gif => in_chunks(cx, api, file, "image/gif", "tweet_gif").await?,
        MediaKind::Video => {
            let mime = media.mime.as_deref().unwrap_or("video/mp4");
            in_chunks(cx, api, file, mime, "tweet_video").await?
        }
        _ => {
            let mime = media.mime.as_deref().unwrap_or("image/jpeg");
            let name = format!("image-{index}");
            ask(cx, api.upload(&name, mime, Upload::file(file))?).await?
        }
    };
    let seconds = answer.expires_after_secs.unwrap_or(DAY).clamp(0, 30 * DAY);
    Ok(Uploaded {
        id: answer.id,
        until: cx.now() + TimeDelta::seconds(seconds) - MARGIN,
        processing: answer.processing_info,
    })
}

async fn in_chunks(
    cx: &Context,
    api: &Api<'_>,
    file: MediaFile,
    mime: &str,
    category: &str,
) -> Result<wire::Media> {
    let size = file.size();
    let begun: wire::Media = ask(cx, api.initialize(mime, size, category)?).await?;
    let chunk = chunk_size(size);
    for index in 0..size.div_ceil(chunk) {
        let offset = index * chunk;
        let length = chunk.min(size - offset);
        let part = Upload::range(file.clone(), offset, length);
        tell(cx, api.append(&begun.id, index, part)?).await?;
    }
    let mut done: wire::Media = ask(cx, api.finalize(&begun.id)?).await?;
    done.expires_after_secs = done.expires_after_secs.or(begun.expires_after_secs);
    Ok(done)
}

/// Waits until X is done with it, and says what it shows.
async fn make_ready(cx: &Context, api: &Api<'_>, media: &Media, uploaded: &Uploaded) -> Result<()> {
    if let Some(first) = &uploaded.processing {
        processed(cx, api, &uploaded.id, uploaded.until, first).await?;
    }
    if let Some(alt) = media.alt.as_deref().filter(|alt| !alt.trim().is_empty()) {
        tell(cx, api.describe(&uploaded.id, alt)?).await?;
    }
    Ok(())
}

async fn processed(
    cx: &Context,
    api: &Api<'_>,
    id: &str,
    until: DateTime<Utc>,
    first: &wire::Processing,
) -> Result<()> {
    let mut waited = Duration::ZERO;
    let mut pause = finished(first)?;
    while let Some(seconds) = pause {
        if cx.now() >= until {
            return Err(Error::new(
                ErrorKind::Timeout,
                "X did not finish processing the media in a day",
            )
            .with_retry(Retry::Never));
        }
        let wait = Duration::from_secs(seconds.clamp(1, 30));
        waited += wait;
        if waited > PATIENCE {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "X is still processing the media; nothing was posted yet",
            )
            .with_operation("media.status")
            .with_retry(Retry::After(Some(LATER))));
        }
        tokio::time::sleep(wait).await;
        let status: wire::Media = ask(cx, api.status(id)?).await?;
        pause = match status.processing_info {
            Some(processing) => finished(&processing)?,
            None => None,
        };
    }
    Ok(())
}

/// When to ask again; `None` when it is done.
fn finished(processing: &wire::Processing) -> Result<Option<u64>> {
    match processing.state.as_str() {
        "succeeded" => Ok(None),
        "failed" => {
            let said = processing.error["message"]
                .as_str()
                .unwrap_or("no reason given");
            let said: String = said.chars().take(200).map(plain).collect();
            Err(
                Error::invalid("media", format!("X cannot process it: {said}"))
                    .with_platform(&PLATFORM)
                    .with_operation("media.status")
                    .with_rule("x.media_processing")
                    .with_remedy("bring the video as MP4 with H.264 and AAC"),
            )
        }
        _ => Ok(Some(processing.check_after_secs.unwrap_or(5))),
    }
}

fn plain(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}
