//! From a page to a published campaign: read, generate, check, store, schedule, CRM, notify, report.

mod compose;
mod lanes;
mod pipeline;
mod report;
mod start;
mod told;

use std::time::Duration;

pub use pipeline::CampaignPipeline;
pub use report::{CampaignReport, Part, TargetFinding, TargetReport};
pub use start::CampaignStart;

use automarket_core::{
    AccountId, CampaignId, Error, ErrorKind, JobId, Platform, Result, Retry, TenantId,
    chrono::{self, DateTime, Utc},
    content::{Campaign, Voice},
    store::{Account, DeadReason, Job, JobState},
};
use serde::{Deserialize, Serialize};

use crate::{Tenant, market::Engine};

/// The kind of campaign jobs.
pub const CAMPAIGN_JOB: &str = "campaign";

/// How often a campaign is tried.
const ATTEMPTS: u32 = 20;

/// How long review mode leaves before posts go out.
pub const REVIEW_TIME: chrono::Duration = chrono::Duration::hours(24);

/// What a campaign is made from, and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignRequest {
    /// The page's address, as its source takes it.
    pub page: String,
    /// Who reads it.
    pub source: Tool,
    /// Who writes the texts.
    pub generator: Tool,
    /// Where the posts go.
    pub targets: Vec<CampaignTarget>,
    /// Which CRM is told.
    pub crm: Route,
    /// Who is notified.
    pub notify: Route,
    /// When the posts go out.
    pub mode: Mode,
    /// How the brand speaks.
    pub voice: Voice,
    /// Make it anew although the page was made into a campaign within 24 hours.
    pub again: bool,
}

impl CampaignRequest {
    /// A campaign for review, written by the template, told to nobody.
    #[must_use]
    pub fn new(page: impl Into<String>, source: Tool, targets: Vec<CampaignTarget>) -> Self {
        Self {
            page: page.into(),
            source,
            generator: Tool::of(crate::market::TEMPLATE),
            targets,
            crm: Route::Disabled("no CRM was asked for".into()),
            notify: Route::Disabled("no notice was asked for".into()),
            mode: Mode::Review,
            voice: Voice::default(),
            again: false,
        }
    }
}

/// A connector that needs no account, or one with the account that pays for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Under which platform it is registered.
    pub platform: Platform,
    /// Whose credential it uses.
    pub account: Option<AccountId>,
}

impl Tool {
    /// A connector without an account.
    #[must_use]
    pub fn of(platform: Platform) -> Self {
        Self {
            platform,
            account: None,
        }
    }

    /// A connector with the account that pays for it, which has to be one of the same platform.
    #[must_use]
    pub fn with(platform: Platform, account: AccountId) -> Self {
        Self {
            platform,
            account: Some(account),
        }
    }

    /// The account that pays. One of another platform is refused: its credential is not for this one to see.
    async fn payer(
        &self,
        field: &'static str,
        engine: &Engine,
        tenant: &TenantId,
    ) -> Result<Option<Account>> {
        let Some(id) = self.account else {
            return Ok(None);
        };
        let account = engine.account(tenant, id).await;
        let account = account.map_err(|error| error.with_field(field))?;
        if account.platform != self.platform {
            let other = format!(
                "{} is an account of {}, not of {}",
                account.name, account.platform, self.platform
            );
            return Err(Error::invalid(field, other));
        }
        Ok(Some(account))
    }
}

/// One network of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignTarget {
    /// The network.
    pub network: Platform,
    /// The account that posts there.
    pub route: Route,
}

/// Through which account something goes, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Through this account.
    Account(AccountId),
    /// Switched off, for this reason: it stands in the report.
    Disabled(String),
}

impl Route {
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(*id),
            Self::Disabled(_) => None,
        }
    }
}

/// When the posts of a campaign go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// 24 hours ahead, on the platform's own timetable where it has one, so that people can look first. It then goes out
    /// unless somebody called it off ([`Tenant::cancel`]): nobody has to say yes. Where somebody has to, use
    /// [`Draft`](Self::Draft).
    #[default]
    Review,
    /// At once.
    Immediate,
    /// Not at all: each a draft on its platform, or where that has none a draft of ours, which
    /// [`Tenant::publish_draft`] hands over ([`TargetReport::post`]).
    Draft,
}

impl Tenant {
    /// Makes a campaign here and now, without a worker, and reports. Resumes one that was cut off.
    ///
    /// # Errors
    /// Those of [`Tenant::start_campaign`], of reading the page and of writing the texts; an error whose
    /// retry is `After` says that the campaign waits in the queue for its next attempt.
    pub async fn campaign(
        &self,
        request: &CampaignRequest,
        lease: Duration,
    ) -> Result<CampaignReport> {
        let start = self.start_campaign(request).await?;
        self.work_on(start.job, lease).await?;
        let mut report = self.campaign_report(start.job).await?;
        report.repeated = start.repeated;
        Ok(report)
    }

    /// A campaign as it is stored.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn stored_campaign(&self, id: CampaignId) -> Result<Campaign> {
        let found = self.engine().store.campaign(&self.id, id).await?;
        let message = || format!("the tenant has no campaign {id}");
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, message()))
    }

    /// What a campaign's job gave, its publications as they stand now.
    ///
    /// # Errors
    /// `NotFound`; the job's own error when it died; `Conflict` when it was called off; `Unavailable` while it is not
    /// finished, with a wait, a second at least, until it goes on; those of the store.
    pub async fn campaign_report(&self, job: JobId) -> Result<CampaignReport> {
        let found = self.job(job).await?;
        let mut report = report_of(&found, self.engine().store.now().await?)?;
        for target in &mut report.targets {
            self.follow(target).await?;
        }
        Ok(report)
    }
}

fn report_of(job: &Job, now: DateTime<Utc>) -> Result<CampaignReport> {
    let failures = &job.failures;
    let last = failures.last().map(|failure| {
        let mut error = failure.error.clone();
        // The queue's word is no rule that was broken.
        if DeadReason::of(&error).is_some() {
            error.rule = None;
        }
        Error::from(error)
    });
    let internal = |message| Error::new(ErrorKind::Internal, message);
    match job.state {
        JobState::Completed => {
            let result = job.result.clone().unwrap_or_default();
            let report = serde_json::from_value(result);
            report.map_err(|e| internal("not the report of a campaign").with_source(e))
        }
        JobState::Dead => Err(last.unwrap_or_else(|| internal("the campaign was given up"))),
        JobState::Cancelled => {
            let message = "the campaign was called off";
            Err(Error::new(ErrorKind::Conflict, message))
        }
        JobState::Waiting | JobState::Leased => {
            let wait = (job.run_at - now).to_std().unwrap_or_default();
            let message = match job.state {
                JobState::Leased => "the campaign is being made".to_owned(),
                _ => format!("the campaign is not finished; it goes on at {}", job.run_at),
            };
            let error = Error::new(ErrorKind::Unavailable, message)
                .with_retry(Retry::After(Some(wait.max(Duration::from_secs(1)))));
            Err(match last {
                Some(last) => error.with_source(last),
                None => error,
            })
        }
    }
}
