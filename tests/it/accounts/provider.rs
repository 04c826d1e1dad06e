//! Key providers that fail, lie, or give no answer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use automarket::{
    ErrorKind, KeyProvider, Post, PostId, Retry, When,
    core::async_trait,
    store::{JobState, Publication, PublicationState},
};
use tokio::time::{advance, timeout};

use super::{unregistered::keep_alive, *};

const LEASE: Duration = Duration::from_secs(30);

/// A KMS that answers as it is told to.
#[derive(Clone)]
pub(super) struct Kms(Arc<Mutex<Says>>);

#[derive(Clone)]
enum Says {
    Keys(Keyring),
    No(ErrorKind),
    Nothing,
    /// The keys, and others are at work meanwhile.
    Late(Keyring),
}

impl Kms {
    pub(super) fn new(keys: &str) -> Self {
        Self(Arc::new(Mutex::new(Says::Keys(keyring(keys)))))
    }

    pub(super) fn gives(&self, keys: &str) {
        self.set(Says::Keys(keyring(keys)));
    }

    pub(super) fn gives_late(&self, keys: &str) {
        self.set(Says::Late(keyring(keys)));
    }

    fn says(&self) -> Says {
        let says = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        says.clone()
    }

    fn set(&self, says: Says) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }
}

#[async_trait]
impl KeyProvider for Kms {
    async fn keyring(&self) -> automarket::Result<Keyring> {
        match self.says() {
            Says::Keys(ring) => Ok(ring),
            Says::No(kind) => Err(automarket::Error::new(kind, "AccessDenied")),
            Says::Nothing => std::future::pending().await,
            Says::Late(ring) => {
                tokio::task::yield_now().await;
                Ok(ring)
            }
        }
    }
}

fn both() -> String {
    format!("{NEW},{OLD}")
}

/// A process that has these keys.
fn process(world: &World, keys: impl KeyProvider + 'static) -> Tenant {
    let market = market(world.store.clone(), world.issuer.clone()).keyring(keys);
    let market = market.clock(Arc::new(world.clock.clone()));
    market.build().unwrap().tenant("acme").unwrap()
}

/// A process that has its keys of a KMS, knows the old one, and has opened the account.
pub(super) async fn reader(world: &World) -> (Kms, Tenant) {
    let kms = Kms::new(OLD);
    let tenant = process(world, kms.clone());
    tenant.context(world.account.id).await.unwrap();
    (kms, tenant)
}

/// A process that has both keys.
fn other(world: &World) -> Tenant {
    process(world, keyring(&both()))
}

/// The other process has sealed the account's new token under the new key.
async fn connected_anew(world: &World) {
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3 * 3600);
    let (other, account) = (other(world), world.account.clone());
    let added = other.add_account(account, tokens(&access, &refresh, end));
    added.await.unwrap();
    world.pass(3600);
}

async fn work(tenant: &Tenant, post: PostId) -> Publication {
    let job = tenant.publications(post).await.unwrap()[0].job;
    tenant.work_on(job, LEASE).await.unwrap();
    tenant.publications(post).await.unwrap().remove(0)
}

const REFUSALS: [ErrorKind; 3] = [
    ErrorKind::Forbidden,
    ErrorKind::Unauthorized,
    ErrorKind::Internal,
];

#[tokio::test(start_paused = true)]
async fn a_post_waits_for_keys_that_are_refused() {
    for kind in REFUSALS {
        let world = World::new().await;
        let (kms, reader) = reader(&world).await;
        connected_anew(&world).await;
        kms.set(Says::No(kind));
        let post = reader.publish(Post::text("a"), [world.account.id], When::Now);
        let post = post.await.unwrap();
        let waits = work(&reader, post).await;
        assert_eq!(waits.state, PublicationState::Scheduled, "{kind}");
        let error = waits.error.unwrap();
        assert_eq!(error.rule.as_deref(), Some("vault.keys"));
        assert!(error.message.contains("AccessDenied"), "{}", error.message);
        kms.gives(&both());
        world.pass(60);
        advance(Duration::from_secs(60)).await;
        let out = work(&reader, post).await;
        assert_eq!(out.state, PublicationState::Published, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_token_waits_for_keys_that_are_refused() {
    for kind in REFUSALS {
        let world = World::new().await;
        let (kms, reader) = reader(&world).await;
        let job = keep_alive(&world, &other(&world)).await;
        kms.set(Says::No(kind));
        let waits = reader.work_on(job, LEASE).await.unwrap();
        assert_eq!(waits.state, JobState::Waiting, "{kind}");
        kms.gives(&both());
        world.pass(2 * 3600);
        advance(Duration::from_secs(60)).await;
        reader.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.issuer.token_requests(), 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_that_the_keys_are_refused() {
    let world = World::new().await;
    let (kms, reader) = reader(&world).await;
    connected_anew(&world).await;
    kms.set(Says::No(ErrorKind::Forbidden));
    let plan = reader.plan(&Post::text("a"), [world.account.id]).await;
    let plan = serde_json::to_string(&plan.unwrap()).unwrap();
    assert!(plan.contains("vault.keys"), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn keys_that_do_not_fit_are_not_taken_for_a_row_that_they_do_not_open() {
    let store = Arc::new(MemoryStore::new());
    let process = |market: Builder| market.build().unwrap().tenant("acme").unwrap();
    let kms = Kms::new(OLD);
    let reader = process(market(store.clone(), Issuer::new()).keyring(kms.clone()));
    reader.market().check_keyring().await.unwrap();
    let other = process(market(store, Issuer::new()).keyring(keyring(&both())));
    let account = |id| Account::new(reader.id().clone(), PLATFORM, id);
    let first = other.add_account(account("1"), Credential::token("1"));
    let first = first.await.unwrap();
    // Another key under the same id.
    kms.gives(&format!(
        "new:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=,{OLD}"
    ));
    reader.context(first.id).await.unwrap_err();
    let second = reader.add_account(account("2"), Credential::token("2"));
    let second = second.await.unwrap();
    let opened = other.context(second.id).await.unwrap();
    assert_eq!(token_of(opened.credential()), "2");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_gives_no_answer_is_not_waited_for() {
    let world = World::new().await;
    let (kms, reader) = reader(&world).await;
    connected_anew(&world).await;
    kms.set(Says::Nothing);
    let opened = timeout(Duration::from_secs(60), reader.context(world.account.id)).await;
    let late = opened.expect("an answer in time").unwrap_err();
    assert_eq!(late.rule(), Some("vault.keys"));
    assert!(matches!(late.retry(), Retry::After(_)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_starts_though_the_provider_gives_no_answer() {
    let world = World::new().await;
    let kms = Kms::new(OLD);
    kms.set(Says::Nothing);
    let done = Arc::new(tokio::sync::Notify::new());
    let ran = done.clone();
    let market = market(world.store.clone(), world.issuer.clone()).keyring(kms);
    let market = market.clock(Arc::new(world.clock.clone()));
    let market = market.job("quick", move |(): (), _| {
        ran.notify_one();
        async { Ok(()) }
    });
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let job = tenant.new_job("quick", &()).unwrap();
    tenant.enqueue(job).await.unwrap();
    let run = tenant.market().worker().run_until(done.notified());
    let run = timeout(Duration::from_secs(60), run).await;
    run.expect("it works").unwrap();
}

#[tokio::test(start_paused = true)]
async fn new_tokens_wait_for_no_provider() {
    let world = World::new().await;
    let (kms, reader) = reader(&world).await;
    // It is asked once a minute where something is sealed.
    advance(Duration::from_secs(120)).await;
    kms.set(Says::Nothing);
    world.pass(3600);
    let given = async {
        while world.issuer.token_requests() == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::Instant::now()
    };
    let (context, given) = tokio::join!(reader.context(world.account.id), given);
    assert_eq!(token_of(context.unwrap().credential()), "access-2");
    // Nobody else has them, and the lease runs.
    assert!(given.elapsed() < Duration::from_secs(1));
}
