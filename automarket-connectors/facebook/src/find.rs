//! Looking for what was sent among the page's own posts, videos and reels.

use automarket_connector_graph::Within;
use automarket_core::{
    Context, Delivery, Result,
    chrono::{DateTime, TimeDelta, Utc},
};
use serde_json::Value;

use crate::{
    api::Api,
    wire::{Listed, time},
};

/// How far our clock and Facebook's may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Where a post would be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Posts,
    Scheduled,
    Videos,
    Reels,
}

impl Place {
    /// The edge, the operation, and the fields.
    fn named(self) -> (&'static str, &'static str, &'static str) {
        let posts = "id,message,created_time,scheduled_publish_time";
        let videos = "id,description,created_time,scheduled_publish_time";
        match self {
            Self::Posts => ("published_posts", "posts.published", posts),
            Self::Scheduled => ("scheduled_posts", "posts.scheduled", posts),
            Self::Videos => ("videos", "videos.list", videos),
            Self::Reels => ("video_reels", "reels.list", videos),
        }
    }
}

/// The id of what says this text and was made since; of what is scheduled, for this time.
///
/// # Errors
/// `CannotTell` when the page made more since than is searched.
pub(crate) async fn find(
    cx: &Context,
    api: &Api<'_>,
    place: Place,
    text: &str,
    since: DateTime<Utc>,
    delivery: Delivery,
) -> Result<Option<String>> {
    // What began in the future did so before our clock was set back.
    let since = since.min(cx.now()) - SKEW;
    let seconds = since.timestamp().to_string();
    let (edge, operation, fields) = place.named();
    let mut query = vec![("fields", fields)];
    // What is scheduled has no place in time yet.
    if place != Place::Scheduled {
        query.push(("since", &seconds));
    }
    let path = [api.page, edge];
    let listed = api.graph.list(cx, operation, &path, &query);
    let all: Vec<Listed> = listed.await?;
    let found = all.into_iter().find(|post| {
        let created = time(&Value::from(post.created_time.as_str()));
        // What was scheduled may have been made before its time.
        let fits = match (place, delivery) {
            (Place::Scheduled, Delivery::At(due)) => {
                let said = post.scheduled_publish_time.as_ref().and_then(time);
                said.is_none_or(|said| said.timestamp() == due.timestamp())
            }
            _ => created.is_some_and(|created| created >= since),
        };
        fits && same(&post.message, text)
    });
    Ok(found.map(|post| post.id))
}

/// Whether what is of this id is there. Meta describes no bounds in time of scheduled posts and of videos, which are
/// read from the newest on; and none by an end of posts, whose last change was seen to count there.
///
/// # Errors
/// `CannotTell` when there is more than is searched; `Unauthorized` when the token does not see it.
pub(crate) async fn holds(
    cx: &Context,
    api: &Api<'_>,
    place: Place,
    within: Option<Within>,
    id: &str,
) -> Result<bool> {
    let (edge, operation, _) = place.named();
    let path = [api.page, edge];
    let within = within.filter(|_| matches!(place, Place::Posts | Place::Reels));
    api.graph.holds(cx, operation, &path, within, id).await
}

/// Whether two texts are the same but for white space, which Facebook tidies.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
