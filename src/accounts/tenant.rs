//! What a host does with its customer's accounts.

use std::collections::HashSet;

use automarket_core::{
    AccountId, Context, Credential, Error, ErrorKind, Result, Secret,
    chrono::{DateTime, Utc},
    oauth::{TokenSet, read_revocation, revoke_call},
    store::{Account, Audit, AuditAction, NewAudit, SealedCredential},
};
use serde::Serialize;

use super::missing;
use crate::{Tenant, publishing};

/// What may be known of a credential without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CredentialState {
    /// Of which account.
    pub account: AccountId,
    /// Whether the account has to be connected again.
    pub needs_reauth: bool,
    /// When it stops working unless it is renewed; `None` is never or unknown.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it can no longer be renewed; `None` is never or unknown.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// When it was put.
    pub updated_at: DateTime<Utc>,
    /// When it was last used, to within an hour.
    pub used_at: Option<DateTime<Utc>>,
}

impl From<SealedCredential> for CredentialState {
    fn from(row: SealedCredential) -> Self {
        Self {
            account: row.account,
            needs_reauth: row.needs_reauth,
            expires_at: row.expires_at,
            refresh_expires_at: row.refresh_expires_at,
            updated_at: row.updated_at,
            used_at: row.used_at,
        }
    }
}

/// What became of a credential at its platform. Here it is erased in any case.
#[derive(Debug)]
#[non_exhaustive]
pub enum Revoked {
    /// The platform has withdrawn it.
    AtPlatform,
    /// The platform offers no such thing; it lives until it ends by itself, or is removed there by hand.
    NotOffered,
    /// Other accounts of the tenant live by the same login: it is withdrawn with the last of them.
    StillNeeded,
    /// It could not be withdrawn there.
    Failed(Error),
}

impl Tenant {
    /// The same tenant, in whose audit trail this name stands for what is done: the host's user, say.
    #[must_use]
    pub fn by(&self, who: &str) -> Self {
        Self {
            who: who.into(),
            ..self.clone()
        }
    }

    /// Keeps the account and its credential, sealed. An account that had to be connected again goes on with
    /// it, and so does what waits for it.
    ///
    /// # Errors
    /// `InvalidInput` (`tenant`) when the account is another tenant's; `Disabled` (rule `platform.closed`) with
    /// the reason where nobody can connect any more; `Config` without an encryption key
    /// (rule `vault.no_key`) and with one that does not open what is stored (`vault.wrong_key`), when nothing
    /// is stored; `NotFound` when the account was erased meanwhile; those of the store.
    pub async fn add_account(&self, account: Account, credential: Credential) -> Result<Account> {
        self.put_account(account, credential, None).await
    }

    /// As [`add_account`](Self::add_account). With a version, the credential is put over that one only: where another
    /// stands, it was put before, or what stands is newer.
    pub(super) async fn put_account(
        &self,
        account: Account,
        credential: Credential,
        over: Option<i64>,
    ) -> Result<Account> {
        if account.tenant != self.id {
            return Err(Error::invalid(
                "tenant",
                "the account belongs to another tenant",
            ));
        }
        self.engine().check_open(&account.platform)?;
        let accounts = &self.engine().accounts;
        let store = &self.engine().store;
        // First, so that nothing is stored without a key.
        let sealed = accounts.vault.seal(&account, &credential).await?;
        let account = store.put_account(&account).await?;
        // Before the credential: should this process die here, the job finds nothing and ends.
        let now = store.now().await?;
        if let Some(job) = accounts.keep_alive_job(&account, &credential, now)? {
            store.enqueue(&[job]).await?;
        }
        let put = match store.put_credential(&sealed, over).await {
            Err(error) if error.rule() == Some("credential.changed") => None,
            put => Some(put?.version),
        };
        let key = (self.id.clone(), account.id);
        accounts.cache.forget(&key);
        // Erased meanwhile: nobody would see it any more, nor erase it.
        if let Err(gone) = self.engine().account(&self.id, account.id).await {
            if gone.kind() == ErrorKind::NotFound {
                // No more than was put here: another may have connected it again since.
                if put.is_some() {
                    store.remove_credential(&self.id, account.id, put).await?;
                    accounts.cache.forget(&key);
                }
            }
            return Err(gone);
        }
        self.note(account.id, AuditAction::Connect, "connected", "done")
            .await?;
        tracing::debug!(account = %account.id, version = put, "an account was connected");
        publishing::release_blocked(self.engine(), &self.id, account.id).await?;
        Ok(account)
    }

    /// Its accounts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.engine().store.accounts(&self.id).await
    }

    /// What may be known of its accounts' credentials without opening them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn credentials(&self) -> Result<Vec<CredentialState>> {
        let (of_accounts, _) = self.sealed().await?;
        Ok(of_accounts.into_iter().map(CredentialState::from).collect())
    }

    /// What is sealed: for accounts, and for none (the tenant's own apps).
    pub(super) async fn sealed(&self) -> Result<(Vec<SealedCredential>, Vec<SealedCredential>)> {
        let store = &self.engine().store;
        let rows = store.credentials(&self.id).await?;
        let accounts = store.accounts(&self.id).await?;
        let accounts: HashSet<AccountId> = accounts.into_iter().map(|account| account.id).collect();
        Ok(rows
            .into_iter()
            .partition(|row| accounts.contains(&row.account)))
    }

    /// The environment for a call of the host's own to a connector for this account, with its credential opened
    /// and, where that was due, renewed. For one post or notice: the next has another ([`Context::fresh`]).
    ///
    /// # Errors
    /// `NotFound`; `Unauthorized` when no credential is held (rule `account.no_credential`) or the account has to
    /// be connected again (`account.needs_reauth`); what kept it from being renewed; those of the store.
    pub async fn context(&self, account: AccountId) -> Result<Context> {
        let accounts = &self.engine().accounts;
        let now = self.engine().clock.now();
        let known = accounts.cache.account(&(self.id.clone(), account), now);
        let account = match known {
            Some(account) => account,
            None => self.engine().account(&self.id, account).await?,
        };
        let (context, _) = self.engine().context(account).await?;
        Ok(context)
    }

    /// The credential itself, for a person to see. It stands in the audit trail, with who and why.
    ///
    /// # Errors
    /// As [`context`](Self::context); nothing is shown unless that is written down.
    pub async fn reveal_credential(&self, account: AccountId, why: &str) -> Result<Credential> {
        self.hand_out(account, AuditAction::Reveal, why).await
    }

    /// The credential itself, to be taken elsewhere. It stands in the audit trail, with who and why.
    ///
    /// # Errors
    /// As [`reveal_credential`](Self::reveal_credential).
    pub async fn export_credential(&self, account: AccountId, why: &str) -> Result<Credential> {
        self.hand_out(account, AuditAction::Export, why).await
    }

    async fn hand_out(
        &self,
        account: AccountId,
        action: AuditAction,
        why: &str,
    ) -> Result<Credential> {
        let account = self.engine().account(&self.id, account).await?;
        let row = self.engine().store.credential(&self.id, account.id).await?;
        let row = row.ok_or_else(|| missing(&account))?;
        let credential = self.engine().accounts.vault.open(&row).await?;
        self.note(account.id, action, why, "done").await?;
        Ok(credential)
    }

    /// Withdraws the account's credential at its platform, where that is offered, and erases it here, in any
    /// case. The account stays, to be connected again. A renewal under way is waited for, at most for
    /// `RefreshPolicy::lease`: what it brings is withdrawn. Accounts of other tenants are
    /// not looked at: where a platform withdraws more than one login at once, as Slack does with a bot, they go too.
    ///
    /// # Errors
    /// `NotFound`; those of the store. A failure at the platform is not one: see [`Revoked`].
    pub async fn disconnect(&self, account: AccountId) -> Result<Revoked> {
        let account = self.engine().account(&self.id, account).await?;
        let row = self.engine().accounts.at_rest(&account).await?;
        let revoked = match &row {
            Some(row) => self.revoke(&account, row).await,
            None => Ok(Revoked::NotOffered),
        };
        let mut revoked = revoked.unwrap_or_else(Revoked::Failed);
        let erased = self.forget(account.id).await?;
        // Another may have gone at the same time, and each saw the other: who is erased last sees nobody.
        if let (Revoked::StillNeeded, Some(row)) = (&revoked, &row) {
            let again = self.revoke(&account, row).await;
            revoked = again.unwrap_or_else(Revoked::Failed);
        }
        // Connected anew meanwhile, or renewed by a process that took too long.
        if let (Revoked::AtPlatform | Revoked::StillNeeded, Some(row)) = (&revoked, &row)
            && erased.is_some_and(|erased| erased != row.version)
        {
            revoked = Revoked::Failed(replaced(&account));
        }
        let outcome = match &revoked {
            Revoked::AtPlatform => "done",
            Revoked::NotOffered => "not_offered",
            Revoked::StillNeeded => "still_needed",
            Revoked::Failed(error) => error.kind().as_str(),
        };
        self.note(account.id, AuditAction::Revoke, "disconnected", outcome)
            .await?;
        Ok(revoked)
    }

    async fn revoke(&self, account: &Account, row: &SealedCredential) -> Result<Revoked> {
        let accounts = &self.engine().accounts;
        let Credential::OAuth(tokens) = accounts.vault.open(row).await? else {
            return Ok(Revoked::NotOffered);
        };
        let app = accounts.app(&self.id, &account.platform, &tokens.app);
        let Some((provider, app)) = app.await? else {
            return Ok(Revoked::NotOffered);
        };
        let now = self.engine().store.now().await?;
        let Some(call) = revoke_call(&provider, &app, &tokens, now)? else {
            return Ok(Revoked::NotOffered);
        };
        if self.is_shared(account, &tokens).await? {
            return Ok(Revoked::StillNeeded);
        }
        let cx = accounts.bare_context().await?;
        let reply = cx.call(call).await?;
        read_revocation(&provider, &reply, cx.now()).map(|()| Revoked::AtPlatform)
    }

    /// Whether another account has tokens of the same login: a member's and their organisations', a bot's in
    /// all of its channels.
    async fn is_shared(&self, account: &Account, tokens: &TokenSet) -> Result<bool> {
        let (rows, _) = self.sealed().await?;
        for row in rows.iter().filter(|row| row.account != account.id) {
            // One that does not open is no reason to keep what the user wants withdrawn.
            let Ok(Credential::OAuth(other)) = self.engine().accounts.peek(row).await else {
                continue;
            };
            let pair = other.refresh_token.zip(tokens.refresh_token.as_ref());
            let same = |a: &Secret, b: &Secret| a.expose() == b.expose();
            if same(&other.access_token, &tokens.access_token)
                || pair.is_some_and(|(other, mine)| same(&other, mine))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes an account and erases its credential here; what it is at the platform stays (see
    /// [`disconnect`](Self::disconnect)). What is sealed under this id goes also where no account is left.
    /// `false` when there was nothing.
    ///
    /// What waits to go out on it, scheduled, blocked or to be approved, is called off with it
    /// ([`Tenant::cancel`]; its event has the rule `account.removed`), since whoever connects it again has the same account;
    /// drafts stay. To keep what waits until it is connected again, [`disconnect`](Self::disconnect) it. Calling it again
    /// goes on where a call failed. What is under way ends by itself; a publishing that has begun meanwhile may
    /// be put in after this.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_account(&self, id: AccountId) -> Result<bool> {
        let erased = self.forget(id).await?;
        let removed = self.engine().store.remove_account(&self.id, id).await?;
        // Who was connecting it may have put one before it was removed, and found it there.
        let late = self.forget(id).await?;
        let called_off = self.call_off(id).await?;
        Ok(removed || erased.or(late).is_some() || called_off)
    }

    /// As [`remove_account`](Self::remove_account), with its traces: the audit trail about it, and the attempts to
    /// publish by it with what went over the wire. What was published or called off, and the events of that, stay; events
    /// go with [`Retention::events`](crate::worker::Retention::events). Calling it again goes on where a call failed. When
    /// the bytes themselves are gone is told by each store's README. `false` when nothing was there.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn erase_account(&self, id: AccountId) -> Result<bool> {
        let removed = self.remove_account(id).await?;
        let store = &self.engine().store;
        let attempts = store.erase_attempts_of(&self.id, id).await?;
        let audit = store.erase_audit_of(&self.id, id).await?;
        Ok(removed || attempts + audit > 0)
    }

    /// Which version it was.
    async fn forget(&self, account: AccountId) -> Result<Option<i64>> {
        let key = (self.id.clone(), account);
        let cache = &self.engine().accounts.cache;
        cache.forget(&key);
        let store = &self.engine().store;
        let removed = store.remove_credential(&self.id, account, None).await?;
        // Somebody may have read it meanwhile.
        cache.forget(&key);
        if removed.is_some() {
            self.note(account, AuditAction::Forget, "erased", "done")
                .await?;
        }
        Ok(removed)
    }

    /// Its audit trail after a sequence number, oldest first: every connecting, renewal, rotation, showing,
    /// handing out, withdrawal and erasure of a credential, and its use once an hour. An app of the tenant's own
    /// stands in it as an account that is not among [`accounts`](Self::accounts), with its name in `why`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn audit(&self, after: i64, limit: usize) -> Result<Vec<Audit>> {
        self.engine().store.audit(&self.id, after, limit).await
    }

    pub(super) async fn note(
        &self,
        account: AccountId,
        action: AuditAction,
        why: &str,
        outcome: &str,
    ) -> Result<()> {
        let entry = NewAudit {
            tenant: self.id.clone(),
            account,
            action,
            who: self.who.to_string(),
            why: why.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.engine().store.append_audit(&[entry]).await
    }
}

fn replaced(account: &Account) -> Error {
    let message = "its credential was replaced while it was withdrawn; the new one is erased here, and not withdrawn";
    Error::new(ErrorKind::Conflict, message)
        .with_rule("credential.changed")
        .with_platform(&account.platform)
        .with_remedy("let the user remove the app at the platform")
}
