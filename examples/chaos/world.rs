//! A world: a store, a fake, processes, and what is known of them from outside.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use automarket::{
    Automarket, JobId, Post, Store, Tenant, TenantId, When,
    publishing::PublishOptions,
    report::HealthLimits,
    store::{NewJob, postgres::testing::Cluster},
    testing::unattended,
};
use serde::Serialize;

use crate::{
    Result,
    arguments::{Arguments, Size, StoreKind},
    child::Child,
    connectors::{self, Connector},
    fake::FakeConfig,
    findings::Findings,
    log::{Entry, Reader},
    place::Place,
    rows,
    wait::{Stuck, persist},
    worker::{Crash, TENANT, WORK, Work, WorkerConfig, keyring},
};

pub(crate) struct World {
    pub(crate) size: Size,
    pub(crate) seed: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) place: Place,
    /// The store, as this process holds it.
    pub(crate) store: Arc<dyn Store>,
    /// So long a job may be ready and not taken, when all is over.
    pub(crate) grace: Duration,
    scenario: &'static str,
    folder: PathBuf,
    /// Removed with the world, unless the folder is to be kept.
    _temporary: Option<tempfile::TempDir>,
    cluster: Option<Cluster>,
    pub(crate) ahead: Duration,
    started: usize,
    begun: Instant,
}

/// The fake's process.
pub(crate) struct Fake {
    _process: Child,
    pub(crate) base: String,
    pub(crate) log: Reader,
}

impl Fake {
    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        self.log.entries().to_vec()
    }
}

impl World {
    pub(crate) async fn new(arguments: &Arguments, size: Size) -> Result<Self> {
        let (folder, temporary) = match &arguments.keep {
            Some(keep) => (kept(keep, arguments)?, None),
            None => {
                let temporary = tempfile::tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let folder = folder.canonicalize()?;
        let ahead = folder.join("ahead");
        let (place, cluster) = match arguments.store {
            StoreKind::Sqlite => {
                let file = folder.join("chaos.db");
                (Place::Sqlite { file, ahead }, None)
            }
            StoreKind::Postgres => {
                let cluster = Cluster::own().await?.ok_or("there is no PostgreSQL")?;
                let schema = format!("automarket_chaos_{}", uuid::Uuid::now_v7().simple());
                let url = cluster.url().to_owned();
                (Place::Postgres { url, schema, ahead }, Some(cluster))
            }
        };
        Ok(Self {
            size,
            seed: arguments.seed,
            random: fastrand::Rng::with_seed(arguments.seed),
            store: place.open().await?,
            place,
            grace: HealthLimits::default().grace,
            scenario: arguments.scenario.name,
            folder,
            _temporary: temporary,
            cluster,
            ahead: Duration::ZERO,
            started: 0,
            begun: Instant::now(),
        })
    }

    pub(crate) fn say(&self, what: impl AsRef<str>) {
        eprintln!(
            "{:7.1} s  {}",
            self.begun.elapsed().as_secs_f64(),
            what.as_ref()
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.size.lease)
    }

    // ---- processes -------------------------------------------------------------------------------------

    /// Starts a fake: the ledger, or a connector's platform.
    pub(crate) fn fake(&mut self, mut config: FakeConfig) -> Result<Fake> {
        self.started += 1;
        config.log = self.path(&format!("fake-{}.jsonl", self.started));
        config.place = Some(self.place.clone());
        let mut process = Child::start("fake", &config, &self.path("fake.log"), None)?;
        let base = process.line()?;
        if base.is_empty() {
            return Err("the fake did not start; see fake.log".into());
        }
        Ok(Fake {
            _process: process,
            base,
            log: Reader::new(config.log),
        })
    }

    /// The usual settings of a worker.
    pub(crate) fn worker_config(&self, name: &str, fake: &Fake) -> WorkerConfig {
        self.bare_worker_config(name, &fake.base)
    }

    pub(crate) fn bare_worker_config(&self, name: &str, fake: &str) -> WorkerConfig {
        WorkerConfig {
            name: name.to_owned(),
            scenario: self.scenario.to_owned(),
            place: self.place.clone(),
            fake: fake.to_owned(),
            connector: None,
            concurrency: 16,
            lease: self.lease(),
            grace: Duration::from_secs(5),
            // What is poison is one scenario's question; in the others a job may be hit often.
            max_crashes: 1000,
            poll: Some(Duration::from_millis(250)),
            answer_within: Duration::from_secs(3),
            no_heartbeats: false,
            crash: None,
            until: None,
        }
    }

    /// Starts a worker, and waits until it is ready to work.
    pub(crate) fn worker(&self, config: &WorkerConfig) -> Result<Child> {
        let point = match &config.crash {
            Some(Crash::Point(point)) => Some(point.as_str()),
            _ => None,
        };
        let log = self.path(&format!("worker-{}.log", config.name));
        let mut child = Child::start("worker", config, &log, point)?;
        match child.line()?.as_str() {
            "ready" => Ok(child),
            _ => Err(Stuck(format!("worker {} did not start; see its log", config.name)).into()),
        }
    }

    /// So many usual workers.
    pub(crate) fn workers(
        &self,
        fake: &Fake,
        how: impl Fn(&mut WorkerConfig),
    ) -> Result<Vec<Child>> {
        (0..self.size.workers)
            .map(|n| {
                let mut config = self.worker_config(&format!("w{n}"), fake);
                how(&mut config);
                self.worker(&config)
            })
            .collect()
    }

    /// Starts a process of the scenario's own.
    pub(crate) fn process(&self, name: &str, config: &impl Serialize) -> Result<Child> {
        let log = self.path(&format!("process-{name}.log"));
        Child::start(self.scenario, config, &log, None)
    }

    // ---- what is put in --------------------------------------------------------------------------------

    /// Puts so many jobs in; acknowledged on return.
    pub(crate) async fn put(
        &self,
        count: usize,
        work: impl Fn(usize) -> Work,
    ) -> Result<Vec<JobId>> {
        self.put_for(TENANT, count, work).await
    }

    pub(crate) async fn put_for(
        &self,
        tenant: &str,
        count: usize,
        work: impl Fn(usize) -> Work,
    ) -> Result<Vec<JobId>> {
        let tenant = Automarket::shared(self.store.clone())
            .build()?
            .tenant(tenant)?;
        let mut acks = Vec::with_capacity(count);
        for first in (0..count).step_by(1000) {
            let jobs = (first..count.min(first + 1000)).map(|n| {
                let mut job = tenant.new_job(WORK, &work(n))?;
                job.max_attempts = 1000;
                Ok(job)
            });
            let jobs = jobs.collect::<Result<Vec<NewJob>>>()?;
            let put = persist(|| self.store.enqueue(&jobs)).await?;
            acks.extend(put.into_iter().map(|job| job.id()));
        }
        Ok(acks)
    }

    /// This process's own library, to publish with.
    pub(crate) async fn publisher(&self, connector: &Connector, fake: &Fake) -> Result<Tenant> {
        let builder = Automarket::shared(self.store.clone())
            .clock(self.place.clock())
            .keyring(keyring());
        let market = (connector.register)(builder, &fake.base)?.build()?;
        let tenant = market.tenant(connector.name)?;
        let account = (connector.account)(tenant.id().clone());
        tenant
            .add_account(account, (connector.credential)())
            .await?;
        Ok(tenant)
    }

    /// Publishes a post with a mark in its text: the mark and the job that sends it.
    pub(crate) async fn publish(
        &self,
        tenant: &Tenant,
        number: usize,
        when: When,
        options: PublishOptions,
    ) -> Result<(String, JobId)> {
        let mark = mark(number);
        let text = said(&mark);
        // A connector's tenant bears its name.
        let post = match connectors::find(tenant.id().as_str()) {
            Ok(connector) => (connector.post)(&text),
            Err(_) => Post::text(text),
        };
        let job = self.publish_post(tenant, post, when, options).await?;
        Ok((mark, job))
    }

    /// The job that sends it.
    pub(crate) async fn publish_post(
        &self,
        tenant: &Tenant,
        post: Post,
        when: When,
        options: PublishOptions,
    ) -> Result<JobId> {
        let account = tenant.accounts().await?.first().ok_or("no account")?.id;
        let publish = || tenant.publish_with(post.clone(), [account], when, options);
        let id = persist(publish).await?;
        let publications = tenant.publications(id).await?;
        let publication = publications.first().ok_or("no publication")?;
        Ok(publication.job)
    }

    // ---- the database ----------------------------------------------------------------------------------

    /// Takes the database away for a while: PostgreSQL is stopped as by a crash, the SQLite file is locked by
    /// another process's transaction.
    pub(crate) async fn away(&mut self, time: Duration) -> Result<()> {
        match &mut self.cluster {
            Some(cluster) => {
                cluster.stop()?;
                tokio::time::sleep(time).await;
                cluster.start_again().await?;
            }
            None => {
                let db = self.place.sqlite()?;
                db.execute_batch("BEGIN EXCLUSIVE")?;
                tokio::time::sleep(time).await;
                db.execute_batch("ROLLBACK")?;
            }
        }
        Ok(())
    }

    /// Breaks about half of the connections that there are; how many. SQLite has none.
    pub(crate) async fn cut(&mut self) -> Result<u64> {
        if self.is_sqlite() {
            return Ok(0);
        }
        let (client, _) = self.place.postgres().await?;
        let others = "SELECT pid FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid";
        let mut cut = 0;
        for row in client.query(others, &[]).await? {
            if self.random.bool() {
                let ended = client
                    .query_one("SELECT pg_terminate_backend($1)", &[&row.get::<_, i32>(0)])
                    .await?;
                cut += u64::from(ended.get::<_, bool>(0));
            }
        }
        Ok(cut)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.cluster.is_none()
    }

    // ---- the end ---------------------------------------------------------------------------------------

    /// Tells workers to stop, and expects them to, in time and without an error.
    pub(crate) async fn dismiss(
        &self,
        workers: &mut [Child],
        findings: &mut Findings,
    ) -> Result<()> {
        for worker in workers.iter_mut().filter_map(|w| w.alive().then_some(w)) {
            worker.signal("TERM")?;
            match worker.ended(Duration::from_secs(60)).await? {
                Some(status) if status.success() => {}
                Some(status) => findings.broken(format!("a worker ended with {status}")),
                None => findings.broken("a worker did not stop when told"),
            }
        }
        Ok(())
    }

    /// A22: nobody was forgotten.
    pub(crate) async fn attended(&self, findings: &mut Findings) {
        let mut found = BTreeSet::new();
        for name in connectors::ALL.iter().map(|c| c.name).chain([TENANT]) {
            let looked = match TenantId::new(name) {
                Ok(tenant) => persist(|| unattended(&*self.store, &tenant, self.grace)).await,
                Err(error) => Err(error),
            };
            match looked {
                Ok(of_tenant) => found.extend(of_tenant),
                Err(error) => findings.broken(format!("{name} cannot be looked through: {error}")),
            }
        }
        found.into_iter().for_each(|what| findings.broken(what));
    }

    /// What no scenario may leave behind.
    pub(crate) async fn end(&self, findings: &mut Findings) {
        let files = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten();
        for file in files.map(|file| file.path()) {
            let panics = panics(&file);
            findings.must(
                panics == 0,
                format!("{panics} panics in {}", file.display()),
            );
        }
        if self.is_sqlite() {
            match rows::damage(&self.place) {
                Ok(damage) => findings.must(damage.is_empty(), format!("the file: {damage:?}")),
                Err(error) => findings.void(format!("the file cannot be looked into: {error}")),
            }
        }
        if let Place::Postgres { schema, .. } = &self.place
            && let Ok((client, _)) = self.place.postgres().await
        {
            let _ = client
                .batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))
                .await;
        }
    }
}

/// What is seen of a post wherever it turns up.
pub(crate) fn mark(number: usize) -> String {
    format!("chaos-{number:06}")
}

/// A text with a mark.
pub(crate) fn said(mark: &str) -> String {
    format!("We shipped {mark}.")
}

/// A folder for this run alone.
fn kept(keep: &Path, arguments: &Arguments) -> Result<PathBuf> {
    std::fs::create_dir_all(keep)?;
    let scenario = arguments.scenario.name;
    let name = format!("{scenario}-{}-{}", arguments.store, arguments.seed);
    for again in 1.. {
        let suffix = (again > 1).then(|| format!("-{again}"));
        let folder = keep.join(name.clone() + &suffix.unwrap_or_default());
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok(made.map(|()| folder)?),
        }
    }
    Err("there are too many runs in this folder".into())
}

fn panics(file: &Path) -> usize {
    let is_log = file.extension().is_some_and(|extension| extension == "log");
    let text = if is_log {
        std::fs::read(file).unwrap_or_default()
    } else {
        Vec::new()
    };
    String::from_utf8_lossy(&text)
        .matches("panicked at")
        .count()
}
