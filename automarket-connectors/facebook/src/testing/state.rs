//! What the fake remembers.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TOKEN;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) token: String,
    pub(super) declined: Vec<String>,
    pub(super) app_secret: Option<String>,
    pub(super) version: Option<String>,
    pub(super) usage: (u32, u32),
    pub(super) refusing: (u32, i64, i64),
    pub(super) retired: Vec<String>,
    pub(super) no_insights: bool,
    pub(super) failing: (u32, String),
    pub(super) questions: u32,
    pub(super) hidden: u32,
    pub(super) blind: bool,
    /// Seconds.
    pub(super) unlisted: i64,
    pub(super) takes_repeats: bool,
    pub(super) posts: Vec<Post>,
    pub(super) photos: BTreeMap<String, Photo>,
    pub(super) videos: BTreeMap<String, Video>,
    pub(super) comments: Vec<Comment>,
    last: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) page: String,
    pub(super) message: String,
    pub(super) link: Option<String>,
    pub(super) photos: Vec<String>,
    pub(super) place: Option<String>,
    pub(super) scheduled: Option<DateTime<Utc>>,
    pub(super) draft: bool,
    pub(super) at: DateTime<Utc>,
}

impl Post {
    pub(super) fn public(&self, now: DateTime<Utc>) -> bool {
        !self.draft && self.scheduled.is_none_or(|due| due <= now)
    }

    /// When it was made public, or made.
    pub(super) fn created(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.scheduled {
            Some(due) if due <= now => due,
            _ => self.at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Photo {
    pub(super) page: String,
    pub(super) bytes: usize,
    pub(super) alt: Option<String>,
    pub(super) temporary: bool,
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Video {
    pub(super) page: String,
    pub(super) reel: bool,
    pub(super) session: String,
    pub(super) size: u64,
    pub(super) bytes: u64,
    pub(super) chunks: u32,
    pub(super) description: String,
    pub(super) title: String,
    /// Only of a reel.
    #[serde(default)]
    pub(super) place: Option<String>,
    /// When it was asked to be made public.
    pub(super) finished: Option<DateTime<Utc>>,
    pub(super) scheduled: Option<DateTime<Utc>>,
    pub(super) draft: bool,
    /// Questions until it is processed.
    pub(super) left: u32,
    pub(super) failed: Option<String>,
}

impl Video {
    pub(super) fn public(&self, now: DateTime<Utc>) -> bool {
        self.finished.is_some()
            && self.failed.is_none()
            && !self.draft
            && self.left == 0
            && self.scheduled.is_none_or(|due| due <= now)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Comment {
    pub(super) id: String,
    /// Whose it is.
    pub(super) page: String,
    pub(super) parent: String,
    pub(super) message: String,
    pub(super) at: DateTime<Utc>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            declined: Vec::new(),
            app_secret: None,
            version: None,
            usage: (1, 0),
            refusing: (0, 0, 0),
            retired: Vec::new(),
            no_insights: false,
            failing: (0, String::new()),
            questions: 2,
            hidden: 0,
            blind: false,
            unlisted: 0,
            takes_repeats: false,
            posts: Vec::new(),
            photos: BTreeMap::new(),
            videos: BTreeMap::new(),
            comments: Vec::new(),
            last: 612_345_678_901_234,
        }
    }
}

impl State {
    pub(super) fn id(&mut self) -> String {
        self.last += 1;
        self.last.to_string()
    }

    pub(super) fn seed(&mut self, page: &str, message: &str, at: DateTime<Utc>) -> String {
        let id = format!("{page}_{}", self.id());
        self.posts.push(Post {
            id: id.clone(),
            page: page.to_owned(),
            message: message.to_owned(),
            link: None,
            photos: Vec::new(),
            place: None,
            scheduled: None,
            draft: false,
            at,
        });
        id
    }

    pub(super) fn publish_draft(&mut self, id: &str, now: DateTime<Utc>) -> bool {
        let mut posts = self.posts.iter_mut();
        if let Some(post) = posts.find(|post| post.id == id && post.draft) {
            (post.draft, post.at) = (false, now);
            return true;
        }
        let video = self.videos.get_mut(id).filter(|video| video.draft);
        video.is_some_and(|video| std::mem::replace(&mut video.draft, false))
    }

    pub(super) fn media(&self, id: &str) -> Option<Value> {
        let photo = self.photos.get(id).map(
            |photo| json!({"bytes": photo.bytes, "alt": photo.alt, "temporary": photo.temporary}),
        );
        photo.or_else(|| {
            let video = self.videos.get(id)?;
            Some(json!({"bytes": video.bytes, "chunks": video.chunks, "title": video.title}))
        })
    }

    pub(super) fn effects(&self) -> Vec<Value> {
        let posts = self.posts.iter().map(|post| {
            json!({
                "id": post.id, "page": post.page, "kind": "post", "message": post.message,
                "link": post.link, "photos": post.photos, "place": post.place,
                "scheduled": post.scheduled, "draft": post.draft,
            })
        });
        let videos = self
            .videos
            .iter()
            .filter(|(_, video)| video.finished.is_some() && video.failed.is_none());
        let videos = videos.map(|(id, video)| {
            json!({
                "id": id, "page": video.page, "kind": if video.reel { "reel" } else { "video" },
                "message": video.description, "place": video.place, "scheduled": video.scheduled, "draft": video.draft,
            })
        });
        let comments = self.comments.iter().map(|comment| {
            json!({
                "id": comment.id, "page": comment.page, "kind": "comment",
                "message": comment.message, "parent": comment.parent,
            })
        });
        posts.chain(videos).chain(comments).collect()
    }
}

/// Whether it is to be a draft: so reels say it, and so all others.
pub(super) fn draft(asked: &automarket_connector_graph::testing::Asked) -> bool {
    let said = ["unpublished_content_type", "video_state"];
    said.iter().any(|name| asked.param(name) == Some("DRAFT"))
}

/// As Facebook takes times: Unix seconds 10 minutes to 30 days ahead, of what is not published.
pub(super) fn scheduled(
    asked: &automarket_connector_graph::testing::Asked,
    published: bool,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, &'static str> {
    let Some(text) = asked.param("scheduled_publish_time") else {
        return if published || draft(asked) {
            Ok(None)
        } else {
            Err("an unpublished post is not part of this sandbox")
        };
    };
    if published {
        return Err("You cannot specify a scheduled publish time on a published post");
    }
    let seconds = text.parse().ok();
    let due = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let due = due.ok_or("scheduled_publish_time is no time")?;
    if due - now < TimeDelta::minutes(10) || due - now > TimeDelta::days(30) {
        return Err("The specified scheduled publish time is invalid.");
    }
    Ok(Some(due))
}
