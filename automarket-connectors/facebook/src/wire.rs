//! Facebook's JSON.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) username: Option<String>,
    pub(crate) access_token: Option<String>,
    /// What the user may do there; missing where a page asks for itself.
    pub(crate) tasks: Option<Vec<String>>,
}

/// A post, or a video in the same words.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    #[serde(default, alias = "description")]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) created_time: String,
    pub(crate) scheduled_publish_time: Option<Value>,
    #[serde(default)]
    pub(crate) attachments: Attachments,
}

/// What a post shows beside its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attachments {
    pub(crate) data: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attachment {
    /// The address of a link, as it is.
    pub(crate) unshimmed_url: Option<String>,
    pub(crate) target: Target,
    /// Each of several photos.
    pub(crate) subattachments: Attachments,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Target {
    pub(crate) id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) message: String,
    /// Whose it is, where Facebook says.
    pub(crate) from: Option<From>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct From {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Post {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) is_published: bool,
    pub(crate) permalink_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Video {
    #[serde(default)]
    pub(crate) published: bool,
    pub(crate) permalink_url: Option<String>,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) video_status: String,
    pub(crate) uploading_phase: Phase,
    pub(crate) processing_phase: Phase,
    pub(crate) publishing_phase: Phase,
}

impl Status {
    /// Whether it says that nothing was done with what was uploaded. What was told to go out says so for a while, too.
    pub(crate) fn is_untouched(&self) -> bool {
        let phases = [&self.processing_phase, &self.publishing_phase];
        matches!(self.video_status.as_str(), "upload_complete" | "expired")
            && phases.iter().all(|phase| phase.is_idle())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Phase {
    pub(crate) status: String,
    pub(crate) publish_status: String,
    pub(crate) errors: Vec<PhaseError>,
}

impl Phase {
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.status.as_str(), "" | "not_started")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PhaseError {
    pub(crate) message: String,
}

/// An upload that was begun, and which bytes are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) upload_session_id: String,
    pub(crate) video_id: String,
    #[serde(flatten)]
    pub(crate) wanted: Wanted,
}

/// Numbers as texts, or as numbers.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    start_offset: Value,
    end_offset: Value,
}

impl Wanted {
    /// From where to where; equal when nothing is.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        Some((number(&self.start_offset)?, number(&self.end_offset)?))
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reel {
    pub(crate) video_id: String,
    pub(crate) upload_url: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) shares: Option<Shares>,
    #[serde(alias = "likes")]
    pub(crate) reactions: Option<Counted>,
    pub(crate) comments: Option<Counted>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shares {
    pub(crate) count: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counted {
    #[serde(default)]
    pub(crate) summary: BTreeMap<String, Value>,
}

impl Counted {
    pub(crate) fn total(&self) -> Option<u64> {
        self.summary.get("total_count")?.as_u64()
    }
}

/// A number, or a text of one.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse::<u64>().ok())
}

/// `2026-11-20T09:00:00+0000`, or Unix seconds.
pub(crate) fn time(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(seconds) = number(value) {
        return DateTime::from_timestamp(seconds.try_into().ok()?, 0);
    }
    let text = value.as_str()?;
    let read = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z");
    Some(read.ok()?.to_utc())
}
