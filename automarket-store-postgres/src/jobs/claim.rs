//! Leasing ready jobs.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use automarket_core::{
    ErrorRecord,
    chrono::{DateTime, Utc},
    store::{Claim, Crash, Failure, Job, JobState, Lease, LeaseToken},
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::settle::{self, End};
use crate::{
    db::{Database, Tx},
    error::Outcome,
    value::{Columns, from_json},
};

/// Which tenant's turn was last, by priority. Each process goes round by itself: only fairness hangs on it.
#[derive(Default)]
pub(crate) struct Turns(Mutex<BTreeMap<i16, String>>);

impl Turns {
    fn read(&self) -> (Vec<i16>, Vec<String>) {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.iter().map(|(p, t)| (*p, t.clone())).unzip()
    }

    /// Notes the last of these in the order of turns: down the names, once round from the one after the last
    /// before.
    fn note(&self, taken: &[(i16, String)]) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: BTreeMap<i16, &String> = BTreeMap::new();
        for (priority, tenant) in taken {
            let last = turns.get(priority);
            let round = |tenant: &String| {
                let again = last.is_some_and(|last| tenant >= last);
                (again, Reverse(tenant.clone()))
            };
            let best = newest.entry(*priority).or_insert(tenant);
            if round(tenant) > round(best) {
                *best = tenant;
            }
        }
        let newest: Vec<_> = newest.into_iter().map(|(p, t)| (p, t.clone())).collect();
        turns.extend(newest);
    }
}

/// A lease's length in microseconds, at most 200,000 years: within every calendar that meets it.
pub(crate) fn micros(lease: Duration) -> i64 {
    const MOST: i64 = 200_000 * 365 * 86_400 * 1_000_000;
    i64::try_from(lease.as_micros()).map_or(MOST, |micros| micros.min(MOST))
}

const CLAIM: &str = "SELECT * FROM automarket.claim($1, $2, $3, $4, $5, $6)";

pub(super) async fn claim(db: &Database, turns: &Turns, claim: &Claim) -> Outcome<Vec<Lease>> {
    let kinds = (!claim.kinds.is_empty()).then_some(&claim.kinds);
    let only = claim.job.map(|id| id.uuid());
    let limit = claim.limit.min(10_000);
    let mut leases: Vec<(i64, Lease)> = Vec::new();
    while leases.len() < limit {
        let room = i32::try_from(limit - leases.len()).unwrap_or(i32::MAX);
        let (priorities, tenants) = turns.read();
        let rows = db
            .rows(
                CLAIM,
                &[
                    &kinds,
                    &only,
                    &room,
                    &micros(claim.lease),
                    &priorities,
                    &tenants,
                ],
            )
            .await?;
        let mut taken = Vec::new();
        let mut expired = Vec::new();
        for row in &rows {
            taken.push((row.column("priority")?, row.column("tenant")?));
            if row.column("expired")? {
                expired.push((row.column::<Uuid>("id")?, row.column::<i64>("fence")?));
            } else {
                leases.push((row.column("place")?, lease(row)?));
            }
        }
        if only.is_none() {
            turns.note(&taken);
        }
        if expired.is_empty() {
            break;
        }
        // Those found dead, or held again meanwhile, leave room for others.
        leases.extend(rescue(db, &expired, claim).await?);
        if only.is_some() {
            break;
        }
    }
    leases.sort_by_key(|(place, lease)| {
        (
            std::cmp::Reverse(lease.job.priority),
            lease.job.run_at,
            *place,
        )
    });
    Ok(leases.into_iter().map(|(_, lease)| lease).collect())
}

/// Leases jobs whose lease ran out, or buries them: the crash, its failure and the new lease in one
/// transaction.
async fn rescue(
    db: &Database,
    expired: &[(Uuid, i64)],
    claim: &Claim,
) -> Outcome<Vec<(i64, Lease)>> {
    let mut connection = db.connection().await?;
    let tx = connection.begin().await?;
    let ids: Vec<Uuid> = expired.iter().map(|(id, _)| *id).collect();
    let sql = "SELECT id, fence, attempts, crashes, max_attempts FROM automarket.queue
        WHERE id = ANY ($1) AND leased AND due_at <= automarket.clock() ORDER BY id
        FOR UPDATE SKIP LOCKED";
    let (mut live, mut dead, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for row in tx.rows(sql, &[&ids]).await? {
        let (id, fence): (Uuid, i64) = (row.column("id")?, row.column("fence")?);
        if !expired.contains(&(id, fence)) {
            continue;
        }
        let attempts = row.count("attempts")?;
        let crash = Crash::new(
            row.count("crashes")?.saturating_add(1),
            claim.max_crashes,
            attempts,
            row.long_count("max_attempts")?,
        );
        failures.push((id, attempts, crash.failure));
        if crash.dead {
            dead.push(End {
                id,
                state: JobState::Dead,
                crashed: true,
            });
        } else {
            live.push(id);
        }
    }
    settle::add_failures(&tx, &failures).await?;
    settle::end(&tx, &dead).await?;
    let leases = take(&tx, &live, claim.lease).await?;
    tx.commit().await?;
    Ok(leases)
}

async fn take(tx: &Tx<'_>, ids: &[Uuid], lease_for: Duration) -> Outcome<Vec<(i64, Lease)>> {
    let sql = "UPDATE automarket.queue q SET fence = fence + 1, attempts = attempts + 1,
            crashes = crashes + 1, due_at = automarket.clock() + $2 * interval '1 microsecond'
        WHERE id = ANY ($1)
        RETURNING id, place, tenant, kind, payload::text, priority, max_attempts, unique_key, created_at,
            run_at, fence, attempts, crashes, due_at, automarket.failures_of(id) AS failures";
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let params: crate::db::Params<'_> = &[&ids, &(micros(lease_for) as f64)];
    let rows = tx.rows(sql, params).await?;
    rows.iter()
        .map(|row| Ok((row.column("place")?, lease(row)?)))
        .collect()
}

fn lease(row: &Row) -> Outcome<Lease> {
    let job = Job {
        id: row.id("id")?,
        tenant: row.tenant()?,
        kind: row.column("kind")?,
        payload: row.json("payload")?,
        state: JobState::Leased,
        run_at: row.instant("run_at")?,
        priority: row.column("priority")?,
        attempts: row.count("attempts")?,
        crashes: row.count("crashes")?,
        max_attempts: row.long_count("max_attempts")?,
        unique_key: row.column("unique_key")?,
        fence: row.column("fence")?,
        result: None,
        failures: failures(row)?,
        created_at: row.instant("created_at")?,
        finished_at: None,
    };
    Ok(Lease {
        token: LeaseToken {
            job: job.id,
            fence: job.fence,
        },
        job,
        expires_at: row.instant("due_at")?,
        in_trust: false,
    })
}

/// The column `failures`, as `automarket.failures_of` gives it.
pub(super) fn failures(row: &Row) -> Outcome<Vec<Failure>> {
    let Some(text) = row.column::<Option<&str>>("failures")? else {
        return Ok(Vec::new());
    };
    let failures: Vec<(u32, DateTime<Utc>, ErrorRecord)> = from_json(text)?;
    let failure = |(attempt, at, error)| Failure { attempt, at, error };
    Ok(failures.into_iter().map(failure).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_turn_is_the_farthest_round() {
        let turns = Turns::default();
        let note = |tenants: &[&str]| {
            let taken: Vec<_> = tenants.iter().map(|t| (0, (*t).to_owned())).collect();
            turns.note(&taken);
            turns.read().1
        };
        assert_eq!(note(&["a", "b"]), ["a"]);
        assert_eq!(note(&["d", "b"]), ["b"]);
        assert_eq!(note(&["a", "c"]), ["c"], "c came after a, once round");
    }
}
