//! Publications whose jobs die.

use automarket::{
    Credential, Platform, Post, When,
    publishing::PublishOptions,
    store::{Account, JobStore as _, Publication, PublicationState},
    testing::{RecordingPublisher, Script},
};

use super::*;

struct World {
    tenant: Tenant,
    account: Account,
    clock: ManualClock,
    store: Arc<FaultStore>,
    publisher: RecordingPublisher,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let store = watched(Arc::new(clock.clone()));
        let publisher = RecordingPublisher::new(Platform::X);
        let tenant = on(store.clone(), |b| {
            b.clock(Arc::new(clock.clone()))
                .transport(Script::new())
                .publisher(publisher.clone())
                .keyring(automarket::Keyring::random())
        });
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let account = tenant
            .add_account(account, Credential::token("t"))
            .await
            .unwrap();
        Self {
            tenant,
            account,
            clock,
            store,
            publisher,
        }
    }

    async fn publish(&self) -> (Publication, JobId) {
        let post = Post::text("We shipped!");
        let (accounts, options) = ([self.account.id], PublishOptions::new().however_late());
        let published = self.tenant.publish_with(post, accounts, When::Now, options);
        let id = published.await.unwrap();
        let publication = self.tenant.publications(id).await.unwrap().remove(0);
        let job = publication.job;
        (publication, job)
    }

    async fn now(&self, publication: &Publication) -> Publication {
        let mut all = self.tenant.publications(publication.post).await.unwrap();
        all.remove(0)
    }

    /// Runs the job until its worker is gone, in the middle of remembering a step; nor does it hand the job back.
    async fn crash(&self, job: JobId) {
        let faults = self.store.faults();
        let before = faults.hits();
        faults.add(StoreRule::on("put_step", StoreFault::Hang));
        faults.add(StoreRule::on("settle", StoreFault::FailBefore));
        let attempts = job_attempts(&self.tenant, job).await + 1;
        let running = async {
            while self.intents().await < attempts {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = self.tenant.work_on(job, LEASE) => panic!("it hangs"),
            () = running => {}
        }
        while faults.hits() < before + 2 {
            tokio::task::yield_now().await;
        }
        self.clock.advance(chrono::Duration::hours(2));
    }

    async fn job_state(&self, id: JobId) -> JobState {
        job(&self.tenant, id).await.state
    }

    /// How often a sending began.
    async fn intents(&self) -> usize {
        let events = self.tenant.events(0, 1000).await.unwrap();
        let begun = |e: &&automarket::store::Event| e.event.kind == "publication.publishing";
        events.iter().filter(begun).count()
    }
}

async fn job_attempts(tenant: &Tenant, id: JobId) -> usize {
    job(tenant, id).await.attempts as usize
}

#[tokio::test]
async fn a_publication_whose_job_died_of_crashes_becomes_unknown() {
    let world = World::new().await;
    let (publication, id) = world.publish().await;
    for _ in 0..3 {
        world.crash(id).await;
    }
    let dead = world.tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((dead.state, dead.crashes), (JobState::Dead, 3));
    assert_eq!(
        world.now(&publication).await.state,
        PublicationState::Unknown
    );
    let events = world.tenant.events(0, 1000).await.unwrap();
    assert_eq!(events.last().unwrap().event.kind, "publication.unknown");
    assert!(world.publisher.texts().is_empty());
}

#[tokio::test]
async fn a_job_that_cannot_settle_its_publication_does_not_die() {
    let world = World::new().await;
    let (publication, id) = world.publish().await;
    for _ in 0..3 {
        world.crash(id).await;
    }
    fail(&world.store, "change_publishing", 1);
    let alive = world.tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!(alive.state, JobState::Waiting);
    assert!(!world.now(&publication).await.state.is_terminal());
    world.clock.advance(chrono::Duration::hours(2));
    let dead = world.tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!(dead.state, JobState::Dead);
    assert_eq!(
        world.now(&publication).await.state,
        PublicationState::Unknown
    );
}

#[tokio::test]
async fn a_publication_whose_attempts_are_used_up_is_rejected_at_once() {
    let world = World::new().await;
    let (publication, id) = world.publish().await;
    for _ in 0..20 {
        let away = Error::new(ErrorKind::Unavailable, "away").with_retry(Retry::After(None));
        world.publisher.answer(Err(away));
        world.tenant.work_on(id, LEASE).await.unwrap();
        world.clock.advance(chrono::Duration::hours(2));
    }
    assert_eq!(world.job_state(id).await, JobState::Dead);
    assert_eq!(
        world.now(&publication).await.state,
        PublicationState::Rejected
    );
    let left = world.store.queue_stats().await.unwrap();
    assert_eq!((left.ready, left.later, left.leased), (0, 0, 0));
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_is_handed_back_uncounted() {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("hangs", |_: Value, _: Run| pending::<Result<()>>())
    });
    let id = put(&tenant, "hangs", Value::Null).await;
    let held = Arc::new(Notify::new());
    for (settled, claiming) in [(1, false), (2, true)] {
        if claiming {
            let hold = StoreRule::on("claim", StoreFault::Held(held.clone()));
            store.faults().add(hold);
        }
        let begun = async {
            let there = async || job(&tenant, id).await.state == JobState::Leased;
            while !there().await && store.faults().hits() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = tenant.work_on(id, LEASE) => panic!("it hangs"),
            () = begun => {}
        }
        held.notify_one();
        let handed_back = store.faults().until("settle", settled);
        let soon = tokio::time::timeout(Duration::from_secs(60), handed_back).await;
        soon.expect("it was not handed back");
        let back = job(&tenant, id).await;
        assert_eq!(
            (back.state, back.attempts, back.crashes),
            (JobState::Waiting, 0, 0)
        );
    }
}
