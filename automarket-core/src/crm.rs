//! Keeping CRMs in step: the trait and its words.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::{
    Context, Identity, Platform, Result,
    content::Utm,
    profile::{ApiVersion, Status},
};

/// A CRM. A batch gives one result per record, in order, and never fewer: one bad record fails alone.
///
/// Writes are upserts by a natural key (e-mail, domain, our own key), so that repeating one changes
/// nothing; [`CrmProfile::idempotent`] says whether that also holds for activities.
#[async_trait]
pub trait CrmProvider: Send + Sync {
    /// Limits and abilities; no I/O.
    fn profile(&self) -> &CrmProfile;

    /// Whose credential this is. Also the health check.
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>>;

    /// The contact with this e-mail address (compared in lower case, trimmed).
    async fn find_contact(&self, cx: &Context, email: &str) -> Result<Option<Record>>;

    /// Creates or updates people by e-mail address.
    async fn upsert_contacts(
        &self,
        cx: &Context,
        contacts: &[Contact],
    ) -> Result<Vec<Result<Upserted>>>;

    /// Creates or updates leads by their key; the person of a lead is upserted with it.
    async fn upsert_leads(&self, cx: &Context, leads: &[Lead]) -> Result<Vec<Result<Upserted>>>;

    /// Creates or updates companies by domain.
    async fn upsert_companies(
        &self,
        cx: &Context,
        companies: &[Company],
    ) -> Result<Vec<Result<Upserted>>>;

    /// Puts an activity on a record's timeline.
    async fn record_activity(&self, cx: &Context, activity: &Activity) -> Result<Upserted>;

    /// Records a campaign with its posts and tracked links: repeating it updates the same records.
    async fn record_campaign(
        &self,
        cx: &Context,
        campaign: &CampaignRecord,
    ) -> Result<CampaignRecorded>;

    /// The fields of an object.
    async fn fields(&self, cx: &Context, object: &str) -> Result<Vec<Field>>;

    /// Creates what is missing of these fields (and their objects); what exists is left alone. Returns the
    /// names that were created.
    async fn ensure_fields(
        &self,
        cx: &Context,
        object: &str,
        fields: &[Field],
    ) -> Result<Vec<String>>;

    /// What changed since the cursor, oldest first, deletions included; `None` starts from the beginning.
    async fn changes_since(
        &self,
        cx: &Context,
        object: &str,
        cursor: Option<&str>,
    ) -> Result<Changes>;

    /// Takes a record out of view so that it can be restored. What is already gone is `Ok`.
    async fn archive(&self, cx: &Context, object: &str, id: &str) -> Result<()>;

    /// Any other call of the CRM's API with managed credentials: `path` is relative to the API's base.
    async fn raw(
        &self,
        cx: &Context,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value>;
}

const _: Option<&dyn CrmProvider> = None;

/// What a CRM does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CrmProfile {
    /// Which platform.
    pub platform: Platform,
    /// Its name for people.
    pub name: &'static str,
    /// Whether it can be used today.
    pub status: Status,
    /// The API version that we speak.
    pub api: ApiVersion,
    /// Records of one request at the most.
    pub max_batch: usize,
    /// Whether all writes, activities included, may be repeated without a second effect.
    pub idempotent: bool,
    /// Whether it can be told of campaigns.
    pub campaigns: bool,
    /// Whether objects and fields can be created.
    pub provisioning: bool,
    /// Whether changes can be read.
    pub changes: bool,
}

impl CrmProfile {
    /// A CRM that takes one record at a time and has nothing optional.
    #[must_use]
    pub fn new(platform: Platform, name: &'static str, api: ApiVersion) -> Self {
        Self {
            platform,
            name,
            status: Status::Live,
            api,
            max_batch: 1,
            idempotent: false,
            campaigns: false,
            provisioning: false,
            changes: false,
        }
    }
}

/// A record as the CRM has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The CRM's id.
    pub id: String,
    /// Its fields, in the CRM's own names.
    pub fields: Value,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What an upsert did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upserted {
    /// The CRM's id.
    pub id: String,
    /// Whether the record is new; `None` where the CRM does not tell.
    pub created: Option<bool>,
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// The address: the natural key.
    pub email: String,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Phone number (E.164).
    pub phone: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// City.
    pub city: Option<String>,
    /// LinkedIn profile.
    pub linkedin: Option<Url>,
    /// The CRM's id of the company.
    pub company_id: Option<String>,
    /// Further fields, in the CRM's own names.
    pub fields: BTreeMap<String, Value>,
}

/// A company.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Company {
    /// The domain: the natural key.
    pub domain: String,
    /// The name.
    pub name: String,
    /// How many people work there.
    pub employees: Option<u64>,
    /// Further fields, in the CRM's own names.
    pub fields: BTreeMap<String, Value>,
}

/// A person with a possible sale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lead {
    /// The host's key: the same key is the same lead.
    pub key: String,
    /// Who.
    pub contact: Contact,
    /// What the sale is called.
    pub name: String,
    /// How far it is, in the CRM's own word.
    pub stage: Option<String>,
    /// What it is worth: amount in millionths and ISO 4217 currency.
    pub amount: Option<(i64, String)>,
    /// Further fields of the sale, in the CRM's own names.
    pub fields: BTreeMap<String, Value>,
}

/// Something that happened, for a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// The host's key: the same key is the same activity.
    pub key: String,
    /// Object the record is of (`person`, `company`, `opportunity`, ...), in our words.
    pub object: String,
    /// The CRM's id of the record.
    pub record_id: String,
    /// The headline.
    pub title: String,
    /// The body, as Markdown.
    pub body: String,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// A campaign as a CRM is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignRecord {
    /// The host's key: the same key is the same campaign.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// `draft`, `scheduled`, `active` or `completed`.
    pub status: crate::content::CampaignStatus,
    /// Its sort, such as `website`.
    pub kind: String,
    /// The page it was made from.
    pub source: Option<Url>,
    /// Its posts.
    pub posts: Vec<CampaignPost>,
    /// Its tracked links.
    pub utms: Vec<CampaignUtm>,
}

/// One post of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignPost {
    /// The host's key of the post on this network.
    pub key: String,
    /// The network.
    pub network: Platform,
    /// The text as sent.
    pub text: String,
    /// Its counted length.
    pub length: usize,
    /// When it is to appear.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The platform's id.
    pub remote_id: Option<String>,
}

/// One tracked link of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignUtm {
    /// The host's key of the link.
    pub key: String,
    /// Its parameters.
    pub utm: Utm,
    /// The tagged address.
    pub href: Url,
    /// The networks it is used on.
    pub networks: Vec<Platform>,
}

/// What a CRM recorded of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignRecorded {
    /// The CRM's id of the campaign.
    pub campaign: String,
    /// Its ids of the posts, in order.
    pub posts: Vec<String>,
    /// Its ids of the tracked links, in order.
    pub utms: Vec<String>,
}

/// A field of a CRM object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in the API.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// Its type.
    pub kind: FieldKind,
    /// Whether two records may not share a value.
    pub unique: bool,
}

/// The type of a CRM field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FieldKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// An instant.
    DateTime,
    /// One of these words.
    Select(Vec<String>),
    /// Some of these words.
    MultiSelect(Vec<String>),
    /// A link to one record of another object.
    Relation(String),
    /// A type of the CRM that has no word here.
    Other(String),
}

/// A page of changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Records as they now are.
    pub records: Vec<Record>,
    /// Ids of records that are gone.
    pub deleted: Vec<String>,
    /// Where to go on: store it after the page is handled.
    pub cursor: Option<String>,
    /// Whether there is more right now.
    pub more: bool,
}
