//! Looking for what was published among the account's own media.

use automarket_connector_graph::{Within, same};
use automarket_core::{
    Alike, Content, Context, Intent, Result,
    chrono::{DateTime, Utc},
    content::MediaKind,
};
use serde::{Deserialize, Serialize};

use crate::{api::Api, wire::Media};

/// The step that keeps what is known before anything is made.
pub(crate) const BEGUN: &str = "instagram.begun";

/// What is kept before anything is made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) at: DateTime<Utc>,
    /// What the media is.
    pub(crate) kinds: Vec<MediaKind>,
    /// The version before kept the two above, as a pair.
    #[serde(default)]
    pub(crate) said: Option<Said>,
}

/// What is said, as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) caption: String,
    pub(crate) comment: Option<String>,
}

impl Begun {
    /// What was said of this intent, where the context has steps of it.
    pub(crate) async fn kept(cx: &Context, intent: &Intent) -> Result<Option<Said>> {
        if cx.key() != Some(&*intent.key) {
            return Ok(None);
        }
        let kept: Option<Self> = cx.ended(BEGUN).await?;
        Ok(kept.and_then(|kept| kept.said))
    }
}

impl Said {
    pub(crate) fn of(content: &Content) -> Self {
        Self {
            caption: content.text.trim_end().to_owned(),
            comment: content.first_comment.clone(),
        }
    }
}

/// The media of this caption that was begun at this instant.
///
/// # Errors
/// `CannotTell` when the account posted more since than is searched, or what may be another one of this caption.
pub(crate) async fn find(
    cx: &Context,
    api: &Api<'_>,
    caption: &str,
    begun: DateTime<Utc>,
) -> Result<Option<Media>> {
    let since = cx.since(begun);
    let seconds = since.timestamp().to_string();
    let path = [api.account, "media"];
    let query = [
        ("fields", "id,caption,timestamp,permalink"),
        ("since", seconds.as_str()),
    ];
    let all: Vec<Media> = api.graph.list(cx, "media.list", &path, &query).await?;
    let young = |media: &Media| media.at().is_some_and(|at| at >= since);
    let said = |media: &Media| young(media) && same(&media.caption, caption);
    let said: Vec<Media> = all.into_iter().filter(said).collect();
    let alike = said
        .iter()
        .map(|media| Alike::new(media.id.as_str(), media.at()));
    let ours = cx.ours(begun, alike.collect()).await?;
    Ok(said
        .into_iter()
        .find(|media| Some(&media.id) == ours.as_ref()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_version_before_is_read() {
        let row = serde_json::json!(["2026-11-20T09:00:00Z", ["image", "video"]]);
        let begun: Begun = serde_json::from_value(row).unwrap();
        assert_eq!(begun.kinds, [MediaKind::Image, MediaKind::Video]);
        assert!(begun.said.is_none());
    }
}
