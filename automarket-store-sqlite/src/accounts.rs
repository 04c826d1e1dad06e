use automarket_core::{
    AccountId, Platform, Result, TenantId, async_trait,
    store::{Account, AccountStore},
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    SqliteStore,
    error::{Fault, Outcome},
    value::{Columns, blob, instant, to_json},
};

#[async_trait]
impl AccountStore for SqliteStore {
    async fn put_account(&self, account: &Account) -> Result<Account> {
        let account = account.clone();
        let settings = to_json(&account.settings)?;
        let call = self.inner.writer.call(move |tx| {
            let created_at = tx
                .db
                .prepare_cached(
                    "INSERT INTO automarket_accounts
                        (tenant, id, platform, network, remote_id, name, settings, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (tenant, id) DO UPDATE SET
                        platform = excluded.platform, network = excluded.network,
                        remote_id = excluded.remote_id, name = excluded.name,
                        settings = excluded.settings
                     RETURNING created_at",
                )?
                .query_row(
                    params![
                        account.tenant.as_str(),
                        blob(account.id),
                        account.platform.as_str(),
                        account.network.as_str(),
                        account.remote_id,
                        account.name,
                        settings,
                        tx.now
                    ],
                    |row| row.get(0),
                )?;
            Ok(Account {
                created_at: instant(created_at)?,
                ..account.clone()
            })
        });
        call.await
    }

    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached("SELECT * FROM automarket_accounts WHERE tenant = ?1 AND id = ?2")?
                .query_row(params![tenant.as_str(), blob(id)], |row| Ok(account(row)))
                .optional()?
                .transpose()
        });
        read.await
    }

    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_accounts WHERE tenant = ?1
                 ORDER BY platform, network, name, id",
            )?
            .query_and_then([tenant.as_str()], account)?
            .collect()
        });
        read.await
    }

    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call_wiped(move |tx| {
            let removed = tx
                .db
                .prepare_cached("DELETE FROM automarket_accounts WHERE tenant = ?1 AND id = ?2")?
                .execute(params![tenant.as_str(), blob(id)])?;
            Ok(tx.erased(removed) > 0)
        });
        call.await
    }
}

fn account(row: &Row<'_>) -> Outcome<Account> {
    let platform =
        |name| -> Outcome<Platform> { row.column::<String>(name)?.parse().map_err(Fault::Ours) };
    Ok(Account {
        id: row.id("id")?,
        tenant: row.tenant()?,
        platform: platform("platform")?,
        network: platform("network")?,
        remote_id: row.column("remote_id")?,
        name: row.column("name")?,
        settings: row.json("settings")?,
        created_at: row.instant("created_at")?,
    })
}
