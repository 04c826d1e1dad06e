use automarket_core::{
    AccountId, Platform, Result, TenantId, async_trait,
    store::{Account, AccountStore},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::decode,
    error::{Fault, Outcome},
    value::{Columns, damaged, to_json},
};

#[async_trait]
impl AccountStore for PostgresStore {
    async fn put_account(&self, account: &Account) -> Result<Account> {
        let sql = "INSERT INTO automarket.accounts
                (tenant, id, platform, network, remote_id, name, settings, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7::text::json, automarket.clock())
            ON CONFLICT (tenant, id) DO UPDATE SET
                platform = excluded.platform, network = excluded.network,
                remote_id = excluded.remote_id, name = excluded.name, settings = excluded.settings
            RETURNING created_at";
        let row = self
            .inner
            .db
            .row(
                sql,
                &[
                    &account.tenant.as_str(),
                    &account.id.uuid(),
                    &account.platform.as_str(),
                    &account.network.as_str(),
                    &account.remote_id,
                    &account.name,
                    &to_json(&account.settings)?,
                ],
            )
            .await;
        let row = row?.ok_or_else(|| damaged("an account"))?;
        Ok(Account {
            created_at: row.instant("created_at")?,
            ..account.clone()
        })
    }

    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>> {
        let sql =
            "SELECT tenant, id, platform, network, remote_id, name, settings::text, created_at
            FROM automarket.accounts WHERE tenant = $1 AND id = $2";
        let rows = self
            .inner
            .db
            .glance(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(decode(rows, account)?.pop())
    }

    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>> {
        let sql =
            "SELECT tenant, id, platform, network, remote_id, name, settings::text, created_at
            FROM automarket.accounts WHERE tenant = $1 ORDER BY platform, network, name, id";
        decode(self.inner.db.rows(sql, &[&tenant.as_str()]).await, account)
    }

    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool> {
        let sql = "DELETE FROM automarket.accounts WHERE tenant = $1 AND id = $2";
        let removed = self
            .inner
            .db
            .execute(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(removed? > 0)
    }
}

fn account(row: &Row) -> Outcome<Account> {
    let platform =
        |name| -> Outcome<Platform> { row.column::<&str>(name)?.parse().map_err(Fault::Ours) };
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
