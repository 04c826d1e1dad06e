//! What Mixpost holds, as its API says it. Fields that some versions leave out are optional.

use automarket_core::chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A workspace that the token can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixpostWorkspace {
    /// Its UUID.
    pub uuid: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A social account of a workspace; inside a post also what became of it there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixpostAccount {
    /// The number that posts name it by.
    #[serde(deserialize_with = "number")]
    pub id: u64,
    /// The UUID that paths name it by.
    #[serde(default)]
    pub uuid: String,
    /// Mixpost's key of the network: `twitter`, `facebook_page`, `linkedin`, ...
    #[serde(default)]
    pub provider: String,
    /// Its name for people.
    #[serde(default)]
    pub name: String,
    /// Its handle.
    #[serde(default)]
    pub username: Option<String>,
    /// `false`: it must be connected again in Mixpost.
    #[serde(default = "yes")]
    pub authorized: bool,
    /// Where the post can be seen, once it is out.
    #[serde(default)]
    pub external_url: Option<String>,
    /// Inside a post, whether Mixpost knows the network's post; absent where the answer does not say.
    #[serde(skip)]
    pub knows_post: Option<bool>,
    /// What the network said against the post.
    #[serde(default, deserialize_with = "texts")]
    pub errors: Vec<String>,
}

/// How a post stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MixpostStatus {
    /// Not scheduled.
    Draft,
    /// Waits for its time.
    Scheduled,
    /// The server's worker is at it.
    Publishing,
    /// Out on every account.
    Published,
    /// Refused on at least one account.
    Failed,
    /// Waits for somebody's approval in Mixpost.
    NeedsApproval,
    /// A status of a version that we do not know.
    Other(String),
}

impl MixpostStatus {
    /// Mixpost's spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::NeedsApproval => "needs_approval",
            Self::Other(text) => text,
        }
    }
}

impl Serialize for MixpostStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MixpostStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?.to_lowercase();
        Ok(match text.as_str() {
            "draft" => Self::Draft,
            "scheduled" => Self::Scheduled,
            "publishing" => Self::Publishing,
            "published" => Self::Published,
            "failed" => Self::Failed,
            "needs_approval" => Self::NeedsApproval,
            _ => Self::Other(text),
        })
    }
}

/// A post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixpostPost {
    /// The UUID that paths name it by.
    pub uuid: String,
    /// How it stands.
    pub status: MixpostStatus,
    /// Where it goes, and what became of it there.
    #[serde(default, deserialize_with = "accounts")]
    pub accounts: Vec<MixpostAccount>,
    /// What it says.
    #[serde(default)]
    pub versions: Vec<MixpostVersion>,
    /// Its tags; absent where the answer did not list them.
    #[serde(default)]
    pub tags: Option<Vec<MixpostTag>>,
    /// When it is due.
    #[serde(default, deserialize_with = "instant")]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it went out.
    #[serde(default, deserialize_with = "instant")]
    pub published_at: Option<DateTime<Utc>>,
    /// Whether it lies in the trash.
    #[serde(default)]
    pub trashed: bool,
}

/// What a post says: the original (`account_id` 0), or what one account says instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixpostVersion {
    /// 0 for the original, else the account's number.
    #[serde(deserialize_with = "number")]
    pub account_id: u64,
    /// Whether it is the original.
    #[serde(default)]
    pub is_original: bool,
    /// One item; several are a thread.
    #[serde(default)]
    pub content: Vec<MixpostContent>,
    /// Options by provider.
    #[serde(default)]
    pub options: Value,
}

/// One part of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixpostContent {
    /// HTML, one `<div>` per line.
    #[serde(default, deserialize_with = "text")]
    pub body: String,
    /// Numbers of media in the library.
    #[serde(default, deserialize_with = "ids")]
    pub media: Vec<u64>,
    /// A link attached beside the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A file of the media library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixpostMedia {
    /// The number that posts name it by.
    #[serde(deserialize_with = "number")]
    pub id: u64,
    /// The UUID that paths name it by.
    #[serde(default)]
    pub uuid: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its MIME type.
    #[serde(default)]
    pub mime_type: Option<String>,
    /// Its address.
    #[serde(default)]
    pub url: Option<String>,
    /// What it shows, for those who cannot see it.
    #[serde(default)]
    pub alt_text: Option<String>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixpostTag {
    /// The number that posts name it by.
    #[serde(deserialize_with = "number")]
    pub id: u64,
    /// The UUID that paths name it by.
    #[serde(default)]
    pub uuid: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its colour, `#rrggbb`.
    #[serde(default)]
    pub hex_color: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MixpostPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Its number, from 1.
    pub page: u32,
    /// The last page; absent where the instance does not page this list.
    pub last_page: Option<u32>,
    /// How many there are in all, where it says.
    pub total: Option<u64>,
}

fn yes() -> bool {
    true
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// Ids come as numbers, in some versions as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    as_number(&Value::deserialize(deserializer)?)
        .ok_or_else(|| serde::de::Error::custom("an id is a number"))
}

fn as_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Media of a post come as ids or as whole records.
fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let values = Option::<Vec<Value>>::deserialize(deserializer)?.unwrap_or_default();
    let id = |value: &Value| as_number(value).or_else(|| value.get("id").and_then(as_number));
    Ok(values.iter().filter_map(id).collect())
}

/// A link that is `null` stands where Mixpost knows no post on the network; versions that show no links leave it out.
fn accounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MixpostAccount>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    let account = |value: Value| {
        let knows_post = value.get("external_url").map(|url| !url.is_null());
        let account = MixpostAccount::deserialize(value).map_err(serde::de::Error::custom)?;
        Ok(MixpostAccount {
            knows_post,
            ..account
        })
    };
    values.into_iter().map(account).collect()
}

/// Errors come as one text, as a list of texts, or as objects.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let one = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(one).collect(),
        Value::Object(fields) => fields.values().map(one).collect(),
        other => vec![one(&other)],
    })
}

/// `2026-12-01 14:00:00` is UTC; RFC 3339 is taken too, and what is neither is absent.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| {
        let plain = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
        let full = || text.parse::<DateTime<Utc>>().ok();
        plain.map(|time| time.and_utc()).ok().or_else(full)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_api_differ_and_are_all_read() {
        let post: MixpostPost = serde_json::from_value(serde_json::json!({
            "id": 3, "uuid": "u", "status": "PUBLISHING",
            "accounts": [{"id": "7", "provider": "twitter", "errors": {"text": "too long"}}],
            "versions": [{"account_id": 0, "content": [{"body": null, "media": ["4", {"id": 5}], "url": ""}]}],
            "scheduled_at": "2026-12-01T14:00:00.000000Z", "published_at": null
        }))
        .unwrap();
        assert_eq!(post.status, MixpostStatus::Publishing);
        assert_eq!(post.accounts[0].id, 7);
        assert!(post.accounts[0].authorized);
        assert_eq!(post.accounts[0].errors, ["too long"]);
        assert_eq!(post.accounts[0].knows_post, None);
        assert_eq!(post.versions[0].content[0].media, [4, 5]);
        assert_eq!(
            post.scheduled_at.unwrap().to_rfc3339(),
            "2026-12-01T14:00:00+00:00"
        );
        assert_eq!(post.tags, None);
    }
}
