//! What goes over the wire and nobody else needs to know.

use automarket_core::{
    Delivery,
    chrono::{DateTime, Utc},
};
use serde::{Deserialize, Serialize};

use crate::{MixpostPostInput, MixpostVersion, records::MixpostMedia};

/// The body of creating and of replacing a post.
#[derive(Debug, Serialize)]
pub(crate) struct PostBody<'a> {
    #[serde(flatten)]
    time: Option<WallClock>,
    #[serde(skip_serializing_if = "is_false")]
    schedule: bool,
    #[serde(skip_serializing_if = "is_false")]
    schedule_now: bool,
    #[serde(skip_serializing_if = "is_false")]
    queue: bool,
    accounts: &'a [u64],
    tags: &'a [u64],
    versions: &'a [MixpostVersion],
}

impl<'a> PostBody<'a> {
    /// A new post, delivered like this.
    pub(crate) fn create(input: &'a MixpostPostInput, delivery: Delivery) -> Self {
        Self {
            schedule: matches!(delivery, Delivery::At(_)),
            schedule_now: delivery == Delivery::Now,
            queue: delivery == Delivery::Queue,
            ..Self::replace(input)
        }
    }

    /// The whole post anew; without a time it becomes a draft.
    pub(crate) fn replace(input: &'a MixpostPostInput) -> Self {
        Self {
            time: input.at.map(WallClock::utc),
            schedule: false,
            schedule_now: false,
            queue: false,
            accounts: &input.accounts,
            tags: &input.tags,
            versions: &input.versions,
        }
    }
}

/// A time as Mixpost takes it. Always in UTC: the zone of the token's owner is nobody's business here.
#[derive(Debug, Serialize)]
pub(crate) struct WallClock {
    date: String,
    time: String,
    timezone: &'static str,
}

impl WallClock {
    pub(crate) fn utc(at: DateTime<Utc>) -> Self {
        Self {
            date: at.format("%Y-%m-%d").to_string(),
            time: at.format("%H:%M").to_string(),
            timezone: "UTC",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A list, paged or not.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) meta: Option<Meta>,
}

/// Where a page stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Meta {
    #[serde(default)]
    pub(crate) current_page: Option<u32>,
    #[serde(default)]
    pub(crate) last_page: Option<u32>,
    #[serde(default)]
    pub(crate) total: Option<u64>,
}

/// How fetching media from an address stands. A failure comes with status 200.
#[derive(Debug, Deserialize)]
pub(crate) struct Download {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) media: Option<MixpostMedia>,
    #[serde(default)]
    pub(crate) download_id: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// A chunked upload that was opened.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) upload_uuid: String,
    pub(crate) chunk_size: u64,
    pub(crate) total_chunks: u32,
}

/// What became of a delete.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Deleted {
    #[serde(default)]
    pub(crate) deleting_from_social_platforms: Option<serde_json::Value>,
}
