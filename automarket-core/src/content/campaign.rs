use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Brand, Post, Utm};
use crate::CampaignId;

/// Posts for several networks with one aim, one source and one set of tracked links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Our id.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The page it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Url>,
    /// Who speaks.
    pub brand: Brand,
    /// Its one post, with a variant per network.
    pub post: Post,
    /// How its links are tagged; the source and content differ per network.
    pub utm: Utm,
    /// Where it stands.
    pub status: CampaignStatus,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CampaignStatus {
    /// Written, nothing sent.
    Draft,
    /// Handed to platforms for a later time.
    Scheduled,
    /// Public.
    Active,
    /// Over.
    Completed,
}
