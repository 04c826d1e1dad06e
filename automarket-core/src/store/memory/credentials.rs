use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, take_out};
use crate::{
    AccountId, Result, TenantId,
    store::{
        Audit, AuditStore, CredentialStore, KeyUse, NewAudit, NewCredential, NewEvent,
        SealedCredential, rules::lease_end,
    },
};

#[async_trait]
impl CredentialStore for MemoryStore {
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential> {
        let (mut state, now) = self.lock();
        let key = (credential.tenant.clone(), credential.account);
        let old = state.credentials.get(&key);
        let found = old.map(|old| old.version);
        if over.is_some_and(|over| over != found.unwrap_or(0)) {
            return Err(credential.changed());
        }
        let NewCredential {
            tenant,
            account,
            key_id,
            sealed,
            expires_at,
            refresh_expires_at,
        } = credential.clone();
        let row = SealedCredential {
            tenant,
            account,
            version: found.map_or(now.timestamp_micros(), |found| found + 1),
            key_id,
            sealed,
            expires_at,
            refresh_expires_at,
            needs_reauth: false,
            leased_until: None,
            used_at: old.and_then(|old| old.used_at),
            updated_at: now,
        };
        *state.seals.entry(row.key_id.clone()).or_default() += 1;
        state.credentials.insert(key, row.clone());
        Ok(row)
    }

    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>> {
        let (state, _) = self.lock();
        Ok(state.credentials.get(&(tenant.clone(), account)).cloned())
    }

    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>> {
        let (state, _) = self.lock();
        let rows = state.credentials.values();
        Ok(rows.filter(|row| row.tenant == *tenant).cloned().collect())
    }

    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>> {
        let (mut state, now) = self.lock();
        let free = |row: &&mut SealedCredential| {
            !row.needs_reauth && row.leased_until.is_none_or(|until| until <= now)
        };
        let row = state.of_version(tenant, account, version).filter(free);
        Ok(row.map(|row| *row.leased_until.insert(lease_end(now, lease))))
    }

    async fn release_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        leased_until: DateTime<Utc>,
        wait: Duration,
    ) -> Result<()> {
        let (mut state, now) = self.lock();
        let row = state.of_version(tenant, account, version);
        if let Some(row) = row.filter(|row| row.leased_until == Some(leased_until)) {
            row.leased_until = Some(lease_end(now, wait));
        }
        Ok(())
    }

    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        let (mut state, now) = self.lock();
        let row = state.of_version(tenant, account, version);
        let Some(row) = row.filter(|row| !row.needs_reauth) else {
            return Ok(false);
        };
        (row.needs_reauth, row.leased_until) = (true, None);
        state.append(std::slice::from_ref(event), now);
        Ok(true)
    }

    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()> {
        let (mut state, now) = self.lock();
        if let Some(row) = state.credentials.get_mut(&(tenant.clone(), account)) {
            row.used_at = Some(now);
        }
        Ok(())
    }

    async fn remove_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: Option<i64>,
    ) -> Result<Option<i64>> {
        let (mut state, _) = self.lock();
        let key = (tenant.clone(), account);
        let found = state.credentials.get(&key).map(|row| row.version);
        let removed = found.filter(|found| version.is_none_or(|version| version == *found));
        if removed.is_some() {
            state.credentials.remove(&key);
        }
        Ok(removed)
    }

    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>> {
        let (state, _) = self.lock();
        let rows = state.credentials.iter();
        Ok(rows
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .map(|(_, row)| row)
            .filter(|row| row.key_id != key_id)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn credentials_under(&self, key_id: &str, limit: usize) -> Result<Vec<SealedCredential>> {
        let (state, _) = self.lock();
        let rows = state.credentials.values();
        let under = rows.filter(|row| row.key_id == key_id);
        Ok(under.take(limit).cloned().collect())
    }

    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        let (mut state, _) = self.lock();
        let Some(row) = state.of_version(tenant, account, version) else {
            return Ok(false);
        };
        row.key_id = key_id.to_owned();
        row.sealed = sealed.to_vec();
        *state.seals.entry(key_id.to_owned()).or_default() += 1;
        Ok(true)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        let (state, _) = self.lock();
        let count = |key: &str| {
            let rows = state.credentials.values();
            rows.filter(|row| row.key_id == key).count() as u64
        };
        let uses = state.seals.iter().map(|(key, seals)| KeyUse {
            key_id: key.clone(),
            credentials: count(key),
            seals: *seals,
        });
        Ok(uses.collect())
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()> {
        let (mut state, now) = self.lock();
        for entry in entries {
            state.audits += 1;
            let audit = Audit {
                entry: entry.clone(),
                sequence: state.audits,
                at: now,
            };
            state.audit.push(audit);
        }
        Ok(())
    }

    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>> {
        let (state, _) = self.lock();
        let rows = state.audit.iter();
        Ok(rows
            .filter(|row| row.sequence > after && row.entry.tenant == *tenant)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn remove_audit(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let (mut state, now) = self.lock();
        Ok(take_out(&mut state.audit, |row| row.at, before, now, limit))
    }

    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let (mut state, _) = self.lock();
        let of = |row: &Audit| row.entry.tenant == *tenant && row.entry.account == account;
        let before = state.audit.len();
        state.audit.retain(|row| !of(row));
        Ok((before - state.audit.len()) as u64)
    }
}
