use automarket_core::{
    AccountId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Attempt, AttemptSort, AttemptStats, AttemptStore},
};
use tokio_postgres::Row;

use crate::{
    PostgresStore,
    db::{Params, decode},
    error::Outcome,
    value::{Columns, damaged, from_json, to_json},
};

#[async_trait]
impl AttemptStore for PostgresStore {
    async fn attempts(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Attempt>> {
        let sql = "SELECT body::text FROM automarket.attempts
            WHERE tenant = $1 AND publication = $2 ORDER BY number";
        let params: Params<'_> = &[&tenant.as_str(), &publication.uuid()];
        let rows = self.inner.db.rows(sql, params).await;
        decode(rows, |row| row.json("body"))
    }

    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>> {
        let sql = "SELECT platform, operation, outcome, latency, count(*) AS count
            FROM automarket.attempts WHERE ended_at >= $1 AND ($2::text IS NULL OR tenant = $2)
            GROUP BY platform, operation, outcome, latency";
        let tenant = tenant.map(TenantId::as_str);
        let rows = self.inner.db.rows(sql, &[&since, &tenant]).await;
        Ok(AttemptStats::of(decode(rows, counts)?))
    }

    async fn erase_attempts_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let sql = "DELETE FROM automarket.attempts
            WHERE tenant = $1 AND body->'route'->>'account' = $2";
        let params: Params<'_> = &[&tenant.as_str(), &account.to_string()];
        Ok(self.inner.db.execute(sql, params).await?)
    }
}

fn counts(row: &Row) -> Outcome<(AttemptSort, u16, u64)> {
    let word = |name| row.column::<&str>(name);
    let platform = word("platform")?.parse()?;
    let operation = from_json(&to_json(&word("operation")?)?)?;
    let outcome = from_json(&to_json(&word("outcome")?)?)?;
    let step: i32 = row.column("latency")?;
    let step = u16::try_from(step).map_err(|e| damaged("a latency").with_source(e))?;
    let count: i64 = row.column("count")?;
    Ok(((platform, operation, outcome), step, count.unsigned_abs()))
}
