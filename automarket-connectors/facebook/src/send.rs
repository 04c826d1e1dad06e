//! Making a post public, once.

use std::sync::atomic::{AtomicBool, Ordering};

use automarket_connector_graph::{of_account, own_comment, same};
use automarket_core::{
    Content, Context, Delivery, Error, ErrorKind, Outcome, Profile, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    steps::{OVER, REPEATED},
};

use crate::{
    FacebookOptions, PLATFORM,
    api::Api,
    find::{Said, Sent, find},
    kind::Kind,
    media::{self, KEPT, Uploaded},
    wire::{self, Comment},
};

/// Why a draft cannot be looked up.
pub(crate) const UNLISTED: &str =
    "Facebook lists no drafts: look in the page's planner, then send it again or leave it";

/// How long the finish of a video may not show yet.
const SHOWN: TimeDelta = TimeDelta::minutes(10);

/// The rule of an error that says that a video has to be uploaded anew.
const STALE: &str = "facebook.upload_stale";

/// A post on its way.
pub(crate) struct Draft<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) api: &'a Api<'a>,
    pub(crate) content: &'a Content,
    pub(crate) options: &'a FacebookOptions,
    pub(crate) said: Said,
    pub(crate) begun: DateTime<Utc>,
    pub(crate) delivery: Delivery,
    /// Whether it may have been sent before.
    pub(crate) again: AtomicBool,
}

impl Draft<'_> {
    pub(crate) async fn post(&self, profile: &Profile) -> Result<Outcome> {
        let (cx, delivery) = (self.cx, self.delivery);
        let ended: Option<(String, DateTime<Utc>)> = cx.ended("facebook.post").await?;
        let open = cx.is_open("facebook.post").await?;
        let bring = || media::photos(cx, self.api, self.content, profile, delivery);
        let photos = if self.content.media.is_empty() || ended.is_some() {
            Vec::new()
        } else if open {
            // Looked for first: it may be out, whatever became of its files.
            media::all_photos(cx).await?
        } else {
            bring().await?
        };
        // It may not be seen everywhere for a while from now on, however long ago it was begun.
        let made = |id: String| (id, cx.now());
        let look = || async { Ok(self.look(&photos).await?.map(made)) };
        let send = || async {
            let brought = match open && !photos.is_empty() {
                true => Some(bring().await.map_err(|e| e.with_retry(Retry::Reconcile))?),
                false => None,
            };
            let photos = brought.as_deref().unwrap_or(&photos);
            self.send(photos).await.map(made)
        };
        let (id, at) = cx.once("facebook.post", look, send).await?;
        let outcome = Kind::Post.made(id.clone(), self.begun, at, self.delivery);
        let (Outcome::Done(receipt), Some(comment)) = (&outcome, &self.said.comment) else {
            return Ok(outcome);
        };
        let look = || self.look_for_comment(&id, comment);
        let send = || self.comment(&id, comment);
        let sent = cx.once("facebook.comment", look, send).await;
        let sent = sent
            .map_err(|error| error.about(&format!("the first comment of {id}, which is public")));
        Ok(Outcome::Done(receipt.clone().commented(sent)?))
    }

    /// The link that is sent; photos take its place.
    fn link(&self, photos: &[String]) -> Option<&str> {
        let link = self.said.link.as_deref();
        link.filter(|_| photos.is_empty())
    }

    async fn send(&self, photos: &[String]) -> Result<String> {
        let link = self.link(photos);
        let text = &self.said.text;
        let make = || async {
            let call = self
                .api
                .feed(text, link, photos, self.options, self.delivery)?;
            self.api.graph.make(self.cx, call).await
        };
        let made = match (photos, &self.options.place) {
            ([], None) => make().await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => of_account(error),
                _ => error,
            }),
            ([], Some(_)) => make().await,
            // Photos of a moment ago are not seen everywhere yet.
            _ => self.cx.until_seen("facebook.photos.unseen", make).await,
        };
        match made {
            Ok(id) => Ok(id),
            // It did go through, and the look did not show it.
            Err(error)
                if error.kind() == ErrorKind::Duplicate && self.again.load(Ordering::Relaxed) =>
            {
                let found = self.look(photos).await.ok().flatten();
                found.ok_or_else(|| error.with_rule(REPEATED))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for what an earlier attempt may have left.
    async fn look(&self, photos: &[String]) -> Result<Option<String>> {
        self.again.store(true, Ordering::Relaxed);
        if self.said.text.trim().is_empty() && photos.is_empty() {
            return Err(Error::new(
                ErrorKind::CannotTell,
                "a post without text and photos cannot be told from others",
            ));
        }
        match self.cx.look_late(|| self.listed(photos)).await? {
            None if self.delivery == Delivery::Draft => {
                Err(Error::new(ErrorKind::CannotTell, UNLISTED))
            }
            found => Ok(found),
        }
    }

    async fn listed(&self, photos: &[String]) -> Result<Option<String>> {
        let (begun, delivery) = (self.begun, self.delivery);
        let uploaded = media::all_photos(self.cx).await?;
        let sent = Sent {
            text: &self.said.text,
            link: self.link(photos),
            photos: Some(&uploaded),
        };
        for place in Kind::Post.places(delivery) {
            let found = find(self.cx, self.api, *place, sent, begun, delivery);
            if let Some(id) = found.await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn comment(&self, id: &str, text: &str) -> Result<String> {
        let make = || async {
            let call = self.api.comment(id, text)?;
            self.api.graph.make(self.cx, call).await
        };
        self.cx.until_seen("facebook.unseen", make).await
    }

    /// The page's own comment of this text; others may say the same.
    async fn look_for_comment(&self, id: &str, text: &str) -> Result<Option<String>> {
        let (path, query) = ([id, "comments"], [("fields", "id,message,from")]);
        let graph = &self.api.graph;
        let listed = graph.list(self.cx, "comments.list", &path, &query);
        let mut comments: Vec<Comment> = listed.await?;
        comments.retain(|comment| same(&comment.message, text));
        // A post's id begins with its page's.
        let of_post = id.split('_').next();
        let page = |id: &str| id == self.api.page || Some(id) == of_post;
        let whose = |comment: &Comment| Some(page(&comment.from.as_ref()?.id));
        Ok(own_comment(comments, whose)?.map(|ours| ours.id))
    }

    pub(crate) async fn video(&self, profile: &Profile) -> Result<Outcome> {
        let (cx, reel) = (self.cx, self.options.reel);
        let mut round = 0;
        let (video, at) = loop {
            let step = format!("facebook.video{}", media::again(round));
            let bring = || media::video(cx, self.api, self.content, profile, reel);
            let uploaded = cx.step(&step, bring).await?;
            match self.finish(&uploaded, &step).await {
                Err(error) if error.rule() == Some(STALE) => round += 1,
                finished => break (uploaded.video, finished?),
            }
        };
        let kind = if reel { Kind::Reel } else { Kind::Video };
        Ok(kind.made(video, self.begun, at, self.delivery))
    }

    /// Makes an upload public, once.
    ///
    /// # Errors
    /// With the rule [`STALE`]: nothing came of it, and Facebook may have dropped it meanwhile.
    async fn finish(&self, uploaded: &Uploaded, step: &str) -> Result<DateTime<Utc>> {
        let (cx, api) = (self.cx, self.api);
        self.again.store(false, Ordering::Relaxed);
        let untouched = AtomicBool::new(false);
        // One upload makes one video, whatever is asked for twice.
        let begun = || async {
            let video: wire::Video = api.graph.ask(cx, api.video(&uploaded.video)?).await?;
            let status = &video.status;
            untouched.store(status.is_untouched(), Ordering::Relaxed);
            Ok::<_, Error>(!status.publishing_phase.is_idle() || video.published)
        };
        let look = || async {
            self.again.store(true, Ordering::Relaxed);
            Ok(begun().await?.then(|| cx.now()))
        };
        let did = || async {
            let (text, options) = (&self.said.text, self.options);
            let call = if options.reel {
                api.reel_finish(&uploaded.video, text, options, self.delivery)?
            } else {
                api.video_finish(&uploaded.session, text, options, self.delivery)?
            };
            api.graph.did(cx, call).await
        };
        let unseen = format!("{step}.unseen");
        let ask = || async {
            let did = cx.until_seen(&unseen, did).await?;
            let done = done(did, "videos.finish");
            done.map_err(|error| error.with_retry(Retry::Reconcile))
        };
        let finish = || async {
            let again = self.again.load(Ordering::Relaxed);
            let touched = again && !untouched.load(Ordering::Relaxed);
            let age = cx.now() - uploaded.at.unwrap_or(self.begun);
            if age >= KEPT && !touched {
                // What was sent last may not show yet.
                return Err(match again && age < KEPT + SHOWN {
                    true => unshown(),
                    false => stale(),
                });
            }
            match ask().await {
                // What the look did not show yet may be why it is refused a second time.
                Err(error) if error.retry() == Retry::Never && again => match begun().await {
                    Ok(true) => Ok(cx.now()),
                    _ => Err(error.with_retry(Retry::Reconcile)),
                },
                asked => asked.map(|()| cx.now()),
            }
        };
        match cx.once(&format!("{step}.finish"), look, finish).await {
            Err(error) if error.rule() == Some(OVER) => {
                let untouched = untouched.into_inner();
                Err(self.too_late(error, untouched, step).await?)
            }
            finished => finished,
        }
    }

    /// What is said when it is too late to send a video's finish again, which the look did not show. Facebook takes minutes
    /// to show it, so nothing of it is out only when the upload stays `untouched` that long.
    async fn too_late(&self, error: Error, untouched: bool, step: &str) -> Result<Error> {
        let cx = self.cx;
        let since = || async { Ok(cx.now()) };
        let since: DateTime<Utc> = cx.step(&format!("{step}.over"), since).await?;
        if untouched && cx.now() - since >= SHOWN {
            return Ok(error);
        }
        Ok(unshown())
    }
}

/// A finish may have gone through and not show yet.
fn unshown() -> Error {
    let message = "Facebook does not show yet whether the video goes out: it may";
    Error::new(ErrorKind::Unavailable, message)
        .with_operation("videos.get")
        .with_retry(Retry::Reconcile)
}

/// Nothing came of an upload that is too old to be finished.
fn stale() -> Error {
    Error::new(ErrorKind::Conflict, "the upload is too old to be finished").with_rule(STALE)
}

/// Whether Facebook says that it did it.
pub(crate) fn done(did: bool, operation: &'static str) -> Result<()> {
    if did {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::UnexpectedReply,
        "Facebook says that it did not do it",
    )
    .with_platform(&PLATFORM)
    .with_operation(operation))
}
