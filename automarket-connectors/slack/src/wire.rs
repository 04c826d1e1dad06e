//! Slack's JSON, as it spells it.

use serde::Deserialize;
use serde_json::Value;

/// What every Web API reply begins with.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) ok: bool,
    pub(crate) error: Option<String>,
    pub(crate) needed: Option<String>,
    #[serde(default)]
    pub(crate) response_metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) messages: Vec<String>,
    pub(crate) next_cursor: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthTest {
    #[serde(default)]
    pub(crate) team: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Channels {
    #[serde(default)]
    pub(crate) channels: Vec<Channel>,
    #[serde(default)]
    pub(crate) response_metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Posted {
    pub(crate) channel: String,
    pub(crate) ts: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct History {
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) response_metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) ts: String,
    #[serde(default)]
    pub(crate) metadata: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Upload {
    pub(crate) upload_url: String,
    pub(crate) file_id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileInfo {
    pub(crate) file: File,
}

#[derive(Debug, Deserialize)]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) shares: Value,
}
