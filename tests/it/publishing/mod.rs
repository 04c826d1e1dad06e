//! The life of a publication, with a publisher that answers what it is told, in memory and on SQLite; what
//! two may do at once, what is tried again and who says yes on PostgreSQL, too.

mod able;
mod again;
mod approval;
mod changes;
mod doubt;
mod fallback;
mod late;
mod life;
mod looking;
mod meanwhile;
mod measuring;
mod planning;
mod queue;
mod races;
mod removed;
mod trouble;
mod twice;
mod why;
mod wire;

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Clock as _, Credential, Error, ErrorKind, JobId, Keyring, Platform, Post, PostId,
    Retry, Tenant, When,
    core::{Delivery, Handle, Lookup, Outcome, Receipt, chrono},
    publishing::{PostState, PublishOptions, TooLate, remote_id},
    store::{
        Account, Claim, JobState, JobStore as _, MemoryStore, Publication, PublicationState, Store,
        Verdict,
        postgres::{
            PostgresStore,
            testing::{TestClock, TestStore},
        },
        sqlite::SqliteStore,
    },
    testing::{ManualClock, RecordingPublisher, Script, StoreClock as _},
};

const LEASE: Duration = Duration::from_secs(10);

struct World {
    tenant: Tenant,
    account: Account,
    clock: ManualClock,
    publisher: RecordingPublisher,
    place: Place,
}

/// Where its store is.
enum Place {
    Memory,
    File(tempfile::TempDir),
    /// Whose time is the server's.
    Server(TestStore, TestClock),
}

/// The same world on each store that needs no server.
async fn worlds() -> Vec<World> {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let memory = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let memory = World::on(memory, clock, Place::Memory).await;
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, &clock).await;
    vec![memory, World::on(file, clock, Place::File(dir)).await]
}

async fn file(dir: &tempfile::TempDir, clock: &ManualClock) -> Arc<dyn Store> {
    let file = SqliteStore::builder(dir.path().join("market.db")).clock(Arc::new(clock.clone()));
    Arc::new(file.build().await.unwrap())
}

/// The same, and on PostgreSQL where there is one.
async fn all_worlds() -> Vec<World> {
    let mut worlds = worlds().await;
    if let Some(cluster) = crate::cluster().await {
        let test = cluster.store().await.unwrap();
        let (clock, server) = (ManualClock::parse("2027-01-11T09:00:00Z"), test.clock());
        let ahead = clock.now() - test.store.now().await.unwrap();
        server.advance(ahead).await;
        let store = Arc::new(test.store.clone());
        worlds.push(World::on(store, clock, Place::Server(test, server)).await);
    }
    worlds
}

/// Another store on the same server and schema.
async fn another(test: &TestStore) -> Arc<dyn Store> {
    let url = crate::cluster().await.unwrap().url();
    let store = PostgresStore::builder(url).schema(test.schema());
    Arc::new(store.build().await.unwrap())
}

/// The library of a process.
fn market(
    store: Arc<dyn Store>,
    clock: &ManualClock,
    publisher: impl automarket::core::Publisher + 'static,
) -> Automarket {
    Automarket::shared(store)
        .clock(Arc::new(clock.clone()))
        .transport(Script::new())
        .keyring(keyring())
        .publisher(publisher)
        .build()
        .unwrap()
}

/// The same for every process on a store.
fn keyring() -> Keyring {
    Keyring::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap()
}

impl World {
    async fn on(store: Arc<dyn Store>, clock: ManualClock, place: Place) -> Self {
        let publisher = RecordingPublisher::new(Platform::X);
        let market = market(store, &clock, publisher.clone());
        let tenant = market.tenant("acme").unwrap();
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let account = tenant
            .add_account(account, Credential::token("t"))
            .await
            .unwrap();
        Self {
            tenant,
            account,
            clock,
            publisher,
            place,
        }
    }

    /// Moves the time of the store and of its processes.
    async fn advance(&self, by: chrono::Duration) {
        self.clock.advance(by);
        if let Place::Server(_, server) = &self.place {
            server.advance(by).await;
        }
    }

    /// The tenant in another process, with connections of its own.
    async fn elsewhere(&self) -> Tenant {
        let store = match &self.place {
            Place::Memory => self.market().store().clone(),
            Place::File(dir) => file(dir, &self.clock).await,
            Place::Server(test, _) => another(test).await,
        };
        let market = market(store, &self.clock, self.publisher.clone());
        market.tenant("acme").unwrap()
    }

    fn market(&self) -> &Automarket {
        self.tenant.market()
    }

    async fn another_account(&self, name: &str) -> Account {
        let account = Account::new(self.tenant.id().clone(), Platform::X, name);
        let credential = Credential::token("t");
        self.tenant.add_account(account, credential).await.unwrap()
    }

    async fn publish(&self, when: When) -> PostId {
        self.publish_with(when, PublishOptions::new()).await
    }

    async fn publish_with(&self, when: When, options: PublishOptions) -> PostId {
        let post = Post::text("We shipped!");
        let accounts = [self.account.id];
        let published = self.tenant.publish_with(post, accounts, when, options);
        published.await.unwrap()
    }

    /// To the account and to another one.
    async fn publish_to_two(&self, when: When) -> PostId {
        let other = self.another_account("2").await;
        let accounts = [self.account.id, other.id];
        let post = Post::text("We shipped!");
        self.tenant.publish(post, accounts, when).await.unwrap()
    }

    /// Runs the publication's job once, if its time has come, and says how it stands.
    async fn turn(&self, post: PostId) -> (Publication, JobState) {
        let publication = self.only(post).await;
        let job = self.tenant.work_on(publication.job, LEASE).await.unwrap();
        (self.only(post).await, job.state)
    }

    /// A publication whose answer was lost, and of which a look cannot tell.
    async fn lost(&self) -> Publication {
        self.publisher.answer(Err(unknown()));
        let post = self.publish(When::Now).await;
        self.turn(post).await;
        self.advance(chrono::Duration::minutes(30)).await;
        let (lost, _) = self.turn(post).await;
        assert_eq!(lost.state, PublicationState::Unknown);
        lost
    }

    /// The next publish answers that it was taken.
    fn takes(&self) {
        let handle = Handle {
            remote_id: "c1".into(),
            due: None,
            data: serde_json::Value::Null,
        };
        self.publisher.answer(Ok(Outcome::Accepted(handle)));
    }

    /// A publication that the platform took and has not made public yet.
    async fn accepted(&self) -> PostId {
        self.takes();
        let post = self.publish(When::Now).await;
        assert_eq!(self.turn(post).await.0.state, PublicationState::Accepted);
        post
    }

    /// What the platform says of what it took, hours later, and how the publication stands then.
    async fn polled(&self, post: PostId, says: Error) -> PublicationState {
        self.publisher.poll_answer(Err(says));
        self.advance(chrono::Duration::hours(7)).await;
        self.turn(post).await.0.state
    }

    async fn only(&self, post: PostId) -> Publication {
        let mut all = self.tenant.publications(post).await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    async fn kinds(&self) -> Vec<String> {
        let events = self.tenant.events(0, 1000).await.unwrap();
        let kinds = events.into_iter().map(|e| e.event.kind);
        let documented = include_str!("../../../src/report/events.rs");
        let known = |kind: &String| documented.contains(&format!("//! | `{kind}` |"));
        kinds
            .inspect(|kind| assert!(known(kind), "{kind} is not documented"))
            .map(|kind| kind.replace("publication.", ""))
            .collect()
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile)
}

fn at(text: &str) -> When {
    When::At(text.parse().unwrap())
}
