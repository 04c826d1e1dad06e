//! What the instance remembers, how its API shows it, and its worker.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a version of the instance understands `tags[]` in the list of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagFilter {
    /// By name.
    #[default]
    Names,
    /// By number.
    Ids,
    /// Not at all: everything is listed.
    Ignored,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    last_id: u64,
    pub(super) accounts: Vec<Account>,
    pub(super) tags: Vec<Tag>,
    pub(super) media: Vec<Media>,
    pub(super) posts: Vec<Post>,
    pub(super) sessions: Vec<Session>,
    pub(super) downloads: Vec<Download>,
    pub(super) remote: BTreeMap<String, (String, u64)>,
    pub(super) tag_filter: TagFilter,
    pub(super) doubles: bool,
    pub(super) needs_approval: bool,
    pub(super) worker_stopped: bool,
    pub(super) old: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) provider: String,
    name: String,
    username: String,
    pub(super) authorized: bool,
    pub(super) refuses: Option<String>,
    pub(super) breaks: bool,
    pub(super) keeps: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tag {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) hex_color: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Media {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) size: u64,
    pub(super) alt: Option<String>,
}

/// A chunked upload on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) size: u64,
    /// Sizes of the chunks that came, by index.
    pub(super) chunks: BTreeMap<u64, u64>,
}

/// A file that is being fetched: done after so many more questions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Download {
    pub(super) id: String,
    pub(super) questions: u32,
    pub(super) media: Media,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Draft,
    Scheduled,
    Publishing,
    Published,
    Failed,
    NeedsApproval,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Post {
    pub(super) id: u64,
    pub(super) status: Status,
    pub(super) accounts: Vec<u64>,
    pub(super) versions: Vec<Value>,
    pub(super) tags: Vec<u64>,
    pub(super) scheduled_at: Option<DateTime<Utc>>,
    pub(super) published_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) trashed: bool,
    /// The record is gone: nothing shows it, and what is on a network stays there.
    pub(super) removed: bool,
    /// The queue is to take it off the networks.
    pub(super) deleting: bool,
    /// What the networks said, by account.
    pub(super) errors: BTreeMap<u64, String>,
    /// Where it can be seen, by account.
    pub(super) urls: BTreeMap<u64, String>,
}

impl Default for State {
    fn default() -> Self {
        let account = |id, provider: &str, name: &str, username: &str| Account {
            id,
            provider: provider.to_owned(),
            name: name.to_owned(),
            username: username.to_owned(),
            authorized: true,
            refuses: None,
            breaks: false,
            keeps: false,
        };
        Self {
            last_id: 100,
            accounts: vec![
                account(super::X_ACCOUNT, "twitter", "Acme on X", "acme"),
                account(super::LINKEDIN_ACCOUNT, "linkedin", "Acme Inc", "acme-inc"),
                account(super::INSTAGRAM_ACCOUNT, "instagram", "Acme", "acme.dev"),
                account(
                    super::FACEBOOK_ACCOUNT,
                    "facebook_page",
                    "Acme Page",
                    "acmepage",
                ),
                account(super::MASTODON_ACCOUNT, "mastodon", "Acme", "acme"),
            ],
            tags: Vec::new(),
            media: Vec::new(),
            posts: Vec::new(),
            sessions: Vec::new(),
            downloads: Vec::new(),
            remote: BTreeMap::new(),
            tag_filter: TagFilter::Names,
            doubles: false,
            needs_approval: false,
            worker_stopped: false,
            old: false,
        }
    }
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn account(&self, id: u64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn account_mut(&mut self, id: u64) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    /// The server's cron and queue: what is due is published, or fails, and what is to be deleted leaves its networks.
    pub(super) fn work(&mut self, now: DateTime<Utc>) {
        let (accounts, stopped) = (&self.accounts, self.worker_stopped);
        for post in &mut self.posts {
            let due = post.scheduled_at.is_some_and(|at| at <= now);
            let waiting = match post.status {
                Status::Scheduled => !post.trashed && !post.removed,
                // What it is at goes on, whatever becomes of the record.
                Status::Publishing => true,
                _ => false,
            };
            if stopped {
                if due && waiting {
                    post.status = Status::Publishing;
                }
                continue;
            }
            if due && waiting {
                post.publish(accounts, now);
            }
            // A job whose record is gone is dropped without a word (known of a copy of Pro alone).
            if std::mem::take(&mut post.deleting) && !post.removed {
                post.unpublish(accounts);
            }
        }
    }

    /// The next slot of the timetable (09:00 and 17:00 UTC) that no post has.
    pub(super) fn next_slot(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let kept = || self.posts.iter().filter(|post| !post.removed);
        let taken = |at: DateTime<Utc>| kept().any(|post| post.scheduled_at == Some(at));
        let hour = now.with_minute(0)?.with_second(0)?.with_nanosecond(0)?;
        (1..24 * 365)
            .map(|hours| hour + TimeDelta::hours(hours))
            .find(|at| matches!(at.hour(), 9 | 17) && !taken(*at))
    }

    pub(super) fn view(&self, post: &Post) -> Value {
        let accounts: Vec<Value> = post
            .accounts
            .iter()
            .filter_map(|id| self.account(*id))
            .map(|account| {
                let mut view = account.view();
                view["external_url"] = json!(post.urls.get(&account.id));
                view["errors"] =
                    json!(post.errors.get(&account.id).into_iter().collect::<Vec<_>>());
                view
            })
            .collect();
        let tags: Vec<Value> = self
            .tags
            .iter()
            .filter(|tag| post.tags.contains(&tag.id))
            .map(Tag::view)
            .collect();
        json!({
            "id": post.id,
            "uuid": uuid("post", post.id),
            "status": post.status,
            "accounts": accounts,
            "versions": post.versions,
            "tags": tags,
            "user": {"name": "Sandbox"},
            "scheduled_at": post.scheduled_at.map(time),
            "published_at": post.published_at.map(time),
            "created_at": time(post.created_at),
            "trashed": post.trashed,
        })
    }

    pub(super) fn effects(&self) -> Vec<Value> {
        let posts = self.posts.iter().filter(|post| {
            let kept = !post.trashed && !post.removed;
            kept || post.status == Status::Publishing || !post.urls.is_empty()
        });
        posts
            .map(|post| {
                let first = post.accounts.first().and_then(|id| self.account(*id));
                let tags: Vec<&str> = self
                    .tags
                    .iter()
                    .filter(|tag| post.tags.contains(&tag.id))
                    .map(|tag| tag.name.as_str())
                    .collect();
                let content = post.versions.first().and_then(|v| v["content"].as_array());
                let parts: Vec<String> = content
                    .into_iter()
                    .flatten()
                    .map(|part| plain(part["body"].as_str().unwrap_or_default()))
                    .collect();
                let first_part = content.and_then(|parts| parts.first());
                json!({
                    "uuid": uuid("post", post.id),
                    "accounts": post.accounts,
                    "network": first.map(|account| account.network()),
                    "text": parts.first(),
                    "thread": parts.iter().skip(1).collect::<Vec<_>>(),
                    "media": first_part.map(|part| &part["media"]),
                    "link": first_part.and_then(|part| part["url"].as_str()),
                    "state": post.status,
                    "scheduled_at": post.scheduled_at,
                    "tags": tags,
                })
            })
            .collect()
    }
}

impl Post {
    pub(super) fn uuid(&self) -> String {
        uuid("post", self.id)
    }

    /// A job gives up without a word where the account is not authorized, and only logs that a network refuses.
    fn unpublish(&mut self, accounts: &[Account]) {
        let stays = |id: &u64| {
            let account = accounts.iter().find(|account| account.id == *id);
            account.is_none_or(|account| account.keeps || !account.authorized)
        };
        self.urls.retain(|id, _| stays(id));
    }

    fn publish(&mut self, accounts: &[Account], now: DateTime<Utc>) {
        for id in &self.accounts {
            let Some(account) = accounts.iter().find(|account| account.id == *id) else {
                continue;
            };
            if self.urls.contains_key(id) || account.breaks {
                continue;
            }
            if !account.authorized {
                let text = "Access token expired";
                self.errors.insert(*id, text.to_owned());
            } else if let Some(text) = &account.refuses {
                self.errors.insert(*id, text.clone());
            } else {
                self.errors.remove(id);
                let url = format!(
                    "https://{}.example/{}/status/{}",
                    account.network(),
                    account.username,
                    self.id
                );
                self.urls.insert(*id, url);
            }
        }
        self.published_at = Some(self.scheduled_at.unwrap_or(now));
        self.status = if self.errors.is_empty() {
            Status::Published
        } else {
            self.published_at = None;
            Status::Failed
        };
    }
}

impl Account {
    pub(super) fn uuid(&self) -> String {
        uuid("account", self.id)
    }

    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id, "uuid": self.uuid(), "provider": self.provider, "name": self.name,
            "username": self.username, "image": null, "authorized": self.authorized,
        })
    }

    /// What the world calls the network.
    fn network(&self) -> &str {
        match self.provider.as_str() {
            "twitter" => "x",
            "facebook_page" => "facebook",
            other => other,
        }
    }
}

impl Tag {
    pub(super) fn uuid(&self) -> String {
        uuid("tag", self.id)
    }

    pub(super) fn view(&self) -> Value {
        json!({"id": self.id, "uuid": self.uuid(), "name": self.name, "hex_color": self.hex_color})
    }
}

impl Media {
    pub(super) fn uuid(&self) -> String {
        uuid("media", self.id)
    }

    pub(super) fn view(&self) -> Value {
        json!({
            "id": self.id, "uuid": self.uuid(), "name": self.name, "mime_type": self.mime,
            "type": self.mime.split('/').next(), "alt_text": self.alt,
            "url": format!("https://mixpost.example/storage/{}", self.name),
            "is_video": self.mime.starts_with("video/"),
        })
    }
}

/// A UUID that follows from what it names.
pub(super) fn uuid(kind: &str, id: u64) -> String {
    let kind = match kind {
        "account" => 1,
        "tag" => 2,
        "media" => 3,
        "post" => 4,
        _ => 5,
    };
    format!("00000000-0000-4000-800{kind}-{id:012x}")
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The body as the networks get it: lines from `<div>`s, then entities decoded, then tags stripped.
fn plain(body: &str) -> String {
    let lines = body
        .replace("<div></div>", "\n")
        .replace("<div>", "\n")
        .replace("</div>", "");
    let text = lines.strip_prefix('\n').unwrap_or(&lines);
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let letter = tag.chars().nth(1).is_none_or(|c| c.is_ascii_whitespace());
        if letter {
            out.push('<');
            rest = &tag[1..];
        } else {
            rest = tag.find('>').map_or("", |end| &tag[end + 1..]);
        }
    }
    out.push_str(rest);
    out
}
