use automarket_core::{
    AccountId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    store::{Attempt, AttemptStats, AttemptStore},
};
use rusqlite::{Row, params, types::Value};

use crate::{
    SqliteStore,
    error::{Fault, Outcome},
    value::{Columns, blob, from_json, micros, to_json},
    writer::{BATCH, Tx},
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
        let mut erased = 0;
        // Before all of them: an integer comes before a blob.
        let mut after = Some((Value::Integer(i64::MIN), i64::MIN));
        while let Some(from) = after {
            let (tenant, account) = (tenant.clone(), account.to_string());
            let call = self
                .inner
                .writer
                .call(move |tx| erase(tx, &tenant, &account, &from));
            let (some, next) = call.await?;
            erased += some;
            after = next;
        }
        if erased > 0 {
            // Once, not after each batch. They are erased, whatever becomes of it.
            let _ = self.inner.writer.call_wiped(|_| Ok(())).await;
        }
        Ok(erased)
    }
}

/// Where an attempt stands among its tenant's.
type Place = (Value, i64);

/// Erases those of an account among the next attempts behind this place: how many, and from where on to go on.
fn erase(
    tx: &Tx<'_>,
    tenant: &TenantId,
    account: &str,
    (publication, number): &Place,
) -> Outcome<(u64, Option<Place>)> {
    let mut next = tx.db.prepare_cached(
        "SELECT publication, number, json_extract(body, '$.route.account') IS ?2
         FROM automarket_attempts WHERE tenant = ?1 AND (publication, number) > (?3, ?4)
         ORDER BY publication, number LIMIT ?5",
    )?;
    let from = params![tenant.as_str(), account, publication, number, BATCH as i64];
    let next = next
        .query_map(from, |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, bool>(2)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut erased = 0;
    for ((_, number), _) in next.iter().filter(|(_, theirs)| *theirs) {
        tx.db
            .prepare_cached("DELETE FROM automarket_attempts WHERE number = ?1")?
            .execute([number])?;
        erased += 1;
    }
    tx.erased(erased);
    let more = next.len() == BATCH;
    let last = next.into_iter().next_back().filter(|_| more);
    Ok((erased as u64, last.map(|(place, _)| place)))
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
