//! Calls for an account pass its gates: the rate budget and the circuit breakers that all processes share.
//!
//! The question is asked once for each piece of work, when its context is made; what the calls then show is
//! told from here, whatever the connector makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use automarket_core::{
    AccountId, Bytes, Clock, Context, Credential, Error, ErrorKind, Result, Retry, Store, TenantId,
    async_trait,
    chrono::{DateTime, Utc},
    http::{
        Body, Bucket, Elsewhere, Transport, TransportError, Upload, app_budget, budget, retry_after,
    },
    http_types::{HeaderMap, Request, Response},
    store::{Account, Budget, Gate, Pass, Signal},
    wait_end,
};
use tokio::time::timeout;

use crate::{accounts, market::Engine, report::metrics};

/// The rule of the error while a gate is closed.
pub(crate) const CLOSED: &str = "gate.closed";
/// How long a store may take to note what a call showed.
const NOTED: Duration = Duration::from_secs(2);
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
        match credential {
            Credential::OAuth(tokens) => Self::of_app(account, &tokens.app).map(Some),
            _ => Ok(None),
        }
    }

    /// The app of this name of the account's platform.
    pub(crate) fn of_app(account: &Account, app: &str) -> Result<Self> {
        let tenant = match accounts::is_own(app) {
            true => account.tenant.clone(),
            false => TenantId::new("automarket")?,
        };
        let name = format!("app {} {app}", account.platform);
        Ok(Self {
            tenant,
            account: AccountId::derived(&name),
        })
    }
}

/// That work for an account was let through, and whether its end is news.
pub(crate) struct Passed {
    account: Account,
    /// Which credential it was let through with.
    version: i64,
    watch: Arc<Watch>,
}

/// What is known of the calls of one piece of work. It stays when a call is dropped because its time is over.
#[derive(Default)]
struct Calls {
    /// The newest of which the gates were not told that it failed.
    last: Option<LastCall>,
    /// The bucket of the newest.
    bucket: Option<&'static str>,
    /// Those of all that were answered.
    answered: BTreeSet<&'static str>,
    /// Whether the newest was held back by the gate of its bucket.
    held_back: bool,
    /// The gates of hosts whose newest status was a failure. Failures that only the body tells are recorded when the work
    /// ends.
    failing: BTreeSet<String>,
    /// The gates of hosts whose newest status was an answer.
    good: BTreeSet<String>,
    /// What was said of budgets, by gate and whether it is the app's.
    budgets: BTreeMap<(String, bool), Budget>,
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
    /// `RateLimited` (rule `gate.closed`, retry `After`) while a gate is closed, `Unavailable` (the same) while its
    /// token is not renewed: come again then, no attempt is used up. Those of [`Engine::context`] and of the store.
    pub(crate) async fn passing(&self, account: Account) -> Result<(Context, Passed)> {
        self.passing_in(account, None).await
    }

    /// As [`passing`](Self::passing), for work that is not to be begun while this bucket is used up.
    ///
    /// # Errors
    /// As [`passing`](Self::passing).
    pub(crate) async fn passing_in(
        &self,
        account: Account,
        bucket: Option<&'static str>,
    ) -> Result<(Context, Passed)> {
        let (context, version) = self.context(account.clone()).await?;
        let watch = Arc::new(Watch {
            calls: Mutex::default(),
            store: self.store.clone(),
            clock: self.accounts.store_clock().await?,
            app: Owner::app(&account, context.credential())?,
            own: Owner::account(&account),
            bucket,
            watched: Mutex::default(),
        });
        for gates in [None].into_iter().chain(bucket.map(Some)) {
            for owner in watch.owners() {
                if let Pass::Closed(until) = watch.ask(owner, gates).await? {
                    watch.unused().await;
                    metrics::rate_limit_wait(account.platform.as_str());
                    let wait = (until - watch.clock.now()).to_std();
                    return Err(closed(&account, wait));
                }
            }
        }
        let seen = watch.clone();
        let context = context.map_transport(|inner| Arc::new(Gated { inner, watch: seen }));
        let passed = Passed {
            account,
            version,
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
pub(crate) fn spread<E>(wait: Result<Duration, E>) -> Duration {
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
        let watched = !watch.watched().is_empty();
        let kind = end.as_ref().err().map(Error::kind);
        let elsewhere = end.as_ref().err().is_some_and(Error::is_elsewhere);
        let cut = !elsewhere && matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Network));
        let answered: Vec<_> = calls.answered.into_iter().collect();
        for ((gate, of_app), budget) in calls.budgets {
            let said = Signal::Answered(Some(budget));
            watch.tell(watch.owner(of_app), &gate, said).await;
        }
        let mut good = calls.good;
        if elsewhere {
            if watched && !calls.failing.is_empty() {
                watch.probed(&answered, Signal::Answered(None)).await;
            }
            good.extend(calls.failing);
        } else {
            for host in &calls.failing {
                watch.tell(&watch.own, host, Signal::Failed).await;
            }
        }
        if let Some(call) = calls.last.as_ref().filter(|call| cut || !call.answered) {
            good.remove(&call.host);
        }
        if watched {
            watch.mended(&good).await;
        }
        match (end, calls.last) {
            (Err(_), _) if calls.held_back && watched => {
                let held: Vec<_> = calls.bucket.into_iter().collect();
                watch.probed(&held, Signal::Unused).await;
            }
            (Err(_), _) if calls.held_back => {}
            (Err(error), _) if error.kind() == ErrorKind::RateLimited && !elsewhere => {
                let wait = error.wait().unwrap_or(UNSAID);
                let (owner, gate) = (watch.owner(error.is_app_limit()), Gate::rate(calls.bucket));
                watch.tell(owner, &gate, Signal::Limited(wait)).await;
            }
            (_, Some(call)) if cut || !call.answered => {
                watch.tell(&watch.own, &call.host, Signal::Failed).await;
            }
            (Err(_), None) if watched && answered.is_empty() => {
                watch.probed(&answered, Signal::Unused).await;
            }
            (Ok(_), None) | (_, Some(_)) if watched => {
                watch.probed(&answered, Signal::Answered(None)).await;
            }
            _ => {}
        }
    }

    /// Tells the gates that no call is made after all, so that whoever comes next may be the probe.
    pub(crate) async fn unused(&self) {
        let calls = std::mem::take(&mut *self.watch.lock());
        for host in &calls.failing {
            self.watch.tell(&self.watch.own, host, Signal::Failed).await;
        }
        self.watch.unused().await;
    }
}

struct Gated {
    inner: Arc<dyn Transport>,
    watch: Arc<Watch>,
}

struct Watch {
    calls: Mutex<Calls>,
    store: Arc<dyn Store>,
    /// The store's time.
    clock: Arc<dyn Clock>,
    own: Owner,
    app: Option<Owner>,
    /// The bucket that was asked when the work began: its calls are not asked again.
    bucket: Option<&'static str>,
    watched: Mutex<BTreeMap<Asked, bool>>,
}

/// Whose gates were asked, and those of which bucket.
type Asked = (AccountId, Option<&'static str>);

#[async_trait]
impl Transport for Gated {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        if request.extensions().get::<Elsewhere>().is_some() {
            self.watch.elsewhere();
            return self.inner.send(request).await;
        }
        let call = self.watch.begin(&request).await?;
        let answer = self.inner.send(request).await;
        self.watch.end(call, shown(&answer)).await;
        answer
    }

    async fn send_upload(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Body>, TransportError> {
        let call = self.watch.begin(&request).await?;
        let answer = self.inner.send_upload(request).await;
        self.watch.end(call, shown(&answer)).await;
        answer
    }
}

/// A call to the platform.
struct Underway {
    /// The gate of its host.
    host: String,
    bucket: Option<&'static str>,
}

/// What a call shows, without the body, which may still be on its way.
enum Shown {
    Answer(u16, HeaderMap),
    Failure,
    /// Says nothing about the platform: no request left us, or our own body could not be read.
    Nothing,
}

fn shown(answer: &Result<Response<Body>, TransportError>) -> Shown {
    match answer {
        Ok(answer) => Shown::Answer(answer.status().as_u16(), answer.headers().clone()),
        Err(error) if error.own_body || error.kind == ErrorKind::Refused => Shown::Nothing,
        Err(_) => Shown::Failure,
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

    /// The gates it passed whose state its end changes, and whether it passed each as the probe.
    fn watched(&self) -> MutexGuard<'_, BTreeMap<Asked, bool>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, owner: &Owner, bucket: Option<&'static str>) -> Result<Pass> {
        let Owner { tenant, account } = owner;
        let pass = self.store.pass_gates(tenant, *account, bucket).await?;
        if matches!(pass, Pass::Watched | Pass::Probe) {
            *self.watched().entry((*account, bucket)).or_default() |= pass == Pass::Probe;
        }
        Ok(pass)
    }

    /// Whoever else is called says nothing of the platform, neither by an answer nor by none. While the platform is
    /// called it is what that call sends.
    fn elsewhere(&self) {
        let mut calls = self.lock();
        if calls.last.as_ref().is_none_or(|last| last.answered) {
            (calls.last, calls.bucket) = (None, None);
        }
    }

    /// Lets a call pass the gate of its bucket, and notes that it is under way.
    async fn begin<B>(&self, request: &Request<B>) -> Result<Underway, TransportError> {
        let host = format!("host:{}", request.uri().host().unwrap_or_default());
        let bucket = request.extensions().get::<Bucket>().map(|bucket| bucket.0);
        self.lock().bucket = bucket;
        if let Some(name) = bucket.filter(|_| bucket != self.bucket) {
            self.pass(name).await?;
        }
        self.lock().last = Some(LastCall {
            host: host.clone(),
            answered: false,
        });
        Ok(Underway { host, bucket })
    }

    fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.app.iter().chain([&self.own])
    }

    /// Whose gates: the app's where it is known and asked for, else the account's.
    fn owner(&self, of_app: bool) -> &Owner {
        self.app.as_ref().filter(|_| of_app).unwrap_or(&self.own)
    }

    /// A store that cannot say holds nothing back, as the platform will.
    async fn pass(&self, bucket: &'static str) -> Result<(), TransportError> {
        for owner in self.owners() {
            match self.ask(owner, Some(bucket)).await {
                Ok(Pass::Closed(until)) => {
                    self.lock().held_back = true;
                    let wait = spread((until - self.clock.now()).to_std());
                    let message =
                        format!("calls of {bucket} are held back for {} s", wait.as_secs());
                    let error = TransportError::new(ErrorKind::RateLimited, false, message);
                    return Err(error.with_wait(wait));
                }
                Ok(_) => {}
                Err(error) => metrics::store_error("pass_gates", &error),
            }
        }
        Ok(())
    }

    async fn end(&self, call: Underway, shown: Shown) {
        let good = matches!(&shown, Shown::Answer(status, _) if !failed(*status));
        {
            let mut calls = self.lock();
            calls.last = good.then(|| LastCall {
                host: call.host.clone(),
                answered: true,
            });
            if good {
                calls.failing.remove(&call.host);
                calls.good.insert(call.host.clone());
            } else if !matches!(shown, Shown::Nothing) {
                calls.good.remove(&call.host);
            }
            if !good && matches!(shown, Shown::Answer(..)) {
                calls.failing.insert(call.host.clone());
            }
            calls.bucket = call.bucket;
            calls.answered.extend(call.bucket.filter(|_| good));
        }
        match shown {
            Shown::Answer(status, headers) => self.answered(&call, status, &headers).await,
            Shown::Nothing => {}
            Shown::Failure => self.tell(&self.own, &call.host, Signal::Failed).await,
        }
    }

    async fn answered(&self, call: &Underway, status: u16, headers: &HeaderMap) {
        let now = self.clock.now();
        let gate = Gate::rate(call.bucket);
        self.left(&gate, true, app_budget(headers, now)).await;
        match status {
            429 => {
                let wait = retry_after(headers, now).unwrap_or(UNSAID);
                self.tell(&self.own, &gate, Signal::Limited(wait)).await;
            }
            status if failed(status) => {}
            _ => self.left(&gate, false, budget(headers, now)).await,
        }
    }

    /// What is left, for all to know: at once when it is nothing, else at the end of the work, once, however
    /// many calls it has.
    async fn left(&self, gate: &str, of_app: bool, said: Option<Budget>) {
        let Some(budget) = said else { return };
        if budget.remaining == Some(0) {
            let owner = self.owner(of_app);
            self.tell(owner, gate, Signal::Answered(said)).await;
        } else {
            let key = (gate.to_owned(), of_app && self.app.is_some());
            self.lock().budgets.insert(key, budget);
        }
    }

    async fn tell(&self, owner: &Owner, gate: &str, signal: Signal) {
        let Owner { tenant, account } = owner;
        let of_probe = self.is_probe(*account, Gate::bucket_of(gate));
        let told = self
            .store
            .tell_gate(tenant, *account, gate, signal, of_probe);
        // The answer that came is worth more than the note of it: it is waited for within the call's own time.
        let told = timeout(NOTED, told).await;
        let told =
            told.unwrap_or_else(|_| Err(Error::new(ErrorKind::Storage, "no answer in time")));
        metrics::store_result("tell_gate", told.map(drop));
    }

    /// Whether it was let through as the probe of these gates.
    fn is_probe(&self, account: AccountId, bucket: Option<&str>) -> bool {
        let watched = self.watched();
        let mut probes = watched.iter().filter(|(_, probe)| **probe);
        probes.any(|(asked, _)| *asked == (account, bucket))
    }

    /// Says that nothing was called after all.
    async fn unused(&self) {
        let asked: Vec<_> = self.bucket.into_iter().collect();
        self.probed(&asked, Signal::Unused).await;
    }

    /// Tells the gates of these hosts that they answered, as far as anything was told of them before.
    async fn mended(&self, hosts: &BTreeSet<String>) {
        if hosts.is_empty() {
            return;
        }
        let Owner { tenant, account } = &self.own;
        match self.store.gates(tenant).await {
            Ok(gates) => {
                for gate in gates {
                    if gate.account == *account && hosts.contains(&gate.name) {
                        let good = Signal::Answered(None);
                        self.tell(&self.own, &gate.name, good).await;
                    }
                }
            }
            Err(error) => metrics::store_error("gates", &error),
        }
    }

    /// Tells the gates whose probe it was, those of these buckets among them.
    async fn probed(&self, buckets: &[&str], signal: Signal) {
        for owner in self.owners() {
            let mine = |asked: &Asked| asked.0 == owner.account;
            if !self.watched().keys().any(mine) {
                continue;
            }
            let gates = match self.store.gates(&owner.tenant).await {
                Ok(gates) => gates,
                Err(error) => {
                    metrics::store_error("gates", &error);
                    continue;
                }
            };
            for gate in gates.iter().filter(|gate| gate.account == owner.account) {
                let bucket = gate.bucket();
                let own = self.is_probe(gate.account, bucket)
                    && bucket.is_none_or(|name| buckets.contains(&name));
                if gate.probing && own {
                    self.tell(owner, &gate.name, signal).await;
                }
            }
        }
    }
}

/// The instant at which a refusal by a gate may be asked again.
pub(crate) fn closed_until(error: &Error, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match error.retry() {
        Retry::After(Some(wait)) if error.rule() == Some(CLOSED) => Some(wait_end(now, wait)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
