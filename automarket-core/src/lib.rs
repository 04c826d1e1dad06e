//! The words that automarket's engine, connectors and stores share: traits, records, text, checks, errors,
//! HTTP vocabulary and the test kit. No database, and no HTTP client without the feature `reqwest`.
//!
//! Hosts use the facade crate `automarket`; connectors and stores are written against this one.

pub mod ai;
mod blocking;
pub mod check;
mod clock;
pub mod content;
mod context;
pub mod crm;
pub mod email;
mod error;
mod fault_point;
pub mod hash;
#[cfg(feature = "html")]
pub mod html;
pub mod http;
mod ids;
pub mod lost;
pub mod media;
pub mod networks;
pub mod notifier;
pub mod oauth;
pub mod pipeline;
mod platform;
pub mod profile;
pub mod publisher;
mod purpose;
pub mod quote;
mod secret;
pub mod source;
pub mod steps;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
mod time;
mod timetable;
pub mod vault;
pub mod workflow;
mod zone;

pub use ::http as http_types;
pub use async_trait::async_trait;
pub use blocking::blocking;
pub use bytes::Bytes;
pub use chrono;
pub use clock::{Clock, SystemClock};
pub use content::{Content, Delivery, Media, Post, Variant};
pub use context::Context;
pub use crm::CrmProvider;
pub use email::EmailProvider;
pub use error::{Error, ErrorKind, ErrorRecord, Result, Retry};
pub use fault_point::fault_point;
pub use ids::{AccountId, CampaignId, EventId, Id, JobId, PostId, PublicationId, TenantId};
pub use lost::{Alike, Taken};
pub use notifier::{Notice, Notifier};
pub use pipeline::Pipeline;
pub use platform::Platform;
pub use profile::Profile;
pub use publisher::{Handle, Identity, Intent, Lookup, Metrics, Outcome, Publisher, Receipt};
pub use secret::{Credential, Secret};
pub use source::PageSource;
pub use store::Store;
pub use time::{LocalKind, When, ZonedTime, wait_end};
pub use timetable::Timetable;
pub use url::Url;
pub use vault::{KeyProvider, Keyring};
pub use zone::Zone;
