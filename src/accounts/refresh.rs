//! Renewing tokens: once for everybody who waits, here and in other processes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use automarket_core::{
    Credential, Error, ErrorKind, ErrorRecord, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    fault_point,
    http::Call,
    oauth::{Grant, Provider, TokenSet, read_token_reply, refresh_call, rule},
    store::{Account, AuditAction, NewEvent, Pass, SealedCredential, Signal, TRIPS},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Accounts, Key, OURSELVES, Opened, connect::unknown_app, gates::failed, is_own, key_of, missing,
    needs_reauth,
};

use crate::{trouble::is_ours, worker::Owner};

/// How long an app's renewals are held back once more when an account that had failed before finds them no better.
const NO_BETTER: Duration = Duration::from_secs(30);
/// How long nobody tries again after a failure that says nothing about the credential.
const WAIT: Duration = Duration::from_secs(5);
/// The same where the app is configured wrongly.
const MISCONFIGURED: Duration = Duration::from_secs(60);
/// How often a renewal by another process is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// The longest lease for renewing.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// When and how tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// So long before its end a token is renewed when it is used, and used to its end where that fails; 60 s unless
    /// set.
    pub skew: Duration,
    /// So long a process has for renewing, others wait meanwhile; 30 s unless set, 3 s at the least and a day at the most. The call
    /// to the platform is over after two thirds of it, whatever went before, and the rest is for storing what came
    /// of it: so nobody else asks while this process may still get an answer. New tokens are put for longer where
    /// the store is away, until it takes them. It also bounds how long others wait for a process that died.
    pub lease: Duration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            skew: Duration::from_secs(60),
            lease: Duration::from_secs(30),
        }
    }
}

impl RefreshPolicy {
    pub(super) fn skew_delta(self) -> TimeDelta {
        TimeDelta::from_std(self.skew).unwrap_or_default()
    }

    fn lease(self) -> Duration {
        self.lease.clamp(Duration::from_secs(3), LONGEST)
    }
}

/// The renewals under way in this process.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<(Key, i64), Flight>>);

/// `None`: it cannot be renewed.
type Flight = Shared<BoxFuture<'static, Result<Option<Opened>, Box<ErrorRecord>>>>;

/// The error as all who wait are told it. It names no platform: to them it is trouble on the way there, and no word of
/// the platform's on what they want.
fn shared(error: &Error) -> Box<ErrorRecord> {
    let mut record = ErrorRecord::from(error);
    record.platform = None;
    Box::new(record)
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, i64), Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is renewed, and how.
struct Renewal {
    version: i64,
    tokens: TokenSet,
    provider: Provider,
    call: Call,
}

impl Accounts {
    /// What comes after this version; `None` when it cannot be renewed, `Config` (rule `oauth.no_app`) when that
    /// needs an app that this process does not know. All who ask at once share one renewal, which runs to its end
    /// even when they go away: what the platform gave must not be lost. While renewals are held back nobody waits.
    pub(super) async fn renew(
        self: &Arc<Self>,
        account: &Account,
        over: i64,
    ) -> Result<Option<Opened>> {
        let owner = Owner::account(account);
        let pass = self.may_renew(account, &owner).await?;
        let end = self.join(account, over).await;
        if pass != Pass::Open {
            // Who met it has told of a failure, and closed it for longer then.
            let said = match end {
                Ok(_) => Signal::Answered(None),
                Err(_) => Signal::Unused,
            };
            self.tell_renewals(&owner, said, pass == Pass::Probe).await;
        }
        end
    }

    async fn join(self: &Arc<Self>, account: &Account, over: i64) -> Result<Option<Opened>> {
        let flight = self.flight(account, (key_of(account), over));
        // For another process and then for this one, each with the lease. It goes on when nobody waits.
        let patience = self.policy.lease() * 2 + WAIT;
        match timeout(patience, flight).await {
            Ok(end) => end.map_err(|error| Error::from(*error)),
            Err(_) => Err(not_now(account)),
        }
    }

    /// The flight under way, or a new one.
    fn flight(self: &Arc<Self>, account: &Account, key: (Key, i64)) -> Flight {
        let mut flights = self.flights.lock();
        // One that is over and still here broke off.
        if let Some(flight) = flights.get(&key).filter(|flight| flight.peek().is_none()) {
            return flight.clone();
        }
        let (accounts, account, place) = (self.clone(), account.clone(), key.clone());
        let task = tokio::spawn(async move {
            let end = accounts.renew_here(&account, place.1).await;
            accounts.flights.lock().remove(&place);
            end.map_err(|error| shared(&error))
        });
        let flight = async move {
            task.await.unwrap_or_else(|_| {
                let error = Error::new(ErrorKind::Internal, "the renewal of a token broke off");
                Err(shared(&error.with_retry(Retry::After(Some(WAIT)))))
            })
        };
        let flight = flight.boxed().shared();
        flights.insert(key, flight.clone());
        flight
    }

    /// This process's part: renews, or waits for the process that does.
    async fn renew_here(&self, account: &Account, over: i64) -> Result<Option<Opened>> {
        let lease = self.policy.lease();
        let patience = Instant::now() + lease + WAIT;
        let (mut over, mut newer) = (over, None);
        loop {
            let read_at = self.cache.forgets();
            let Some(row) = self.store.credential(&account.tenant, account.id).await? else {
                return Err(missing(account));
            };
            if row.needs_reauth || row.version != over {
                let (opened, dying) = self.read(account, &row, read_at).await?;
                let is_over = dying.is_some_and(|end| end <= self.clock.now());
                if !is_over || newer.is_some() {
                    return Ok(Some(opened));
                }
                // Renewed by somebody, and run out since: that it is refused says nothing.
                (over, newer) = (row.version, Some(opened));
            }
            let Some(renewal) = self.renewal(account, &row).await? else {
                return Ok(newer);
            };
            // What comes of the call is sealed without waiting for the key provider, while the lease runs.
            self.vault.sealing().await?;
            // From before it is asked for: it does not end earlier than this process thinks.
            let begun = Instant::now();
            let leased = self
                .store
                .lease_credential(&account.tenant, account.id, over, lease);
            if let Some(leased_until) = leased.await? {
                let renewed = self.renew_leased(account, renewal, begun, leased_until);
                return renewed.await.map(Some);
            }
            if Instant::now() >= patience {
                return Err(not_now(account));
            }
            sleep(LOOK).await;
        }
    }

    /// What stands there, at a time at which nobody renews it: with its lease, or held back for longer than a renewal
    /// may take. A renewal under way is waited for, for as long as it may take.
    pub(super) async fn at_rest(&self, account: &Account) -> Result<Option<SealedCredential>> {
        let (tenant, id) = key_of(account);
        let lease = self.policy.lease();
        let patience = Instant::now() + lease;
        loop {
            let Some(row) = self.store.credential(&tenant, id).await? else {
                return Ok(None);
            };
            if row.needs_reauth || Instant::now() >= patience {
                return Ok(Some(row));
            }
            let leased = self.store.lease_credential(&tenant, id, row.version, lease);
            if leased.await?.is_some() {
                return Ok(Some(row));
            }
            if let Some(until) = row.leased_until {
                let left = (until - self.store.now().await?).to_std();
                if left.is_ok_and(|left| left > lease) {
                    return Ok(Some(row));
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn renewal(&self, account: &Account, row: &SealedCredential) -> Result<Option<Renewal>> {
        let Credential::OAuth(tokens) = self.vault.open(row).await? else {
            return Ok(None);
        };
        let app = self.app(&account.tenant, &account.platform, &tokens.app);
        let Some((provider, app)) = app.await? else {
            let of_app = matches!(
                tokens.grant,
                Grant::ClientCredentials | Grant::JwtBearer { .. }
            );
            let renewable = of_app || tokens.refresh_token.is_some();
            // A tenant may take its own app away; one that the host has not registered says nothing of the token.
            let taken_away =
                is_own(&tokens.app) && self.provider(&account.platform, &tokens.app).is_some();
            if !renewable || taken_away {
                return Ok(None);
            }
            let error = unknown_app(&account.platform, &tokens.app);
            tracing::warn!(account = %account.id, error = %error.report(), "a token is not renewed");
            return Err(error.with_retry(Retry::After(Some(MISCONFIGURED))));
        };
        let call = refresh_call(&provider, &app, &tokens, self.store.now().await?)?;
        Ok(call.map(|call| Renewal {
            version: row.version,
            tokens: *tokens,
            provider,
            call,
        }))
    }

    async fn renew_leased(
        &self,
        account: &Account,
        renewal: Renewal,
        begun: Instant,
        leased_until: DateTime<Utc>,
    ) -> Result<Opened> {
        let (tenant, id) = key_of(account);
        let number = renewal.version;
        let release = |wait| {
            self.store
                .release_credential(&tenant, id, number, leased_until, wait)
        };
        let app = Owner::of_app(account, &renewal.tokens.app)?;
        let pass = match self.may_renew(account, &app).await {
            Ok(pass) => pass,
            Err(held_back) => {
                release(Duration::ZERO).await?;
                return Err(held_back);
            }
        };
        let lease = self.policy.lease();
        let answer = self
            .ask(renewal.call, &renewal.provider, begun + lease * 2 / 3)
            .await;
        let said = match &answer {
            Err(error) if failed(error) => Signal::Failed,
            Err(error) if is_ours(error.kind()) => Signal::Unused,
            _ => Signal::Answered(None),
        };
        let own = Owner::account(account);
        // Of the account's renewals it is the one that asked, the lease says: it is the probe, whoever waits for it.
        let first = said == Signal::Failed && self.tell_renewals(&own, said, true).await == Some(1);
        if pass != Pass::Open || first {
            // What one account meets again and again says nothing of the others.
            let known = said == Signal::Failed && !first;
            let probe = pass == Pass::Probe;
            let said = if known { Signal::Unused } else { said };
            let failures = self.tell_renewals(&app, said, probe).await;
            if known && failures >= Some(TRIPS) {
                let no_better = Signal::Limited(NO_BETTER);
                self.tell_renewals(&app, no_better, probe).await;
            }
        }
        let error = match answer {
            Ok(new) => {
                let tokens = renewal.tokens.renewed(new);
                let credential = Credential::oauth(tokens);
                return self.keep(account, renewal.version, &credential).await;
            }
            Err(error) => error,
        };
        if error.rule() == Some(rule::INVALID_GRANT) {
            // The one definite answer; unless somebody else has renewed it all the same.
            let read_at = self.cache.forgets();
            let row = self.store.credential(&tenant, id).await?;
            if let Some(row) = row.filter(|row| row.version != renewal.version) {
                let read = self.read(account, &row, read_at).await;
                return read.map(|(opened, _)| opened);
            }
            self.refused(
                account,
                renewal.version,
                "the platform does not renew its token",
            )
            .await?;
            return Err(needs_reauth(account).with_source(error));
        }
        let wait = match error.retry() {
            Retry::After(Some(wait)) => wait,
            Retry::Never => MISCONFIGURED,
            _ => WAIT,
        };
        tracing::warn!(account = %id, error = %error.report(), "a token could not be renewed now");
        release(wait).await?;
        self.tell_renewals(&own, Signal::Limited(wait), true).await;
        let outcome = error.kind().as_str();
        self.note(
            account,
            AuditAction::Refresh,
            OURSELVES,
            "its token was dying",
            outcome,
        )
        .await?;
        // What waits for it did not happen: it waits on.
        Err(error.with_retry(Retry::After(Some(wait))))
    }

    async fn ask(&self, call: Call, provider: &Provider, until: Instant) -> Result<TokenSet> {
        let cx = self.bare_context().await?;
        // The store's time of the answer, though the store may be away then.
        let (before, began) = (self.store.now().await?, Instant::now());
        // When the store took too long nothing is sent at all.
        let call = call.timeout(until.saturating_duration_since(began));
        let reply = cx.call(call).await?;
        let now = before + TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        read_token_reply(provider, &reply, now)
    }

    /// Makes the new tokens durable, before anybody uses them. Nobody else has them, and the old ones may be used
    /// up: while the store is away they are put again and again, and the version keeps them from what is newer.
    async fn keep(&self, account: &Account, over: i64, credential: &Credential) -> Result<Opened> {
        let new = self.vault.seal(account, credential).await?;
        let mut told = false;
        let read_at = self.cache.forgets();
        fault_point("credential.renewed", "before");
        let row = loop {
            match self.store.put_credential(&new, Some(over)).await {
                Ok(row) => break row,
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    // Connected anew meanwhile; or this very put, whose answer was lost.
                    let row = self.store.credential(&account.tenant, account.id).await?;
                    break row.ok_or_else(|| missing(account))?;
                }
                Err(error) if error.retry() != Retry::Never || is_ours(error.kind()) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(error = %error.report(), "renewed tokens could not be stored yet");
                    }
                    sleep(LOOK).await;
                }
                Err(error) => return Err(error),
            }
        };
        fault_point("credential.renewed", "after");
        if let Err(error) = self.stay_alive(account, credential, row.updated_at).await {
            tracing::warn!(error = %error.report(), "a renewed token has no job that keeps it alive");
        }
        let noted = self.note(
            account,
            AuditAction::Refresh,
            OURSELVES,
            "its token was dying",
            "done",
        );
        if let Err(error) = noted.await {
            tracing::warn!(error = %error.report(), "the renewal of a token could not be noted");
        }
        let read = self.read(account, &row, read_at).await;
        read.map(|(opened, _)| opened)
    }

    /// Puts the job that keeps it alive where there is none: the account may be from before its end was known.
    async fn stay_alive(
        &self,
        account: &Account,
        credential: &Credential,
        put: DateTime<Utc>,
    ) -> Result<()> {
        if let Some(job) = self.keep_alive_job(account, credential, put)? {
            self.store.enqueue(&[job]).await?;
        }
        Ok(())
    }

    /// After the platform refused a credential: another one to try once. `None` when there is none, and the
    /// account has to be connected again.
    pub(super) async fn after_refusal(
        self: &Arc<Self>,
        account: &Account,
        used: i64,
    ) -> Result<Option<Opened>> {
        match self.renew(account, used).await? {
            Some(renewed) => Ok(Some(renewed)),
            None => {
                self.refused(account, used, "the platform refused it")
                    .await?;
                Ok(None)
            }
        }
    }

    /// Says, once, that the account has to be connected again.
    pub(super) async fn refused(
        &self,
        account: &Account,
        version: i64,
        why: &'static str,
    ) -> Result<()> {
        let key = key_of(account);
        let (tenant, id) = &key;
        let event = NewEvent {
            tenant: tenant.clone(),
            kind: "account.needs_reauth".to_owned(),
            subject: id.to_string(),
            data: serde_json::json!({
                "platform": account.platform,
                "network": account.network,
                "remote_id": account.remote_id,
                "name": account.name,
                "reason": why,
            }),
        };
        self.cache.forget(&key);
        let said = self
            .store
            .credential_needs_reauth(tenant, *id, version, &event);
        let said = said.await;
        // Somebody may have read it meanwhile.
        self.cache.forget(&key);
        if said? {
            self.note(
                account,
                AuditAction::Refresh,
                OURSELVES,
                why,
                "needs_reauth",
            )
            .await?;
        }
        Ok(())
    }
}

fn not_now(account: &Account) -> Error {
    let message = "the account's token is being renewed elsewhere, or could not be just now";
    Error::new(ErrorKind::Unavailable, message)
        .with_platform(&account.platform)
        .with_retry(Retry::After(Some(WAIT)))
}
