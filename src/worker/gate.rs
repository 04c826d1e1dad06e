//! Calls for an account pass its gates: the rate budget and the circuit breakers that all processes share.
//!
//! The question is asked once for each piece of work, when its context is made; what the calls then show is
//! told from here, whatever the connector makes of it.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use automarket_core::{
    AccountId, Bytes, Clock, Context, Credential, Error, ErrorKind, Result, Retry, Store, TenantId,
    async_trait,
    chrono::{self, DateTime, Utc},
    http::{Body, Bucket, Transport, TransportError, Upload, budget, retry_after},
    http_types::{HeaderMap, Request, Response},
    store::{Account, Budget, Gate, Pass, RATE, Signal},
};

use crate::{
    accounts::{self, Version},
    market::Engine,
    report::metrics,
};

/// The rule of the error while a gate is closed.
const CLOSED: &str = "gate.closed";
/// How long a platform is left alone that said "too many" and not for how long.
const UNSAID: Duration = Duration::from_secs(60);

/// Whose gates: an account's, or those of an app of the host's, which all tenants share.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) account: AccountId,
}

impl Owner {
    pub(crate) fn account(account: &Account) -> Self {
        Self {
            tenant: account.tenant.clone(),
            account: account.id,
        }
    }

    /// The app that the account's tokens belong to, if they are of one. A tenant's own app is its own.
    pub(crate) fn app(account: &Account, credential: &Credential) -> Result<Option<Self>> {
        let Credential::OAuth(tokens) = credential else {
            return Ok(None);
        };
        let tenant = match accounts::is_own(&tokens.app) {
            true => account.tenant.clone(),
            false => TenantId::new("automarket")?,
        };
        let name = format!("app {} {}", account.platform, tokens.app);
        Ok(Some(Self {
            tenant,
            account: AccountId::derived(&name),
        }))
    }
}

/// That work for an account was let through, and whether its end is news.
pub(crate) struct Passed {
    account: Account,
    /// Which credential it was let through with.
    version: Version,
    watched: bool,
    watch: Arc<Watch>,
}

/// What is known of the calls of one piece of work. It stays when a call is dropped because its time is over.
#[derive(Default)]
struct Calls {
    /// The newest of which the gates were not told that it failed.
    last: Option<LastCall>,
    /// The bucket of the newest.
    bucket: Option<&'static str>,
    /// Whether one was let through to find out whether its bucket is open.
    watched: bool,
    /// Whether the newest was held back by the gate of its bucket.
    held_back: bool,
    /// What was said of budgets, by gate.
    budgets: BTreeMap<String, Budget>,
}

struct LastCall {
    /// The gate of its host.
    host: String,
    /// Whether the head of an answer came. It did not when the call was dropped because its time was over; its
    /// body may still be cut, or come too late.
    answered: bool,
}

impl Engine {
    /// The environment for work for this account, if its gates let it through now. Its calls are watched for
    /// what they say of the gates.
    ///
    /// # Errors
    /// `RateLimited` (rule `gate.closed`, retry `After`) while a gate is closed: come again then, no attempt is
    /// used up. Those of [`Engine::context`] and of the store.
    pub(crate) async fn passing(&self, account: Account) -> Result<(Context, Passed)> {
        let (context, version) = self.context(account.clone()).await?;
        let app = Owner::app(&account, context.credential())?;
        let mut watched = false;
        let own = Owner::account(&account);
        for owner in app.iter().chain([&own]) {
            let pass = self.store.pass_gates(&owner.tenant, owner.account, None);
            match pass.await? {
                Pass::Closed(until) => {
                    metrics::rate_limit_wait(account.platform.as_str());
                    return Err(closed(&account, (until - self.store.now().await?).to_std()));
                }
                pass => watched |= pass == Pass::Watched,
            }
        }
        let watch = Arc::new(Watch {
            calls: Mutex::default(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            own,
            app,
        });
        let seen = watch.clone();
        let context = context.map_transport(|inner| Arc::new(Gated { inner, watch: seen }));
        let passed = Passed {
            account,
            version,
            watched,
            watch,
        };
        Ok((context, passed))
    }
}

fn closed<E>(account: &Account, wait: Result<Duration, E>) -> Error {
    let wait = spread(wait);
    Error::new(
        ErrorKind::RateLimited,
        format!(
            "the account {} is left alone for {} s",
            account.name,
            wait.as_secs()
        ),
    )
    .with_platform(&account.platform)
    .with_rule(CLOSED)
    .with_retry(Retry::After(Some(wait)))
}

/// Those who wait do not come in the same moment.
fn spread<E>(wait: Result<Duration, E>) -> Duration {
    wait.unwrap_or_default() + Duration::from_millis(fastrand::u64(0..2_000))
}

impl Passed {
    /// Makes a call and tells the gates what it ended in. Where the platform refuses the credential it is
    /// renewed once, and the call repeated once.
    pub(crate) async fn call<T, F>(
        &self,
        engine: &Engine,
        context: Context,
        call: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let Self {
            account, version, ..
        } = self;
        let end = engine.accounts.insist(account, *version, context, call);
        let end = end.await;
        self.tell(&end).await;
        end
    }

    /// Tells the gates what the work ended in: connectors know limits that no status shows, and need not go
    /// through the context to reach their platform.
    pub(crate) async fn tell<T>(&self, end: &Result<T>) {
        let watch = &self.watch;
        let calls = std::mem::take(&mut *watch.lock());
        let watched = self.watched || calls.watched;
        let kind = end.as_ref().err().map(Error::kind);
        let cut = matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Network));
        for (gate, budget) in calls.budgets {
            let said = Signal::Answered(Some(budget));
            watch.tell(&watch.own, &gate, said).await;
        }
        match (end, calls.last) {
            (Err(_), _) if calls.held_back => self.unused().await,
            (Err(error), _) if error.kind() == ErrorKind::RateLimited => {
                let wait = match error.retry() {
                    Retry::After(Some(wait)) => wait,
                    _ => UNSAID,
                };
                let (owner, gate) = match &watch.app {
                    Some(app) if error.is_app_limit() => (app, RATE.to_owned()),
                    _ => (&watch.own, Gate::rate(calls.bucket)),
                };
                watch.tell(owner, &gate, Signal::Limited(wait)).await;
            }
            (_, Some(call)) if cut || !call.answered => {
                watch.tell(&watch.own, &call.host, Signal::Failed).await;
            }
            (Ok(_), None) if watched => {
                let good = Signal::Answered(None);
                watch.probed(None, calls.bucket, good).await;
            }
            (_, Some(call)) if watched => {
                let good = Signal::Answered(None);
                watch.probed(Some(&call.host), calls.bucket, good).await;
            }
            _ => {}
        }
    }

    /// Tells the gates that no call is made after all, so that whoever comes next may be the probe.
    pub(crate) async fn unused(&self) {
        if self.watched {
            self.watch.probed(None, None, Signal::Unused).await;
        }
    }
}

struct Gated {
    inner: Arc<dyn Transport>,
    watch: Arc<Watch>,
}

struct Watch {
    calls: Mutex<Calls>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    own: Owner,
    app: Option<Owner>,
}

#[async_trait]
impl Transport for Gated {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let host = self.watch.begin(&request).await?;
        let answer = self.inner.send(request).await;
        self.watch.end(&host, shown(&answer)).await;
        answer
    }

    async fn send_upload(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Body>, TransportError> {
        let host = self.watch.begin(&request).await?;
        let answer = self.inner.send_upload(request).await;
        self.watch.end(&host, shown(&answer)).await;
        answer
    }
}

/// What a call shows, without the body, which may still be on its way.
fn shown(answer: &Result<Response<Body>, TransportError>) -> Result<(u16, HeaderMap), ErrorKind> {
    match answer {
        Ok(answer) => Ok((answer.status().as_u16(), answer.headers().clone())),
        Err(error) => Err(error.kind),
    }
}

/// Whether an answer with this status is none.
fn failed(status: u16) -> bool {
    matches!(status, 500 | 502..=599)
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call pass the gate of its bucket, and notes that it is under way; the gate of its host.
    async fn begin<B>(&self, request: &Request<B>) -> Result<String, TransportError> {
        let host = format!("host:{}", request.uri().host().unwrap_or_default());
        let bucket = request.extensions().get::<Bucket>().map(|bucket| bucket.0);
        self.lock().bucket = bucket;
        if let Some(name) = bucket {
            self.pass(name).await?;
        }
        self.lock().last = Some(LastCall {
            host: host.clone(),
            answered: false,
        });
        Ok(host)
    }

    /// A store that cannot say holds nothing back, as the platform will.
    async fn pass(&self, bucket: &'static str) -> Result<(), TransportError> {
        let Owner { tenant, account } = &self.own;
        let pass = self.store.pass_gates(tenant, *account, Some(bucket)).await;
        match pass {
            Ok(Pass::Closed(until)) => {
                self.lock().held_back = true;
                let now = self.store.now().await.unwrap_or_else(|_| self.clock.now());
                let wait = spread((until - now).to_std());
                let message = format!("calls of {bucket} are held back for {} s", wait.as_secs());
                let error = TransportError::new(ErrorKind::RateLimited, false, message);
                return Err(error.with_wait(wait));
            }
            Ok(pass) => self.lock().watched |= pass == Pass::Watched,
            Err(error) => metrics::store_error("pass_gates", &error),
        }
        Ok(())
    }

    async fn end(&self, host: &str, shown: Result<(u16, HeaderMap), ErrorKind>) {
        let good = matches!(&shown, Ok((status, _)) if !failed(*status));
        self.lock().last = good.then(|| LastCall {
            host: host.to_owned(),
            answered: true,
        });
        match shown {
            Ok((status, headers)) => self.answered(host, status, &headers).await,
            Err(ErrorKind::Refused) => {}
            Err(_) => self.tell(&self.own, host, Signal::Failed).await,
        }
    }

    async fn answered(&self, host: &str, status: u16, headers: &HeaderMap) {
        let now = self.clock.now();
        let gate = Gate::rate(self.lock().bucket);
        match status {
            429 => {
                let wait = retry_after(headers, now).unwrap_or(UNSAID);
                self.tell(&self.own, &gate, Signal::Limited(wait)).await;
            }
            status if failed(status) => self.tell(&self.own, host, Signal::Failed).await,
            _ => {
                let said = budget(headers, now);
                let used_up = said.is_some_and(|said| said.remaining == Some(0));
                if used_up {
                    self.tell(&self.own, &gate, Signal::Answered(said)).await;
                } else if let Some(said) = said {
                    // Told at the end of the work: once, however many calls it has.
                    self.lock().budgets.insert(gate, said);
                }
            }
        }
    }

    async fn tell(&self, owner: &Owner, gate: &str, signal: Signal) {
        let Owner { tenant, account } = owner;
        let told = self.store.tell_gate(tenant, *account, gate, signal);
        metrics::store_result("tell_gate", told.await.map(drop));
    }

    /// Tells the gates whose probe it was, and that of its host.
    async fn probed(&self, host: Option<&str>, bucket: Option<&str>, signal: Signal) {
        for owner in self.app.iter().chain([&self.own]) {
            let gates = match self.store.gates(&owner.tenant).await {
                Ok(gates) => gates,
                Err(error) => {
                    metrics::store_error("gates", &error);
                    continue;
                }
            };
            for gate in gates.iter().filter(|gate| gate.account == owner.account) {
                let own = gate.bucket().is_none() || gate.bucket() == bucket;
                if gate.probing && own || Some(gate.name.as_str()) == host {
                    self.tell(owner, &gate.name, signal).await;
                }
            }
        }
    }
}

/// The instant at which a refusal by a gate may be asked again.
pub(crate) fn closed_until(error: &Error, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match error.retry() {
        Retry::After(Some(wait)) if error.rule() == Some(CLOSED) => {
            Some(now + chrono::Duration::from_std(wait).unwrap_or_default())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use automarket_core::{
        Credential, Platform, Secret,
        http::Call,
        http_types::StatusCode,
        media::{MediaFile, ReadRange},
        oauth::TokenSet,
        store::{GateStore as _, MemoryStore, TRIPS},
    };

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
            self.send(request.map(|_| Bytes::new())).await
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
            let store = Arc::new(MemoryStore::new());
            let platform = Platformlet::default();
            let answers = platform.0.clone();
            let market = Automarket::shared(store.clone())
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
            self.answers.lock().unwrap().extend(answer);
            let engine = self.tenant.engine();
            let (context, passed) = engine.passing(self.account.clone()).await?;
            let mut call = Call::get("x.get", "https://api.x.com/2")?;
            if let Some(bucket) = bucket {
                call = call.bucket(bucket);
            }
            let end = context.call(call.timeout(Duration::from_millis(1))).await;
            passed.tell(&end).await;
            end.map(drop)
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
    async fn a_limit_of_the_app_holds_back_all_its_tenants_and_no_other_app() {
        let world = World::new().await;
        let other = world.tenant.market().tenant("other").unwrap();
        let connect = async |tenant: &Tenant, remote: &str, app: &str| {
            let mut tokens = TokenSet::new(Secret::new("t"));
            tokens.app = app.to_owned();
            let account = Account::new(tenant.id().clone(), Platform::X, remote);
            let credential = Credential::oauth(tokens);
            tenant.add_account(account, credential).await.unwrap()
        };
        let one = connect(&world.tenant, "one", "shared").await;
        let shared = connect(&other, "two", "shared").await;
        let apart = connect(&other, "three", "apart").await;
        let (_, passed) = world.tenant.engine().passing(one).await.unwrap();
        let full = Error::new(ErrorKind::RateLimited, "the app is over its limit");
        passed.tell::<()>(&Err(full.with_app_limit())).await;
        let refused = other.engine().passing(shared).await.err().unwrap();
        assert_eq!(refused.rule(), Some(CLOSED));
        assert!(other.engine().passing(apart).await.is_ok());
        assert_eq!(world.closed().await, [""; 0], "no gate of the account");
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
}
