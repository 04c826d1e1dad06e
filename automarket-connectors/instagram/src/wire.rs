//! Instagram's JSON.

use automarket_core::chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// Who the token of Instagram's own login belongs to.
#[derive(Debug, Deserialize)]
pub(crate) struct Me {
    pub(crate) user_id: Value,
    pub(crate) username: String,
    pub(crate) name: Option<String>,
}

/// A page, for the account that is linked to it.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) access_token: Option<String>,
    pub(crate) instagram_business_account: Option<Linked>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Linked {
    pub(crate) id: String,
    pub(crate) username: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Container {
    #[serde(default)]
    pub(crate) status_code: String,
    #[serde(default)]
    pub(crate) status: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Quotas {
    pub(crate) data: Vec<Quota>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Quota {
    pub(crate) quota_usage: u64,
    pub(crate) config: Option<QuotaConfig>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct QuotaConfig {
    pub(crate) quota_total: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Media {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) caption: String,
    #[serde(default)]
    pub(crate) timestamp: String,
    pub(crate) permalink: Option<String>,
    pub(crate) media_product_type: Option<String>,
    pub(crate) like_count: Option<u64>,
    pub(crate) comments_count: Option<u64>,
}

impl Media {
    pub(crate) fn at(&self) -> Option<DateTime<Utc>> {
        let read = DateTime::parse_from_str(&self.timestamp, "%Y-%m-%dT%H:%M:%S%z");
        Some(read.ok()?.to_utc())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) text: String,
    pub(crate) username: Option<String>,
}

/// An account by its name.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) username: String,
}

/// A number, or a text.
pub(crate) fn id(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
