#![doc = include_str!("../README.md")]

pub mod accounts;
mod clock;
pub mod market;
pub mod pipelines;
pub mod publishing;
pub mod report;
mod trouble;
pub mod worker;

pub use automarket_connectors as connectors;
pub use automarket_core as core;
pub use automarket_core::{
    AccountId, CampaignId, Clock, Context, Credential, CrmProvider, Delivery, EmailProvider, Error,
    ErrorKind, ErrorRecord, Identity, JobId, KeyProvider, Keyring, Media, Notice, Notifier,
    Outcome, PageSource, Pipeline, Platform, Post, PostId, Profile, PublicationId, Publisher,
    Result, Retry, Secret, Store, TenantId, Timetable, Variant, When, Zone, ai, check, content,
    crm, email, http, media, networks, oauth, pipeline, pipeline::Run, profile, publisher, quote,
    source, steps, text,
};
pub use market::{Automarket, Builder, Tenant};
pub use publishing::{PlanOptions, PublishOptions};

/// Where everything is kept.
pub mod store {
    pub use automarket_core::store::*;
    #[cfg(feature = "postgres")]
    pub use automarket_store_postgres as postgres;
    #[cfg(feature = "sqlite")]
    pub use automarket_store_sqlite as sqlite;
}

/// The test kit: see `automarket_core::testing`.
#[cfg(feature = "testing")]
pub use automarket_core::testing;
