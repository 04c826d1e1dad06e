//! Starting a campaign: what a page's earlier ones mean for it, and under which id it runs.

use std::collections::BTreeSet;

use automarket_core::{
    AccountId, Error, ErrorKind, JobId, Result, Url,
    chrono::Duration,
    content::untag,
    hash::sha256,
    store::{Enqueued, Job, JobState, NewJob},
};
use serde::Deserialize as _;

use super::{
    ATTEMPTS, CAMPAIGN_JOB, CampaignRequest,
    compose::{kept_id, leaves_room, post_id},
    lanes::lanes,
};
use crate::Tenant;

/// How long a page that was made into a campaign is recognised.
const RECOGNISED: Duration = Duration::hours(24);

/// A campaign that is in the queue or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignStart {
    /// Its job.
    pub job: JobId,
    /// Whether it was finished before.
    pub repeated: bool,
}

impl Tenant {
    /// Hands a campaign to the queue. The same page (its address without UTM parameters and fragment, but with a
    /// fragment that names a view: `#/pricing`) within 24 hours is the same campaign, unless
    /// `request.again`: then its job is answered, finished or not. (A page is known for as long as its job is
    /// kept, see [`Retention`](crate::worker::Retention).) Asked otherwise, in another mode for one, it is refused. One that died goes on after its last finished step if it
    /// is asked the same, and is made anew if it is asked something else and has handed nothing over.
    ///
    /// # Errors
    /// `InvalidInput` (`targets`) without any, with a network twice, with one that is switched off and unknown, or with
    /// an account of another network, (`source`, `generator`) with an account of another platform or
    /// (`generator`) without the one that it needs, (`voice.disclosure`) when the disclosure
    /// fills a network's text, and (`page`, also
    /// `Refused`) for an address that its source does not read; `NotFound` for an
    /// account that the tenant does not have and `Config` for what is not registered here, each naming its field;
    /// `Conflict` (`campaign.asked_otherwise`) for a page whose campaign was asked something else, or
    /// (`campaign.handed_over`) for a page whose campaign was called off with its posts handed over, or died
    /// so and was asked something else; those of the store.
    pub async fn start_campaign(&self, request: &CampaignRequest) -> Result<CampaignStart> {
        self.check_campaign(request).await?;
        let store = &self.engine().store;
        let key = page_key(&request.page);
        let earlier = self.earlier(&request.page, &key).await?;
        let before = earlier.as_ref().map(|job| job.id);
        if let Some(job) = earlier
            && let Some(start) = self.recognised(job, request).await?
        {
            // It may have been dead.
            self.engine().wake.notify_waiters();
            return Ok(start);
        }
        let payload = serde_json::to_value(request).map_err(|error| {
            Error::invalid("request", "not representable as JSON").with_source(error)
        })?;
        let mut job = NewJob::new(self.id.clone(), CAMPAIGN_JOB, payload).unique(key.clone());
        job.max_attempts = ATTEMPTS;
        job.id = self.next_id(&key, before).await?;
        let enqueued = store.enqueue(&[job]).await?;
        self.engine().wake.notify_waiters();
        match enqueued.first() {
            Some(Enqueued::New(job)) => Ok(CampaignStart {
                job: *job,
                repeated: false,
            }),
            Some(Enqueued::Existing(job)) => {
                // Another start was faster.
                let found = store.job(&self.id, *job).await?;
                if let Some(found) = &found
                    && !asked(found, request)
                {
                    return Err(asked_otherwise(found.state));
                }
                let state = found.map(|job| job.state);
                Ok(CampaignStart {
                    job: *job,
                    repeated: state == Some(JobState::Completed),
                })
            }
            None => Err(Error::new(
                ErrorKind::Internal,
                "the store answered fewer jobs than it was given",
            )),
        }
    }

    /// Whether all that the request names is there, before anything is read or paid for.
    async fn check_campaign(&self, request: &CampaignRequest) -> Result<()> {
        let wrong = |message| Err(Error::invalid("targets", message));
        if request.targets.is_empty() {
            return wrong("a campaign needs at least one network");
        }
        let networks = request.targets.iter().map(|target| &target.network);
        if networks.collect::<BTreeSet<_>>().len() < request.targets.len() {
            return wrong("a campaign speaks once on each network");
        }
        let engine = self.engine();
        let of = |field| move |error: Error| error.with_field(field);
        let account = async |field, id: Option<AccountId>| {
            let Some(id) = id else { return Ok(None) };
            let account = engine.account(&self.id, id).await;
            account.map(Some).map_err(of(field))
        };
        for lane in lanes(engine, &self.id, request).await? {
            if lane.route.account().is_some() && !leaves_room(request, &lane) {
                let message = format!(
                    "the disclosure leaves no room for a text on {}",
                    lane.network
                );
                return Err(Error::invalid("voice.disclosure", message)
                    .with_remedy("shorten it, or leave the network out"));
            }
        }
        let (source, generator) = (&request.source, &request.generator);
        let reader = engine.page_source(&source.platform).map_err(of("source"))?;
        reader.check(&request.page).map_err(|error| {
            let message = format!("{} does not read this address", source.platform);
            Error::new(error.kind(), message)
                .with_field("page")
                .with_source(error)
        })?;
        source.payer("source", engine, &self.id).await?;
        let known = engine.generator(&generator.platform);
        let known = known.map_err(of("generator"))?;
        if known.needs_account() && generator.account.is_none() {
            let message = format!("{} writes for an account alone", generator.platform);
            let remedy = "name the account that pays: Tool::with";
            return Err(Error::invalid("generator", message).with_remedy(remedy));
        }
        generator.payer("generator", engine, &self.id).await?;
        if let Some(crm) = account("crm", request.crm.account()).await? {
            engine.crm(&crm.platform).map_err(of("crm"))?;
        }
        if let Some(chat) = account("notify", request.notify.account()).await? {
            engine.notifier(&chat.platform).map_err(of("notify"))?;
        }
        Ok(())
    }

    /// The campaign of this page that was put in last.
    async fn earlier(&self, page: &str, key: &str) -> Result<Option<Job>> {
        let by_key = |key| self.engine().store.job_by_key(&self.id, CAMPAIGN_JOB, key);
        let known = by_key(key).await?;
        let before = whole_key(page);
        if known.is_some() || before == key {
            return Ok(known);
        }
        // A version before took all views of an app for one page.
        let of_page = |job: &Job| {
            let asked = CampaignRequest::deserialize(&job.payload);
            asked.is_ok_and(|asked| page_key(&asked.page) == key)
        };
        Ok(by_key(&before).await?.filter(of_page))
    }

    /// The id of the page's next campaign. Whoever saw the same earlier job makes the same, so that two callers at
    /// once start one campaign. An id whose job is forgotten and whose post is not is passed by: what follows
    /// from it is out already.
    async fn next_id(&self, key: &str, earlier: Option<JobId>) -> Result<JobId> {
        let store = &self.engine().store;
        let after = |earlier: Option<JobId>| {
            let earlier = earlier.map_or_else(|| "none".to_owned(), |job| job.to_string());
            JobId::derived(&format!("campaign {} {key} after {earlier}", self.id))
        };
        let mut id = after(earlier);
        // In this order: a job is there before its post.
        while self.has_posts(id).await? && store.job(&self.id, id).await?.is_none() {
            id = after(Some(id));
        }
        Ok(id)
    }

    /// The campaign that an earlier job of the same page stands for, if it still counts. One that died goes on.
    async fn recognised(
        &self,
        mut job: Job,
        request: &CampaignRequest,
    ) -> Result<Option<CampaignStart>> {
        let store = &self.engine().store;
        let counts = loop {
            let fresh = match job.finished_at {
                Some(at) => store.now().await? - at < RECOGNISED,
                None => true,
            };
            let wanted = fresh && !request.again;
            match job.state {
                JobState::Waiting | JobState::Leased | JobState::Completed => {
                    let counts = wanted || job.state != JobState::Completed;
                    if counts && !asked(&job, request) {
                        return Err(asked_otherwise(job.state));
                    }
                    break counts;
                }
                JobState::Dead if wanted && self.may_go_on(&job, request).await? => {
                    if store.redrive(&self.id, job.id).await? {
                        break true;
                    }
                    // Another caller was faster, and it may have ended since.
                    match store.job(&self.id, job.id).await? {
                        Some(now) if now.state != JobState::Dead => job = now,
                        _ => break false,
                    }
                }
                JobState::Cancelled if wanted => {
                    self.makes_room(&job).await?;
                    break false;
                }
                JobState::Dead | JobState::Cancelled => break false,
            }
        };
        Ok(counts.then_some(CampaignStart {
            job: job.id,
            repeated: job.state == JobState::Completed,
        }))
    }

    /// Whether a campaign has handed something over, or kept drafts.
    async fn has_posts(&self, run: JobId) -> Result<bool> {
        let store = &self.engine().store;
        Ok(store.post(&self.id, post_id(run)).await?.is_some()
            || store.post(&self.id, kept_id(run)).await?.is_some())
    }

    /// Whether a dead campaign may go on: its finished steps are kept, and what it was asked is what it does. Asked
    /// something else, one that has handed nothing over makes room for another.
    async fn may_go_on(&self, job: &Job, request: &CampaignRequest) -> Result<bool> {
        if asked(job, request) {
            return Ok(true);
        }
        self.makes_room(job).await.map(|()| false)
    }

    /// A campaign that ended on its way makes room for another, unless its posts are handed over.
    async fn makes_room(&self, job: &Job) -> Result<()> {
        if !self.has_posts(job.id).await? {
            return Ok(());
        }
        let again = "set `again` for a campaign that posts once more";
        let (message, remedy) = match job.state {
            JobState::Dead => (
                "the campaign of this page died after its posts were handed over, and was asked something else",
                format!(
                    "go on with it as it is by Tenant::redrive({}), or {again}",
                    job.id
                ),
            ),
            _ => (
                "the campaign of this page was called off after its posts were handed over",
                again.to_owned(),
            ),
        };
        Err(Error::new(ErrorKind::Conflict, message)
            .with_rule("campaign.handed_over")
            .with_remedy(remedy))
    }
}

/// Whether a campaign's job was asked the same.
fn asked(job: &Job, request: &CampaignRequest) -> bool {
    let asked = CampaignRequest::deserialize(&job.payload);
    asked.is_ok_and(|asked| asked.asks_the_same(request))
}

fn asked_otherwise(state: JobState) -> Error {
    let (message, remedy) = match state {
        JobState::Completed => (
            "this page's campaign of the last 24 hours was asked something else",
            "set `again` for another campaign; its own posts and drafts are in its report",
        ),
        _ => (
            "a campaign of this page is under way, and was asked something else",
            "wait for its end (or call it off while it waits: Tenant::cancel_job), then set `again` for another campaign",
        ),
    };
    Error::new(ErrorKind::Conflict, message)
        .with_rule("campaign.asked_otherwise")
        .with_remedy(remedy)
}

impl CampaignRequest {
    /// Whether another request for the same page would do the same.
    fn asks_the_same(&self, other: &Self) -> bool {
        let asks = |request: &Self| {
            let mut targets = request.targets.clone();
            targets.sort_by(|a, b| a.network.cmp(&b.network));
            Self {
                page: String::new(),
                again: false,
                targets,
                ..request.clone()
            }
        };
        asks(self) == asks(other)
    }
}

/// The page as a unique key: the same address, with or without UTM parameters and fragment, is the same. A fragment that
/// names a view of an app (`#/pricing`, `#!/pricing`) is part of the address.
fn page_key(page: &str) -> String {
    key(page, |fragment| {
        let view = fragment.trim_start_matches(['!', '/']);
        view.len() < fragment.len() && !view.is_empty()
    })
}

/// As [`page_key`], of all views at once.
fn whole_key(page: &str) -> String {
    key(page, |_| false)
}

fn key(page: &str, is_view: impl Fn(&str) -> bool) -> String {
    let normal = match Url::parse(page) {
        Ok(url) => {
            let mut url = untag(&url);
            if !url.fragment().is_some_and(is_view) {
                url.set_fragment(None);
            }
            url.to_string()
        }
        Err(_) => page.trim().to_owned(),
    };
    sha256(normal)[..32].to_owned()
}
