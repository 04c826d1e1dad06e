//! The life of a publication, with a publisher that answers what it is told, in memory and on SQLite.

mod able;
mod again;
mod approval;
mod changes;
mod doubt;
mod fallback;
mod late;
mod life;
mod meanwhile;
mod measuring;
mod planning;
mod queue;
mod races;
mod trouble;
mod twice;
mod why;
mod wire;

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Credential, Error, ErrorKind, JobId, Keyring, Platform, Post, PostId, Retry,
    Tenant, When,
    core::{Delivery, Handle, Lookup, Outcome, Receipt, chrono},
    publishing::{PostState, PublishOptions, TooLate, remote_id},
    store::{
        Account, Claim, JobState, MemoryStore, Publication, PublicationState, Store, Verdict,
        sqlite::SqliteStore,
    },
    testing::{ManualClock, RecordingPublisher, Script},
};

const LEASE: Duration = Duration::from_secs(10);

struct World {
    tenant: Tenant,
    account: Account,
    clock: ManualClock,
    publisher: RecordingPublisher,
    _dir: Option<tempfile::TempDir>,
}

/// The same world on each store that needs no server.
async fn worlds() -> Vec<World> {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let memory = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let memory = World::on(memory, clock, None).await;
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let dir = tempfile::tempdir().unwrap();
    let file = SqliteStore::builder(dir.path().join("market.db"))
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    vec![memory, World::on(Arc::new(file), clock, Some(dir)).await]
}

/// The same for every process on a store.
fn keyring() -> Keyring {
    Keyring::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap()
}

impl World {
    async fn on(store: Arc<dyn Store>, clock: ManualClock, dir: Option<tempfile::TempDir>) -> Self {
        let publisher = RecordingPublisher::new(Platform::X);
        let market = Automarket::shared(store)
            .clock(Arc::new(clock.clone()))
            .transport(Script::new())
            .keyring(keyring())
            .publisher(publisher.clone())
            .build()
            .unwrap();
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
            _dir: dir,
        }
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
        self.clock.advance(chrono::Duration::minutes(30));
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
        self.clock.advance(chrono::Duration::hours(7));
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
