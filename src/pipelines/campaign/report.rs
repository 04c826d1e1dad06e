use automarket_core::{
    CampaignId, Delivery, ErrorRecord, JobId, Platform, PostId, Profile, PublicationId, Result,
    Url,
    ai::Usage,
    check::{Finding, check},
    chrono::{DateTime, Utc},
    content::{Brand, Voice},
    crm::CampaignRecorded,
    networks,
    profile::TextUnit,
    publisher::rules_for,
    store::{Publication, PublicationState, Target},
};
use serde::{Deserialize, Serialize};

use crate::{
    Tenant,
    publishing::{remote_id, routed},
};

/// What a campaign came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignReport {
    /// The job it ran as.
    pub run_id: JobId,
    /// The stored campaign.
    pub campaign_id: CampaignId,
    /// The page, where it has an address.
    pub source_url: Option<Url>,
    /// Who speaks, as far as the page shows.
    pub brand: Brand,
    /// What wrote the texts.
    pub generator: String,
    /// The model that did, where one was asked.
    #[serde(default)]
    pub model: Option<String>,
    /// SHA-256 of what it was asked, in hex.
    #[serde(default)]
    pub prompt_hash: Option<String>,
    /// How often its answer had to be repaired.
    #[serde(default)]
    pub repairs: u32,
    /// What the texts cost.
    pub usage: Usage,
    /// The mean of the targets' scores, 0 to 100.
    pub score: u8,
    /// What the checks found.
    pub findings: Vec<TargetFinding>,
    /// What each network says.
    pub targets: Vec<TargetReport>,
    /// What the CRM recorded: what was out or to come when it was told.
    pub crm: Part<CampaignRecorded>,
    /// Whether the notice arrived.
    pub notified: bool,
    /// What became of the notice.
    pub notice: Part<String>,
    /// Whether the campaign was finished before and nothing new was done.
    pub repeated: bool,
}

/// A finding and the network it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetFinding {
    /// The network.
    pub platform: Platform,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What one network says, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetReport {
    /// The network, whichever way it travels.
    pub platform: Platform,
    /// The text as sent, or as it is to be.
    pub text: String,
    /// Its length as the network that it goes to counts it.
    pub length: usize,
    /// That network's limit.
    pub limit: Option<usize>,
    /// In which unit.
    pub unit: TextUnit,
    /// The publication's state, or `disabled`, `refused` (a check stands against it).
    pub status: String,
    /// The platform's id.
    pub remote_id: Option<String>,
    /// When it is to appear, or was; `None` for drafts and for what does not appear.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The publication.
    pub publication: Option<PublicationId>,
    /// The post that it is of: for [`Tenant::edit`], [`Tenant::approve`], [`Tenant::publish_draft`].
    #[serde(default)]
    pub post: Option<PostId>,
    /// Why it is not there.
    pub reason: Option<String>,
    /// The tracked link.
    pub link: Option<Url>,
}

impl Tenant {
    /// Brings a target up to what is stored of its publication now: where it stands, for when it is, and what it says where.
    /// What is not stored any more stays as it was told.
    pub(super) async fn follow(&self, target: &mut TargetReport) -> Result<()> {
        let store = &self.engine().store;
        let Some(id) = target.publication else {
            return Ok(());
        };
        let Some(publication) = store.publication(&self.id, id).await? else {
            return Ok(());
        };
        target.stands(&publication);
        let Some(post) = store.post(&self.id, publication.post).await? else {
            return Ok(());
        };
        let waits = matches!(post.delivery, Delivery::Now | Delivery::At(_))
            && publication.state != PublicationState::Draft;
        if !target.is_off() {
            let hour = publication.public_at.unwrap_or(publication.due);
            target.scheduled_at = waits.then_some(hour);
        }
        let route = publication.route();
        let Some(rules) = self.rules_of(route).await? else {
            return Ok(());
        };
        let content = routed(post, &publication).content_for(&route.network, Some(route.account));
        // As composed it was counted by its account's rules, which may be gone by now.
        if content.final_text(&rules) != target.text || route.network != target.platform {
            let now = check(&content, &rules, &Voice::default());
            (target.text, target.length) = (now.text, now.length);
            (target.limit, target.unit) = (now.limit, now.unit);
        }
        target.link = content.link;
        Ok(())
    }

    /// The rules of a way, as far as anything is known of it: its account may be gone, or another's by now.
    async fn rules_of(&self, route: &Target) -> Result<Option<Profile>> {
        let engine = self.engine();
        let account = engine.store.account(&self.id, route.account).await?;
        let account = account.filter(|account| account.network == route.network);
        let rules = account.and_then(|account| {
            let publisher = engine.publisher(&account.platform).ok()?;
            Some(rules_for(&account, &**publisher))
        });
        Ok(rules.or_else(|| networks::profile(&route.network)))
    }
}

impl TargetReport {
    /// Takes over where the publication stands.
    pub(super) fn stands(&mut self, publication: &Publication) {
        self.publication = Some(publication.id);
        self.post = Some(publication.post);
        self.status = publication.state.as_str().into();
        self.remote_id = remote_id(publication).map(str::to_owned);
        self.reason = publication
            .error
            .as_ref()
            .map(|error| error.message.clone());
        if self.is_off() {
            self.scheduled_at = None;
        }
    }

    /// Whether it is neither out nor to come.
    pub(super) fn is_off(&self) -> bool {
        matches!(
            self.status.as_str(),
            "disabled" | "refused" | "rejected" | "missed" | "cancelled" | "deleted"
        )
    }
}

/// How a part of the campaign ended that does not stop the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Part<T> {
    /// It was done.
    Done {
        /// What it gave.
        result: T,
    },
    /// It is switched off.
    Disabled {
        /// Why.
        reason: String,
    },
    /// It was refused for good, its account is not usable, or its end cannot be told.
    Failed {
        /// Why.
        error: ErrorRecord,
    },
}
