//! What the fake remembers.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TOKEN;

/// What a container is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Image,
    Reel,
    Story,
    Item,
    Carousel,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) token: String,
    pub(super) declined: Vec<String>,
    pub(super) app_secret: Option<String>,
    pub(super) version: Option<String>,
    pub(super) quota: usize,
    pub(super) questions: u32,
    pub(super) failing: (u32, i64),
    pub(super) delayed: u32,
    /// Seconds.
    pub(super) in_flight: i64,
    pub(super) refusing: (u32, i64, i64),
    pub(super) belying: (u32, i64, i64),
    pub(super) hidden: u32,
    pub(super) blind: bool,
    /// Seconds.
    pub(super) unlisted: i64,
    pub(super) retired: Vec<String>,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) media: Vec<Media>,
    pub(super) comments: Vec<Comment>,
    last: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) account: String,
    pub(super) kind: Kind,
    pub(super) caption: String,
    /// What was said of it beside the caption.
    pub(super) said: Value,
    pub(super) at: DateTime<Utc>,
    /// Questions until it is ready.
    pub(super) left: u32,
    pub(super) failed: Option<i64>,
    pub(super) published: Option<DateTime<Utc>>,
}

impl Container {
    /// Published within so many seconds, and not saying so yet.
    pub(super) fn busy(&self, seconds: i64, now: DateTime<Utc>) -> bool {
        let since = |at| (now - at) < TimeDelta::seconds(seconds);
        self.published.is_some_and(since)
    }

    /// Not published within a day.
    pub(super) fn expired(&self, now: DateTime<Utc>) -> bool {
        self.published.is_none() && now - self.at >= TimeDelta::hours(24)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Media {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) kind: Kind,
    pub(super) caption: String,
    pub(super) said: Value,
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Comment {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) parent: String,
    pub(super) text: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            declined: Vec::new(),
            app_secret: None,
            version: None,
            quota: 100,
            questions: 1,
            failing: (0, 0),
            delayed: 0,
            in_flight: 0,
            refusing: (0, 0, 0),
            belying: (0, 0, 0),
            hidden: 0,
            blind: false,
            unlisted: 0,
            retired: Vec::new(),
            containers: BTreeMap::new(),
            media: Vec::new(),
            comments: Vec::new(),
            last: 17_889_455_560_051_444,
        }
    }
}

impl State {
    pub(super) fn id(&mut self) -> String {
        self.last += 1;
        self.last.to_string()
    }

    /// Posts of the last 24 hours; a story counts, and a carousel counts once.
    pub(super) fn used(&self, account: &str, now: DateTime<Utc>) -> usize {
        let day = now - TimeDelta::hours(24);
        let young = self.media.iter().filter(|media| media.at > day);
        young.filter(|media| media.account == account).count()
    }

    pub(super) fn seed(&mut self, account: &str, caption: &str, at: DateTime<Utc>) -> String {
        let id = self.id();
        self.media.push(Media {
            id: id.clone(),
            account: account.to_owned(),
            kind: Kind::Image,
            caption: caption.to_owned(),
            said: json!({}),
            at,
        });
        id
    }

    pub(super) fn effects(&self) -> Vec<Value> {
        let media = self.media.iter().map(|media| {
            let mut view = media.said.clone();
            view["id"] = json!(media.id);
            view["account"] = json!(media.account);
            view["kind"] = json!(media.kind);
            view["caption"] = json!(media.caption);
            view
        });
        let comments = self.comments.iter().map(|comment| {
            json!({"id": comment.id, "account": comment.account, "kind": "comment",
                "caption": comment.text, "parent": comment.parent})
        });
        media.chain(comments).collect()
    }
}
