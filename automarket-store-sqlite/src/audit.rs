use automarket_core::{
    AccountId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Audit, AuditStore, NewAudit},
};
use rusqlite::{Row, params};

use crate::{
    SqliteStore,
    error::Outcome,
    value::{Columns, blob, limit as sql_limit, micros},
};

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()> {
        let entries = entries.to_vec();
        let call = self.inner.writer.call(move |tx| {
            let mut insert = tx.db.prepare_cached(
                "INSERT INTO automarket_audit (tenant, account, action, who, why, outcome, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for entry in &entries {
                insert.execute(params![
                    entry.tenant.as_str(),
                    blob(entry.account),
                    entry.action.as_str(),
                    entry.who,
                    entry.why,
                    entry.outcome,
                    tx.now
                ])?;
            }
            Ok(())
        });
        call.await
    }

    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT * FROM automarket_audit WHERE tenant = ?1 AND sequence > ?2
                 ORDER BY sequence LIMIT ?3",
            )?
            .query_and_then(params![tenant.as_str(), after, sql_limit(limit)], audit)?
            .collect()
        });
        read.await
    }

    async fn remove_audit(&self, before: DateTime<Utc>, limit: usize) -> Result<usize> {
        let call = self.inner.writer.call(move |tx| {
            // As `remove_events` does.
            let removed = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_audit WHERE at < ?1 AND sequence IN (
                        SELECT sequence FROM automarket_audit
                        WHERE at < ?1 OR at <= ?3 ORDER BY sequence LIMIT ?2)",
                )?
                .execute(params![micros(before), sql_limit(limit), tx.now])?;
            Ok(tx.erased(removed))
        });
        call.await
    }

    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let tenant = tenant.clone();
        let call = self.inner.writer.call_wiped(move |tx| {
            let erased = tx
                .db
                .prepare_cached("DELETE FROM automarket_audit WHERE tenant = ?1 AND account = ?2")?
                .execute(params![tenant.as_str(), blob(account)])?;
            Ok(tx.erased(erased) as u64)
        });
        call.await
    }
}

fn audit(row: &Row<'_>) -> Outcome<Audit> {
    Ok(Audit {
        entry: NewAudit {
            tenant: row.tenant()?,
            account: row.id("account")?,
            action: row.column::<String>("action")?.parse()?,
            who: row.column("who")?,
            why: row.column("why")?,
            outcome: row.column("outcome")?,
        },
        sequence: row.column("sequence")?,
        at: row.instant("at")?,
    })
}
