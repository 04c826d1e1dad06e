use std::time::Duration;

use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{CredentialStore, KeyUse, NewCredential, NewEvent, SealedCredential, rules::lease_end},
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    events::{EventRow, append},
    value::{Columns, blob, damaged, instant, limit as sql_limit, micros},
    writer::Tx,
};

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential> {
        let new = credential.clone();
        let call = self.inner.writer.call(move |tx| {
            let place = params![new.tenant.as_str(), blob(new.account)];
            let sql = "SELECT version FROM automarket_credentials WHERE tenant = ?1 AND account = ?2";
            let mut find = tx.db.prepare_cached(sql)?;
            let found: Option<i64> = find.query_row(place, |row| row.get(0)).optional()?;
            if over.is_some_and(|over| over != found.unwrap_or(0)) {
                return Err(new.changed().into());
            }
            let version = found.map_or(tx.now, |found| found + 1);
            sealed_once_more(tx, &new.key_id)?;
            tx.db
                .prepare_cached(
                    "INSERT INTO automarket_credentials
                        (tenant, account, version, key_id, sealed, expires_at, refresh_expires_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (tenant, account) DO UPDATE SET
                        version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed,
                        expires_at = excluded.expires_at,
                        refresh_expires_at = excluded.refresh_expires_at,
                        needs_reauth = 0, leased_until = NULL, updated_at = excluded.updated_at
                     RETURNING *",
                )?
                .query_row(
                    params![
                        new.tenant.as_str(),
                        blob(new.account),
                        version,
                        new.key_id,
                        new.sealed,
                        new.expires_at.map(micros),
                        new.refresh_expires_at.map(micros),
                        tx.now
                    ],
                    |row| Ok(stored(row)),
                )?
        });
        call.await
    }

    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_credentials WHERE tenant = ?1 AND account = ?2",
            )?
            .query_row(params![tenant.as_str(), blob(account)], |row| {
                Ok(stored(row))
            })
            .optional()?
            .transpose()
        });
        read.await
    }

    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_credentials WHERE tenant = ?1 ORDER BY account",
            )?
            .query_and_then([tenant.as_str()], stored)?
            .collect()
        });
        read.await
    }

    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call(move |tx| {
            let until = until(tx, lease)?;
            let leased = tx
                .db
                .prepare_cached(
                    "UPDATE automarket_credentials SET leased_until = ?4
                     WHERE tenant = ?1 AND account = ?2 AND version = ?3
                        AND NOT needs_reauth AND (leased_until IS NULL OR leased_until <= ?5)",
                )?
                .execute(params![
                    tenant.as_str(),
                    blob(account),
                    version,
                    until,
                    tx.now
                ])?;
            (leased > 0).then(|| instant(until)).transpose()
        });
        call.await
    }

    async fn release_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        leased_until: DateTime<Utc>,
        wait: Duration,
    ) -> Result<()> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "UPDATE automarket_credentials SET leased_until = ?5
                     WHERE tenant = ?1 AND account = ?2 AND version = ?3 AND leased_until = ?4",
                )?
                .execute(params![
                    tenant.as_str(),
                    blob(account),
                    version,
                    micros(leased_until),
                    until(tx, wait)?
                ])?;
            Ok(())
        });
        call.await
    }

    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        let tenant = tenant.clone();
        let events = EventRow::all(std::slice::from_ref(event))?;
        let call = self.inner.writer.call(move |tx| {
            let changed = tx
                .db
                .prepare_cached(
                    "UPDATE automarket_credentials SET needs_reauth = 1, leased_until = NULL
                     WHERE tenant = ?1 AND account = ?2 AND version = ?3 AND needs_reauth = 0",
                )?
                .execute(params![tenant.as_str(), blob(account), version])?;
            if changed > 0 {
                append(tx, &events)?;
            }
            Ok(changed > 0)
        });
        call.await
    }

    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "UPDATE automarket_credentials SET used_at = ?3
                     WHERE tenant = ?1 AND account = ?2",
                )?
                .execute(params![tenant.as_str(), blob(account), tx.now])?;
            Ok(())
        });
        call.await
    }

    async fn remove_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: Option<i64>,
    ) -> Result<Option<i64>> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call_wiped(move |tx| {
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_credentials
                     WHERE tenant = ?1 AND account = ?2 AND version = coalesce(?3, version)
                     RETURNING version",
                )?
                .query_row(params![tenant.as_str(), blob(account), version], |row| {
                    row.get(0)
                })
                .optional()?;
            tx.erased(usize::from(removed.is_some()));
            Ok(removed)
        });
        call.await
    }

    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>> {
        let key_id = key_id.to_owned();
        // No tenant's name is empty.
        let (tenant, account) = match after {
            Some((tenant, account)) => (tenant.to_string(), blob(*account)),
            None => (String::new(), [0; 16]),
        };
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_credentials
                 WHERE key_id <> ?1 AND (tenant, account) > (?2, ?3)
                 ORDER BY tenant, account LIMIT ?4",
            )?
            .query_and_then(params![key_id, tenant, account, sql_limit(limit)], stored)?
            .collect()
        });
        read.await
    }

    async fn credentials_under(&self, key_id: &str, limit: usize) -> Result<Vec<SealedCredential>> {
        let key_id = key_id.to_owned();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached("SELECT * FROM automarket_credentials WHERE key_id = ?1 LIMIT ?2")?
                .query_and_then(params![key_id, sql_limit(limit)], stored)?
                .collect()
        });
        read.await
    }

    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        let (tenant, key_id, sealed) = (tenant.clone(), key_id.to_owned(), sealed.to_vec());
        let call = self.inner.writer.call(move |tx| {
            let changed = tx
                .db
                .prepare_cached(
                    "UPDATE automarket_credentials SET key_id = ?4, sealed = ?5
                     WHERE tenant = ?1 AND account = ?2 AND version = ?3",
                )?
                .execute(params![
                    tenant.as_str(),
                    blob(account),
                    version,
                    key_id,
                    sealed
                ])?;
            if changed > 0 {
                sealed_once_more(tx, &key_id)?;
            }
            Ok(changed > 0)
        });
        call.await
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT key_id, seals, (SELECT count(*) FROM automarket_credentials c
                    WHERE c.key_id = k.key_id) AS credentials
                 FROM automarket_keys k ORDER BY key_id",
            )?
            .query_and_then([], |row| {
                Ok(KeyUse {
                    key_id: row.column("key_id")?,
                    credentials: count(row, "credentials")?,
                    seals: count(row, "seals")?,
                })
            })?
            .collect()
        });
        read.await
    }
}

fn sealed_once_more(tx: &Tx<'_>, key_id: &str) -> Outcome<()> {
    tx.db
        .prepare_cached(
            "INSERT INTO automarket_keys (key_id, seals) VALUES (?1, 1)
             ON CONFLICT (key_id) DO UPDATE SET seals = seals + 1",
        )?
        .execute([key_id])?;
    Ok(())
}

fn until(tx: &Tx<'_>, wait: Duration) -> Outcome<i64> {
    Ok(micros(lease_end(instant(tx.now)?, wait)))
}

fn count(row: &Row<'_>, name: &str) -> Outcome<u64> {
    let count: i64 = row.column(name)?;
    Ok(u64::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
}

fn stored(row: &Row<'_>) -> Outcome<SealedCredential> {
    let at = |name| -> Outcome<_> { row.column::<Option<i64>>(name)?.map(instant).transpose() };
    Ok(SealedCredential {
        tenant: row.tenant()?,
        account: row.id("account")?,
        version: row.column("version")?,
        key_id: row.column("key_id")?,
        sealed: row.column("sealed")?,
        expires_at: at("expires_at")?,
        refresh_expires_at: at("refresh_expires_at")?,
        needs_reauth: row.column("needs_reauth")?,
        leased_until: at("leased_until")?,
        used_at: at("used_at")?,
        updated_at: row.instant("updated_at")?,
    })
}
