//! Looking for what was published among the account's own media.

use automarket_connector_graph::Within;
use automarket_core::{
    Context, Result,
    chrono::{DateTime, TimeDelta, Utc},
};

use crate::{api::Api, wire::Media};

/// How far our clock and Instagram's may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The media of this caption since an instant: more than one when the account posted the same elsewhere.
///
/// # Errors
/// `CannotTell` when the account posted more since than is searched.
pub(crate) async fn find(
    cx: &Context,
    api: &Api<'_>,
    caption: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Media>> {
    // What began in the future did so before our clock was set back.
    let since = since.min(cx.now()) - SKEW;
    let seconds = since.timestamp().to_string();
    let path = [api.account, "media"];
    let query = [
        ("fields", "id,caption,timestamp,permalink"),
        ("since", seconds.as_str()),
    ];
    let all: Vec<Media> = api.graph.list(cx, "media.list", &path, &query).await?;
    let young = |media: &Media| media.at().is_some_and(|at| at >= since);
    Ok(all
        .into_iter()
        .filter(|media| young(media) && same(&media.caption, caption))
        .collect())
}

/// Whether the account's lists hold the media of this id. Stories, which are there for a day, have no bounds in time.
///
/// # Errors
/// `CannotTell` when there is more than is searched; `Unauthorized` when the token does not see them.
pub(crate) async fn holds(
    cx: &Context,
    api: &Api<'_>,
    within: Option<Within>,
    id: &str,
) -> Result<bool> {
    for (edge, within) in [("stories", None), ("media", within)] {
        let path = [api.account, edge];
        let held = api.graph.holds(cx, "media.list", &path, within, id);
        if held.await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two texts are the same but for white space.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}
