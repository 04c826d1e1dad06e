//! LinkedIn's JSON.

use std::collections::BTreeMap;

use automarket_core::chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an answer without success holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    #[serde(rename = "serviceErrorCode")]
    pub(crate) service: Option<u64>,
    #[serde(rename = "errorDetails")]
    pub(crate) details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    #[serde(rename = "inputErrors")]
    pub(crate) input: Vec<InputError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InputError {
    pub(crate) code: Option<String>,
}

impl Problem {
    /// The most exact code that it names.
    pub(crate) fn code(&self) -> Option<String> {
        let input = self.details.input.iter().find_map(|one| one.code.clone());
        input
            .or_else(|| self.code.clone())
            .or_else(|| self.service.map(|code| code.to_string()))
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) elements: Vec<T>,
    #[serde(default)]
    paging: Value,
}

impl<T> Page<T> {
    /// Whether nothing follows. A short page says nothing: what the token may not see is left out after the page was cut.
    pub(crate) fn is_last(&self) -> bool {
        match self.paging["links"].as_array() {
            Some(links) if !links.is_empty() => !links.iter().any(|link| link["rel"] == "next"),
            _ => self.elements.is_empty(),
        }
    }
}

/// OpenID's member.
#[derive(Debug, Deserialize)]
pub(crate) struct UserInfo {
    pub(crate) sub: String,
    #[serde(default)]
    pub(crate) name: String,
}

/// The member of `r_basicprofile`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) localized_first_name: String,
    #[serde(default)]
    pub(crate) localized_last_name: String,
    pub(crate) vanity_name: Option<String>,
}

/// A member's role on an organisation's page.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Acl {
    pub(crate) organization: Option<String>,
    /// Its older name.
    pub(crate) organization_target: Option<String>,
    pub(crate) role: String,
    pub(crate) state: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Batch<T> {
    pub(crate) results: BTreeMap<String, T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Organization {
    #[serde(default)]
    pub(crate) localized_name: String,
    pub(crate) vanity_name: Option<String>,
}

/// A post as it is listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) commentary: String,
    pub(crate) created_at: Option<i64>,
    pub(crate) published_at: Option<i64>,
    pub(crate) reshare_context: Option<Value>,
    /// What stands beside the text.
    pub(crate) content: Option<Value>,
    #[serde(default)]
    pub(crate) lifecycle_state: String,
}

impl Post {
    pub(crate) fn is_public(&self) -> bool {
        self.lifecycle_state == "PUBLISHED"
    }

    pub(crate) fn is_draft(&self) -> bool {
        self.lifecycle_state == "DRAFT"
    }

    /// Whether LinkedIn took it and goes on with its media.
    pub(crate) fn is_processed(&self) -> bool {
        self.lifecycle_state == "PUBLISH_REQUESTED"
    }

    /// Whether LinkedIn took it and could not publish it.
    pub(crate) fn has_failed(&self) -> bool {
        self.lifecycle_state == "PUBLISH_FAILED"
    }

    /// When it was made.
    pub(crate) fn made(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.created_at.or(self.published_at)?)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comment {
    pub(crate) comment_urn: Option<String>,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) actor: String,
    #[serde(default)]
    pub(crate) message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) text: String,
}

/// The answer to the beginning of an upload.
#[derive(Debug, Deserialize)]
pub(crate) struct Initialized {
    pub(crate) value: Started,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    #[serde(alias = "image", alias = "document", alias = "video")]
    pub(crate) urn: String,
    pub(crate) upload_url: Option<String>,
    #[serde(default)]
    pub(crate) upload_token: String,
    #[serde(default)]
    pub(crate) upload_instructions: Vec<Part>,
    #[serde(alias = "uploadUrlsExpireAt")]
    pub(crate) upload_url_expires_at: Option<i64>,
}

/// Where a part of a file goes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub(crate) upload_url: String,
    pub(crate) first_byte: u64,
    pub(crate) last_byte: u64,
}

/// An uploaded file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asset {
    #[serde(default)]
    pub(crate) status: String,
    pub(crate) processing_failure_reason: Option<String>,
}

/// What an organisation's post came to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareStatistics {
    pub(crate) total_share_statistics: BTreeMap<String, Value>,
}

/// One number of a member's post; `count` or `value`.
#[derive(Debug, Deserialize)]
pub(crate) struct Analytics {
    pub(crate) count: Option<u64>,
    pub(crate) value: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SocialMetadata {
    pub(crate) reaction_summaries: BTreeMap<String, Count>,
    pub(crate) comment_summary: Option<Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Count {
    pub(crate) count: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_page_is_that_which_names_no_next_one_or_holds_nothing() {
        let link =
            |rel: &str| json!({"type": "application/json", "rel": rel, "href": "/rest/posts"});
        for (elements, paging, last) in [
            (json!([1]), json!({"links": [link("prev")]}), true),
            (
                json!([1]),
                json!({"links": [link("prev"), link("next")]}),
                false,
            ),
            (json!([]), json!({"links": [link("next")]}), false),
            (json!([1]), json!({"links": []}), false),
            (json!([1]), json!({"start": 0}), false),
            (json!([1]), json!(null), false),
            (json!([]), json!({"links": []}), true),
            (json!([]), json!(null), true),
        ] {
            let page = json!({"elements": elements, "paging": paging});
            let read: Page<u8> = serde_json::from_value(page.clone()).unwrap();
            assert_eq!(read.is_last(), last, "{page}");
        }
    }
}
