//! A platform that says "too many" is left alone by everybody, and nobody else is slowed.

use automarket::{
    Credential, Platform, Post, When,
    store::{Account, JobStore as _},
    testing::{RecordingPublisher, Sandbox, Script},
};
use automarket::{
    core::{
        Bytes, Clock as _,
        http_types::{Request, Response, StatusCode},
    },
    http::{Body, Transport, TransportError},
};
use std::sync::Mutex;

use super::*;

const POSTS: usize = 30;
const WINDOWS: usize = 5;

fn limited() -> Error {
    let wait = Retry::After(Some(Duration::from_secs(60)));
    Error::new(ErrorKind::RateLimited, "slow down").with_retry(wait)
}

/// Until nothing is running and nothing is due.
async fn rest(tenant: &Tenant) {
    let store = tenant.market().store();
    loop {
        tokio::task::yield_now().await;
        let stats = store.queue_stats().await.unwrap();
        if stats.ready + stats.leased == 0 {
            return;
        }
    }
}

/// The same in every process on a store.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[tokio::test]
async fn a_storm_of_429_is_one_probe_per_window_and_all_is_done_once() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (slow, quick) = (
        RecordingPublisher::new(Platform::X),
        RecordingPublisher::new(Platform::LINKEDIN),
    );
    // Two processes on one store.
    let process = || {
        on(store.clone(), |b| {
            b.clock(Arc::new(clock.clone()))
                .transport(Script::new())
                .keyring(automarket::Keyring::from_base64(KEY).unwrap())
                .publisher(slow.clone())
                .publisher(quick.clone())
        })
    };
    let (tenant, other) = (process(), process());
    let account = |platform| Account::new(tenant.id().clone(), platform, "1");
    let (on_slow, on_quick) = (account(Platform::X), account(Platform::LINKEDIN));
    for tenant in [&tenant, &other] {
        for account in [&on_slow, &on_quick] {
            let token = Credential::token("t");
            tenant.add_account(account.clone(), token).await.unwrap();
        }
    }
    let worker = |tenant: &Tenant| {
        let worker = tenant.market().worker().concurrency(2);
        worker.poll(Duration::from_millis(1))
    };
    for _ in 0..WINDOWS + 4 {
        slow.answer(Err(limited()));
    }
    for n in 0..POSTS {
        let accounts = [on_slow.id, on_quick.id];
        let post = Post::text(format!("Post {n}"));
        tenant.publish(post, accounts, When::Now).await.unwrap();
    }
    let stop = Notify::new();
    let storm = async {
        rest(&tenant).await;
        assert_eq!(quick.texts().len(), POSTS, "others are not slowed");
        let mut sent = slow.texts().len();
        assert!(
            (1..=4).contains(&sent),
            "at most what was under way: {sent}"
        );
        while sent < WINDOWS + 4 {
            clock.advance(chrono::Duration::seconds(65));
            rest(&tenant).await;
            assert_eq!(slow.texts().len(), sent + 1, "one probe per window");
            sent += 1;
        }
        // The platform takes posts again.
        for _ in 0..3 {
            clock.advance(chrono::Duration::seconds(65));
            rest(&tenant).await;
        }
        stop.notify_one();
    };
    let (a, b) = tokio::join!(
        worker(&tenant).run_until(storm),
        worker(&other).run_until(stop.notified())
    );
    a.and(b).unwrap();
    let keys = slow.keys();
    let done: std::collections::BTreeSet<&String> = keys[WINDOWS + 4..].iter().collect();
    assert_eq!((done.len(), keys.len()), (POSTS, POSTS + WINDOWS + 4));
    let ended = store
        .jobs(tenant.id(), JobState::Completed, usize::MAX)
        .await;
    let ended = ended.unwrap();
    assert_eq!(ended.len(), POSTS * 2);
    assert!(
        ended
            .iter()
            .all(|job| job.attempts == 1 && job.failures.is_empty())
    );
}

/// X as an app sees it that may make four posts in a minute, for all who use it together.
#[derive(Clone)]
struct Scarce {
    sandbox: Sandbox,
    clock: ManualClock,
    /// When its minute began, and how many were made in it.
    minute: Arc<Mutex<(chrono::DateTime<chrono::Utc>, u32)>>,
    refused: Arc<AtomicUsize>,
}

const MINUTE: u32 = 4;

#[async_trait]
impl Transport for Scarce {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let post = request.method() == "POST" && request.uri().path() == "/2/tweets";
        if !post {
            return self.sandbox.send(request).await;
        }
        let now = self.clock.now();
        let (left, until) = {
            let mut minute = self.minute.lock().unwrap();
            if now >= minute.0 + chrono::Duration::minutes(1) {
                *minute = (now, 0);
            }
            minute.1 += 1;
            let until = minute.0 + chrono::Duration::minutes(1);
            (i64::from(MINUTE) - i64::from(minute.1), until)
        };
        let mut reply = if left < 0 {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let mut reply = Response::new(Body::Full("{\"title\":\"Too Many Requests\"}".into()));
            *reply.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            reply
        } else {
            self.sandbox.send(request).await?
        };
        for (name, value) in [
            ("x-app-limit-24hour-remaining", left.max(0)),
            ("x-app-limit-24hour-reset", until.timestamp()),
        ] {
            reply.headers_mut().insert(name, value.into());
        }
        Ok(reply)
    }
}

#[tokio::test]
async fn an_apps_budget_is_shared_fairly_among_its_tenants() {
    use automarket::connectors::x::{PLATFORM, X, XConfig, testing};
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let fake = Arc::new(testing::FakeX::new());
    let sandbox = Sandbox::new()
        .with(fake.clone())
        .with_clock(Arc::new(clock.clone()));
    let scarce = Scarce {
        sandbox: sandbox.clone(),
        clock: clock.clone(),
        minute: Arc::new(Mutex::new((clock.now(), 0))),
        refused: Arc::default(),
    };
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let market = Automarket::shared(store.clone())
        .clock(Arc::new(clock.clone()))
        .transport(scarce.clone())
        .keyring(automarket::Keyring::random())
        .measure_after([])
        .publisher(X::new(XConfig::default()))
        .build()
        .unwrap();
    let connect = async |name: &str, user: &str, token: &str| {
        let tenant = market.tenant(name).unwrap();
        let mut tokens = automarket::oauth::TokenSet::new(automarket::Secret::new(token));
        tokens.app = "shared".to_owned();
        let account = Account::new(tenant.id().clone(), PLATFORM, user);
        let added = tenant.add_account(account, Credential::oauth(tokens));
        let account = added.await.unwrap().id;
        (tenant, account)
    };
    let (flood, loud) = connect("flood", testing::USER, testing::TOKEN).await;
    let (small, quiet) = connect("small", testing::OTHER_USER, testing::OTHER_TOKEN).await;
    for (tenant, account, posts) in [(&flood, loud, 60), (&small, quiet, 6)] {
        for n in 0..posts {
            let post = Post::text(format!("Post {n} of {}", tenant.id()));
            let options = automarket::publishing::PublishOptions::new().however_late();
            let put = tenant.publish_with(post, [account], When::Now, options);
            put.await.unwrap();
        }
    }
    let out = |user: &str| {
        let all = sandbox.effects(&PLATFORM);
        all.iter().filter(|post| post["user"] == user).count()
    };
    let watched = async {
        let mut minutes = 0;
        while out(testing::OTHER_USER) < 6 {
            rest(&flood).await;
            clock.advance(chrono::Duration::seconds(65));
            minutes += 1;
            assert!(minutes < 30, "starved: {} of 6", out(testing::OTHER_USER));
        }
        // Two of four places in each minute would be three minutes; the first one goes to whoever came first.
        assert!(minutes <= 6, "{minutes} minutes for a tenth of the posts");
        assert!(out(testing::USER) < 60, "the flood is still waiting");
        while out(testing::USER) < 60 {
            rest(&flood).await;
            clock.advance(chrono::Duration::seconds(65));
            minutes += 1;
            assert!(minutes < 60, "{} of 60", out(testing::USER));
        }
    };
    let worker = market.worker().concurrency(2);
    let worker = worker.poll(Duration::from_millis(1));
    worker.run_until(watched).await.unwrap();
    let refused = scarce.refused.load(Ordering::SeqCst);
    assert!(refused <= 60, "{refused} refusals: the gate is asked first");
}
