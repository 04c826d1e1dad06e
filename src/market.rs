//! What a host holds: [`Automarket`], its builder, and [`Tenant`], to which every call is scoped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use automarket_core::{
    AccountId, Bytes, Clock, Context, Credential, CrmProvider, EmailProvider, Error, ErrorKind,
    Identity, KeyProvider, Notifier, PageSource, Pipeline, Platform, Publisher, Result, Store,
    SystemClock, TenantId,
    ai::{Generator, TemplateGenerator},
    http::{Body, Transport, TransportError},
    http_types::{Request, Response},
    media::MediaHost,
    oauth::{App, Provider},
    profile::{ApiVersion, Status},
    store::{Account, Event, NewJob},
};

use crate::{
    accounts::{self, Accounts, RefreshPolicy},
    pipelines::campaign::{CAMPAIGN_JOB, CampaignPipeline},
    publishing::{Chosen, LOOK_AFTER, MEASURE_AFTER},
    report::Counts,
    worker::{self, Retention, Worker},
};

/// The library in a host's process: connectors, store and worker put together. Cheap to clone.
#[derive(Clone)]
pub struct Automarket {
    pub(crate) engine: Arc<Engine>,
}

/// What all parts share.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    media_host: Option<Arc<dyn MediaHost>>,
    pub(crate) clock: Arc<dyn Clock>,
    publishers: BTreeMap<Platform, Arc<dyn Publisher>>,
    crms: BTreeMap<Platform, Arc<dyn CrmProvider>>,
    emails: BTreeMap<Platform, Arc<dyn EmailProvider>>,
    notifiers: BTreeMap<Platform, Arc<dyn Notifier>>,
    sources: BTreeMap<Platform, Arc<dyn PageSource>>,
    generators: BTreeMap<Platform, Arc<dyn Generator>>,
    pub(crate) pipelines: BTreeMap<&'static str, Arc<dyn Pipeline>>,
    pub(crate) jobs: BTreeMap<String, worker::Handler>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) wake: tokio::sync::Notify,
    /// Told when a schedule was put in or changed.
    pub(crate) scheduled: tokio::sync::Notify,
    pub(crate) retention: Retention,
    /// So long after a post was published it is measured.
    pub(crate) measure_after: Vec<Duration>,
    /// So long after a sending of unknown end nobody looks for it yet.
    pub(crate) look_after: Duration,
    pub(crate) counts: Counts,
    /// The posting slots that are chosen and not written yet.
    pub(crate) chosen: Chosen,
}

/// Who is told what the library is doing, as it does it.
pub type Watch = dyn Fn(&TenantId, automarket_core::pipeline::Progress<'_>) + Send + Sync;

/// The generator that needs no key; a host may register another under the same name.
pub const TEMPLATE: Platform = Platform::from_static("template");

impl Automarket {
    /// Begins with the store.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{Automarket, store::MemoryStore};
    /// let market = Automarket::builder(MemoryStore::new()).build()?;
    /// assert!(market.tenant("acme")?.accounts().await?.is_empty());
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn builder(store: impl Store + 'static) -> Builder {
        Self::shared(Arc::new(store))
    }

    /// As [`Automarket::builder`] with a store that others use too.
    #[must_use]
    pub fn shared(store: Arc<dyn Store>) -> Builder {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let idle = accounts::Settings::default();
        Builder {
            engine: Engine {
                accounts: Accounts::new(idle, store.clone(), clock.clone()),
                store,
                media_host: None,
                clock,
                publishers: BTreeMap::new(),
                crms: BTreeMap::new(),
                emails: BTreeMap::new(),
                notifiers: BTreeMap::new(),
                sources: BTreeMap::new(),
                generators: BTreeMap::from([(
                    TEMPLATE,
                    Arc::new(TemplateGenerator) as Arc<dyn Generator>,
                )]),
                pipelines: BTreeMap::new(),
                jobs: BTreeMap::new(),
                watch: Arc::new(|_, _| {}),
                wake: tokio::sync::Notify::new(),
                scheduled: tokio::sync::Notify::new(),
                retention: Retention::default(),
                measure_after: MEASURE_AFTER.to_vec(),
                look_after: LOOK_AFTER,
                counts: Counts::default(),
                chosen: Chosen::default(),
            },
            accounts: accounts::Settings::default(),
            kinds: Vec::new(),
        }
    }

    /// One of the host's customers. Nothing is looked up: a tenant is a name.
    ///
    /// # Errors
    /// `InvalidInput` when the name is not one (see [`TenantId::new`]).
    pub fn tenant(&self, id: &str) -> Result<Tenant> {
        Ok(Tenant {
            id: TenantId::new(id)?,
            market: self.clone(),
            who: "host".into(),
            in_job: false,
        })
    }

    /// A worker that does what the queue holds; see [`Worker::run_until`].
    #[must_use]
    pub fn worker(&self) -> Worker {
        Worker::new(self.clone())
    }

    /// Has workers look at the queue now, in this process and, on PostgreSQL, in the others on its store: for jobs that
    /// the host put in by a transaction of its own, once that is committed. Without it they are found at the next
    /// poll ([`Worker::poll`], 5 s), as they are in other processes on SQLite.
    pub fn wake(&self) {
        self.engine.wake.notify_waiters();
        self.engine.store.wake();
    }

    /// The store, for reads that [`Tenant`] has no call for: by a job's key, the live publications of an account.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.engine.store
    }
}

impl fmt::Debug for Automarket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Automarket")
            .field("publishers", &self.engine.publishers.keys())
            .finish_non_exhaustive()
    }
}

/// Puts an [`Automarket`] together. Each connector is registered under its platform; the last one wins.
pub struct Builder {
    pub(crate) engine: Engine,
    accounts: accounts::Settings,
    /// The kinds of jobs of the host's own, as they were added.
    pub(crate) kinds: Vec<String>,
}

impl Builder {
    /// Sets how requests are sent. Without it every connector call fails with `Config`.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.accounts.transport = Some(Arc::new(transport));
        self
    }

    /// Sets the keys under which credentials are sealed: a [`Keyring`](crate::Keyring), or what gets one from a
    /// KMS. Without them no credential can be stored.
    #[must_use]
    pub fn keyring(mut self, keys: impl KeyProvider + 'static) -> Self {
        self.accounts.keys = Some(Arc::new(keys));
        self
    }

    /// Adds the host's OAuth app on a platform, with the platform's ways: tokens that belong to it are renewed
    /// and revoked through it. Each process needs it that connects accounts or works on them: without it a token
    /// is used until the platform refuses it, and what it is for waits (`Config`, rule `oauth.no_app`).
    #[must_use]
    pub fn oauth(mut self, provider: Provider, app: App) -> Self {
        self.accounts.apps.add(provider, app);
        self
    }

    /// Names a platform's OAuth ways without an app of the host's: each tenant brings its own
    /// ([`Tenant::put_app`]).
    #[must_use]
    pub fn provider(mut self, provider: Provider) -> Self {
        self.accounts.apps.add_provider(provider);
        self
    }

    /// Sets when and how tokens are renewed.
    #[must_use]
    pub fn refresh(mut self, policy: RefreshPolicy) -> Self {
        self.accounts.policy = policy;
        self
    }

    /// Sets the host's own place for media: for posts whose media is named by a key, and for networks that
    /// fetch media from an address.
    #[must_use]
    pub fn media_host(mut self, host: impl MediaHost + 'static) -> Self {
        self.engine.media_host = Some(Arc::new(host));
        self
    }

    /// Sets this process's clock; the machine's otherwise. What has to be agreed on goes by the store's: when jobs
    /// are due and leases end, when a connector's post began, until when a platform is left alone.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.engine.clock = clock;
        self
    }

    /// Adds a place where posts appear.
    #[must_use]
    pub fn publisher(mut self, publisher: impl Publisher + 'static) -> Self {
        let platform = publisher.profile().platform.clone();
        self.engine.publishers.insert(platform, Arc::new(publisher));
        self
    }

    /// Adds a CRM.
    #[must_use]
    pub fn crm(mut self, crm: impl CrmProvider + 'static) -> Self {
        let platform = crm.profile().platform.clone();
        self.engine.crms.insert(platform, Arc::new(crm));
        self
    }

    /// Adds an e-mail provider: its accounts can be connected, and [`Tenant::context`] is what it is called with.
    #[must_use]
    pub fn email(mut self, email: impl EmailProvider + 'static) -> Self {
        let platform = email.profile().platform.clone();
        self.engine.emails.insert(platform, Arc::new(email));
        self
    }

    /// Adds a channel on which people are told something.
    #[must_use]
    pub fn notifier(mut self, notifier: impl Notifier + 'static) -> Self {
        let platform = notifier.profile().platform.clone();
        self.engine.notifiers.insert(platform, Arc::new(notifier));
        self
    }

    /// Adds a reader of pages.
    #[must_use]
    pub fn page_source(mut self, platform: Platform, source: impl PageSource + 'static) -> Self {
        self.engine.sources.insert(platform, Arc::new(source));
        self
    }

    /// Adds a writer of texts, beside the built-in [`TEMPLATE`].
    #[must_use]
    pub fn generator(mut self, platform: Platform, generator: impl Generator + 'static) -> Self {
        self.engine.generators.insert(platform, Arc::new(generator));
        self
    }

    /// Adds a durable function, run as a job of the kind `pipeline.name()`.
    #[must_use]
    pub fn pipeline(mut self, pipeline: impl Pipeline + 'static) -> Self {
        self.kinds.push(pipeline.name().to_owned());
        self.engine
            .pipelines
            .insert(pipeline.name(), Arc::new(pipeline));
        self
    }

    /// Sets how long ended jobs and events are kept; workers remove what is older, a little at a time.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.engine.retention = retention;
        self
    }

    /// Sets how long after a post was published its numbers are read, each time; nothing is never.
    /// [`MEASURE_AFTER`] unless said otherwise: an hour, a day, a week, 30 days.
    #[must_use]
    pub fn measure_after(mut self, times: impl IntoIterator<Item = Duration>) -> Self {
        self.engine.measure_after = times.into_iter().collect();
        self
    }

    /// Sets how long after a sending whose end is not known, a crash's too, it is looked for at the earliest, as is
    /// whatever a job or a pipeline does [once](crate::core::pipeline::Run::once): [`LOOK_AFTER`] unless said otherwise, a day at
    /// the most. A platform may still be at work on it: who looks too soon finds nothing, and sends it twice.
    #[must_use]
    pub fn look_after(mut self, time: Duration) -> Self {
        self.engine.look_after = time.min(Duration::from_secs(24 * 3600));
        self
    }

    /// Sets who is told of the steps of pipelines and jobs as they begin and end.
    #[must_use]
    pub fn watch(mut self, watch: Arc<Watch>) -> Self {
        self.engine.watch = watch;
        self
    }

    /// The finished library.
    ///
    /// # Errors
    /// `Config` when a pipeline, or a kind of jobs of the host's, bears the name of a job kind of ours or of another
    /// one of the host's, or one that no store takes ([`NewJob::check_kind`]).
    pub fn build(self) -> Result<Automarket> {
        let ours = worker::OURS.into_iter().chain([CAMPAIGN_JOB]);
        let mut taken: BTreeSet<&str> = ours.collect();
        for kind in &self.kinds {
            NewJob::check_kind(kind).map_err(|error| error.with_kind(ErrorKind::Config))?;
            if !taken.insert(kind) {
                let message = format!("{kind} is the name of another kind of jobs already");
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        let engine = Arc::new_cyclic(|weak| {
            let mut engine = self.engine;
            let (store, clock) = (engine.store.clone(), engine.clock.clone());
            engine.accounts = Accounts::new(self.accounts, store, clock);
            let campaign = Arc::new(CampaignPipeline::new(weak.clone()));
            engine.pipelines.insert(campaign.name(), campaign);
            engine
        });
        let market = Automarket { engine };
        market.warn_of_ends();
        Ok(market)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

/// One of the host's customers: every call is scoped to it.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) market: Automarket,
    /// Who stands in the audit trail.
    pub(crate) who: Arc<str>,
    /// It was given to a job, which may come late: a time that is past by then is nobody's slip.
    pub(crate) in_job: bool,
}

impl Tenant {
    /// The tenant that a job is of.
    pub(crate) fn of_job(engine: Arc<Engine>, id: TenantId, who: &str) -> Self {
        Self {
            id,
            market: Automarket { engine },
            who: who.into(),
            in_job: true,
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    /// The library it belongs to.
    #[must_use]
    pub fn market(&self) -> &Automarket {
        &self.market
    }

    /// What happened after a sequence number, oldest first: after 0 all that is kept, after
    /// [`last_event`](Self::last_event) what is to come.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events(&self, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.engine().store.events(&self.id, after, limit).await
    }

    /// The sequence number of its newest event, for who wants to hear from now on; 0 when nothing is kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn last_event(&self) -> Result<i64> {
        self.engine().store.last_event(&self.id).await
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.market.engine
    }
}

impl Engine {
    /// The account, which must be there.
    pub(crate) async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Account> {
        self.store.account(tenant, id).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the tenant has no account {id}"),
            )
        })
    }

    /// Whether the platform still takes connections, as far as its connector is registered.
    ///
    /// # Errors
    /// `Disabled` (rule `platform.closed`) with the reason.
    pub(crate) fn check_open(&self, platform: &Platform) -> Result<()> {
        let publisher = self.publishers.get(platform).map(|p| &p.profile().status);
        let crm = || self.crms.get(platform).map(|p| &p.profile().status);
        let email = || self.emails.get(platform).map(|p| &p.profile().status);
        let notifier = || self.notifiers.get(platform).map(|p| &p.profile().status);
        match publisher.or_else(crm).or_else(email).or_else(notifier) {
            Some(Status::Closed(why)) => Err(Error::new(ErrorKind::Disabled, *why)
                .with_rule("platform.closed")
                .with_platform(platform)),
            _ => Ok(()),
        }
    }

    /// Whether anything here speaks with the platform.
    ///
    /// # Errors
    /// `Config`.
    pub(crate) fn check_connector(&self, platform: &Platform) -> Result<()> {
        let known = self.publishers.contains_key(platform)
            || self.crms.contains_key(platform)
            || self.emails.contains_key(platform);
        if known {
            return Ok(());
        }
        registered(&self.notifiers, platform, "connector").map(drop)
    }

    /// Whom a credential speaks for, by the platform's connector.
    pub(crate) async fn identify(
        &self,
        platform: &Platform,
        cx: &Context,
    ) -> Result<Vec<Identity>> {
        if let Some(publisher) = self.publishers.get(platform) {
            return publisher.identify(cx).await;
        }
        if let Some(crm) = self.crms.get(platform) {
            return crm.identify(cx).await;
        }
        if let Some(email) = self.emails.get(platform) {
            return email.identify(cx).await;
        }
        registered(&self.notifiers, platform, "connector")?
            .identify(cx)
            .await
    }

    /// The environment for a call for this account, with its credential opened, and which that is.
    pub(crate) async fn context(&self, account: Account) -> Result<(Context, i64)> {
        let opened = self.accounts.open(&account).await?;
        let secret = match &opened.credential {
            Credential::OAuth(tokens) => {
                let (tenant, platform) = (&account.tenant, &account.platform);
                let secret = self.accounts.app_secret(tenant, platform, &tokens.app);
                secret.await?
            }
            _ => None,
        };
        let context = self.bare_context().await?.with_account(account);
        let context = context.with_credential(opened.credential);
        Ok((context.with_app_secret(secret), opened.version))
    }

    /// The environment for a call for nobody.
    pub(crate) async fn bare_context(&self) -> Result<Context> {
        Ok(self.with_media_host(self.accounts.bare_context().await?))
    }

    /// The environment for work that asks nothing of the network: it has none.
    pub(crate) fn offline(&self, account: Account) -> Context {
        let cx = Context::new(NoTransport).with_clock(self.clock.clone());
        self.with_media_host(cx).with_account(account)
    }

    fn with_media_host(&self, cx: Context) -> Context {
        match &self.media_host {
            Some(host) => cx.with_media_host(host.clone()),
            None => cx,
        }
    }

    /// The versions of APIs that its connectors speak.
    pub(crate) fn spoken(&self) -> impl Iterator<Item = (&Platform, &ApiVersion)> {
        let publishers = self.publishers.iter().map(|(of, p)| (of, &p.profile().api));
        let notifiers = self.notifiers.iter().map(|(of, n)| (of, &n.profile().api));
        let crms = self.crms.iter().map(|(of, c)| (of, &c.profile().api));
        let emails = self.emails.iter().map(|(of, e)| (of, &e.profile().api));
        publishers.chain(notifiers).chain(crms).chain(emails)
    }

    pub(crate) fn publisher(&self, platform: &Platform) -> Result<&Arc<dyn Publisher>> {
        registered(&self.publishers, platform, "publisher")
    }

    /// The publisher for an account that somebody named.
    ///
    /// # Errors
    /// `InvalidInput` (rule `account.no_publisher`) where its platform is here for something else; `Config` where nothing
    /// here knows the platform.
    pub(crate) fn publisher_of(&self, account: &Account) -> Result<&Arc<dyn Publisher>> {
        let platform = &account.platform;
        self.publisher(platform).map_err(|error| {
            if self.check_connector(platform).is_err() {
                return error;
            }
            Error::invalid("accounts", format!("{platform} cannot publish"))
                .with_rule("account.no_publisher")
                .with_remedy("choose accounts that can publish")
        })
    }

    pub(crate) fn crm(&self, platform: &Platform) -> Result<&Arc<dyn CrmProvider>> {
        registered(&self.crms, platform, "CRM")
    }

    pub(crate) fn notifier(&self, platform: &Platform) -> Result<&Arc<dyn Notifier>> {
        registered(&self.notifiers, platform, "notifier")
    }

    pub(crate) fn page_source(&self, platform: &Platform) -> Result<&Arc<dyn PageSource>> {
        registered(&self.sources, platform, "page source")
    }

    pub(crate) fn generator(&self, platform: &Platform) -> Result<&Arc<dyn Generator>> {
        registered(&self.generators, platform, "generator")
    }
}

struct NoTransport;

#[automarket_core::async_trait]
impl Transport for NoTransport {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let message = "planning asks nothing of the network";
        Err(TransportError::new(ErrorKind::Refused, false, message))
    }
}

fn registered<'a, T>(
    map: &'a BTreeMap<Platform, T>,
    platform: &Platform,
    what: &str,
) -> Result<&'a T> {
    map.get(platform).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!("no {what} is registered for {platform}"),
        )
        .with_remedy("register its connector with the builder")
    })
}
