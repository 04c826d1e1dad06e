//! Calls for an account pass its gates: the rate budget and the circuit breakers that all processes share.
//!
//! The question is asked once for each piece of work, when its context is made; what the calls then show is
//! told from here, whatever the connector makes of it.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use automarket_core::{
    AccountId, Bytes, Clock, Context, Error, ErrorKind, Result, Retry, Store, TenantId,
    async_trait,
    chrono::{self, DateTime, Utc},
    http::{Body, Transport, TransportError, budget, retry_after},
    http_types::{HeaderMap, Request, Response},
    store::{Account, Pass, Signal},
};

use crate::{accounts::Version, market::Engine, report::metrics};

/// The gate of an account's rate limit.
pub(crate) const RATE: &str = "rate";
/// The rule of the error while a gate is closed.
const CLOSED: &str = "gate.closed";
/// How long a platform is left alone that said "too many" and not for how long.
const UNSAID: Duration = Duration::from_secs(60);

/// That work for an account was let through, and whether its end is news.
pub(crate) struct Passed {
    account: Account,
    /// Which credential it was let through with.
    version: Version,
    watched: bool,
    last_call: LastCall,
}

/// The last call of the work of which the gates were not told that it failed.
type LastCall = Arc<Mutex<Option<Call>>>;

struct Call {
    /// The gate of its host.
    host: String,
    /// Whether the head of an answer came. It did not when the call was dropped because its time was over; its
    /// body may still be cut, or come too late.
    answered: bool,
}

fn set(last_call: &LastCall, call: Option<Call>) -> Option<Call> {
    let mut last_call = last_call.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut last_call, call)
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
        let pass = self.store.pass_gates(&account.tenant, account.id).await?;
        if let Pass::Closed(until) = pass {
            metrics::rate_limit_wait(account.platform.as_str());
            return Err(closed(&account, (until - self.store.now().await?).to_std()));
        }
        let watched = pass == Pass::Watched;
        let last_call = LastCall::default();
        let watch = Watch {
            last_call: last_call.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            tenant: account.tenant.clone(),
            account: account.id,
            amiss: AtomicBool::new(watched),
        };
        let context = context.map_transport(|inner| Arc::new(Gated { inner, watch }));
        let passed = Passed {
            account,
            version,
            watched,
            last_call,
        };
        Ok((context, passed))
    }
}

fn closed<E>(account: &Account, wait: Result<Duration, E>) -> Error {
    // Those who wait do not come in the same moment.
    let jitter = Duration::from_millis(fastrand::u64(0..2_000));
    let wait = wait.unwrap_or_default() + jitter;
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
        self.tell(engine, &end).await;
        end
    }

    /// Tells the gates what the work ended in: connectors know limits that no status shows, and need not go
    /// through the context to reach their platform.
    pub(crate) async fn tell<T>(&self, engine: &Engine, end: &Result<T>) {
        let Account { tenant, id, .. } = &self.account;
        let cut = matches!(end, Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Network));
        if let Some(call) = set(&self.last_call, None)
            && (cut || !call.answered)
        {
            let told = engine
                .store
                .tell_gate(tenant, *id, &call.host, Signal::Failed);
            metrics::store_result("tell_gate", told.await.map(drop));
        }
        let told = match end {
            Err(error) if error.kind() == ErrorKind::RateLimited => {
                let wait = match error.retry() {
                    Retry::After(Some(wait)) => wait,
                    _ => UNSAID,
                };
                let signal = Signal::Limited(wait);
                let told = engine.store.tell_gate(tenant, *id, RATE, signal);
                told.await.map(drop)
            }
            Ok(_) if self.watched => {
                let good = Signal::Answered(None);
                tell_probed(&*engine.store, tenant, *id, None, good).await
            }
            _ => Ok(()),
        };
        metrics::store_result("tell_gate", told);
    }

    /// Tells the gates that no call is made after all, so that whoever comes next may be the probe.
    pub(crate) async fn unused(&self, engine: &Engine) {
        if self.watched {
            let Account { tenant, id, .. } = &self.account;
            let told = tell_probed(&*engine.store, tenant, *id, None, Signal::Unused).await;
            metrics::store_result("tell_gate", told);
        }
    }
}

/// Tells the gates of the account whose probe it was, and that of its host.
async fn tell_probed(
    store: &dyn Store,
    tenant: &TenantId,
    account: AccountId,
    host: Option<&str>,
    signal: Signal,
) -> Result<()> {
    for gate in store.gates(tenant).await? {
        if gate.account == account && (gate.probing || Some(gate.name.as_str()) == host) {
            store.tell_gate(tenant, account, &gate.name, signal).await?;
        }
    }
    Ok(())
}

struct Gated {
    inner: Arc<dyn Transport>,
    watch: Watch,
}

struct Watch {
    last_call: LastCall,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    tenant: TenantId,
    account: AccountId,
    /// Whether a good answer is news: there were failures, or this is the probe.
    amiss: AtomicBool,
}

#[async_trait]
impl Transport for Gated {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let host = format!("host:{}", request.uri().host().unwrap_or_default());
        let call = |answered| {
            let host = host.clone();
            Some(Call { host, answered })
        };
        set(&self.watch.last_call, call(false));
        let result = self.inner.send(request).await;
        let good = result
            .as_ref()
            .is_ok_and(|answer| !failed(answer.status().as_u16()));
        set(&self.watch.last_call, good.then(|| call(true)).flatten());
        match &result {
            Ok(answer) => {
                let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                self.watch.answered(&host, status, &headers).await;
            }
            Err(error) if error.kind == ErrorKind::Refused => {}
            Err(_) => self.watch.tell(&host, Signal::Failed).await,
        }
        result
    }
}

/// Whether an answer with this status is none.
fn failed(status: u16) -> bool {
    matches!(status, 500 | 502..=599)
}

impl Watch {
    async fn answered(&self, host: &str, status: u16, headers: &HeaderMap) {
        let now = self.clock.now();
        match status {
            429 => {
                let wait = retry_after(headers, now).unwrap_or(UNSAID);
                self.tell(RATE, Signal::Limited(wait)).await;
            }
            status if failed(status) => self.tell(host, Signal::Failed).await,
            _ => {
                let said = budget(headers, now);
                let used_up = said.is_some_and(|said| said.remaining == Some(0));
                if used_up {
                    self.tell(RATE, Signal::Answered(said)).await;
                }
                if self.amiss.swap(false, Ordering::SeqCst) && !used_up {
                    let (store, good) = (&*self.store, Signal::Answered(None));
                    let opened = tell_probed(store, &self.tenant, self.account, Some(host), good);
                    metrics::store_result("tell_gate", opened.await);
                }
            }
        }
    }

    async fn tell(&self, name: &str, signal: Signal) {
        self.amiss
            .fetch_or(signal == Signal::Failed, Ordering::SeqCst);
        let told = self
            .store
            .tell_gate(&self.tenant, self.account, name, signal);
        metrics::store_result("tell_gate", told.await.map(drop));
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
        Credential, Platform,
        http::Call,
        http_types::StatusCode,
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
            self.answers.lock().unwrap().extend(answer);
            let engine = self.tenant.engine();
            let (context, passed) = engine.passing(self.account.clone()).await?;
            let call = Call::get("x.get", "https://api.x.com/2")?.timeout(Duration::from_millis(1));
            let end = context.call(call).await;
            passed.tell(engine, &end).await;
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
            passed.tell(engine, &late).await;
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
