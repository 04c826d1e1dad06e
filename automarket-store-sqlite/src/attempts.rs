use automarket_core::{
    AccountId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Attempt, AttemptStats, AttemptStore},
};
use rusqlite::{Row, params};

use crate::{
    SqliteStore,
    error::{Fault, Outcome},
    value::{Columns, blob, from_json, micros, to_json},
    writer::Tx,
};

/// An attempt whose record is written out already, so that the writer need not.
pub(crate) struct AttemptRow {
    attempt: Attempt,
    body: String,
}

impl AttemptRow {
    pub(crate) fn all(attempts: &[Attempt]) -> Result<Vec<Self>> {
        let row = |attempt: &Attempt| {
            Ok(Self {
                body: to_json(attempt)?,
                attempt: attempt.clone(),
            })
        };
        attempts.iter().map(row).collect()
    }
}

pub(crate) fn append(tx: &Tx<'_>, attempts: &[AttemptRow]) -> Outcome<()> {
    let mut insert = tx.db.prepare_cached(
        "INSERT INTO automarket_attempts
            (tenant, publication, platform, operation, outcome, latency, ended_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for AttemptRow { attempt, body } in attempts {
        insert.execute(params![
            attempt.tenant.as_str(),
            blob(attempt.publication),
            attempt.route.platform.as_str(),
            attempt.operation.as_str(),
            attempt.outcome.as_str(),
            attempt.latency_step(),
            micros(attempt.ended),
            body
        ])?;
    }
    Ok(())
}

#[async_trait]
impl AttemptStore for SqliteStore {
    async fn attempts(
        &self,
        tenant: &TenantId,
        publication: PublicationId,
    ) -> Result<Vec<Attempt>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT body FROM automarket_attempts WHERE tenant = ?1 AND publication = ?2
                 ORDER BY number",
            )?
            .query_and_then(params![tenant.as_str(), blob(publication)], |row| {
                row.json("body")
            })?
            .collect()
        });
        read.await
    }

    async fn attempt_stats(
        &self,
        tenant: Option<&TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<AttemptStats>> {
        let tenant = tenant.cloned();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT platform, operation, outcome, latency, count(*) AS count
                 FROM automarket_attempts WHERE ended_at >= ?1 AND (?2 IS NULL OR tenant = ?2)
                 GROUP BY platform, operation, outcome, latency",
            )?
            .query_and_then(
                params![micros(since), tenant.as_ref().map(TenantId::as_str)],
                counts,
            )?
            .collect::<Outcome<Vec<_>>>()
        });
        Ok(AttemptStats::of(read.await?))
    }

    async fn erase_attempts_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64> {
        let (tenant, account) = (tenant.clone(), account.to_string());
        let call = self.inner.writer.call(move |tx| {
            let erased = tx
                .db
                .prepare_cached(
                    "DELETE FROM automarket_attempts
                     WHERE tenant = ?1 AND json_extract(body, '$.route.account') = ?2",
                )?
                .execute(params![tenant.as_str(), account])?;
            Ok(erased as u64)
        });
        call.await
    }
}

fn counts(row: &Row<'_>) -> Outcome<(automarket_core::store::AttemptSort, u16, u64)> {
    let word = |name| row.column::<String>(name);
    let platform = word("platform")?.parse().map_err(Fault::Ours)?;
    let operation = from_json(&to_json(&word("operation")?)?)?;
    let outcome = from_json(&to_json(&word("outcome")?)?)?;
    let count: i64 = row.column("count")?;
    Ok((
        (platform, operation, outcome),
        row.column("latency")?,
        count.unsigned_abs(),
    ))
}
