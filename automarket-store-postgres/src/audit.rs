use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Audit, AuditStore, NewAudit},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Params, decode},
    error::Outcome,
    value::{Columns, limit as sql_limit},
};

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let accounts: Vec<Uuid> = entries.iter().map(|e| e.account.uuid()).collect();
        let texts = |of: fn(&NewAudit) -> &str| entries.iter().map(of).collect::<Vec<&str>>();
        let sql = "INSERT INTO automarket.audit (tenant, account, action, who, why, outcome, at)
            SELECT t.tenant, t.account, t.action, t.who, t.why, t.outcome, automarket.clock()
            FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
                WITH ORDINALITY AS t (tenant, account, action, who, why, outcome, n) ORDER BY t.n";
        let params: Params<'_> = &[
            &texts(|e| e.tenant.as_str()),
            &accounts,
            &texts(|e| e.action.as_str()),
            &texts(|e| &e.who),
            &texts(|e| &e.why),
            &texts(|e| &e.outcome),
        ];
        self.inner.db.append(sql, params).await
    }

    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>> {
        let sql = "SELECT tenant, account, action, who, why, outcome, sequence, at
            FROM automarket.audit WHERE tenant = $1 AND sequence > $2
            ORDER BY sequence LIMIT $3";
        let rows = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &after, &sql_limit(limit)])
            .await;
        decode(rows, audit)
    }

    async fn remove_audit(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        // As `remove_events` does.
        let sql = "DELETE FROM automarket.audit WHERE sequence = ANY (ARRAY(
                SELECT sequence FROM automarket.audit WHERE at < $1 AND sequence = ANY (ARRAY(
                    SELECT sequence FROM automarket.audit
                    WHERE at < $1 OR at <= (SELECT automarket.clock())
                    ORDER BY sequence LIMIT least($2::bigint, 1000000) * 2))
                ORDER BY sequence LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let params: Params<'_> = &[&before, &sql_limit(limit)];
        let removed = self.inner.db.execute(sql, params).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let sql = "DELETE FROM automarket.audit WHERE tenant = $1 AND account = $2";
        let erased = self
            .inner
            .db
            .execute(sql, &[&tenant.as_str(), &account.uuid()])
            .await;
        Ok(erased?)
    }
}

fn audit(row: &Row) -> Outcome<Audit> {
    Ok(Audit {
        entry: NewAudit {
            tenant: row.tenant()?,
            account: row.id("account")?,
            action: row.column::<&str>("action")?.parse()?,
            who: row.column("who")?,
            why: row.column("why")?,
            outcome: row.column("outcome")?,
        },
        sequence: row.column("sequence")?,
        at: row.instant("at")?,
    })
}
