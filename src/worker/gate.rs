//! Calls for an account pass its gates: the rate budget and the circuit breakers that all processes share.
//!
//! The question is asked once for each piece of work, when its context is made; what the calls then show is
//! told from here, whatever the connector makes of it.

use std::{
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

use crate::{market::Engine, report::metrics};

/// The gate of an account's rate limit.
pub(crate) const RATE: &str = "rate";
/// The rule of the error while a gate is closed.
const CLOSED: &str = "gate.closed";
/// How long a platform is left alone that said "too many" and not for how long.
const UNSAID: Duration = Duration::from_secs(60);

/// That work for an account was let through, and whether its end is news.
pub(crate) struct Passed {
    account: Account,
    watched: bool,
    open_call: OpenCall,
}

/// The host of a call that is under way: it stays here when the call is dropped because its time is over.
type OpenCall = Arc<Mutex<Option<String>>>;

fn set(open_call: &OpenCall, host: Option<String>) -> Option<String> {
    let mut open_call = open_call.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut open_call, host)
}

impl Engine {
    /// The environment for work for this account, if its gates let it through now. Its calls are watched for
    /// what they say of the gates.
    ///
    /// # Errors
    /// `RateLimited` (rule `gate.closed`, retry `After`) while a gate is closed: come again then, no attempt is
    /// used up. Those of [`Engine::context`] and of the store.
    pub(crate) async fn passing(&self, account: Account) -> Result<(Context, Passed)> {
        let context = self.context(account.clone())?;
        let pass = self.store.pass_gates(&account.tenant, account.id).await?;
        if let Pass::Closed(until) = pass {
            metrics::rate_limit_wait(account.platform.as_str());
            return Err(closed(&account, (until - self.store.now().await?).to_std()));
        }
        let watched = pass == Pass::Watched;
        let open_call = OpenCall::default();
        let watch = Watch {
            open_call: open_call.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            tenant: account.tenant.clone(),
            account: account.id,
            amiss: AtomicBool::new(watched),
        };
        let context = context.map_transport(|inner| Arc::new(Gated { inner, watch }));
        let passed = Passed {
            account,
            watched,
            open_call,
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
    /// Tells the gates what the work ended in: connectors know limits that no status shows, and need not go
    /// through the context to reach their platform.
    pub(crate) async fn tell<T>(&self, engine: &Engine, end: &Result<T>) {
        let Account { tenant, id, .. } = &self.account;
        if let Some(host) = set(&self.open_call, None) {
            let told = engine.store.tell_gate(tenant, *id, &host, Signal::Failed);
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
            Ok(_) if self.watched => open(&*engine.store, tenant, *id, None).await,
            _ => Ok(()),
        };
        metrics::store_result("tell_gate", told);
    }
}

/// A good answer: opens the gates of the account whose probe it was, and that of its host.
async fn open(
    store: &dyn Store,
    tenant: &TenantId,
    account: AccountId,
    host: Option<&str>,
) -> Result<()> {
    for gate in store.gates(tenant).await? {
        if gate.account == account && (gate.probing || Some(gate.name.as_str()) == host) {
            let signal = Signal::Answered(None);
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
    open_call: OpenCall,
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
        set(&self.watch.open_call, Some(host.clone()));
        let result = self.inner.send(request).await;
        set(&self.watch.open_call, None);
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

impl Watch {
    async fn answered(&self, host: &str, status: u16, headers: &HeaderMap) {
        let now = self.clock.now();
        match status {
            429 => {
                let wait = retry_after(headers, now).unwrap_or(UNSAID);
                self.tell(RATE, Signal::Limited(wait)).await;
            }
            500 | 502..=599 => self.tell(host, Signal::Failed).await,
            _ => {
                let said = budget(headers, now);
                let used_up = said.is_some_and(|said| said.remaining == Some(0));
                if used_up {
                    self.tell(RATE, Signal::Answered(said)).await;
                }
                if self.amiss.swap(false, Ordering::SeqCst) && !used_up {
                    let opened = open(&*self.store, &self.tenant, self.account, Some(host));
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
