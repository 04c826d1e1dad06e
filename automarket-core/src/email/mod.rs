//! Sending e-mail through a provider: the trait and its words.

mod check;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Context, Identity, Outcome, Result,
    content::Media,
    profile::{ApiVersion, Status},
};

/// An e-mail provider. What one does not do answers `Unsupported`; a batch gives one result per recipient
/// or member, in order, and never fewer.
#[async_trait]
pub trait EmailProvider: Send + Sync {
    /// The pinned API version and what the provider does.
    fn profile(&self) -> &EmailProfile;

    /// Checks the credential: the senders it may use.
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>>;

    /// Sends each message once to each of its recipients. The key of `cx` goes along where the provider
    /// takes one. An `Err` entry with `Reconcile` may have been sent.
    async fn send(&self, cx: &Context, messages: &[EmailMessage]) -> Result<Vec<Result<Outcome>>>;

    /// The provider's stored templates.
    async fn templates(&self, cx: &Context) -> Result<Vec<Identity>>;

    /// Adds or updates members of an audience, with tags; one result per member.
    async fn upsert_members(
        &self,
        cx: &Context,
        audience: &str,
        members: &[Member],
    ) -> Result<Vec<Result<()>>>;

    /// Addresses that must not be written to, page by page.
    async fn suppressed(
        &self,
        cx: &Context,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)>;

    /// Creates a mailing to an audience, not sent yet.
    async fn create_mailing(&self, cx: &Context, mailing: &Mailing) -> Result<Outcome>;

    /// Sends a mailing now or at an instant.
    async fn send_mailing(
        &self,
        cx: &Context,
        id: &str,
        at: Option<DateTime<Utc>>,
    ) -> Result<Outcome>;

    /// Calls a scheduled mailing off.
    async fn cancel_mailing(&self, cx: &Context, id: &str) -> Result<()>;

    /// What came of a mailing, in the provider's own names.
    async fn report(&self, cx: &Context, id: &str) -> Result<BTreeMap<String, Value>>;

    /// Reads the events of an already verified webhook body. Pure.
    fn decode_events(&self, body: &Bytes) -> Result<Vec<EmailEvent>>;
}

const _: Option<&dyn EmailProvider> = None;

/// What an e-mail provider does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EmailProfile {
    /// Which platform.
    pub platform: crate::Platform,
    /// Whether it can be used today.
    pub status: Status,
    /// The API version that we speak.
    pub api: ApiVersion,
    /// Recipients of one request at the most.
    pub max_batch: usize,
    /// Bytes of one message at the most.
    pub max_bytes: u64,
    /// Whether a repeated send with the same key has one effect.
    pub idempotency_key: bool,
    /// Whether it keeps audiences and mailings.
    pub mailings: bool,
}

impl EmailProfile {
    /// A provider of single messages: batch of one, 10 MB, nothing else.
    #[must_use]
    pub fn new(platform: crate::Platform, api: ApiVersion) -> Self {
        Self {
            platform,
            status: Status::Live,
            api,
            max_batch: 1,
            max_bytes: 10_000_000,
            idempotency_key: false,
            mailings: false,
        }
    }
}

/// One e-mail address with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The address: `name@domain`, in any script, and nothing around it.
    pub email: String,
    /// The name shown.
    pub name: Option<String>,
}

/// One message; every recipient of `to` gets it in one envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailMessage {
    /// The sender.
    pub from: Mailbox,
    /// The recipients.
    pub to: Vec<Mailbox>,
    /// Copies.
    #[serde(default)]
    pub cc: Vec<Mailbox>,
    /// Blind copies.
    #[serde(default)]
    pub bcc: Vec<Mailbox>,
    /// Where answers go.
    #[serde(default)]
    pub reply_to: Option<Mailbox>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    #[serde(default)]
    pub text: Option<String>,
    /// The HTML.
    #[serde(default)]
    pub html: Option<String>,
    /// Attachments.
    #[serde(default)]
    pub attachments: Vec<Media>,
    /// Further headers, such as `List-Unsubscribe`; none that the message has fields for.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl EmailMessage {
    /// A message without recipients and body.
    #[must_use]
    pub fn new(from: Mailbox, subject: impl Into<String>) -> Self {
        Self {
            from,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: None,
            subject: subject.into(),
            text: None,
            html: None,
            attachments: Vec::new(),
            headers: BTreeMap::new(),
        }
    }
}

/// A member of an audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The address.
    pub email: String,
    /// Whether it may be written to.
    pub subscribed: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its merge fields.
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
}

/// A message to an audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mailing {
    /// The audience's id.
    pub audience: String,
    /// The message; its recipients are the audience.
    pub message: EmailMessage,
}

/// Something that happened to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailEvent {
    /// The provider's id of the event, for deduplication.
    pub id: String,
    /// What happened.
    pub kind: EmailEventKind,
    /// To whom.
    pub email: String,
    /// The provider's id of the message.
    pub message_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether a machine did it (prefetch, scanner), where that can be told.
    pub machine: Option<bool>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmailEventKind {
    /// Taken by the provider.
    Accepted,
    /// Taken by the recipient's server.
    Delivered,
    /// Put off by the recipient's server.
    Deferred,
    /// Refused for good.
    Bounced,
    /// Marked as spam.
    Complained,
    /// Opened.
    Opened,
    /// A link was followed.
    Clicked,
    /// Unsubscribed.
    Unsubscribed,
}
