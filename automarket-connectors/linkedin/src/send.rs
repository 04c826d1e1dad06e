//! The two writes that the world sees: the post, and the comment under it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use automarket_core::{
    Alike, Context, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    steps::OVER,
    text::normal,
};
use serde_json::Value;

use crate::{
    LinkedInOptions, PLATFORM,
    api::{Api, PAGE},
    author::Author,
    error::{ask, created, original, send},
    find::{PAGES, Sent, WORDLESS, cannot_tell, find_post, is_wordless, only, shortened},
    wire::{Comment, Page, Post},
};

/// A file that LinkedIn does not know everywhere yet is tried again so often, after this time.
const UNSEEN: (u32, Duration) = (3, Duration::from_secs(3));
/// How long after its beginning a post may be sent again where only LinkedIn's refusal of repeats protects it.
const TRUSTED: TimeDelta = TimeDelta::hours(12);

/// The sending of a post.
pub(crate) struct Posting<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) api: &'a Api<'a>,
    pub(crate) author: &'a Author,
    pub(crate) commentary: &'a str,
    pub(crate) content: Option<&'a Value>,
    pub(crate) options: &'a LinkedInOptions,
    /// Whether it is kept as a draft.
    pub(crate) draft: bool,
    /// Whether it shows files that were uploaded for it.
    pub(crate) with_files: bool,
    /// When it was begun.
    pub(crate) begun: DateTime<Utc>,
    /// Whether it may have been sent before.
    pub(crate) again: AtomicBool,
    /// Whether nobody could look for that, and LinkedIn's refusal of repeats is what protects it.
    pub(crate) trusting: AtomicBool,
}

impl Posting<'_> {
    /// Looks for what an earlier attempt may have left.
    pub(crate) async fn look(&self) -> Result<Option<String>> {
        self.again.store(true, Ordering::Relaxed);
        let look = || find_post(self.cx, self.api, self.author, self.sent(), self.begun);
        match self.cx.look_late(look).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                // LinkedIn knows the text again, but not with files that it has not seen before.
                let recent = self.cx.now() - self.begun < TRUSTED;
                if self.api.config.trust_duplicates && recent && !self.with_files {
                    self.trusting.store(true, Ordering::Relaxed);
                    Ok(None)
                } else {
                    Err(cannot_tell(UNLISTED))
                }
            }
            Ok(None) if self.draft => Err(cannot_tell(UNLISTED_DRAFT)),
            Ok(None) if is_wordless(self.commentary) => Err(cannot_tell(WORDLESS)),
            found => Ok(found?.map(|post| post.id)),
        }
    }

    fn sent(&self) -> Sent<'_> {
        Sent {
            commentary: self.commentary,
            content: self.content,
            unknown_files: false,
            draft: self.draft,
        }
    }

    pub(crate) async fn send(&self) -> Result<String> {
        let (tries, pause) = UNSEEN;
        let mut tried = 1;
        loop {
            let call = self.api.create(
                self.author,
                self.commentary,
                self.content,
                self.options,
                self.draft,
            )?;
            let error = match send(self.cx, call).await {
                Ok(reply) => return created(&reply),
                Err(error) => error,
            };
            match error.kind() {
                // Right after an upload LinkedIn may not know the file's owner everywhere yet.
                ErrorKind::Forbidden if self.with_files && tried < tries => {
                    tokio::time::sleep(pause).await;
                    tried += 1;
                }
                ErrorKind::Duplicate if self.again.load(Ordering::Relaxed) => {
                    return self.own(error).await;
                }
                // The steps know what to do when the credential is no good.
                ErrorKind::Unauthorized => return Err(error),
                // It came before the refusal that is trusted, so it says nothing of the sending before.
                _ if error.retry() == Retry::Never && self.trusting.load(Ordering::Relaxed) => {
                    return Err(error.with_retry(Retry::Reconcile));
                }
                _ => return Err(error),
            }
        }
    }

    /// How the sending ended: a look that only trusted is no proof that nothing is out when its time is over.
    pub(crate) fn ended(&self, end: Result<String>) -> Result<String> {
        end.map_err(|error| {
            let over = error.rule() == Some(OVER);
            match over && self.trusting.load(Ordering::Relaxed) {
                true => cannot_tell(UNLISTED),
                false => error,
            }
        })
    }

    /// The post of which LinkedIn says that this repeats it, if it was made since: then it did go through, and the
    /// look-up did not show it. After deletions LinkedIn also names posts that are not there.
    async fn own(&self, duplicate: Error) -> Result<String> {
        let Some(urn) = original(&duplicate) else {
            return Err(duplicate.with_retry(Retry::Reconcile));
        };
        match ask::<Post>(self.cx, self.api.post(&urn)?).await {
            // Ours, or a failed one before it: what else there is LinkedIn does not say.
            Ok(post) if post.has_failed() => Err(cannot_tell(&format!("{FAILED} {urn}"))),
            Ok(post) if post.is_draft() != self.draft => {
                Err(cannot_tell(&format!("{OTHER_SORT} {urn}")))
            }
            Ok(post) => {
                self.is_ours(self.sent().fits(&post), post.made(), duplicate)
                    .await
            }
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                let made = numbered(&urn);
                let ours = self
                    .cx
                    .ours(self.begun, vec![Alike::new(urn.clone(), made)]);
                match ours.await {
                    Ok(Some(ours)) => Ok(ours),
                    Ok(None) => Err(duplicate),
                    Err(error) if error.kind() == ErrorKind::CannotTell => {
                        Err(cannot_tell(&format!("{OLDER} {urn}")))
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(duplicate.with_retry(Retry::Reconcile))
            }
            Err(error) => Err(error.with_retry(Retry::Reconcile)),
        }
    }

    /// The post that it repeats, if that is ours.
    async fn is_ours(
        &self,
        alike: Alike,
        made: Option<DateTime<Utc>>,
        duplicate: Error,
    ) -> Result<String> {
        // It repeats what stood there before.
        if made.is_none_or(|made| made < self.cx.since(self.begun)) {
            return Err(duplicate);
        }
        let ours = self.cx.ours(self.begun, vec![alike]);
        ours.await?.ok_or(duplicate)
    }

    /// Whether what LinkedIn took is public: it goes on with media, and may fail the post then. Only of organisations'
    /// posts may that be asked. A comment to come waits for it, as long as for what does not show yet.
    pub(crate) async fn is_public(&self, urn: &str, commented: bool) -> Result<bool> {
        if !self.with_files || self.author.is_member() {
            return Ok(true);
        }
        let asked = || async {
            let waits = || Error::new(ErrorKind::NotFound, PROCESSED).with_platform(&PLATFORM);
            match ask::<Post>(self.cx, self.api.post(urn)?).await {
                Ok(post) if commented && post.is_processed() => Err(waits()),
                Ok(post) => Ok(post.is_public()),
                // Where nobody answers this, the success is what is known.
                Err(error) if is_unanswered(error.kind()) => Ok(true),
                Err(error) if commented => Err(unasked(error)),
                Err(_) => Ok(false),
            }
        };
        match self.cx.until_seen("linkedin.unseen", asked).await {
            Err(error) if error.kind() == ErrorKind::NotFound && error.retry() == Retry::Never => {
                Ok(false)
            }
            end => end,
        }
    }
}

/// Whether LinkedIn will not say it, ask who may: to this token, or of such a post.
fn is_unanswered(kind: ErrorKind) -> bool {
    use ErrorKind::{Forbidden, InvalidInput, NotFound};
    matches!(kind, Forbidden | InvalidInput | NotFound)
}

/// What kept it from being known whether the post is public. It was but a question: it can be asked again.
fn unasked(error: Error) -> Error {
    let error = error.about(UNASKED);
    match error.kind() {
        ErrorKind::Unauthorized | ErrorKind::ApiVersionRetired => error,
        _ if error.retry() != Retry::Never => error,
        _ => error.with_retry(Retry::After(None)),
    }
}

/// When a post was made, by its number. LinkedIn does not promise this, so it only makes doubt.
fn numbered(urn: &str) -> Option<DateTime<Utc>> {
    let number: i64 = urn.rsplit(':').next()?.parse().ok()?;
    DateTime::from_timestamp_millis(number >> 22)
}

/// Why a post that cannot be read is not taken for the lost one.
const OLDER: &str = "LinkedIn says that it repeats a post that looks older: look on the profile, then publish again or leave it:";

/// Why a post that LinkedIn failed is not taken for the lost one.
const FAILED: &str = "LinkedIn says that it repeats a post that it could not publish: look on the page, delete that one, then publish again or leave it:";

/// Why a draft is not taken for the lost post, nor a post for the lost draft.
const OTHER_SORT: &str = "LinkedIn says that it repeats what is no draft where this is one, or one where this is none: look on the page, then publish again or leave it:";

/// Why a first comment is not placed yet.
const PROCESSED: &str = "LinkedIn is still processing the post; its first comment waits";

/// Why it is not placed yet when that question fails.
const UNASKED: &str =
    "the post is sent; its first comment waits until LinkedIn says that the post is public";

/// Why a member's post cannot be looked up.
pub(crate) const UNLISTED: &str = "LinkedIn does not let this token list the author's posts (r_member_social is closed): look on the profile, \
     then publish again or leave it";

/// Why a draft that is not listed may be there.
pub(crate) const UNLISTED_DRAFT: &str = "whether LinkedIn lists every draft is not known: look at the page's drafts, then send it again or leave it";

/// The sending of the first comment.
pub(crate) struct Commenting<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) api: &'a Api<'a>,
    pub(crate) author: &'a Author,
    pub(crate) post: &'a str,
    pub(crate) text: &'a str,
}

impl Commenting<'_> {
    /// Looks for what an earlier attempt may have left.
    pub(crate) async fn look(&self) -> Result<Option<String>> {
        let wanted = normal(self.text);
        let mut alike = Vec::new();
        for page in 0..PAGES {
            let call = self.api.comments(self.post, page * PAGE)?;
            let listed = match ask::<Page<Comment>>(self.cx, call).await {
                Ok(listed) => listed,
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    return Err(cannot_tell(
                        "LinkedIn does not let this token read the comments under the post",
                    ));
                }
                Err(error) => return Err(error),
            };
            let last = listed.is_last();
            let own = |comment: &Comment| comment.actor == self.author.urn();
            for comment in listed.elements.into_iter().filter(own) {
                let said = normal(&comment.message.text);
                let same = said == wanted;
                let like = shortened(&said, &wanted);
                let id = comment.comment_urn.or(comment.id);
                if same {
                    return Ok(id);
                }
                // Pages shift while something is added.
                if like && !alike.contains(&id) {
                    alike.push(id);
                }
            }
            if last {
                return only(alike);
            }
        }
        Err(cannot_tell("the post has more comments than are searched"))
    }

    /// The post was made a moment ago, and may not be seen yet.
    pub(crate) async fn send(&self) -> Result<String> {
        let write = || async {
            let call = self.api.comment(self.author, self.post, self.text)?;
            let reply = send(self.cx, call).await?;
            let comment = reply.json::<Comment>().ok();
            let named = comment.and_then(|comment| comment.comment_urn.or(comment.id));
            named.map_or_else(|| created(&reply), Ok)
        };
        self.cx.until_seen("linkedin.comment.unseen", write).await
    }
}
