use std::collections::VecDeque;

use automarket_core::{
    Credential, Platform, Secret, SystemClock,
    chrono::TimeDelta,
    http::Call,
    http_types::StatusCode,
    media::{MediaFile, ReadRange},
    oauth::TokenSet,
    store::{GateStore as _, MemoryStore, RATE, TRIPS},
    testing::{FaultStore, ManualClock, StoreFault, StoreRule},
};

mod media;
mod probes;

use super::*;
use crate::{Automarket, Tenant};

type Answers = Arc<Mutex<VecDeque<(u16, &'static str, &'static str)>>>;

/// Answers with a status and a header each, and not at all when there is none left.
#[derive(Clone, Default)]
struct Platformlet(Answers);

#[async_trait]
impl Transport for Platformlet {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let answer = self.0.lock().unwrap().pop_front();
        let Some((status, name, value)) = answer else {
            return std::future::pending().await;
        };
        let mut answer = Response::new(Body::Full(Bytes::new()));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        let value = value.parse().unwrap();
        answer.headers_mut().insert(name, value);
        Ok(answer)
    }

    async fn send_upload(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Body>, TransportError> {
        let (parts, upload) = request.into_parts();
        if parts.uri.path() == READ {
            upload.collect(1 << 20).await?;
        }
        self.send(Request::from_parts(parts, Bytes::new())).await
    }
}

/// What is uploaded there is read before it is answered.
const READ: &str = "/2/media";

/// A file at an address that is read while it is uploaded.
struct Remote(Context);

#[async_trait]
impl ReadRange for Remote {
    async fn read(&self, _: u64, length: usize) -> Result<Bytes> {
        let call = Call::get("media.fetch", "https://cdn.example.com/1")?;
        let reply = self.0.call(call.elsewhere()).await?;
        match reply.status.as_u16() {
            206 => Ok(vec![0; length].into()),
            _ => Err(Error::new(ErrorKind::Unavailable, "its server is busy")),
        }
    }
}

struct World {
    tenant: Tenant,
    account: Account,
    store: Arc<MemoryStore>,
    answers: Answers,
}

impl World {
    async fn new() -> Self {
        Self::on(MemoryStore::new(), Arc::new(SystemClock)).await
    }

    async fn on(store: MemoryStore, clock: Arc<dyn Clock>) -> Self {
        let store = Arc::new(store);
        let platform = Platformlet::default();
        let answers = platform.0.clone();
        let market = Automarket::shared(store.clone())
            .clock(clock)
            .transport(platform)
            .keyring(automarket_core::Keyring::random());
        let tenant = market.build().unwrap().tenant("acme").unwrap();
        let account = Account::new(tenant.id().clone(), Platform::X, "1");
        let token = Credential::token("t");
        let account = tenant.add_account(account, token).await.unwrap();
        Self {
            tenant,
            account,
            store,
            answers,
        }
    }

    /// One piece of work of one call that is answered so.
    async fn work(&self, answer: Option<(u16, &'static str, &'static str)>) -> Result<()> {
        self.work_in(answer, None).await
    }

    async fn work_in(
        &self,
        answer: Option<(u16, &'static str, &'static str)>,
        bucket: Option<&'static str>,
    ) -> Result<()> {
        self.work_of(&self.account, answer, bucket).await
    }

    async fn work_of(
        &self,
        account: &Account,
        answer: Option<(u16, &'static str, &'static str)>,
        bucket: Option<&'static str>,
    ) -> Result<()> {
        self.answers.lock().unwrap().extend(answer);
        let engine = self.tenant.engine();
        let (context, passed) = engine.passing(account.clone()).await?;
        let mut call = Call::get("x.get", "https://api.x.com/2")?;
        if let Some(bucket) = bucket {
            call = call.bucket(bucket);
        }
        let end = context.call(call.timeout(Duration::from_millis(1))).await;
        passed.tell(&end).await;
        end.map(drop)
    }

    /// An account of another tenant, or another one of this, with tokens of an app of the host's.
    async fn of_app(&self, tenant: &str, remote: &str, app: &str) -> Account {
        let tenant = self.tenant.market().tenant(tenant).unwrap();
        let account = Account::new(tenant.id().clone(), Platform::X, remote);
        let added = tenant.add_account(account, tokens_of(app));
        added.await.unwrap()
    }

    async fn closed(&self) -> Vec<String> {
        let gates = self.store.gates(self.tenant.id()).await.unwrap();
        let closed = gates.into_iter().filter(|gate| gate.closed_until.is_some());
        closed.map(|gate| gate.name).collect()
    }
}

#[tokio::test]
async fn a_status_429_closes_the_rate_gate_whatever_the_connector_makes_of_it() {
    let world = World::new().await;
    world.work(Some((429, "retry-after", "120"))).await.unwrap();
    assert_eq!(world.closed().await, [RATE]);
    let refused = world.work(None).await.unwrap_err();
    assert_eq!(refused.rule(), Some(CLOSED));
    let Retry::After(Some(wait)) = refused.retry() else {
        panic!("{refused:?}");
    };
    assert!((110..=122).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn those_who_wait_come_back_spread() {
    let second = Duration::from_secs(1);
    let waits: Vec<_> = (0..100).map(|_| spread(Ok::<_, ()>(second))).collect();
    assert!(waits.iter().all(|wait| (second..second * 3).contains(wait)));
    // Of a fair draw a half of the time is never empty.
    assert!(waits.iter().any(|wait| *wait < second * 2));
    assert!(waits.iter().any(|wait| *wait > second * 2));
}

#[tokio::test]
async fn an_instant_is_read_by_the_stores_time_however_wrong_this_processes_clock_is() {
    for hours in [-2, 2] {
        let right = ManualClock::parse("2027-01-15T08:00:00Z");
        let wrong = ManualClock::at(right.now() + TimeDelta::hours(hours));
        let store = MemoryStore::with_clock(Arc::new(right.clone()));
        let world = World::on(store, Arc::new(wrong)).await;
        // In ten minutes.
        let answer = (429, "x-rate-limit-reset", "1800000600");
        world.work(Some(answer)).await.unwrap();
        let gates = world.store.gates(world.tenant.id()).await.unwrap();
        let closed = gates[0].closed_until.unwrap() - right.now();
        assert_eq!(closed, TimeDelta::minutes(10), "{hours} h");
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_closes_it_before_a_429() {
    let world = World::new().await;
    world
        .work(Some((200, "ratelimit", "\"day\";r=1;t=60")))
        .await
        .unwrap();
    assert_eq!(world.closed().await, [""; 0]);
    world
        .work(Some((200, "ratelimit", "\"day\";r=0;t=60")))
        .await
        .unwrap();
    assert_eq!(world.closed().await, [RATE]);

    // So Meta says it, with any status.
    let world = World::new().await;
    let said = r#"{"7":[{"call_count":100,"estimated_time_to_regain_access":12}]}"#;
    let answer = (400, "x-business-use-case-usage", said);
    world.work(Some(answer)).await.unwrap();
    assert_eq!(world.closed().await, [RATE]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_told_though_the_store_is_slow_to_note_it() {
    let store = Arc::new(FaultStore::new(Arc::new(MemoryStore::new())));
    let platform = Platformlet::default();
    let answers = platform.0.clone();
    let market = Automarket::shared(store.clone())
        .transport(platform)
        .keyring(automarket_core::Keyring::random());
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), Platform::X, "1");
    let account = tenant.add_account(account, Credential::token("t"));
    let account = account.await.unwrap();
    let hangs = StoreRule::on("tell_gate", StoreFault::Hang);
    store.faults().add(hangs.times(u32::MAX));
    let used_up = (201, "ratelimit", "\"day\";r=0;t=60");
    answers.lock().unwrap().push_back(used_up);
    let (context, _passed) = tenant.engine().passing(account).await.unwrap();
    let call = Call::post("x.post", "https://api.x.com/2").unwrap();
    assert_eq!(context.call(call).await.unwrap().status, 201);
}

#[tokio::test]
async fn uploads_are_handed_on_as_they_are_and_watched() {
    struct Unread;

    #[async_trait]
    impl ReadRange for Unread {
        async fn read(&self, _: u64, _: usize) -> Result<Bytes> {
            panic!("it was collected")
        }
    }

    let world = World::new().await;
    let answer = (429, "retry-after", "120");
    world.answers.lock().unwrap().push_back(answer);
    let engine = world.tenant.engine();
    let (context, _) = engine.passing(world.account.clone()).await.unwrap();
    let film = Upload::file(MediaFile::new(1 << 30, Unread));
    let call = Call::post("x.upload", "https://api.x.com/2").unwrap();
    context.call(call.upload("video/mp4", film)).await.unwrap();
    assert_eq!(world.closed().await, [RATE]);
}

#[tokio::test]
async fn a_bucket_that_is_used_up_holds_back_its_own_calls_in_all_processes() {
    let world = World::new().await;
    let limited = Some((429, "retry-after", "120"));
    world.work_in(limited, Some("posts")).await.unwrap();
    assert_eq!(world.closed().await, ["rate:posts"]);
    let held_back = world.work_in(None, Some("posts")).await.unwrap_err();
    assert_eq!(held_back.kind(), ErrorKind::RateLimited);
    let Retry::After(Some(wait)) = held_back.retry() else {
        panic!("nothing was sent, so it is no unknown: {held_back:?}");
    };
    assert!((110..=122).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(world.closed().await, ["rate:posts"], "the account is open");
    let fine = Some((200, "x-rate-limit-remaining", "7"));
    world.work_in(fine, Some("media")).await.unwrap();
    world.work(fine).await.unwrap();
    let gates = world.store.gates(world.tenant.id()).await.unwrap();
    let left = |name: &str| {
        let gate = gates.iter().find(|gate| gate.name == name);
        gate.and_then(|gate| gate.budget?.remaining)
    };
    assert_eq!((left("rate:media"), left("rate")), (Some(7), Some(7)));
}

#[tokio::test]
async fn who_is_held_back_gives_up_nobody_elses_probe() {
    let clock = ManualClock::parse("2027-01-15T08:00:00Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let world = World::on(store, Arc::new(clock.clone())).await;
    // Its host failed, so whoever is let through is watched.
    world.work(Some((503, "x", "y"))).await.unwrap();
    let limited = Some((429, "retry-after", "120"));
    world.work_in(limited, Some("posts")).await.unwrap();
    world.work(Some((503, "x", "y"))).await.unwrap();
    clock.advance(TimeDelta::seconds(121));
    let engine = world.tenant.engine();
    let probing = async || {
        let gates = world.store.gates(world.tenant.id()).await.unwrap();
        gates
            .iter()
            .any(|gate| gate.name == "rate:posts" && gate.probing)
    };
    let probe = engine
        .passing_in(world.account.clone(), Some("posts"))
        .await;
    let (_, probe) = probe.unwrap();
    let second = engine
        .passing_in(world.account.clone(), Some("posts"))
        .await;
    assert_eq!(second.err().unwrap().rule(), Some(CLOSED));
    assert!(probing().await, "when the work begins");
    world.work_in(None, Some("posts")).await.unwrap_err();
    assert!(probing().await, "at the call");
    probe.unused().await;
    assert!(!probing().await);
}

#[tokio::test]
async fn a_limit_of_the_app_holds_back_all_its_tenants_and_no_other_app() {
    let world = World::new().await;
    let one = world
        .of_app(world.tenant.id().as_str(), "one", "shared")
        .await;
    let shared = world.of_app("other", "two", "shared").await;
    let apart = world.of_app("other", "three", "apart").await;
    let other = world.tenant.market().tenant("other").unwrap();
    let (_, passed) = world.tenant.engine().passing(one).await.unwrap();
    let full = Error::new(ErrorKind::RateLimited, "the app is over its limit");
    passed.tell::<()>(&Err(full.with_app_limit())).await;
    let refused = other.engine().passing(shared).await.err().unwrap();
    assert_eq!(refused.rule(), Some(CLOSED));
    assert!(other.engine().passing(apart).await.is_ok());
    assert_eq!(world.closed().await, [""; 0], "no gate of the account");
}

fn tokens_of(app: &str) -> Credential {
    let mut tokens = TokenSet::new(Secret::new("t"));
    tokens.app = app.to_owned();
    Credential::oauth(tokens)
}

#[tokio::test]
async fn a_limit_of_a_tenants_own_app_holds_back_no_other_tenant() {
    let world = World::new().await;
    let one = world.of_app("one", "1", "own/main").await;
    let same = world.of_app("one", "2", "own/main").await;
    let namesake = world.of_app("two", "3", "own/main").await;
    let engine = world.tenant.engine();
    let (_, passed) = engine.passing(one).await.unwrap();
    let full = Error::new(ErrorKind::RateLimited, "the app is over its limit");
    passed.tell::<()>(&Err(full.with_app_limit())).await;
    let refused = engine.passing(same).await.err().unwrap();
    assert_eq!(refused.rule(), Some(CLOSED));
    assert!(engine.passing(namesake).await.is_ok());
}

#[tokio::test]
async fn a_limit_elsewhere_holds_back_nothing() {
    let world = World::new().await;
    let engine = world.tenant.engine();
    let (_, passed) = engine.passing(world.account.clone()).await.unwrap();
    let full = Error::new(ErrorKind::RateLimited, "the network behind it");
    passed.tell::<()>(&Err(full.with_elsewhere())).await;
    assert!(engine.passing(world.account.clone()).await.is_ok());
}

#[tokio::test]
async fn what_an_app_has_used_up_holds_back_all_its_tenants_before_a_refusal() {
    let world = World::new().await;
    let one = world.of_app("one", "1", "shared").await;
    let two = world.of_app("two", "2", "shared").await;
    let used_up = Some((200, "x-app-usage", r#"{"call_count":100,"total_time":3}"#));
    world.work_of(&one, used_up, None).await.unwrap();
    let refused = world.work_of(&two, None, None).await.unwrap_err();
    assert_eq!(refused.rule(), Some(CLOSED));
    let own = world.store.gates(&one.tenant).await.unwrap();
    assert!(own.iter().all(|gate| gate.closed_until.is_none()));
}

#[tokio::test]
async fn an_apps_limit_of_a_bucket_holds_back_its_own_calls_of_all_tenants() {
    let world = World::new().await;
    let one = world.of_app("one", "1", "shared").await;
    let two = world.of_app("two", "2", "shared").await;
    let apart = world.of_app("two", "3", "apart").await;
    world.answers.lock().unwrap().push_back((400, "x", "y"));
    let (context, passed) = world.tenant.engine().passing(one).await.unwrap();
    let call = Call::get("x.get", "https://api.x.com/2").unwrap();
    context.call(call.bucket("posts")).await.unwrap();
    let full = Error::new(ErrorKind::RateLimited, "the app is over its limit");
    passed.tell::<()>(&Err(full.with_app_limit())).await;

    let held_back = world.work_of(&two, None, Some("posts")).await.unwrap_err();
    assert_eq!(held_back.kind(), ErrorKind::RateLimited);
    assert!(matches!(held_back.retry(), Retry::After(Some(_))));
    let fine = Some((200, "x", "y"));
    world.work_of(&two, fine, Some("media")).await.unwrap();
    world.work_of(&apart, fine, Some("posts")).await.unwrap();
}

#[tokio::test]
async fn a_host_that_fails_or_hangs_trips_its_breaker_and_an_answer_mends_it() {
    let world = World::new().await;
    for _ in 1..TRIPS {
        world.work(Some((503, "x", "y"))).await.unwrap();
    }
    world.work(Some((200, "x", "y"))).await.unwrap();
    let gates = world.store.gates(world.tenant.id()).await.unwrap();
    assert_eq!(
        (gates[0].name.as_str(), gates[0].failures),
        ("host:api.x.com", 0)
    );
    for _ in 0..TRIPS {
        let late = world.work(None).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Timeout);
    }
    assert_eq!(world.closed().await, ["host:api.x.com"]);
}

#[tokio::test]
async fn only_failures_in_a_row_trip_the_breaker_of_a_host_that_is_not_called_last() {
    let world = World::new().await;
    let engine = world.tenant.engine();
    let work = async |upload, post| {
        let answers = [upload, post].map(|status| (status, "x", "y"));
        world.answers.lock().unwrap().extend(answers);
        let (context, passed) = engine.passing(world.account.clone()).await?;
        for host in ["upload", "api"] {
            let call = Call::get("x.get", &format!("https://{host}.x.com/2"))?;
            context.call(call).await?;
        }
        passed.tell(&Ok(())).await;
        Ok::<_, Error>(())
    };
    for _ in 0..TRIPS {
        work(503, 200).await.unwrap();
        work(200, 200).await.unwrap();
    }
    assert!(world.closed().await.is_empty());
    // One host's failure hides no answer of the other.
    for _ in 1..TRIPS {
        work(503, 200).await.unwrap();
    }
    work(200, 503).await.unwrap();
    work(503, 200).await.unwrap();
    assert!(world.closed().await.is_empty());
    for _ in 1..TRIPS {
        work(503, 200).await.unwrap();
    }
    assert_eq!(world.closed().await, ["host:upload.x.com"]);
}

#[tokio::test]
async fn what_is_the_matter_with_a_page_is_no_failure_of_who_was_to_read_it() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let world = World::on(MemoryStore::with_clock(shared.clone()), shared).await;
    let engine = world.tenant.engine();
    let read = async |status, kind| {
        world.answers.lock().unwrap().push_back((status, "x", "y"));
        let (context, passed) = engine.passing(world.account.clone()).await?;
        let call = Call::get("x.get", "https://api.x.com/2").unwrap();
        context.call(call).await?;
        let page = Error::new(kind, "the page is away").with_elsewhere();
        passed.tell::<()>(&Err(page)).await;
        Ok::<_, Error>(())
    };
    for _ in 0..TRIPS {
        read(500, ErrorKind::Unavailable).await.unwrap();
        read(408, ErrorKind::Timeout).await.unwrap();
    }
    assert!(world.closed().await.is_empty());
    // It is an answer also where one was waited for.
    for _ in 0..TRIPS {
        world.work(Some((500, "x", "y"))).await.unwrap();
    }
    assert_eq!(world.closed().await, ["host:api.x.com"]);
    clock.advance(TimeDelta::minutes(1));
    read(500, ErrorKind::Unavailable).await.unwrap();
    assert!(world.closed().await.is_empty());
    let gates = world.store.gates(world.tenant.id()).await.unwrap();
    assert_eq!(gates[0].failures, 0);
}

#[tokio::test]
async fn an_answer_that_does_not_end_in_time_is_a_failure_of_its_host() {
    let world = World::new().await;
    let engine = world.tenant.engine();
    for _ in 0..TRIPS {
        world.answers.lock().unwrap().push_back((200, "x", "y"));
        let (context, passed) = engine.passing(world.account.clone()).await.unwrap();
        let call = Call::get("x.get", "https://api.x.com/2").unwrap();
        context.call(call).await.unwrap();
        let late = Err::<(), _>(Error::new(ErrorKind::Timeout, "the body came too late"));
        passed.tell(&late).await;
    }
    assert_eq!(world.closed().await, ["host:api.x.com"]);
}

#[tokio::test]
async fn calls_are_counted_by_what_came_of_them() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = ::metrics::set_default_local_recorder(&recorder);
    let world = World::new().await;
    for status in [200, 404, 503, 503, 429] {
        world.work(Some((status, "x", "y"))).await.unwrap();
    }
    world.work(None).await.unwrap_err();
    let mut found = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key().clone();
        if let metrics_util::debugging::DebugValue::Counter(count) = value {
            let labels: Vec<&str> = key.labels().map(|label| label.value()).collect();
            found.push(format!("{} {} {count}", key.name(), labels.join(" ")));
        }
    }
    found.sort_unstable();
    let calls = "automarket_calls_total x x.get";
    let wanted = [
        format!("{calls} answered 1"),
        format!("{calls} failed 2"),
        format!("{calls} limited 1"),
        format!("{calls} refused 1"),
        "automarket_rate_limit_waits_total x 1".to_owned(),
    ];
    assert_eq!(found, wanted);
}
