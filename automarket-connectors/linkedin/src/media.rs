//! Bringing media to LinkedIn: each file is owned by the author, sent in the parts that LinkedIn asks for, read as
//! it leaves, and attached once LinkedIn is done with it.

use std::time::Duration;

use automarket_core::{
    Content, Context, Error, ErrorKind, Media, Profile, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    content::MediaKind,
    http::Upload,
    media::MediaFile,
};
use serde::{Deserialize, Serialize};

use crate::{
    LinkedInOptions, PLATFORM,
    api::{Api, Kind},
    author::Author,
    error::{ask, send},
    rules,
    wire::{self, Part},
};

/// Addresses for uploads last an hour unless LinkedIn says otherwise; they are not used in their last minute.
const HOUR: TimeDelta = TimeDelta::hours(1);
const MARGIN: TimeDelta = TimeDelta::minutes(1);
/// How often an attempt begins an upload, as its addresses ran out or the file was replaced.
const ROUNDS: u32 = 5;
/// How long processing is waited for before the attempt ends, and how long until the next.
const PATIENCE: Duration = Duration::from_secs(90);
const LATER: Duration = Duration::from_secs(30);
/// How long until it is asked for again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a file is left alone where the token may not ask for its state.
const GRACE: TimeDelta = TimeDelta::seconds(20);

/// What can be attached, by its URN.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Brought {
    pub(crate) media: Vec<String>,
    pub(crate) thumbnail: Option<String>,
}

impl Brought {
    pub(crate) fn is_empty(&self) -> bool {
        self.media.is_empty() && self.thumbnail.is_none()
    }
}

/// An upload that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    urn: String,
    token: String,
    parts: Vec<Part>,
    until: DateTime<Utc>,
    /// Of the file; not known of what the library began before it knew this.
    #[serde(default)]
    version: Option<String>,
}

impl Begun {
    /// Whether it is of this file: the parts are the whole of it.
    fn is_of(&self, file: &MediaFile) -> bool {
        let size = self.parts.last().map_or(0, |part| part.last_byte + 1);
        let versions = self.version.as_deref().zip(file.version());
        size == file.size() && versions.is_none_or(|(own, its)| own == its)
    }
}

/// An upload whose bytes are there.
struct Sent {
    step: String,
    kind: Kind,
    urn: String,
    at: DateTime<Utc>,
}

/// The sending of an intent's files.
struct Bringing<'a> {
    cx: &'a Context,
    api: &'a Api<'a>,
    author: &'a Author,
}

/// Brings the content's media and the thumbnail of its card. Each part of each file is a step.
pub(crate) async fn bring(
    cx: &Context,
    api: &Api<'_>,
    author: &Author,
    content: &Content,
    profile: &Profile,
) -> Result<Brought> {
    let options: LinkedInOptions = content.options()?;
    let thumbnail = options.thumbnail.filter(|_| content.media.is_empty());
    let thumbnail = thumbnail.filter(|_| content.link.is_some());
    if content.media.is_empty() && thumbnail.is_none() {
        return Ok(Brought::default());
    }
    cx.step("linkedin.media", || async {
        let bringing = Bringing { cx, api, author };
        bringing.all(content, thumbnail, profile).await
    })
    .await
}

impl Bringing<'_> {
    async fn all(
        &self,
        content: &Content,
        thumbnail: Option<Media>,
        profile: &Profile,
    ) -> Result<Brought> {
        let mut content = content.clone();
        let mut files = content.inspect(self.cx, &profile.media).await?;
        rules::require(&content, profile)?;
        let mut kinds: Vec<Kind> = content.media.iter().map(kind).collect();
        let with_card = thumbnail.is_some();
        if let Some(media) = thumbnail {
            files.push(self.inspected(media, profile).await?);
            kinds.push(Kind::Image);
        }
        let mut sent = Vec::new();
        for (index, (file, kind)) in files.into_iter().zip(kinds).enumerate() {
            let step = format!("linkedin.media.{index}");
            sent.push(self.send(&file, kind, &step).await?);
        }
        for file in &sent {
            let step = format!("{}.ready", file.step);
            self.cx.step(&step, || self.ready(file)).await?;
        }
        let mut urns: Vec<String> = sent.into_iter().map(|file| file.urn).collect();
        Ok(Brought {
            thumbnail: with_card.then(|| urns.pop()).flatten(),
            media: urns,
        })
    }

    /// A thumbnail, held to the rules of images.
    async fn inspected(&self, mut media: Media, profile: &Profile) -> Result<MediaFile> {
        let file = media.inspect(self.cx, &profile.media).await?;
        let alone = Content {
            media: vec![media],
            ..Content::default()
        };
        rules::require(&alone, profile)?;
        if alone.media.iter().any(|media| kind(media) != Kind::Image) {
            let error = Error::invalid("thumbnail", "the image of a card is an image");
            return Err(error.with_rule("linkedin.thumbnail"));
        }
        Ok(file)
    }

    async fn send(&self, file: &MediaFile, kind: Kind, name: &str) -> Result<Sent> {
        // What an earlier attempt began does not count.
        let (mut anew, mut refused) = (0, None);
        for round in 0_u32.. {
            let step = format!("{name}.{round}");
            let begin = || {
                anew += 1;
                self.begin(kind, file)
            };
            let begun: Begun = self.cx.step(&step, begin).await?;
            let sent = self.parts(&step, kind, &begun, file, &mut refused);
            let Some(tags) = sent.await? else {
                if anew >= ROUNDS {
                    break;
                }
                continue;
            };
            let finish = || async {
                if kind == Kind::Video {
                    self.finalize(&begun, &tags).await?;
                }
                Ok(self.cx.now())
            };
            let at = self.cx.step(&format!("{step}.sent"), finish).await?;
            return Ok(Sent {
                step,
                kind,
                urn: begun.urn,
                at,
            });
        }
        let error = match refused {
            Some(status) => Error::new(
                ErrorKind::UnexpectedReply,
                format!("LinkedIn refuses each address that it gives for the file ({status})"),
            ),
            None => Error::new(
                ErrorKind::Timeout,
                "each time before the file was there the addresses for it ran out, or it was replaced",
            ),
        };
        // Nothing is out: it may go better later.
        Err(error
            .with_platform(&PLATFORM)
            .with_operation("media.upload")
            .with_retry(Retry::After(None)))
    }

    async fn begin(&self, kind: Kind, file: &MediaFile) -> Result<Begun> {
        let size = file.size();
        let call = self.api.initialize(kind, self.author, size)?;
        let started: wire::Initialized = ask(self.cx, call).await?;
        let started = started.value;
        let whole = started.upload_url.map(|upload_url| Part {
            upload_url,
            first_byte: 0,
            last_byte: size.saturating_sub(1),
        });
        let mut parts = started.upload_instructions;
        parts.extend(whole);
        let mut next = 0;
        for part in &parts {
            if part.first_byte != next || part.last_byte < part.first_byte {
                break;
            }
            next = part.last_byte + 1;
        }
        if next != size {
            return Err(Error::new(
                ErrorKind::UnexpectedReply,
                "the parts that LinkedIn asks for are not the whole file",
            )
            .with_platform(&PLATFORM)
            .with_operation("media.initialize"));
        }
        let until = started
            .upload_url_expires_at
            .and_then(DateTime::from_timestamp_millis);
        Ok(Begun {
            urn: started.urn,
            token: started.upload_token,
            parts,
            until: until.unwrap_or(self.cx.now() + HOUR) - MARGIN,
            version: file.version().map(str::to_owned),
        })
    }

    /// Sends all parts and returns their tags; `None` when their addresses ran out, or are good no more, or are those
    /// of another file, which stood in this one's place in an earlier attempt. `refused` is with which status one was
    /// refused now.
    async fn parts(
        &self,
        step: &str,
        kind: Kind,
        begun: &Begun,
        file: &MediaFile,
        refused: &mut Option<u16>,
    ) -> Result<Option<Vec<String>>> {
        if !begun.is_of(file) {
            return Ok(None);
        }
        let mut tags = Vec::with_capacity(begun.parts.len());
        for (number, part) in begun.parts.iter().enumerate() {
            let refused = &mut *refused;
            let send_part = move || async move {
                if self.cx.now() >= begun.until {
                    return Ok(None);
                }
                let length = part.last_byte - part.first_byte + 1;
                let body = Upload::range(file.clone(), part.first_byte, length);
                let reply = match send(self.cx, self.api.upload(part, body)?).await {
                    Ok(reply) => reply,
                    // Said of the address, not of the account.
                    Err(error) if matches!(error.status(), Some(401 | 403 | 404 | 410)) => {
                        *refused = error.status();
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                };
                let tag = reply.header("etag").unwrap_or_default().trim_matches('"');
                if kind == Kind::Video && tag.is_empty() {
                    let error = reply.unexpected("a part of an upload without its tag");
                    return Err(error.with_platform(&PLATFORM));
                }
                Ok(Some(tag.to_owned()))
            };
            let name = format!("{step}.part.{number}");
            match self.cx.step(&name, send_part).await? {
                Some(tag) => tags.push(tag),
                None => return Ok(None),
            }
        }
        Ok(Some(tags))
    }

    /// Puts the parts of a video together. Done again after a lost answer LinkedIn may refuse it, and then its
    /// state tells.
    async fn finalize(&self, begun: &Begun, tags: &[String]) -> Result<()> {
        let call = self.api.finalize(&begun.urn, &begun.token, tags)?;
        let Err(error) = send(self.cx, call).await else {
            return Ok(());
        };
        if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Conflict) {
            return Err(error);
        }
        let call = self.api.status(Kind::Video, &begun.urn)?;
        match ask::<wire::Asset>(self.cx, call).await {
            Ok(asset) if matches!(asset.status.as_str(), "PROCESSING" | "AVAILABLE") => Ok(()),
            _ => Err(error),
        }
    }

    /// Waits until LinkedIn is done with it.
    async fn ready(&self, file: &Sent) -> Result<()> {
        let mut waited = Duration::ZERO;
        loop {
            let call = self.api.status(file.kind, &file.urn)?;
            match ask::<wire::Asset>(self.cx, call).await {
                Ok(asset) => match asset.status.as_str() {
                    "AVAILABLE" => return Ok(()),
                    "PROCESSING_FAILED" => return Err(failed(asset.processing_failure_reason)),
                    _ => {}
                },
                // Members' tokens may ask for videos only.
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    let rest = file.at + GRACE - self.cx.now();
                    tokio::time::sleep(rest.to_std().unwrap_or_default()).await;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            if waited >= PATIENCE {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "LinkedIn is still processing the media; nothing was posted yet",
                )
                .with_platform(&PLATFORM)
                .with_operation("media.status")
                .with_retry(Retry::After(Some(LATER))));
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
    }
}

fn kind(media: &Media) -> Kind {
    match media.kind {
        MediaKind::Video => Kind::Video,
        MediaKind::Document => Kind::Document,
        _ => Kind::Image,
    }
}

fn failed(reason: Option<String>) -> Error {
    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let reason: String = reason.chars().take(200).map(plain).collect();
    Error::invalid("media", format!("LinkedIn cannot process it: {reason}"))
        .with_platform(&PLATFORM)
        .with_operation("media.status")
        .with_rule("linkedin.media_processing")
        .with_remedy("bring a video as MP4 with H.264 and AAC, a document as PDF")
}
