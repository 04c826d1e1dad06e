//! X's JSON. The description of August 2026 renames fields that the documentation and the clients still
//! spell otherwise, so both names are read.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The envelope of all answers: an answer of success may hold errors beside its data, or instead of it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Answer<T> {
    pub(crate) data: Option<T>,
    #[serde(default)]
    pub(crate) includes: Includes,
    #[serde(default)]
    pub(crate) errors: Vec<Problem>,
    pub(crate) meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: String,
    pub(crate) detail: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) code: Option<u64>,
    pub(crate) errors: Vec<Problem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta {
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Includes {
    pub(crate) media: Vec<IncludedMedia>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IncludedMedia {
    #[serde(default)]
    pub(crate) public_metrics: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Created {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Deleted {
    #[serde(default)]
    pub(crate) deleted: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) subscription_type: Option<String>,
    pub(crate) verified_type: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Post {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) entities: Entities,
    #[serde(default, alias = "referenced_posts")]
    pub(crate) referenced_tweets: Vec<Reference>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) attachments: Attachments,
    #[serde(alias = "note_post")]
    pub(crate) note_tweet: Option<Note>,
    #[serde(default)]
    pub(crate) public_metrics: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) non_public_metrics: BTreeMap<String, Value>,
}

/// The files of a post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attachments {
    pub(crate) media_keys: Vec<String>,
}

/// The whole text of a long post.
#[derive(Debug, Deserialize)]
pub(crate) struct Note {
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) entities: Entities,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entities {
    pub(crate) urls: Vec<Link>,
}

/// An address as X shortens it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) expanded_url: String,
    pub(crate) media_key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// An uploaded file.
#[derive(Debug, Deserialize)]
pub(crate) struct Media {
    pub(crate) id: String,
    pub(crate) expires_after_secs: Option<i64>,
    pub(crate) processing_info: Option<Processing>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Processing {
    pub(crate) state: String,
    pub(crate) check_after_secs: Option<u64>,
    #[serde(default)]
    pub(crate) error: Value,
}
