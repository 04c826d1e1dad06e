//! Looking for what was sent among the page's own posts, videos and reels.

use automarket_connector_graph::{Within, same};
use automarket_core::{
    Alike, Content, Context, Delivery, Profile, Result, Url,
    chrono::{DateTime, Utc},
    text::entities,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    api::Api,
    wire::{Attachment, Listed, time},
};

/// The step that keeps when a post was begun, and what it says.
pub(crate) const BEGUN: &str = "facebook.begun";

/// What a post says, as it is sent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) link: Option<String>,
    pub(crate) comment: Option<String>,
}

impl Said {
    pub(crate) fn of(content: &Content, profile: &Profile) -> Self {
        Self {
            text: content.final_text(profile),
            link: content.link.as_ref().map(ToString::to_string),
            comment: content.first_comment.clone(),
        }
    }
}

/// What a post said when it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) text: &'a str,
    pub(crate) link: Option<&'a str>,
    /// Its uploaded photos; `None` where it has files whose ids are not known.
    pub(crate) photos: Option<&'a [String]>,
}

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
        let posts = "id,message,created_time,scheduled_publish_time,\
            attachments{unshimmed_url,target{id},subattachments{target{id}}}";
        let videos = "id,description,created_time,scheduled_publish_time";
        match self {
            Self::Posts => ("published_posts", "posts.published", posts),
            Self::Scheduled => ("scheduled_posts", "posts.scheduled", posts),
            Self::Videos => ("videos", "videos.list", videos),
            Self::Reels => ("video_reels", "reels.list", videos),
        }
    }
}

/// The id of what was sent, and begun at this instant; of what is scheduled, for this time.
///
/// # Errors
/// `CannotTell` when the page made more since than is searched, or what may be another post of these words.
pub(crate) async fn find(
    cx: &Context,
    api: &Api<'_>,
    place: Place,
    sent: Sent<'_>,
    begun: DateTime<Utc>,
    delivery: Delivery,
) -> Result<Option<String>> {
    let since = cx.since(begun);
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
    let alike = all.into_iter().filter_map(|post| {
        let created = time(&Value::from(post.created_time.as_str()));
        // What was scheduled may have been made before its time.
        let made = match (place, delivery) {
            (Place::Scheduled, Delivery::At(due)) => {
                let said = post.scheduled_publish_time.as_ref().and_then(time);
                let fits = said.is_none_or(|said| said.timestamp() == due.timestamp());
                fits.then(|| created.unwrap_or(cx.now()))
            }
            _ => created,
        };
        let made = made.filter(|made| *made >= since)?;
        same(&post.message, sent.text).then(|| sent.fits(post, made))
    });
    cx.ours(begun, alike.collect()).await
}

impl Sent<'_> {
    /// Whether what Facebook shows beside the text is ours, as far as that can be told. Of a link it may show the address
    /// that the page gives itself, so another one is no proof.
    fn fits(self, post: Listed, made: DateTime<Utc>) -> Alike {
        let shown: Vec<&Attachment> = post.attachments.data.iter().collect();
        let parts = shown.iter().flat_map(|one| &one.subattachments.data);
        let targets = shown.iter().copied().chain(parts);
        let files: Vec<&String> = targets.filter_map(|one| one.target.id.as_ref()).collect();
        let link = shown.iter().find_map(|one| one.unshimmed_url.as_deref());
        let alike = Alike::new(post.id.as_str(), Some(made));
        let differs = match (self.photos, self.link) {
            (None, _) => false,
            (Some([]), Some(sent)) => link.is_some_and(|link| bare(link) != bare(sent)),
            // Facebook may show an address of the text, which is no file of its own.
            (Some([]), None) => {
                !shown.is_empty() && (!files.is_empty() || entities(self.text).urls.is_empty())
            }
            (Some(photos), _) if files.iter().any(|id| photos.contains(id)) => {
                return alike.certain();
            }
            // What has photos shows them, and these are not ours, or none.
            (Some(_), _) => true,
        };
        match differs {
            true => alike.doubtful(),
            false => alike,
        }
    }
}

/// An address without what makes no difference.
fn bare(address: &str) -> String {
    let Ok(url) = Url::parse(address) else {
        return address.to_owned();
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches("www.");
    let path = url.path().trim_end_matches('/');
    format!("{host}{path}?{}", url.query().unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_an_address_makes_doubt_and_its_preview_does_not() {
        let sent = Sent {
            text: "Watch https://acme.dev/x",
            link: None,
            photos: Some(&[]),
        };
        let made = DateTime::UNIX_EPOCH;
        let fits = |attachment: Value| {
            let listed = serde_json::json!({"id": "1_2", "attachments": {"data": [attachment]}});
            sent.fits(serde_json::from_value(listed).unwrap(), made)
        };
        let alike = || Alike::new("1_2", Some(made));
        let preview = serde_json::json!({"unshimmed_url": "https://acme.dev/x"});
        assert_eq!(format!("{:?}", fits(preview)), format!("{:?}", alike()));
        let video = serde_json::json!({"target": {"id": "7"}});
        assert_eq!(
            format!("{:?}", fits(video)),
            format!("{:?}", alike().doubtful())
        );
    }
}
