//! Bringing media to Facebook, read as it leaves. What is uploaded is seen by nobody until a post says so, so
//! an upload that breaks is begun anew.

use automarket_connector_graph::Fault;
use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Profile, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    http::Upload,
    media::MediaFile,
};
use serde::{Deserialize, Serialize};

use crate::{
    PLATFORM,
    api::Api,
    rules,
    wire::{Reel, Session, Wanted},
};

/// The subcode of a chunk that begins elsewhere than is wanted; the wanted offsets stand beside it.
const OTHER_OFFSET: i64 = 1_363_037;
/// How long is sure to be kept what is of no post yet: Facebook drops temporary photos after about a day, and videos (whose
/// status is then `expired`) after a time that it does not tell.
pub(crate) const KEPT: TimeDelta = TimeDelta::hours(23);
/// How often a chunk is sent.
const TRIES: u32 = 3;

/// A video that is there and not public.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Uploaded {
    pub(crate) video: String,
    /// Of an upload in chunks.
    pub(crate) session: String,
    /// When that was begun; versions before did not say it.
    pub(crate) at: Option<DateTime<Utc>>,
}

/// The ids of all photos, for a post that is yet to be made. They are uploaded once, and anew when they may have been
/// dropped.
pub(crate) async fn photos(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    profile: &Profile,
    delivery: Delivery,
) -> Result<Vec<String>> {
    let mut round = 0;
    loop {
        let step = format!("facebook.photos{}.begun", again(round));
        let begun: DateTime<Utc> = cx.step(&step, || async { Ok(cx.now()) }).await?;
        if cx.now() - begun < KEPT {
            break;
        }
        round += 1;
    }
    let again = again(round);
    let bring = || upload(cx, api, content, profile, delivery, &again);
    cx.step(&format!("facebook.photos{again}"), bring).await
}

/// The ids of all photos that were ever uploaded for this post: a lost one has those of its time.
pub(crate) async fn all_photos(cx: &Context) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for round in 0.. {
        let step = format!("facebook.photos{}", again(round));
        let begun: Option<DateTime<Utc>> = cx.ended(&format!("{step}.begun")).await?;
        if begun.is_none() {
            break;
        }
        let uploaded: Option<Vec<String>> = cx.ended(&step).await?;
        ids.extend(uploaded.unwrap_or_default());
    }
    Ok(ids)
}

/// What the steps of an upload that is not the first have in their names.
pub(crate) fn again(round: usize) -> String {
    match round {
        0 => String::new(),
        _ => format!(".again{round}"),
    }
}

async fn upload(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    profile: &Profile,
    delivery: Delivery,
    again: &str,
) -> Result<Vec<String>> {
    let mut content = content.clone();
    let files = content.inspect(cx, &profile.media).await?;
    rules::require(&content, profile, delivery)?;
    require_kind(&content, false)?;
    let temporary = matches!(delivery, Delivery::At(_));
    let mut ids = Vec::new();
    for (index, (media, file)) in content.media.iter().zip(files).enumerate() {
        let upload = || async {
            let mime = media.mime.as_deref().unwrap_or("image/jpeg");
            let alt = media.alt.as_deref().filter(|alt| !alt.trim().is_empty());
            let name = format!("photo-{index}");
            let call = api.photo(Upload::file(file.clone()), &name, mime, alt, temporary)?;
            api.graph.make(cx, call).await
        };
        let step = format!("facebook.photo{again}.{index}");
        ids.push(cx.step(&step, upload).await?);
    }
    Ok(ids)
}

/// Uploads the video.
pub(crate) async fn video(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    profile: &Profile,
    reel: bool,
) -> Result<Uploaded> {
    let mut content = content.clone();
    let files = content.inspect(cx, &profile.media).await?;
    rules::require(&content, profile, Delivery::Now)?;
    require_kind(&content, true)?;
    let file = files.into_iter().next();
    let file = file.ok_or_else(|| Error::invalid("media", "there is no video"))?;
    if reel {
        as_reel(cx, api, file).await
    } else {
        in_chunks(cx, api, file).await
    }
}

/// Whether the files are what they were said to be: photos and videos go different ways.
fn require_kind(content: &Content, video: bool) -> Result<()> {
    if rules::is_video(content) == video {
        return Ok(());
    }
    let said = if video { "a video" } else { "a photo" };
    Err(
        Error::invalid("media", format!("the file is not {said}, as was said"))
            .with_platform(&PLATFORM)
            .with_rule("media.kind")
            .with_remedy("say which kind of media it is"),
    )
}

async fn as_reel(cx: &Context, api: &Api<'_>, file: MediaFile) -> Result<Uploaded> {
    let at = Some(cx.now());
    let begun: Reel = api.graph.ask(cx, api.reel_start()?).await?;
    let call = api.reel_bytes(&begun.upload_url, Upload::file(file))?;
    if !api.graph.did(cx, call).await? {
        return Err(odd("Facebook says that the reel was not uploaded"));
    }
    Ok(Uploaded {
        video: begun.video_id,
        session: String::new(),
        at,
    })
}

async fn in_chunks(cx: &Context, api: &Api<'_>, file: MediaFile) -> Result<Uploaded> {
    let at = Some(cx.now());
    let begun: Session = api.graph.ask(cx, api.video_start(file.size())?).await?;
    let session = &begun.upload_session_id;
    let mut wanted = begun.wanted;
    let mut tried = 0;
    loop {
        let range = wanted.range().filter(|(start, end)| start <= end);
        let (start, end) = range.ok_or_else(|| odd("Facebook wants no range of the video"))?;
        let end = end.min(file.size());
        if start >= end {
            break;
        }
        let bytes = Upload::range(file.clone(), start, end - start);
        let call = api.video_transfer(session, start, bytes)?;
        match transfer(cx, api, call).await {
            Ok(next) => {
                let further = next.range().is_some_and(|(next, _)| next > start);
                tried = if further { 0 } else { tried + 1 };
                wanted = next;
            }
            // Whether it arrived shows in what is wanted next.
            Err(error) if passing(&error) => tried += 1,
            Err(error) => return Err(error),
        }
        if tried >= TRIES {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the upload of the video does not go on; nothing was posted yet",
            )
            .with_platform(&PLATFORM)
            .with_operation("videos.transfer"));
        }
    }
    Ok(Uploaded {
        video: begun.video_id,
        session: begun.upload_session_id,
        at,
    })
}

async fn transfer(
    cx: &Context,
    api: &Api<'_>,
    call: automarket_core::http::Call,
) -> Result<Wanted> {
    let sent = cx.call(call).await;
    let reply = sent.map_err(|error| error.with_platform(&PLATFORM))?;
    if let Some(fault) = Fault::of(&reply.body)
        && fault.error_subcode == OTHER_OFFSET
        && let Ok(wanted) = Wanted::deserialize(&fault.error_data)
    {
        return Ok(wanted);
    }
    api.graph.judge(cx, reply)?.json()
}

/// Whether the same may be tried at once.
fn passing(error: &Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        ErrorKind::Unavailable | ErrorKind::Network | ErrorKind::Timeout
    ) && error.retry() == Retry::After(None)
}

fn odd(what: &str) -> Error {
    Error::new(ErrorKind::UnexpectedReply, what)
        .with_platform(&PLATFORM)
        .with_retry(Retry::After(None))
}
