//! What a host holds: [`Automarket`], its builder, and [`Tenant`], to which every call is scoped.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use automarket_core::{
    AccountId, Bytes, Clock, Context, Credential, CrmProvider, Error, ErrorKind, Notifier,
    PageSource, Pipeline, Platform, Publisher, Result, Store, SystemClock, TenantId,
    ai::{Generator, TemplateGenerator},
    http::{Body, Transport, TransportError},
    http_types::{Request, Response},
    media::MediaHost,
    pipeline::Run,
    store::{Account, Event},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    pipelines::campaign::CampaignPipeline,
    publishing,
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
    transport: Option<Arc<dyn Transport>>,
    media_host: Option<Arc<dyn MediaHost>>,
    pub(crate) clock: Arc<dyn Clock>,
    publishers: BTreeMap<Platform, Arc<dyn Publisher>>,
    crms: BTreeMap<Platform, Arc<dyn CrmProvider>>,
    notifiers: BTreeMap<Platform, Arc<dyn Notifier>>,
    sources: BTreeMap<Platform, Arc<dyn PageSource>>,
    generators: BTreeMap<Platform, Arc<dyn Generator>>,
    pub(crate) pipelines: BTreeMap<&'static str, Arc<dyn Pipeline>>,
    pub(crate) jobs: BTreeMap<String, worker::Handler>,
    credentials: RwLock<HashMap<(TenantId, AccountId), Credential>>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) wake: tokio::sync::Notify,
    /// Told when a schedule was put in or changed.
    pub(crate) scheduled: tokio::sync::Notify,
    pub(crate) retention: Retention,
    pub(crate) counts: Counts,
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
        Builder {
            engine: Engine {
                store,
                transport: None,
                media_host: None,
                clock: Arc::new(SystemClock),
                publishers: BTreeMap::new(),
                crms: BTreeMap::new(),
                notifiers: BTreeMap::new(),
                sources: BTreeMap::new(),
                generators: BTreeMap::from([(
                    TEMPLATE,
                    Arc::new(TemplateGenerator) as Arc<dyn Generator>,
                )]),
                pipelines: BTreeMap::new(),
                jobs: BTreeMap::new(),
                credentials: RwLock::default(),
                watch: Arc::new(|_, _| {}),
                wake: tokio::sync::Notify::new(),
                scheduled: tokio::sync::Notify::new(),
                retention: Retention::default(),
                counts: Counts::default(),
            },
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
        })
    }

    /// A worker that does what the queue holds; see [`Worker::run_until`].
    #[must_use]
    pub fn worker(&self) -> Worker {
        Worker::new(self.clone())
    }

    /// Has workers look at the queue now, in this process and in the others on its store: for jobs that the
    /// host put in by a transaction of its own, once that is committed. Without it they are found at the next
    /// poll.
    pub fn wake(&self) {
        self.engine.wake.notify_waiters();
        self.engine.store.wake();
    }

    /// The store.
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
    engine: Engine,
}

impl Builder {
    /// Sets how requests are sent. Without it every connector call fails with `Config`.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.engine.transport = Some(Arc::new(transport));
        self
    }

    /// Sets the host's own place for media: for posts whose media is named by a key, and for networks that
    /// fetch media from an address.
    #[must_use]
    pub fn media_host(mut self, host: impl MediaHost + 'static) -> Self {
        self.engine.media_host = Some(Arc::new(host));
        self
    }

    /// Sets where "now" comes from; the machine's clock otherwise.
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
        self.engine
            .pipelines
            .insert(pipeline.name(), Arc::new(pipeline));
        self
    }

    /// Adds a kind of jobs of the host's own; put one in with [`Tenant::enqueue`]. The kind is stored in each
    /// job's row: never rename it.
    ///
    /// A job runs at least once: whatever it does to the world stands in a [`Run::step`] or
    /// [`Run::once`]. An error whose retry is `After` or `Reconcile` runs it again, as does a panic; one
    /// whose retry is `Never` ends it dead. Waiting out a `RateLimited` with a time uses up no attempt. The job's
    /// result is kept with it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{Automarket, pipeline::Run, store::MemoryStore};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Greeting { name: String }
    ///
    /// let market = Automarket::builder(MemoryStore::new())
    ///     .job("greet", |job: Greeting, _: Run| async move { Ok(format!("Hello {}", job.name)) })
    ///     .build()?;
    /// let tenant = market.tenant("acme")?;
    /// let job = tenant.new_job("greet", &Greeting { name: "Ada".into() })?;
    /// let id = tenant.enqueue(job).await?.id();
    /// // In this process, now; a worker does it as well.
    /// let done = tenant.work_on(id, std::time::Duration::from_secs(30)).await?;
    /// assert_eq!(done.result, Some("Hello Ada".into()));
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn job<T, R, F>(
        mut self,
        kind: impl Into<String>,
        handler: impl Fn(T, Run) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
        F: Future<Output = Result<R>> + Send + 'static,
    {
        let handler = worker::erase(handler);
        self.engine.jobs.insert(kind.into(), handler);
        self
    }

    /// Sets how long ended jobs and events are kept; workers remove what is older, a little at a time.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.engine.retention = retention;
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
    /// `Config` when a pipeline, or a kind of jobs of the host's, bears the name of a job kind of ours, or
    /// both have one name.
    pub fn build(self) -> Result<Automarket> {
        let engine = Arc::new_cyclic(|weak| {
            let mut engine = self.engine;
            let campaign = CampaignPipeline::new(weak.clone());
            engine
                .pipelines
                .entry(campaign.name())
                .or_insert_with(|| Arc::new(campaign));
            engine
        });
        let pipelines = || engine.pipelines.keys().copied();
        let hosts = || engine.jobs.keys().map(String::as_str);
        let ours = |kind: &&str| worker::OURS.contains(kind);
        let mut taken = pipelines().chain(hosts()).filter(ours);
        let both = hosts().find(|kind| engine.pipelines.contains_key(kind));
        if let Some(kind) = taken.next().or(both) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{kind} is the name of another kind of jobs already"),
            ));
        }
        drop(taken);
        Ok(Automarket { engine })
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
}

impl Tenant {
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

    /// Keeps the account, and its credential for the life of this process: it is never written to the
    /// store. Call it again after a restart. Publications that waited for it go on.
    ///
    /// # Errors
    /// `InvalidInput` (`tenant`) when the account is another tenant's; those of the store.
    pub async fn add_account(&self, account: Account, credential: Credential) -> Result<Account> {
        if account.tenant != self.id {
            return Err(Error::invalid(
                "tenant",
                "the account belongs to another tenant",
            ));
        }
        let account = self.engine().store.put_account(&account).await?;
        let key = (self.id.clone(), account.id);
        self.engine()
            .credentials
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, credential);
        publishing::release_blocked(self.engine(), &self.id, account.id).await?;
        Ok(account)
    }

    /// Its accounts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.engine().store.accounts(&self.id).await
    }

    /// Removes an account and forgets its credential. `false` when there was none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_account(&self, id: AccountId) -> Result<bool> {
        let key = (self.id.clone(), id);
        self.engine()
            .credentials
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        self.engine().store.remove_account(&self.id, id).await
    }

    /// What happened after a sequence number, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events(&self, after: i64, limit: usize) -> Result<Vec<Event>> {
        self.engine().store.events(&self.id, after, limit).await
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

    /// The environment for a call for this account.
    pub(crate) fn context(&self, account: Account) -> Result<Context> {
        let key = (account.tenant.clone(), account.id);
        let credential = self
            .credentials
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let credential = credential.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthorized,
                format!("no credential is held for the account {}", account.name),
            )
            .with_platform(&account.platform)
            .with_remedy("call Tenant::add_account with its credential after every start")
        })?;
        Ok(self
            .bare_context()?
            .with_account(account)
            .with_credential(credential))
    }

    /// The environment for a call for nobody.
    pub(crate) fn bare_context(&self) -> Result<Context> {
        let transport = self.transport.clone().ok_or_else(|| {
            Error::new(ErrorKind::Config, "no transport is configured")
                .with_remedy("give the builder a ReqwestTransport (feature `reqwest`) or a sandbox")
        })?;
        Ok(self.environment(transport))
    }

    /// The environment for work that asks nothing of the network: it has none.
    pub(crate) fn offline(&self, account: Account) -> Context {
        self.environment(Arc::new(NoTransport))
            .with_account(account)
    }

    fn environment(&self, transport: Arc<dyn Transport>) -> Context {
        let cx = Context::shared(transport).with_clock(self.clock.clone());
        match &self.media_host {
            Some(host) => cx.with_media_host(host.clone()),
            None => cx,
        }
    }

    pub(crate) fn publisher(&self, platform: &Platform) -> Result<&Arc<dyn Publisher>> {
        registered(&self.publishers, platform, "publisher")
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
