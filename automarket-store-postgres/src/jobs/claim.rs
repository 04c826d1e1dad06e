//! Leasing ready jobs.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use automarket_core::{
    Error, ErrorRecord, Result,
    chrono::{DateTime, TimeDelta, Utc},
    store::{
        Claim, Failure, Job, JobState, Lease, LeaseToken, Verdict,
        rules::{Crash, last_chance},
    },
};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    admission::Admission,
    heads::Heads,
    settle::{self, End},
};
use crate::{
    db::{Database, Tx},
    error::{Fault, Outcome},
    together::{Together, WITHOUT_TURN, Waiting},
    value::{Columns, failure, from_json, payload},
};

/// Which tenant's turn was last, by priority, as its number. Each process goes round by itself: only fairness hangs on it.
#[derive(Default)]
struct Turns(Mutex<BTreeMap<i16, i64>>);

impl Turns {
    fn read(&self) -> (Vec<i16>, Vec<i64>) {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.iter().map(|(p, tenant)| (*p, *tenant)).unzip()
    }

    /// Notes the last of these in the order of turns: down the numbers, once round from the one after the last
    /// before.
    fn note(&self, taken: &[(i16, i64)]) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: BTreeMap<i16, i64> = BTreeMap::new();
        for &(priority, tenant) in taken {
            let last = turns.get(&priority);
            let round = |tenant| (last.is_some_and(|last| tenant >= *last), Reverse(tenant));
            let best = newest.entry(priority).or_insert(tenant);
            if round(tenant) > round(*best) {
                *best = tenant;
            }
        }
        turns.extend(newest);
    }
}

/// A lease's length in microseconds, at most 200,000 years: within every calendar that meets it.
pub(crate) fn micros(lease: Duration) -> i64 {
    const MOST: i64 = 200_000 * 365 * 86_400 * 1_000_000;
    i64::try_from(lease.as_micros()).map_or(MOST, |micros| micros.min(MOST))
}

const CLAIM: &str =
    "SELECT * FROM automarket.claim($1::text[], $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9)";
/// Of the kinds that are wanted only those of which there are jobs are gone through, once for each tenant.
const CLAIM_SOME: &str = "SELECT * FROM automarket.claim(
    ARRAY(SELECT k FROM unnest($1::text[]) k WHERE automarket.kind_number(k) IN (SELECT automarket.live_numbers())),
    $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9)";
/// Whatever else a clock that was set back since let into the line.
const PUT_BACK: &str = "UPDATE automarket.queue q
    SET line = automarket.line(q.kind, q.priority, q.tenant, false)
    WHERE q.ctid = ANY (ARRAY(
        SELECT q.ctid FROM automarket.queue q
        WHERE q.line >= 0 AND q.leased_until IS NULL AND q.run_at > automarket.clock()
        FOR UPDATE SKIP LOCKED))";
/// A claim takes at most so many.
const MOST: usize = 10_000;
/// Claims go together up to so many jobs: then the next ones claim while these are done.
const GROUP: usize = 400;

/// What this process knows of the lines.
#[derive(Default)]
struct Lines {
    turns: Turns,
    heads: Heads,
    admission: Admission,
}

/// Claims, those that wait at the same time as one: several at once would stand in each other's way at the head of
/// the same line.
pub(crate) struct Claims {
    lines: Arc<Lines>,
    together: Together<Claim, Vec<Lease>>,
}

impl Claims {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let lines = Arc::<Lines>::default();
        let known = lines.clone();
        let together = Together::start(
            2,
            WITHOUT_TURN,
            GROUP,
            |claim: &Claim| claim.limit,
            move |group| {
                let (db, lines) = (db.clone(), known.clone());
                async move { share(&db, &lines, group).await }
            },
        );
        Self { lines, together }
    }

    pub(super) async fn claim(&self, db: &Database, wanted: &Claim) -> Result<Vec<Lease>> {
        if wanted.job.is_some() {
            return Ok(claim(db, &self.lines, wanted).await?);
        }
        if let Some(_turn) = self.together.alone() {
            return Ok(claim(db, &self.lines, wanted).await?);
        }
        self.together.call(wanted.clone()).await
    }

    /// Something may have come back, or been put in, before what stands in the line.
    pub(crate) fn look_again(&self) {
        self.lines.heads.forget();
    }
}

/// Makes the claims of a group, equal ones in one, and shares out what they give.
async fn share(db: &Database, lines: &Lines, mut group: Vec<Waiting<Claim, Vec<Lease>>>) {
    while let Some(first) = group.first() {
        let mut all = first.call.clone();
        all.limit = 0;
        let (same, others): (Vec<_>, Vec<_>) = group.into_iter().partition(|waiting| {
            let own = &waiting.call;
            let fits = (&own.kinds, own.lease, own.max_crashes, own.among_others)
                == (&all.kinds, all.lease, all.max_crashes, all.among_others)
                && (all.limit == 0 || all.limit.saturating_add(own.limit) <= MOST);
            if fits {
                all.limit = all.limit.saturating_add(own.limit);
            }
            fits
        });
        group = others;
        match claim(db, lines, &all).await {
            Ok(leases) => {
                let mut leases = leases.into_iter();
                for waiting in same {
                    let own = leases.by_ref().take(waiting.call.limit).collect();
                    if let Err(Ok(left)) = waiting.answer(Ok(own)) {
                        give_back(db, &left).await;
                    }
                }
            }
            Err(fault) => {
                let error = Error::from(fault);
                for waiting in same {
                    let _ = waiting.answer(Err(ErrorRecord::from(&error).into()));
                }
            }
        }
    }
}

/// Hands back what was taken for somebody who has gone. What cannot be handed back runs out.
async fn give_back(db: &Database, leases: &[Lease]) {
    let back = leases.iter().map(|lease| (lease.token, Verdict::Release));
    let _ = settle::settle(db, &back.collect::<Vec<_>>()).await;
}

async fn claim(db: &Database, lines: &Lines, claim: &Claim) -> Outcome<Vec<Lease>> {
    let mut leases = Vec::new();
    let all = lease_ready(db, lines, claim, &mut leases).await;
    // What is leased by now is its caller's whatever came after: nobody else could do it, and it would count a
    // crash. The next claim meets the rest again.
    if let Err(fault) = all
        && leases.is_empty()
    {
        return Err(fault);
    }
    leases.sort_by_key(|(place, lease)| (Reverse(lease.job.priority), lease.job.run_at, *place));
    Ok(leases.into_iter().map(|(_, lease)| lease).collect())
}

async fn lease_ready(
    db: &Database,
    lines: &Lines,
    claim: &Claim,
    leases: &mut Vec<(i64, Lease)>,
) -> Outcome<()> {
    let Lines {
        turns,
        heads,
        admission,
    } = lines;
    let kinds = (!claim.kinds.is_empty()).then_some(&claim.kinds);
    let only = claim.job.map(|id| id.uuid());
    let limit = claim.limit.min(MOST);
    if only.is_none() {
        admission.look(db).await;
    }
    while leases.len() < limit {
        let room = limit - leases.len();
        let (priorities, last) = turns.read();
        let sent = heads.send()?;
        let rows = db
            .rows(
                if kinds.is_some() { CLAIM_SOME } else { CLAIM },
                &[
                    &kinds,
                    &only,
                    &i32::try_from(room).unwrap_or(i32::MAX),
                    &micros(claim.lease),
                    &last,
                    &priorities,
                    &sent.heads,
                    &sent.since,
                    &lends(claim),
                ],
            )
            .await?;
        let mut turn = Vec::new();
        let mut taken = Vec::new();
        let mut expired = Vec::new();
        let (mut back, mut early) = (Vec::new(), false);
        let before = leases.len();
        for row in &rows {
            turn.push((row.column(5)?, row.column(18)?));
            if row.column(16)? {
                expired.push((row.column::<Uuid>(0)?, row.column::<i64>(10)?));
                continue;
            }
            match lease(row) {
                Ok(lease) if is_early(&lease, claim) => {
                    early = true;
                    let at = lease.job.run_at;
                    back.push((lease.token, Verdict::Snooze { at }));
                }
                Ok(lease) => {
                    taken.push((row.column(17)?, lease.job.run_at));
                    leases.push((row.column(1)?, lease));
                }
                Err(fault) => back.push(unreadable(row, fault)?),
            }
        }
        if only.is_none() {
            turns.note(&turn);
            admission.note(rows.len() == room);
            // With less there is nothing left to walk to.
            if let Some((_, newest)) = leases.get(before)
                && rows.len() == room
            {
                let at = newest.expires_at - TimeDelta::microseconds(micros(claim.lease));
                heads.note(&sent, at, &taken);
            }
        }
        if !back.is_empty() {
            settle::settle(db, &back).await?;
        }
        if early {
            db.execute(PUT_BACK, &[]).await?;
        }
        // Those found dead, or held again meanwhile, leave room for others.
        if !expired.is_empty() {
            leases.extend(rescue(db, &expired, claim).await?);
        }
        if only.is_some() || (expired.is_empty() && back.is_empty()) {
            break;
        }
    }
    Ok(())
}

/// Whether a clock that was set back since let it into the line. (What is put in while a claim is made is younger than
/// that, a little.)
fn is_early(lease: &Lease, claim: &Claim) -> bool {
    let claimed_at = lease.expires_at - TimeDelta::microseconds(micros(claim.lease));
    lease.job.run_at > claimed_at + TimeDelta::seconds(1)
}

/// The end of a job whose row cannot be read: some host wrote what the library never would. Its tenant finds it among
/// the dead.
fn unreadable(row: &Row, fault: Fault) -> Outcome<(LeaseToken, Verdict)> {
    let token = LeaseToken {
        job: row.id("id")?,
        fence: row.column("fence")?,
    };
    let column = if row.tenant().is_err() {
        "tenant"
    } else if row.long_count("max_attempts").is_err() {
        "max_attempts"
    } else if row.instant("run_at").is_err() {
        "run_at"
    } else {
        "column"
    };
    let error = Error::from(fault).about(&format!("the job's {column}"));
    Ok((token, Verdict::Bury(ErrorRecord::from(&error))))
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
    let sql = "SELECT id, fence, attempts, coalesce(crashes, 0) AS crashes, max_attempts, in_trust
        FROM automarket.queue WHERE id = ANY ($1) AND leased_until <= automarket.clock() ORDER BY id
        FOR UPDATE SKIP LOCKED";
    let (mut live, mut dead, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for row in tx.rows(sql, &[&ids]).await? {
        let (id, fence): (Uuid, i64) = (row.column("id")?, row.column("fence")?);
        if !expired.contains(&(id, fence)) {
            continue;
        }
        if row.column("in_trust")? {
            live.push(id);
            continue;
        }
        let attempts = row.count("attempts")?;
        let crash = Crash::new(
            row.count("crashes")?.saturating_add(1),
            claim.max_crashes,
            attempts,
            // What cannot be read is judged once it is taken.
            row.long_count("max_attempts").unwrap_or(u32::MAX),
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
    let leases = take(&tx, &live, claim).await?;
    tx.commit().await?;
    Ok(leases)
}

/// Leases jobs whose lease ran out, counting that as a crash unless they were only lent.
async fn take(tx: &Tx<'_>, ids: &[Uuid], claim: &Claim) -> Outcome<Vec<(i64, Lease)>> {
    let sql = "UPDATE automarket.queue q SET
            fence = automarket.next_fence(fence, (extract(epoch FROM automarket.clock()) * 1000000)::bigint),
            attempts = attempts + (NOT in_trust)::integer,
            crashes = coalesce(crashes, 0) + (NOT in_trust)::integer,
            in_trust = coalesce(coalesce(crashes, 0) + (NOT in_trust)::integer >= $3, false),
            leased_until = automarket.clock() + $2 * interval '1 microsecond'
        WHERE id = ANY ($1)
        RETURNING id, place, tenant, kind, payload::text, priority, max_attempts, unique_key, created_at,
            run_at, fence, attempts, crashes, leased_until, automarket.failures_of(id) AS failures, in_trust";
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let params: crate::db::Params<'_> = &[&ids, &(micros(claim.lease) as f64), &lends(claim)];
    let (mut leases, mut odd) = (Vec::new(), Vec::new());
    for row in &tx.rows(sql, params).await? {
        match lease(row) {
            Ok(lease) => leases.push((row.column(1)?, lease)),
            Err(fault) => odd.push(unreadable(row, fault)?),
        }
    }
    settle::settle_mixed(tx, settle::firsts(&odd), &settle::Complete::default()).await?;
    Ok(leases)
}

/// From so many crashes on a job is only lent; see [`Claim::lends`].
fn lends(claim: &Claim) -> Option<i32> {
    let from = last_chance(claim.max_crashes);
    claim
        .among_others
        .then(|| i32::try_from(from).unwrap_or(i32::MAX))
}

/// Of the columns that `automarket.claim` returns, by their places: there are many of these rows.
fn lease(row: &Row) -> Outcome<Lease> {
    let job = Job {
        id: row.id(0)?,
        tenant: row.tenant_at(2)?,
        kind: row.column(3)?,
        payload: payload(row.column(4)?),
        state: JobState::Leased,
        run_at: row.instant(9)?,
        priority: row.column(5)?,
        attempts: row.count(11)?,
        crashes: row.count(12)?,
        max_attempts: row.long_count(6)?,
        unique_key: row.column(7)?,
        fence: row.column(10)?,
        result: None,
        failures: failures(row.column(14)?)?,
        created_at: row.instant(8)?,
        finished_at: None,
    };
    Ok(Lease {
        token: LeaseToken {
            job: job.id,
            fence: job.fence,
        },
        job,
        expires_at: row.instant(13)?,
        in_trust: row.column(15)?,
    })
}

/// What `automarket.failures_of` gives.
pub(super) fn failures(text: Option<&str>) -> Outcome<Vec<Failure>> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let failures: Vec<(u32, DateTime<Utc>, Value)> = from_json(text)?;
    let failure = |(attempt, at, error): (_, _, Value)| Failure {
        attempt,
        at,
        error: failure(&error.to_string()),
    };
    Ok(failures.into_iter().map(failure).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_turn_is_the_farthest_round() {
        let turns = Turns::default();
        let note = |lines: &[i64]| {
            let taken: Vec<_> = lines.iter().map(|line| (0, *line)).collect();
            turns.note(&taken);
            turns.read().1
        };
        assert_eq!(note(&[1, 2]), [1]);
        assert_eq!(note(&[4, 2]), [2]);
        assert_eq!(note(&[1, 3]), [3], "3 came after 1, once round");
    }
}
