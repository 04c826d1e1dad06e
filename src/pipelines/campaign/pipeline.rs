use std::{
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use automarket_core::{
    AccountId, Context, Delivery, Error, ErrorKind, ErrorRecord, Notice, Pipeline, Platform,
    PublicationId, Result, Retry, When, async_trait, blocking,
    crm::{CampaignRecord, CampaignRecorded},
    pipeline::Run,
    source::Page,
    steps::{self, Steps},
    store::{Account, Publication},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    ATTEMPTS, CAMPAIGN_JOB, CampaignReport, CampaignRequest, Mode, Part, REVIEW_TIME, Route,
    TargetReport, Tool,
    compose::{Composed, brief, compose, kept_id},
    lanes::lanes,
    told::{crm_record, findings, notice, status},
};
use crate::{
    Tenant,
    market::Engine,
    publishing::publication_id,
    trouble::{is_ours, waits},
};

/// The step that says of a campaign that its tools' calls have steps of their own.
const APART: &str = "steps apart";

/// So many answers of a paid generator may be lost before the step gives up.
const QUESTIONS: u32 = 3;

/// How long a publication started here belongs to this run without a heartbeat.
const LEASE: Duration = Duration::from_secs(3);

/// The campaign pipeline: registered by the builder.
pub struct CampaignPipeline {
    engine: Weak<Engine>,
}

impl CampaignPipeline {
    pub(crate) fn new(engine: Weak<Engine>) -> Self {
        Self { engine }
    }
}

#[async_trait]
impl Pipeline for CampaignPipeline {
    fn name(&self) -> &'static str {
        CAMPAIGN_JOB
    }

    async fn run(&self, run: &Run, input: Value) -> Result<Value> {
        let internal =
            |message: &str, error| Error::new(ErrorKind::Internal, message).with_source(error);
        let request: CampaignRequest = serde_json::from_value(input)
            .map_err(|error| internal("not a campaign request", error))?;
        let engine = self.engine.upgrade();
        let engine = engine.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the library was dropped")
                .with_retry(Retry::After(None))
        })?;
        let tenant = Tenant::of_job(engine, run.tenant.clone(), "automarket");
        let report = Campaigning {
            tenant: &tenant,
            run,
            request: &request,
            apart: steps_apart(run).await?,
        }
        .run()
        .await?;
        serde_json::to_value(report)
            .map_err(|error| internal("the report cannot be written as JSON", error))
    }
}

/// Whether the calls of this campaign's tools have steps of their own, so that no name of theirs is one of the campaign's
/// or of each other's. One that was begun by a version before goes on as it began: what it has sent stands there.
async fn steps_apart(run: &Run) -> Result<bool> {
    let steps = run.steps();
    // The first of its steps: before it no tool has remembered anything.
    if steps.get("read").await?.is_some() && steps.get(APART).await?.is_none() {
        return Ok(false);
    }
    run.step(APART, || async { Ok(true) }).await
}

/// The error of reading: where the page is to blame it names it, so that nobody looks for a fault of the library's.
fn of_page(error: Error) -> Error {
    use ErrorKind::{InvalidInput, NotFound, Refused, TooLarge};
    let no_page = matches!(error.kind(), InvalidInput | NotFound | Refused | TooLarge)
        || error.rule() == Some("not-a-page")
        || error.is_elsewhere();
    match no_page {
        true => error.with_field("page"),
        false => error,
    }
}

/// The error of a tool without an account. No other process can give what it lacks (`Config`), so nothing is gained by
/// trying again.
fn unusable(field: &'static str, tool: &Tool, error: Error) -> Error {
    if error.kind() != ErrorKind::Config {
        return error;
    }
    let message = format!(
        "{} cannot be used as it is, without an account",
        tool.platform
    );
    Error::invalid(field, message)
        .with_remedy("name the account that pays: Tool::with")
        .with_source(error)
}

/// Whether a generator may have worked without our hearing of it.
fn is_lost(error: &Error) -> bool {
    let ours = is_ours(error.kind()) || error.kind() == ErrorKind::LeaseLost;
    error.retry() == Retry::Reconcile && !ours
}

/// One run of the pipeline.
struct Campaigning<'a> {
    tenant: &'a Tenant,
    run: &'a Run,
    request: &'a CampaignRequest,
    apart: bool,
}

impl Campaigning<'_> {
    async fn run(&self) -> Result<CampaignReport> {
        let (run, request) = (self.run, self.request);
        let engine = self.tenant.engine();
        let page = run
            .step("read", || async {
                let source = engine.page_source(&request.source.platform)?;
                let call = |cx| async move { source.read(&cx, &request.page).await };
                let page = self.by_tool("source", &request.source, call).await;
                page.map(Page::bounded).map_err(of_page)
            })
            .await?;
        let drafts = run
            .step("generate", || async {
                let lanes = lanes(engine, &run.tenant, request).await?;
                let generator = engine.generator(&request.generator.platform)?;
                let brief = &brief(request, &page, &lanes);
                let call = |cx: Context| async move {
                    let cx = cx.with_steps(self.steps_of("generator"));
                    generator.generate(&cx, brief).await
                };
                let drafts = self.by_tool("generator", &request.generator, call).await;
                let drafts = match drafts {
                    Err(error) if is_lost(&error) => return Err(self.lost(error).await?),
                    drafts => drafts?,
                };
                let networks = drafts.texts.iter().map(|draft| &draft.network);
                if networks.ne(lanes.iter().map(|lane| &lane.network)) {
                    return Err(Error::new(
                        ErrorKind::UnexpectedReply,
                        "the generator did not write one text per network",
                    ));
                }
                Ok(drafts)
            })
            .await?;
        let at = run.step("check", || engine.store.now()).await?;
        let mut composed: Composed = run
            .step("compose", || async {
                let lanes = lanes(engine, &run.tenant, request).await?;
                // Comparing texts with a long page takes its time.
                let (request, id) = (request.clone(), run.id);
                let (page, drafts) = (page.clone(), drafts.clone());
                blocking(move || compose(&request, id, at, &page, &drafts, &lanes)).await
            })
            .await?;
        let targets = self.schedule(&composed).await?;
        let campaign = &mut composed.campaign;
        campaign.status = status(request.mode, &targets);
        if let Some(handed_over) = engine.store.post(&run.tenant, campaign.post.id).await? {
            campaign.post.delivery = handed_over.delivery;
        }
        // Of a later run too: a CRM that was away until then is told how it stands by now.
        let step = format!("status {:?} {}", campaign.status, run.attempt);
        run.step(&step, || engine.store.put_campaign(&run.tenant, campaign))
            .await?;
        // A CRM that is away holds up no notice.
        let crm = self.crm(&composed, &targets).await;
        let notice = self.notify(&composed, &targets).await;
        let (crm, notice) = (crm?, notice?);

        let Composed {
            campaign, texts, ..
        } = composed;
        let scores = texts.iter().map(|text| usize::from(text.report.score));
        let score = scores.sum::<usize>() / texts.len().max(1);
        Ok(CampaignReport {
            run_id: run.id,
            campaign_id: campaign.id,
            source_url: page.url,
            brand: campaign.brand,
            generator: drafts.generator,
            model: drafts.model,
            prompt_hash: drafts.prompt_hash,
            repairs: drafts.repairs,
            usage: drafts.usage,
            score: u8::try_from(score).unwrap_or(100),
            findings: findings(&texts),
            targets,
            crm,
            notified: matches!(notice, Part::Done { .. }),
            notice,
            repeated: false,
        })
    }

    /// The error of a question whose answer is lost, perhaps after it was paid for. It is put so often, over all attempts
    /// of the campaign; then people have to say that it is worth another.
    async fn lost(&self, error: Error) -> Result<Error> {
        let steps = self.run.steps();
        for lost in 1..QUESTIONS {
            let step = format!("lost answer {lost}");
            if steps::ended::<bool>(&*steps, &step).await?.is_none() {
                self.run.step(&step, || async { Ok(true) }).await?;
                return Ok(error);
            }
        }
        let message = format!(
            "the generator's answer was lost at least {QUESTIONS} times, and each may have been paid for"
        );
        Ok(Error::new(error.kind(), message)
            .with_retry(Retry::Never)
            .with_platform(&self.request.generator.platform)
            .with_rule("generation.lost")
            .with_remedy(format!(
                "see what was billed; Tenant::redrive({}) asks once more, and so does the same request",
                self.run.id
            ))
            .with_source(error))
    }

    /// The steps of a tool's call.
    fn steps_of(&self, call: &str) -> Arc<dyn Steps> {
        match self.apart {
            true => self.run.steps_of(call),
            false => self.run.steps(),
        }
    }

    /// Calls a tool for its account, or for nobody.
    async fn by_tool<T, F>(
        &self,
        field: &'static str,
        tool: &Tool,
        call: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let engine = self.tenant.engine();
        let Some(account) = tool.payer(field, engine, &self.run.tenant).await? else {
            let end = call(engine.bare_context().await?).await;
            return end.map_err(|error| unusable(field, tool, error));
        };
        let (cx, passed) = engine.passing(account).await?;
        passed.call(engine, cx, call).await
    }

    /// Stores the campaign, hands every text that passed to its account, and sees each of them on its way.
    async fn schedule(&self, composed: &Composed) -> Result<Vec<TargetReport>> {
        let post = &composed.campaign.post;
        let sent = composed.texts.iter();
        let sent = sent.filter(|text| text.report.passes() && !text.kept_here);
        let accounts: Vec<_> = sent.filter_map(|text| text.route.account()).collect();
        self.run
            .step("schedule", || async {
                // Publications of an earlier run of this step are reported as they stand now.
                let store = &self.tenant.engine().store;
                let known = store.publications(&self.run.tenant, post.id).await?;
                let is_known = |account: &AccountId| {
                    let id = publication_id(post.id, *account);
                    known.iter().any(|known| known.id == id)
                };
                if accounts.iter().all(is_known) {
                    return Ok(());
                }
                // However long it was held up until now, people have their time to look.
                let hour = store.now().await? + REVIEW_TIME;
                let mut campaign = composed.campaign.clone();
                let (review, delivery) = (self.request.mode == Mode::Review, post.delivery);
                if let Delivery::At(_) = delivery {
                    let stored = store.post(&self.run.tenant, post.id).await?;
                    let delivery = stored.map_or(Delivery::At(hour), |post| post.delivery);
                    campaign.post.delivery = delivery;
                }
                let when = match delivery {
                    Delivery::Now if review => When::At(hour),
                    _ => When::Now,
                };
                store.put_campaign(&self.run.tenant, &campaign).await?;
                let published = self.tenant.publish(campaign.post, accounts, when);
                published.await.map(drop)
            })
            .await?;
        self.keep(composed).await?;
        let mut targets = Vec::new();
        for text in &composed.texts {
            let report = &text.report;
            let mut target = TargetReport {
                platform: text.network.clone(),
                text: report.text.clone(),
                length: report.length,
                limit: report.limit,
                unit: report.unit,
                status: String::new(),
                remote_id: None,
                scheduled_at: None,
                publication: None,
                post: None,
                reason: None,
                link: text.link.clone(),
            };
            let blocker = report.findings.first().filter(|_| !report.passes());
            match (&text.route, blocker) {
                (Route::Disabled(reason), _) => {
                    (target.status, target.reason) = ("disabled".into(), Some(reason.clone()))
                }
                (_, Some(blocker)) => {
                    (target.status, target.reason) =
                        ("refused".into(), Some(blocker.message.clone()));
                }
                (Route::Account(account), None) if text.kept_here => {
                    target.status = "draft".into();
                    target.publication = Some(publication_id(kept_id(self.run.id), *account));
                    self.tenant.follow(&mut target).await?;
                }
                (Route::Account(account), None) => {
                    let publication = publication_id(post.id, *account);
                    let publication = self.publish(&text.network, publication).await?;
                    target.scheduled_at = (self.request.mode != Mode::Draft)
                        .then(|| publication.public_at.unwrap_or(publication.due));
                    target.stands(&publication);
                    // The step is of an earlier run, perhaps: since then people may have moved or edited it.
                    self.tenant.follow(&mut target).await?;
                }
            }
            targets.push(target);
        }
        Ok(targets)
    }

    /// Keeps as drafts of ours the texts whose platforms have none: a post beside the campaign's, since it is not for
    /// the platforms to keep.
    async fn keep(&self, composed: &Composed) -> Result<()> {
        let kept = composed.texts.iter();
        let kept = kept.filter(|text| text.report.passes() && text.kept_here);
        let accounts: Vec<_> = kept.filter_map(|text| text.route.account()).collect();
        if accounts.is_empty() {
            return Ok(());
        }
        self.run
            .step("keep", || async {
                let mut post = composed.campaign.post.clone();
                (post.id, post.delivery) = (kept_id(self.run.id), Delivery::Now);
                // Kept in a run before this one, it is people's, whatever they made of it.
                let store = &self.tenant.engine().store;
                if store.post(&self.run.tenant, post.id).await?.is_none() {
                    self.tenant.save_draft(post, accounts).await?;
                }
                Ok(())
            })
            .await
    }

    /// Sees one publication on its way: runs its job here unless a worker has it.
    async fn publish(&self, network: &Platform, id: PublicationId) -> Result<Publication> {
        self.run
            .step(&format!("publish {network}"), || async {
                let store = &self.tenant.engine().store;
                let gone = || Error::new(ErrorKind::Internal, "the publication is gone");
                let publication = store.publication(&self.run.tenant, id).await?;
                let job = publication.ok_or_else(gone)?.job;
                self.tenant.work_on(job, LEASE).await?;
                let publication = store.publication(&self.run.tenant, id).await?;
                publication.ok_or_else(gone)
            })
            .await
    }

    async fn crm(
        &self,
        composed: &Composed,
        targets: &[TargetReport],
    ) -> Result<Part<CampaignRecorded>> {
        let record = &crm_record(composed, targets);
        self.part("crm", &self.request.crm, |id| self.record(id, record))
            .await
    }

    async fn record(&self, id: AccountId, record: &CampaignRecord) -> Result<CampaignRecorded> {
        let engine = self.tenant.engine();
        let account = self.account(id).await?;
        let crm = &engine.crm(&account.platform).map_err(waits)?.clone();
        let (cx, passed) = engine.passing(account).await.map_err(waits)?;
        let cx = cx.with_steps(self.steps_of("crm"));
        let call = |cx| async move { crm.record_campaign(&cx, record).await };
        passed.call(engine, cx, call).await
    }

    async fn notify(&self, composed: &Composed, targets: &[TargetReport]) -> Result<Part<String>> {
        let notice = &notice(composed, targets);
        self.part("notify", &self.request.notify, |id| self.tell(id, notice))
            .await
    }

    async fn tell(&self, id: AccountId, notice: &Notice) -> Result<String> {
        let engine = self.tenant.engine();
        let account = self.account(id).await?;
        let notifier = &engine.notifier(&account.platform).map_err(waits)?.clone();
        let (cx, passed) = engine.passing(account).await.map_err(waits)?;
        let cx = cx.with_steps(self.steps_of("notify"));
        let cx = cx.with_key(&format!("notice {}", self.run.id));
        let call = |cx| async move { notifier.notify(&cx, notice).await };
        let told = passed.call(engine, cx, call).await?;
        Ok(told.remote_id().to_owned())
    }

    async fn account(&self, id: AccountId) -> Result<Account> {
        let engine = self.tenant.engine();
        engine.account(&self.run.tenant, id).await.map_err(waits)
    }

    /// What must not stop the campaign once its posts are on their way. Refused for good, by the platform or because
    /// its account is not usable, it fails alone, and so does what cannot be told; what may be right later, or be
    /// found, is tried again.
    async fn part<T, F>(
        &self,
        name: &str,
        route: &Route,
        work: impl FnOnce(AccountId) -> F,
    ) -> Result<Part<T>>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        let id = match route {
            Route::Account(id) => *id,
            Route::Disabled(reason) => {
                return Ok(Part::Disabled {
                    reason: reason.clone(),
                });
            }
        };
        let step = self.run.step(name, || async {
            match work(id).await {
                Ok(result) => Ok(Part::Done { result }),
                Err(error) if self.may_end_well(&error) => Err(error),
                Err(error) => Ok(Part::Failed {
                    error: ErrorRecord::from(&error),
                }),
            }
        });
        step.await
    }

    /// Whether another run may do better. When there is none, what may have happened is left at that; what surely did
    /// not is for whoever redrives the job.
    fn may_end_well(&self, error: &Error) -> bool {
        match error.retry() {
            Retry::Never => false,
            Retry::After(_) => true,
            Retry::Reconcile => {
                error.kind() != ErrorKind::CannotTell && self.run.attempt < ATTEMPTS
            }
        }
    }
}
