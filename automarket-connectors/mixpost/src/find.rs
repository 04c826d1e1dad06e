//! The marker tag, and finding a post by it.

use automarket_core::{Context, ErrorKind, Lookup, Result, Retry, hash::sha256};

use crate::{
    MixpostPost, MixpostTag, PostFilter,
    api::Api,
    error::send,
    operations::{all_tags, page, resource},
    outcome::outcome,
};

/// The colour of marker tags.
const MARKER_COLOUR: &str = "#94a3b8";
/// Pages of posts that a search reads, as on an instance that ignores its filter.
const SEARCH_PAGES: u32 = 20;

/// The tag that tells a post of ours from all others.
pub(crate) fn marker(key: &str) -> String {
    format!("am-{}", &sha256(key)[..32])
}

/// Looks for the post with this marker. Instances differ: the filter takes names or numbers of tags,
/// or is ignored. So both are asked, nothing is believed but the marker on the post itself, and the
/// trash counts too: what somebody threw away did go through.
pub(crate) async fn search(
    cx: &Context,
    api: &Api,
    marker: Option<&str>,
    tag: Option<u64>,
    account: u64,
) -> Result<Lookup> {
    let Some(marker) = marker else {
        return Ok(Lookup::CannotTell(
            "the post was sent without an idempotency key, so it carries no marker".to_owned(),
        ));
    };
    let numbers: Vec<String> = match tag {
        Some(tag) => vec![tag.to_string()],
        None => {
            let tags = existing(cx, api, marker).await?;
            tags.iter().map(|tag| tag.id.to_string()).collect()
        }
    };
    // The tag is made before the post.
    if numbers.is_empty() {
        return Ok(Lookup::Absent);
    }
    for status in [None, Some("trash".to_owned())] {
        for tags in [vec![marker.to_owned()], numbers.clone()] {
            let filter = PostFilter {
                status: status.clone(),
                tags,
                ..PostFilter::default()
            };
            match walk(cx, api, &filter, marker).await? {
                Walk::Found(post) => return Ok(Lookup::Found(outcome(&post, account))),
                Walk::Nothing { filtered: true } => {}
                // Every post was seen: asking by number shows the same ones.
                Walk::Nothing { filtered: false } => break,
                Walk::CannotTell(why) => return Ok(Lookup::CannotTell(why.to_owned())),
            }
        }
    }
    Ok(Lookup::Absent)
}

/// All tags of this name: an instance may make a second one when the answer to the first was lost, and the post may have
/// either.
async fn existing(cx: &Context, api: &Api, name: &str) -> Result<Vec<MixpostTag>> {
    let mut tags = all_tags(cx, api).await?;
    tags.retain(|tag| tag.name == name);
    Ok(tags)
}

/// The post of this UUID in the trash, which only the list shows: asked for by its UUID it is not there. `None` also where
/// the trash is larger than is searched.
pub(crate) async fn trashed(cx: &Context, api: &Api, uuid: &str) -> Result<Option<MixpostPost>> {
    let filter = PostFilter {
        status: Some("trash".to_owned()),
        ..PostFilter::default()
    };
    for number in 1..=SEARCH_PAGES {
        let reply = send(cx, api.posts(&filter, number)?).await?;
        let posts = page::<MixpostPost>(&reply, number)?;
        let last = posts.is_last();
        if let Some(post) = posts.items.into_iter().find(|post| post.uuid == uuid) {
            return Ok(Some(MixpostPost {
                trashed: true,
                ..post
            }));
        }
        if last {
            break;
        }
    }
    Ok(None)
}

/// The number of the tag of this name, made where there is none.
pub(crate) async fn tag_named(cx: &Context, api: &Api, name: &str) -> Result<u64> {
    match send(cx, api.create_tag(name, MARKER_COLOUR)?).await {
        Ok(reply) => Ok(resource::<MixpostTag>(&reply)?.id),
        // An earlier attempt may have made it.
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            match existing(cx, api, name).await {
                Ok(tags) => tags.first().map(|tag| tag.id).ok_or(error),
                // Nothing was posted yet.
                Err(unread) if unread.kind() == ErrorKind::CannotTell => Err(unread
                    .with_kind(ErrorKind::UnexpectedReply)
                    .with_retry(Retry::After(None))),
                Err(unread) => Err(unread),
            }
        }
        Err(error) => Err(error),
    }
}

/// What reading a list to its end came to.
enum Walk {
    Found(Box<MixpostPost>),
    /// `filtered`: every post shown carried the marker's filter, so there was none at all.
    Nothing {
        filtered: bool,
    },
    CannotTell(&'static str),
}

/// Of several posts with the marker the oldest, which lists show last: a copy made in Mixpost has the tags of its original.
async fn walk(cx: &Context, api: &Api, filter: &PostFilter, marker: &str) -> Result<Walk> {
    let mut filtered = true;
    let mut ours = None;
    let mut ended = false;
    for number in 1..=SEARCH_PAGES {
        let reply = send(cx, api.posts(filter, number)?).await?;
        let posts = page::<MixpostPost>(&reply, number)?;
        ended = posts.is_last();
        for post in posts.items {
            match &post.tags {
                Some(tags) if tags.iter().any(|tag| tag.name == marker) => ours = Some(post),
                Some(_) => filtered = false,
                None => {
                    return Ok(Walk::CannotTell(
                        "this Mixpost lists posts without their tags",
                    ));
                }
            }
        }
        if ended {
            break;
        }
    }
    Ok(match ours {
        Some(post) => Walk::Found(Box::new(post)),
        None if ended => Walk::Nothing { filtered },
        None => Walk::CannotTell(
            "this Mixpost ignores the filter by tag, and holds more posts than are searched",
        ),
    })
}
