//! Looking for what was sent among the account's own posts.

use automarket_core::{
    Context, Error, ErrorKind, Result,
    chrono::{DateTime, TimeDelta, Utc},
};

use crate::{
    PLATFORM,
    api::Api,
    compare::same,
    error::{answer, ask},
    wire::{Post, User},
};

/// Pages of 100 that are read at the most.
const PAGES: u32 = 5;
/// How far our clock and X's may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// What a part looked like when it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) text: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) quote: Option<&'a str>,
}

/// The account's posts since an instant.
///
/// # Errors
/// `CannotTell` when there are more than are read.
pub(crate) async fn posts_since(
    cx: &Context,
    api: &Api<'_>,
    since: DateTime<Utc>,
) -> Result<Vec<Post>> {
    let user = user_id(cx, api).await?;
    let mut posts = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..PAGES {
        let call = api.timeline(&user, since - SKEW, page.as_deref())?;
        let (_, listed) = answer::<Vec<Post>>(cx, call).await?;
        posts.extend(listed.data.unwrap_or_default());
        page = listed.meta.next_token;
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

/// The post that was sent, among these.
pub(crate) fn pick<'a>(posts: &'a [Post], wanted: Wanted<'_>) -> Option<&'a Post> {
    posts.iter().find(|post| {
        let answers = post
            .referenced_tweets
            .iter()
            .find(|reference| reference.kind == "replied_to")
            .map(|reference| reference.id.as_str());
        answers == wanted.reply_to
            && same(post, wanted.text, wanted.quote, wanted.reply_to.is_some())
    })
}

/// Whose posts these are: the context's account, or whoever the token belongs to.
async fn user_id(cx: &Context, api: &Api<'_>) -> Result<String> {
    match cx.account() {
        Some(account) => Ok(account.remote_id.clone()),
        None => Ok(ask::<User>(cx, api.me()?).await?.id),
    }
}
