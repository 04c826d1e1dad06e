//! What the fake remembers.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    MEMBER, ORGANIZATION, OTHER_MEMBER, OTHER_ORGANIZATION, OTHER_TOKEN, TOKEN, little::shown,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) token: String,
    pub(super) versions: Vec<String>,
    pub(super) community: bool,
    pub(super) openid: bool,
    pub(super) members_read: bool,
    pub(super) analytics: bool,
    pub(super) failing: (u32, String),
    pub(super) questions: u32,
    pub(super) hidden: u32,
    /// Seconds.
    pub(super) unlisted: i64,
    /// Roles that may not post, before those that may.
    pub(super) other_roles: usize,
    /// Whether full pages of lists leave something out.
    pub(super) gaps: bool,
    pub(super) takes_repeats: bool,
    pub(super) too_new: u32,
    pub(super) uncommentable: u32,
    /// After how many questions posts with files are public, and whether they fail instead.
    pub(super) late: (u32, bool),
    pub(super) posts: Vec<Post>,
    /// What was deleted: its text is known for a while.
    pub(super) deleted: Vec<Post>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Posts by member and day.
    pub(super) days: BTreeMap<String, u32>,
    last: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) author: String,
    /// As it was sent.
    pub(super) commentary: String,
    pub(super) visibility: String,
    pub(super) content: Option<Value>,
    pub(super) no_reshare: bool,
    pub(super) draft: bool,
    /// How many questions find it still in processing, and whether that fails in the end.
    pub(super) late: (u32, bool),
    pub(super) comments: Vec<Comment>,
    pub(super) at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Comment {
    pub(super) id: String,
    pub(super) actor: String,
    pub(super) text: String,
}

impl Post {
    /// LinkedIn's `lifecycleState`.
    pub(super) fn lifecycle(&self) -> &'static str {
        match self.late {
            _ if self.draft => "DRAFT",
            (1.., _) => "PUBLISH_REQUESTED",
            (0, true) => "PUBLISH_FAILED",
            (0, false) => "PUBLISHED",
        }
    }

    pub(super) fn view(&self) -> Value {
        let comments = self.comments.iter();
        let comments = comments.map(|one| json!({"actor": one.actor, "text": one.text}));
        json!({
            "id": self.id,
            "author": self.author,
            "text": shown(&self.commentary),
            "commentary": self.commentary,
            "visibility": self.visibility,
            "content": self.content,
            "no_reshare": self.no_reshare,
            "draft": self.draft,
            "state": self.lifecycle(),
            "comments": comments.collect::<Vec<Value>>(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) owner: String,
    pub(super) kind: String,
    /// The bytes of each part that is expected; of one part any number where there is `None`.
    pub(super) expected: Vec<Option<u64>>,
    /// Bytes and tag of each part that came.
    pub(super) parts: BTreeMap<usize, (u64, String)>,
    pub(super) stage: Stage,
    pub(super) until: DateTime<Utc>,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    /// So many questions are left.
    Processing(u32),
    Failed(String),
    Available,
}

impl Upload {
    pub(super) fn view(&self) -> Value {
        let bytes: u64 = self.parts.values().map(|(bytes, _)| bytes).sum();
        json!({"owner": self.owner, "bytes": bytes, "parts": self.parts.len()})
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            versions: ["202605", "202606", "202609", "202610"]
                .map(str::to_owned)
                .to_vec(),
            community: true,
            openid: true,
            members_read: false,
            analytics: false,
            failing: (0, String::new()),
            questions: 1,
            hidden: 0,
            unlisted: 0,
            other_roles: 0,
            gaps: false,
            takes_repeats: false,
            too_new: 0,
            uncommentable: 0,
            late: (0, false),
            posts: Vec::new(),
            deleted: Vec::new(),
            uploads: BTreeMap::new(),
            days: BTreeMap::new(),
            last: 7_100_000_000_000_000_000,
        }
    }
}

impl State {
    pub(super) fn number(&mut self) -> u64 {
        self.last += 4_194_305;
        self.last
    }

    /// The number of a post, which begins with its millisecond: so they look, though LinkedIn does not say so.
    pub(super) fn number_at(&mut self, now: DateTime<Utc>) -> i64 {
        let next = i64::try_from(self.number() & 0x003f_ffff).unwrap_or_default();
        (now.timestamp_millis() << 22) | next
    }

    /// A page of a list: it is cut first, and what the token may not see is left out of it then.
    pub(super) fn page<T>(
        &self,
        list: impl Iterator<Item = T>,
        start: usize,
        count: usize,
    ) -> Vec<T> {
        let mut page: Vec<T> = list.skip(start).take(count).collect();
        if self.gaps && page.len() == count {
            page.remove(0);
        }
        page
    }

    /// Whose token it is.
    pub(super) fn member(&self, token: &str) -> Option<&'static str> {
        match token {
            token if token == self.token => Some(MEMBER),
            OTHER_TOKEN => Some(OTHER_MEMBER),
            _ => None,
        }
    }

    /// Whether the member may act as this author.
    pub(super) fn speaks(&self, member: &str, author: &str) -> bool {
        author == member || self.community && author == administered(member)
    }

    /// Whether the member may read what this author made.
    pub(super) fn reads(&self, member: &str, author: &str) -> bool {
        self.speaks(member, author) && (author != member || self.members_read)
    }

    pub(super) fn post(&self, urn: &str) -> Option<&Post> {
        self.posts.iter().find(|post| post.id == urn)
    }

    pub(super) fn publish_draft(&mut self, urn: &str) -> bool {
        let mut posts = self.posts.iter_mut();
        let draft = posts.find(|post| post.id == urn && post.draft);
        draft.is_some_and(|post| {
            post.late = self.late;
            std::mem::replace(&mut post.draft, false)
        })
    }

    pub(super) fn seed(&mut self, author: &str, commentary: &str, at: DateTime<Utc>) -> String {
        let id = format!("urn:li:share:{}", self.number_at(at));
        self.posts.push(Post {
            id: id.clone(),
            author: author.to_owned(),
            commentary: commentary.to_owned(),
            visibility: "PUBLIC".to_owned(),
            content: None,
            no_reshare: false,
            draft: false,
            late: (0, false),
            comments: Vec::new(),
            at,
        });
        id
    }
}

/// The organisation that a member administers.
pub(super) fn administered(member: &str) -> &'static str {
    if member == MEMBER {
        ORGANIZATION
    } else {
        OTHER_ORGANIZATION
    }
}
