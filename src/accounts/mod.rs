//! Accounts and their credentials: sealed in the store, opened for use, renewed in time, withdrawn.

mod apps;
mod cache;
mod connect;
mod flow;
mod gates;
mod keep_alive;
mod refresh;
mod rotate;
mod tenant;
mod vault;

use std::{future::Future, sync::Arc, time::Duration};

use automarket_core::{
    AccountId, Clock, Context, Credential, Error, ErrorKind, KeyProvider, Platform, Result, Retry,
    Store, TenantId,
    chrono::{DateTime, TimeDelta, Utc},
    http::Transport,
    oauth::Provider,
    store::{Account, AuditAction, NewAudit, SealedCredential},
};

pub use apps::OwnApp;
pub(crate) use apps::{Apps, is_own};
use cache::{Cache, Entry};
pub use connect::{Begun, Connect, Offer, Offered};
pub(crate) use gates::RENEWALS;
pub(crate) use keep_alive::KEEP_ALIVE_JOB;
use refresh::Flights;
pub use refresh::RefreshPolicy;
pub use rotate::Rotation;
pub use tenant::{CredentialState, Revoked};
use vault::Vault;

use crate::{clock::StoreTime, trouble::waits};

/// Who stands in the audit trail for what the library does by itself.
const OURSELVES: &str = "automarket";
/// How often the use of one credential is noted by one process.
const NOTE_USE: Duration = Duration::from_secs(3600);

/// Which account.
type Key = (TenantId, AccountId);

/// A credential ready for use.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) credential: Credential,
    /// Which content it is: none comes twice.
    pub(crate) version: i64,
}

/// What a host sets.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) keys: Option<Arc<dyn KeyProvider>>,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) apps: Apps,
    pub(crate) policy: RefreshPolicy,
}

/// The credentials of all accounts.
pub(crate) struct Accounts {
    store: Arc<dyn Store>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    time: StoreTime,
    apps: Apps,
    policy: RefreshPolicy,
    vault: Vault,
    cache: Cache,
    flights: Flights,
}

impl Accounts {
    pub(crate) fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            vault: Vault::new(settings.keys, store.clone()),
            time: StoreTime::new(store.clone(), clock.clone()),
            store,
            transport: settings.transport,
            clock,
            apps: settings.apps,
            policy: settings.policy,
            cache: Cache::default(),
            flights: Flights::default(),
        })
    }

    /// Whether the keys, if there are any, open what is stored. A store that is away says nothing.
    pub(crate) async fn fit_for_work(&self) -> Result<()> {
        if !self.vault.has_keys() {
            return Ok(());
        }
        match self.vault.load().await {
            Err(error) if error.retry() == Retry::Never => Err(error),
            _ => Ok(()),
        }
    }

    /// A clock that shows the store's time.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn store_clock(&self) -> Result<Arc<dyn Clock>> {
        self.time.clock().await
    }

    /// The environment for a call for nobody. Its time is the store's.
    pub(crate) async fn bare_context(&self) -> Result<Context> {
        let transport = self.transport.clone().ok_or_else(|| {
            Error::new(ErrorKind::Config, "no transport is configured")
                .with_remedy("give the builder a ReqwestTransport (feature `reqwest`) or a sandbox")
        })?;
        Ok(Context::shared(transport).with_clock(self.store_clock().await?))
    }

    /// Makes a call with a context that has this version of the account's credential. Where the platform
    /// refuses it, it is renewed once and the call repeated once; a credential that then still is refused needs
    /// to be connected again.
    pub(crate) async fn insist<T, F>(
        self: &Arc<Self>,
        account: &Account,
        used: i64,
        context: Context,
        call: impl Fn(Context) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let refusal = match call(context.clone()).await {
            Err(error) if is_of_credential(&error) => error,
            end => return end,
        };
        let renewed = if is_refusal(&refusal) {
            self.after_refusal(account, used).await.map_err(waits)?
        } else {
            // A look-up was refused: what may have happened still may, whatever comes of the renewal.
            self.renew(account, used).await.unwrap_or(None)
        };
        let Some(renewed) = renewed else {
            return Err(refusal);
        };
        let end = call(context.with_credential(renewed.credential)).await;
        if let Err(error) = &end
            && is_refusal(error)
        {
            let why = "the platform refused it right after it was renewed";
            let told = self.refused(account, renewed.version, why);
            told.await.map_err(waits)?;
        }
        end
    }

    /// The account's credential, renewed first where that is due. One that was read within the last 30 s and
    /// lives on costs no look at the store.
    pub(crate) async fn open(self: &Arc<Self>, account: &Account) -> Result<Opened> {
        let key = key_of(account);
        if let Some(opened) = self.cache.fresh(&key, self.clock.now()) {
            return Ok(opened);
        }
        let read_at = self.cache.forgets();
        let Some(row) = self.store.credential(&key.0, key.1).await? else {
            self.cache.forget(&key);
            return Err(missing(account));
        };
        let (opened, dying) = self.read(account, &row, read_at).await?;
        let Some(end) = dying else {
            return Ok(opened);
        };
        let until = match self.renew(account, opened.version).await {
            Ok(Some(renewed)) => return Ok(renewed),
            // It is used for as long as the platform takes it.
            Ok(None) => None,
            Err(error) if error.rule() == Some(connect::NO_APP) => None,
            // What could not be renewed early is used to its end, unless the platform has said that it is over.
            Err(error) if error.kind() != ErrorKind::Unauthorized && self.clock.now() < end => {
                Some(end)
            }
            Err(error) => return Err(error),
        };
        let entry = Entry::new(opened.clone(), account.clone(), until);
        self.cache.put(key, entry, read_at, NOTE_USE);
        Ok(opened)
    }

    /// What a row holds, as it is: nothing is renewed.
    pub(crate) async fn peek(&self, row: &SealedCredential) -> Result<Credential> {
        self.vault.open(row).await
    }

    /// A platform's ways, for the app that tokens belong to.
    pub(crate) fn provider(&self, platform: &Platform, app: &str) -> Option<&Provider> {
        self.apps.provider(platform, app)
    }

    /// Opens a row, and says when it ends, by this process's clock, if it wants to be renewed before its use. `read_at`
    /// is [`Cache::forgets`] from before the row was read.
    async fn read(
        &self,
        account: &Account,
        row: &SealedCredential,
        read_at: u64,
    ) -> Result<(Opened, Option<DateTime<Utc>>)> {
        let key = key_of(account);
        if row.needs_reauth {
            self.cache.forget(&key);
            return Err(needs_reauth(account));
        }
        let credential = match self.cache.credential(&key, row.version) {
            Some(credential) => credential,
            None => self.vault.open(row).await?,
        };
        let end = match row.expires_at {
            // By the store's clock: ours may be wrong. An end beyond all time is none, one before it is over.
            Some(end) => {
                let left = end - self.store.now().await?;
                let over = (left < TimeDelta::zero()).then_some(DateTime::<Utc>::MIN_UTC);
                self.clock.now().checked_add_signed(left).or(over)
            }
            None => None,
        };
        let skew = self.policy.skew_delta();
        let before = |end: DateTime<Utc>| end.checked_sub_signed(skew);
        let until = end.map(|end| before(end).unwrap_or(DateTime::<Utc>::MIN_UTC));
        let dying = end.filter(|_| until.is_some_and(|until| until <= self.clock.now()));
        let opened = Opened {
            credential,
            version: row.version,
        };
        let entry = Entry::new(opened.clone(), account.clone(), until);
        if self.cache.put(key, entry, read_at, NOTE_USE) {
            self.note_use(account).await;
        }
        Ok((opened, dying))
    }

    /// Sampled, and no reason to fail.
    async fn note_use(&self, account: &Account) {
        let noted = async {
            let used = self.store.credential_used(&account.tenant, account.id);
            used.await?;
            self.note(
                account,
                AuditAction::Use,
                OURSELVES,
                "opened for calls",
                "done",
            )
            .await
        };
        if let Err(error) = noted.await {
            tracing::warn!(error = %error.report(), "the use of a credential could not be noted");
        }
    }

    async fn note(
        &self,
        account: &Account,
        action: AuditAction,
        who: &str,
        why: &str,
        outcome: &str,
    ) -> Result<()> {
        let entry = NewAudit {
            tenant: account.tenant.clone(),
            account: account.id,
            action,
            who: who.to_owned(),
            why: why.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.store.append_audit(&[entry]).await
    }
}

fn key_of(account: &Account) -> Key {
    (account.tenant.clone(), account.id)
}

/// Whether the credential is to blame. An error that is to be mended elsewhere is not: to connect again would not help.
fn is_of_credential(error: &Error) -> bool {
    error.kind() == ErrorKind::Unauthorized && !error.is_elsewhere()
}

/// Whether the platform said no to the credential, for sure.
fn is_refusal(error: &Error) -> bool {
    is_of_credential(error) && !error.is_unknown()
}

fn missing(account: &Account) -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        format!("no credential is held for the account {}", account.name),
    )
    .with_rule("account.no_credential")
    .with_platform(&account.platform)
    .with_remedy("connect the account, or call Tenant::add_account with its credential")
}

fn needs_reauth(account: &Account) -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        format!("the account {} has to be connected again", account.name),
    )
    .with_rule("account.needs_reauth")
    .with_platform(&account.platform)
    .with_remedy("let the user connect the account again; what waits for it then goes on")
}
