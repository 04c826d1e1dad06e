use std::{fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::NewEvent;
use crate::{AccountId, Error, ErrorKind, Result, TenantId};

/// An account's credential as it is kept: sealed, with what may be known of it without opening it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which account.
    pub account: AccountId,
    /// Grows by one with every put; a re-sealing of the same content keeps it. The first is the store's time in
    /// microseconds: none comes again after a removal, so what was read before it is never put over what came after.
    pub version: i64,
    /// The key it is sealed under.
    pub key_id: String,
    /// The envelope (see [`vault`](crate::vault)).
    pub sealed: Vec<u8>,
    /// When it stops working; `None` is never or unknown.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it can no longer be renewed; `None` is never or unknown.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// Whether the platform has said that the account must be connected again.
    pub needs_reauth: bool,
    /// Until when somebody is renewing it, or until when nobody shall try again. By the store's clock.
    pub leased_until: Option<DateTime<Utc>>,
    /// When it was last used, sampled.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was put. Set by the store.
    pub updated_at: DateTime<Utc>,
}

/// The envelope is left out: it is long, and nobody reads it.
impl fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCredential")
            .field("tenant", &self.tenant)
            .field("account", &self.account)
            .field("version", &self.version)
            .field("key_id", &self.key_id)
            .field("expires_at", &self.expires_at)
            .field("needs_reauth", &self.needs_reauth)
            .field("leased_until", &self.leased_until)
            .finish_non_exhaustive()
    }
}

/// A credential to be put.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which account.
    pub account: AccountId,
    /// The key it is sealed under.
    pub key_id: String,
    /// The envelope.
    pub sealed: Vec<u8>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it can no longer be renewed.
    pub refresh_expires_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCredential")
            .field("tenant", &self.tenant)
            .field("account", &self.account)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl NewCredential {
    /// The error for a put on another version than the stored one: `Conflict`.
    #[must_use]
    pub fn changed(&self) -> Error {
        Error::new(
            ErrorKind::Conflict,
            format!("the credential of the account {} changed", self.account),
        )
        .with_rule("credential.changed")
    }
}

/// How much hangs on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key_id: String,
    /// How many credentials are sealed under it now.
    pub credentials: u64,
    /// How often it has sealed a credential in all.
    pub seals: u64,
}

/// Sealed credentials, one per account.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Puts a credential in place of the version that `over` names; `Some(0)` is none, `None` is whatever is
    /// there. It needs no reauthorisation then and is leased by nobody. The stored row comes back.
    ///
    /// `Conflict` (rule `credential.changed`) when another version stands there; nothing changed.
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential>;
    /// An account's credential.
    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>>;
    /// All credentials of the tenant, by account.
    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>>;
    /// Leases this version for renewing, and says until when: `None` when it is leased already, is another
    /// version now, needs a new login or is gone. By that instant the lease is known: no two of one version end at the same.
    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>>;
    /// Ends the lease of this version that runs until then; nobody leases it again before `wait` has passed.
    /// Does nothing to another version, nor to the lease of whoever came after this one had run out.
    async fn release_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        leased_until: DateTime<Utc>,
        wait: Duration,
    ) -> Result<()>;
    /// Says that this version needs to be connected again, ends its lease and tells the event, all or nothing.
    /// `false`, and nothing done, when that was said already, or of another version.
    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool>;
    /// Notes that it is used now.
    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()>;
    /// Removes this version, with `None` whatever is there, and says which it was; `None` when it was not there.
    async fn remove_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: Option<i64>,
    ) -> Result<Option<i64>>;
    /// For the operator: credentials of all tenants that are sealed under another key than this one, by tenant
    /// and account, after the place named, at most `limit`.
    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>>;
    /// For the operator: credentials of all tenants under this key, to try the key on, at most `limit`.
    async fn credentials_under(&self, key_id: &str, limit: usize) -> Result<Vec<SealedCredential>>;
    /// Puts another envelope of the same content in: key and bytes change, nothing else. `false`, and nothing
    /// done, when another version stands there.
    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool>;
    /// For the operator: what hangs on each key, by id. A key that sealed once stays listed.
    async fn key_uses(&self) -> Result<Vec<KeyUse>>;
}
