//! Containers: what Instagram fetches and processes before it can be published. Their ids are steps, so a
//! process that ends goes on with the same ones.

use std::time::Duration;

use automarket_core::{
    Content, Context, Error, ErrorKind, Media, Result, Retry,
    chrono::{DateTime, Utc},
    content::MediaKind,
};
use serde::{Deserialize, Serialize};

use crate::{
    InstagramOptions, PLATFORM,
    api::{Api, Part},
    error::{DEAD, GONE, Trouble, trouble},
    wire::Container,
};

/// How long processing is waited for before the attempt ends, and how long until the next.
const PATIENCE: Duration = Duration::from_secs(90);
const LATER: Duration = Duration::from_secs(30);
/// How many containers are made in an attempt, each when the one before has expired.
const ROUNDS: u32 = 3;
/// How many in all when media could not be fetched, and how long until each of the further ones.
const PATIENT_ROUNDS: u32 = 12;
const ANEW: Duration = Duration::from_secs(5 * 60);

/// How processing ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ready {
    /// This container can be published.
    Container(String),
    /// It has to be made anew, for this reason.
    Gone(String),
}

/// What a container's status says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Working,
    Finished,
    Published,
    /// Another may do better.
    Gone(String),
    /// Another would do no better.
    Refused(String),
}

/// The round that was begun last. Those before it are over: what they made is not taken up again, since the last one may
/// be public.
pub(crate) async fn latest(cx: &Context, content: &Content) -> Result<u32> {
    let first = if content.media.len() == 1 { "" } else { ".0" };
    for round in 1..PATIENT_ROUNDS {
        let step = format!("instagram.{round}{first}.container");
        if cx.ended::<String>(&step).await?.is_none() {
            return Ok(round - 1);
        }
    }
    Ok(PATIENT_ROUNDS - 1)
}

/// Keeps that the container of a round cannot be published any more, and why: it is not tried again.
pub(crate) async fn end(cx: &Context, round: u32, why: &str) -> Result<()> {
    let why = || async { Ok(why.to_owned()) };
    cx.step::<String, _>(&over(round), why).await.map(drop)
}

/// The step that keeps that a round is over. (`.gone` is when another was first asked for.)
fn over(round: u32) -> String {
    format!("instagram.{round}.over")
}

/// Makes the container, or those of a carousel, and waits until it can be published.
pub(crate) async fn prepare(
    cx: &Context,
    api: &Api<'_>,
    content: &Content,
    options: &InstagramOptions,
    round: u32,
) -> Result<Ready> {
    let step = format!("instagram.{round}");
    if let Some(why) = cx.ended(&over(round)).await? {
        return Ok(Ready::Gone(why));
    }
    if let [media] = content.media.as_slice() {
        let part = if options.story {
            Part::Story
        } else {
            Part::Single
        };
        return one(cx, api, part, media, content, options, &step).await;
    }
    let mut children = Vec::new();
    for (index, media) in content.media.iter().enumerate() {
        let step = format!("{step}.{index}");
        match one(cx, api, Part::Item, media, content, options, &step).await? {
            Ready::Container(id) => children.push(id),
            gone => return Ok(gone),
        }
    }
    let make = || async {
        let call = api.carousel(&children, &content.text, options)?;
        api.graph.make(cx, call).await
    };
    let unseen = format!("{step}.unseen");
    let make = || cx.until_seen(&unseen, make);
    match cx.step(&format!("{step}.container"), make).await {
        Ok(id) => ready(cx, api, &step, id, false).await,
        // Its items ran out meanwhile, or are not to be seen.
        Err(error) if error.rule() == Some(GONE) || is_missing(&error) => {
            Ok(Ready::Gone(error.message().to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Whether something is not there, and waiting for it is over.
fn is_missing(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.retry() == Retry::Never
}

async fn one(
    cx: &Context,
    api: &Api<'_>,
    part: Part,
    media: &Media,
    content: &Content,
    options: &InstagramOptions,
    step: &str,
) -> Result<Ready> {
    let make = || async {
        let url = cx.public_address(media).await?;
        let call = api.container(part, media, &url, &content.text, options)?;
        api.graph.make(cx, call).await
    };
    let id = cx.step(&format!("{step}.container"), make).await?;
    ready(cx, api, step, id, media.kind == MediaKind::Video).await
}

/// Waits until a container is ready or never will be.
async fn ready(cx: &Context, api: &Api<'_>, step: &str, id: String, video: bool) -> Result<Ready> {
    let pause = Duration::from_secs(if video { 15 } else { 5 });
    let wait = || async {
        let (mut waited, mut seen) = (Duration::ZERO, false);
        loop {
            match stage(cx, api, &id).await {
                Ok(Stage::Finished | Stage::Published) => return Ok(Ready::Container(id.clone())),
                Ok(Stage::Gone(why)) => return Ok(Ready::Gone(why)),
                Ok(Stage::Refused(why)) => return Err(refused(&why)),
                Ok(Stage::Working) => seen = true,
                // A container that was just made is not seen everywhere yet.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            waited += pause;
            // Instagram was seen to show no container for days, and to publish each: it is the one to ask.
            if waited > PATIENCE && !seen {
                return Ok(Ready::Container(id.clone()));
            }
            if waited > PATIENCE {
                return Err(working().with_retry(Retry::After(Some(LATER))));
            }
            tokio::time::sleep(pause).await;
        }
    };
    cx.step(&format!("{step}.ready"), wait).await
}

/// Asks for a container's status once.
pub(crate) async fn stage(cx: &Context, api: &Api<'_>, id: &str) -> Result<Stage> {
    let container: Container = api.graph.ask(cx, api.status(id)?).await?;
    Ok(read(&container))
}

fn read(container: &Container) -> Stage {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let said: String = container.status.chars().take(200).map(plain).collect();
    match container.status_code.as_str() {
        "FINISHED" => Stage::Finished,
        "PUBLISHED" => Stage::Published,
        "EXPIRED" => Stage::Gone("it was not published within 24 hours".to_owned()),
        "ERROR" => failed(said),
        // Sometimes only the text says so.
        _ if said.starts_with("Error") => failed(said),
        _ => Stage::Working,
    }
}

/// `Error: Media upload has failed with error code 2207026`: the subcode decides.
fn failed(said: String) -> Stage {
    match why(&said) {
        Some(Trouble::Input | Trouble::Blocked) => Stage::Refused(said),
        _ => Stage::Gone(said),
    }
}

fn why(said: &str) -> Option<Trouble> {
    let numbers = said.split(|c: char| !c.is_ascii_digit());
    let mut codes = numbers.filter_map(|number| trouble(number.parse().ok()?));
    codes.next_back()
}

/// Allows another container after so many that were gone, the last one for this reason.
///
/// # Errors
/// `InvalidInput` where it would do no better; `Unavailable` with the time until then, where media could not be fetched
/// again and again.
pub(crate) async fn another(cx: &Context, made: u32, said: &str) -> Result<()> {
    if made < ROUNDS {
        return Ok(());
    }
    if made >= PATIENT_ROUNDS || why(said) != Some(Trouble::Passing) {
        return Err(refused(said));
    }
    let step = format!("instagram.{made}.gone");
    let seen: DateTime<Utc> = cx.step(&step, || async { Ok(cx.now()) }).await?;
    let since = (cx.now() - seen).to_std().unwrap_or_default();
    match ANEW.checked_sub(since) {
        None | Some(Duration::ZERO) => Ok(()),
        Some(left) => Err(working()
            .about(&format!("{said}; another container is made later"))
            .with_retry(Retry::After(Some(left)))),
    }
}

/// What Instagram cannot process, and why.
pub(crate) fn refused(why: &str) -> Error {
    Error::invalid("media", format!("Instagram cannot process it: {why}"))
        .with_platform(&PLATFORM)
        .with_operation("media.status")
        .with_rule("instagram.media_processing")
        .with_remedy(
            "bring images as JPEG, videos as MP4 with H.264 and AAC, at a public https address",
        )
}

/// By its status it was not published and cannot be any more.
pub(crate) fn dead() -> Error {
    Error::new(ErrorKind::Conflict, "the container ran out")
        .with_platform(&PLATFORM)
        .with_operation("media.publish")
        .with_rule(DEAD)
}

pub(crate) fn working() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "Instagram is still processing the media; nothing was posted yet",
    )
    .with_platform(&PLATFORM)
    .with_operation("media.status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_a_stage() {
        let read = |code: &str, status: &str| {
            read(&Container {
                status_code: code.to_owned(),
                status: status.to_owned(),
            })
        };
        assert_eq!(read("FINISHED", "Finished: ready"), Stage::Finished);
        assert_eq!(read("PUBLISHED", ""), Stage::Published);
        assert_eq!(read("IN_PROGRESS", "In Progress"), Stage::Working);
        assert!(matches!(read("EXPIRED", ""), Stage::Gone(_)));
        let error = "Error: Media upload has failed with error code ";
        for (code, anew) in [
            ("2207026", false),
            ("2207003", true),
            ("2207099", true),
            ("", true),
        ] {
            for status in ["ERROR", ""] {
                let stage = read(status, &format!("{error}{code}"));
                assert_eq!(
                    matches!(stage, Stage::Gone(_)),
                    anew,
                    "{status} {code}: {stage:?}"
                );
            }
        }
    }
}
