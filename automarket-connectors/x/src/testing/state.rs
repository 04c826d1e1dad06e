//! What the fake remembers.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TOKEN;

/// A rate limit's window, in seconds.
const WINDOW: i64 = 15 * 60;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) token: String,
    pub(super) premium: bool,
    pub(super) failing: (u32, String),
    pub(super) questions: u32,
    pub(super) hidden: u32,
    pub(super) unlisted: u32,
    pub(super) takes_repeats: bool,
    pub(super) no_private_numbers: bool,
    pub(super) posts: Vec<Post>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// By user and bucket: where the window ends, and how many requests were in it.
    windows: BTreeMap<String, (i64, u32)>,
    last: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) user: String,
    /// As it was sent.
    pub(super) sent: String,
    pub(super) reply_to: Option<String>,
    pub(super) quote: Option<String>,
    pub(super) media: Vec<String>,
    pub(super) poll: Option<Value>,
    pub(super) reply_settings: Option<String>,
    pub(super) at: DateTime<Utc>,
}

impl Post {
    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id,
            "user": self.user,
            "text": self.sent,
            "reply_to": self.reply_to,
            "quote": self.quote,
            "media": self.media,
            "poll": self.poll,
            "reply_settings": self.reply_settings,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) user: String,
    pub(super) category: String,
    pub(super) expected: u64,
    pub(super) bytes: u64,
    pub(super) segments: Vec<u64>,
    pub(super) stage: Stage,
    pub(super) alt: Option<String>,
    pub(super) until: DateTime<Utc>,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    Arriving,
    /// So many questions are left.
    Processing(u32),
    Failed(String),
    Ready,
}

impl Upload {
    pub(super) fn view(&self) -> Value {
        json!({
            "bytes": self.bytes,
            "category": self.category,
            "alt": self.alt,
            "segments": self.segments.len(),
        })
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            premium: false,
            failing: (0, String::new()),
            questions: 2,
            hidden: 0,
            unlisted: 0,
            takes_repeats: false,
            no_private_numbers: false,
            posts: Vec::new(),
            uploads: BTreeMap::new(),
            windows: BTreeMap::new(),
            last: 1_900_000_000_000_000_000,
        }
    }
}

impl State {
    pub(super) fn id(&mut self) -> String {
        self.last += 4_194_304;
        self.last.to_string()
    }

    pub(super) fn seed(&mut self, user: &str, text: &str, at: DateTime<Utc>) -> String {
        let id = self.id();
        self.posts.push(Post {
            id: id.clone(),
            user: user.to_owned(),
            sent: text.to_owned(),
            reply_to: None,
            quote: None,
            media: Vec::new(),
            poll: None,
            reply_settings: None,
            at,
        });
        id
    }

    pub(super) fn post(&self, id: &str) -> Option<&Post> {
        self.posts.iter().find(|post| post.id == id)
    }

    /// Counts a request: how many are left, or `None` when there are none.
    pub(super) fn take(
        &mut self,
        user: &str,
        bucket: &str,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Option<u32> {
        let now = now.timestamp();
        let window = self
            .windows
            .entry(format!("{user} {bucket}"))
            .or_insert((now + WINDOW, 0));
        if window.0 <= now {
            *window = (now + WINDOW, 0);
        }
        let left = limit.checked_sub(window.1 + 1)?;
        window.1 += 1;
        Some(left)
    }

    /// When a bucket's window ends, in Unix seconds.
    pub(super) fn window(&self, user: &str, bucket: &str) -> i64 {
        let window = self.windows.get(&format!("{user} {bucket}"));
        window.map_or(0, |window| window.0)
    }
}
