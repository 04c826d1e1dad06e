//! Looking for what was sent among the account's own posts.

use automarket_core::{
    Alike, Context, Error, ErrorKind, Result,
    chrono::{DateTime, Utc},
    text::entities,
};

use crate::{
    PLATFORM,
    api::Api,
    compare::same,
    error::{answer, ask, told},
    wire::{Post, User},
};

/// Pages of 100 that are read at the most.
const PAGES: u32 = 5;

/// What a part looked like when it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) text: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) quote: Option<&'a str>,
    /// Its uploaded files; `None` where it has some whose ids are not known.
    pub(crate) media: Option<&'a [String]>,
}

/// The account's posts since what was begun at this instant.
///
/// # Errors
/// `CannotTell` when there are more than are read; what X says instead of a list.
pub(crate) async fn posts_since(
    cx: &Context,
    api: &Api<'_>,
    begun: DateTime<Utc>,
) -> Result<Vec<Post>> {
    // Further back each post that is listed costs money, and X takes no text twice.
    let since = cx.since_near(begun);
    let user = user_id(cx, api).await?;
    let mut posts = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..PAGES {
        let call = api.timeline(&user, since, page.as_deref())?;
        let (reply, listed) = answer::<Vec<Post>>(cx, call).await?;
        // Errors instead of a list are no empty one, on which a second sending would hang.
        match (listed.data, listed.errors.first(), &listed.meta) {
            (Some(data), ..) => posts.extend(data),
            (None, Some(problem), _) => return Err(told(&reply, problem)),
            (None, None, Some(_)) => {}
            (None, None, None) => return Err(reply.unexpected("an answer without a list")),
        }
        page = listed.meta.and_then(|meta| meta.next_token);
        if page.is_none() {
            return Ok(posts);
        }
    }
    Err(Error::new(
        ErrorKind::CannotTell,
        "the account posted more since than is searched",
    )
    .with_platform(&PLATFORM))
}

/// The post that was sent, and begun at this instant, among these.
///
/// # Errors
/// `CannotTell` when it may be another post of these words.
pub(crate) async fn pick(
    cx: &Context,
    posts: &[Post],
    wanted: Wanted<'_>,
    begun: DateTime<Utc>,
) -> Result<Option<String>> {
    let alike = posts.iter().filter(|post| {
        let answers = post
            .referenced_tweets
            .iter()
            .find(|reference| reference.kind == "replied_to")
            .map(|reference| reference.id.as_str());
        answers == wanted.reply_to
            && same(post, wanted.text, wanted.quote, wanted.reply_to.is_some())
    });
    let alike = alike.map(|post| wanted.fits(post)).collect();
    let ours = cx.ours(begun, alike).await;
    ours.map_err(|error| error.with_platform(&PLATFORM))
}

impl Wanted<'_> {
    /// Whether the files that X shows are ours: their keys end in the ids of the uploads.
    fn fits(self, post: &Post) -> Alike {
        let alike = Alike::new(post.id.as_str(), post.created_at);
        let keys = &post.attachments.media_keys;
        let id = |key: &String| key.rsplit('_').next().unwrap_or_default().to_owned();
        let is_ours = |media: &[String]| keys.iter().any(|key| media.contains(&id(key)));
        if self.media.is_some_and(is_ours) {
            return alike.certain();
        }
        let fits = match self.media {
            // There is nothing else to know it by.
            _ if self.text.trim().is_empty() => false,
            // What has files shows them.
            sent if keys.is_empty() => sent.is_some_and(<[_]>::is_empty),
            // A video may be another post's, whose address the text holds.
            Some(sent) => sent.is_empty() && !entities(self.text).urls.is_empty(),
            None => true,
        };
        match fits {
            true => alike,
            false => alike.doubtful(),
        }
    }
}

/// Whose posts these are: the context's account, or whoever the token belongs to.
async fn user_id(cx: &Context, api: &Api<'_>) -> Result<String> {
    match cx.account() {
        Some(account) => Ok(account.remote_id.clone()),
        None => Ok(ask::<User>(cx, api.me()?).await?.id),
    }
}
