use std::time::Duration;

use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{CredentialStore, KeyUse, NewCredential, NewEvent, SealedCredential},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Tx, decode},
    error::Outcome,
    events::append,
    value::{Columns, damaged, limit as sql_limit},
};

/// At most a year, so that no interval overflows.
fn micros(wait: Duration) -> i64 {
    let year = Duration::from_secs(365 * 24 * 3600);
    i64::try_from(wait.min(year).as_micros()).unwrap_or(i64::MAX)
}

macro_rules! columns {
    () => {
        "tenant, account, version, key_id, sealed, expires_at, refresh_expires_at, needs_reauth,
            leased_until, used_at, updated_at"
    };
}

/// Credentials; the end of the query says which.
macro_rules! select {
    ($end:literal) => {
        concat!("SELECT ", columns!(), " FROM automarket.credentials ", $end)
    };
}

#[async_trait]
impl CredentialStore for PostgresStore {
    async fn put_credential(
        &self,
        credential: &NewCredential,
        over: Option<i64>,
    ) -> Result<SealedCredential> {
        let put = async {
            let mut connection = self.inner.db.connection().await?;
            let tx = connection.begin().await?;
            let params: crate::db::Params<'_> = &[
                &credential.tenant.as_str(),
                &credential.account.uuid(),
                &credential.key_id,
                &credential.sealed,
                &credential.expires_at,
                &credential.refresh_expires_at,
                &over,
            ];
            // Two first puts meet in the conflict; of two others the second sees the first one's version.
            let sql = concat!("INSERT INTO automarket.credentials AS c
                    (tenant, account, version, key_id, sealed, expires_at, refresh_expires_at, updated_at)
                SELECT $1::text, $2::uuid, (extract(epoch FROM automarket.clock()) * 1000000)::bigint, $3::text, $4::bytea, $5::timestamptz, $6::timestamptz,
                    automarket.clock()
                WHERE coalesce($7::bigint, 0) = 0 OR EXISTS (
                    SELECT FROM automarket.credentials WHERE tenant = $1 AND account = $2)
                ON CONFLICT (tenant, account) DO UPDATE SET
                    version = c.version + 1, key_id = excluded.key_id, sealed = excluded.sealed,
                    expires_at = excluded.expires_at,
                    refresh_expires_at = excluded.refresh_expires_at,
                    needs_reauth = false, leased_until = NULL, updated_at = excluded.updated_at
                WHERE $7::bigint IS NULL OR c.version = $7
                RETURNING ", columns!());
            let row = tx.row(sql, params).await?;
            let Some(row) = row else {
                return Err(credential.changed().into());
            };
            let row = stored(&row)?;
            if over.is_some_and(|over| over != 0 && over + 1 != row.version) {
                // The row went between the look and the insert. Rolled back.
                return Err(credential.changed().into());
            }
            sealed_once_more(&tx, &credential.key_id).await?;
            tx.commit().await?;
            Ok(row)
        };
        let put: Outcome<SealedCredential> = put.await;
        Ok(put?)
    }

    async fn credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
    ) -> Result<Option<SealedCredential>> {
        let sql = select!("WHERE tenant = $1 AND account = $2");
        let rows = self
            .inner
            .db
            .glance(sql, &[&tenant.as_str(), &account.uuid()])
            .await;
        Ok(decode(rows, stored)?.pop())
    }

    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<SealedCredential>> {
        let sql = select!("WHERE tenant = $1 ORDER BY account");
        decode(self.inner.db.rows(sql, &[&tenant.as_str()]).await, stored)
    }

    async fn lease_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        lease: Duration,
    ) -> Result<Option<DateTime<Utc>>> {
        let sql = "UPDATE automarket.credentials
            SET leased_until = automarket.clock() + $4 * interval '1 microsecond'
            WHERE tenant = $1 AND account = $2 AND version = $3
                AND NOT needs_reauth AND (leased_until IS NULL OR leased_until <= automarket.clock())
            RETURNING leased_until";
        // As a float, since intervals are multiplied by nothing else.
        let micros = micros(lease) as f64;
        let leased = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &account.uuid(), &version, &micros])
            .await;
        Ok(decode(leased, |row| row.instant("leased_until"))?.pop())
    }

    async fn release_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        leased_until: DateTime<Utc>,
        wait: Duration,
    ) -> Result<()> {
        let sql = "UPDATE automarket.credentials
            SET leased_until = automarket.clock() + $5 * interval '1 microsecond'
            WHERE tenant = $1 AND account = $2 AND version = $3 AND leased_until = $4";
        let micros = micros(wait) as f64;
        let params: crate::db::Params<'_> = &[
            &tenant.as_str(),
            &account.uuid(),
            &version,
            &leased_until,
            &micros,
        ];
        self.inner.db.execute(sql, params).await?;
        Ok(())
    }

    async fn credential_needs_reauth(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        let marked = async {
            let mut connection = self.inner.db.connection().await?;
            let tx = connection.begin().await?;
            let sql = "UPDATE automarket.credentials SET needs_reauth = true, leased_until = NULL
                WHERE tenant = $1 AND account = $2 AND version = $3 AND NOT needs_reauth";
            let marked = tx
                .execute(sql, &[&tenant.as_str(), &account.uuid(), &version])
                .await?;
            if marked > 0 {
                append(&tx, std::slice::from_ref(event)).await?;
            }
            tx.commit().await?;
            Ok(marked > 0)
        };
        let marked: Outcome<bool> = marked.await;
        Ok(marked?)
    }

    async fn credential_used(&self, tenant: &TenantId, account: AccountId) -> Result<()> {
        let sql = "UPDATE automarket.credentials SET used_at = automarket.clock()
            WHERE tenant = $1 AND account = $2";
        let noted = self
            .inner
            .db
            .execute(sql, &[&tenant.as_str(), &account.uuid()])
            .await;
        noted?;
        Ok(())
    }

    async fn remove_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: Option<i64>,
    ) -> Result<Option<i64>> {
        let sql = "DELETE FROM automarket.credentials
            WHERE tenant = $1 AND account = $2 AND version = coalesce($3, version)
            RETURNING version";
        let removed = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &account.uuid(), &version])
            .await;
        Ok(decode(removed, |row| row.column("version"))?.pop())
    }

    async fn credentials_not_under(
        &self,
        key_id: &str,
        after: Option<&(TenantId, AccountId)>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>> {
        // No tenant's name is empty.
        let (tenant, account) = match after {
            Some((tenant, account)) => (tenant.as_str(), account.uuid()),
            None => ("", Uuid::nil()),
        };
        let sql = select!(
            "WHERE key_id <> $1 AND (tenant, account) > ($2, $3) ORDER BY tenant, account LIMIT $4"
        );
        let rows = self
            .inner
            .db
            .rows(sql, &[&key_id, &tenant, &account, &sql_limit(limit)])
            .await;
        decode(rows, stored)
    }

    async fn credentials_under(&self, key_id: &str, limit: usize) -> Result<Vec<SealedCredential>> {
        let sql = select!("WHERE key_id = $1 LIMIT $2");
        let rows = self.inner.db.rows(sql, &[&key_id, &sql_limit(limit)]).await;
        decode(rows, stored)
    }

    async fn reseal_credential(
        &self,
        tenant: &TenantId,
        account: AccountId,
        version: i64,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        let resealed = async {
            let mut connection = self.inner.db.connection().await?;
            let tx = connection.begin().await?;
            let sql = "UPDATE automarket.credentials SET key_id = $4, sealed = $5
                WHERE tenant = $1 AND account = $2 AND version = $3";
            let params: crate::db::Params<'_> = &[
                &tenant.as_str(),
                &account.uuid(),
                &version,
                &key_id,
                &sealed,
            ];
            let changed = tx.execute(sql, params).await?;
            if changed > 0 {
                sealed_once_more(&tx, key_id).await?;
            }
            tx.commit().await?;
            Ok(changed > 0)
        };
        let resealed: Outcome<bool> = resealed.await;
        Ok(resealed?)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        let sql = "SELECT key_id, seals, (SELECT count(*) FROM automarket.credentials c
                WHERE c.key_id = k.key_id) AS credentials
            FROM automarket.keys k ORDER BY key_id";
        decode(self.inner.db.rows(sql, &[]).await, |row| {
            Ok(KeyUse {
                key_id: row.column("key_id")?,
                credentials: count(row, "credentials")?,
                seals: count(row, "seals")?,
            })
        })
    }
}

/// The last statement of its transaction: everybody writes this row.
async fn sealed_once_more(tx: &Tx<'_>, key_id: &str) -> Outcome<()> {
    let sql = "INSERT INTO automarket.keys AS k (key_id, seals) VALUES ($1, 1)
        ON CONFLICT (key_id) DO UPDATE SET seals = k.seals + 1";
    tx.execute(sql, &[&key_id]).await?;
    Ok(())
}

fn count(row: &Row, name: &str) -> Outcome<u64> {
    let count: i64 = row.column(name)?;
    Ok(u64::try_from(count).map_err(|e| damaged("a count").with_source(e))?)
}

fn stored(row: &Row) -> Outcome<SealedCredential> {
    Ok(SealedCredential {
        tenant: row.tenant()?,
        account: row.id("account")?,
        version: row.column("version")?,
        key_id: row.column("key_id")?,
        sealed: row.column("sealed")?,
        expires_at: row.column("expires_at")?,
        refresh_expires_at: row.column("refresh_expires_at")?,
        needs_reauth: row.column("needs_reauth")?,
        leased_until: row.column("leased_until")?,
        used_at: row.column("used_at")?,
        updated_at: row.instant("updated_at")?,
    })
}
