//! Prolonging and ending leases; what else ends or revives a job.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use automarket_core::{
    Error, ErrorRecord, JobId, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{JobState, LeaseToken, Settled, Verdict, rows::ended_state, rules::FAILURES_KEPT},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::claim::micros;
use crate::{
    db::{Connection, Database, Tx},
    error::Outcome,
    together::{Together, WITHOUT_TURN, Waiting, answer_all},
    value::{Columns, limit as sql_limit, to_json},
};

/// So many verdicts share a completion at the most.
const GROUP: usize = 400;
const COMPLETE: &str = "SELECT automarket.complete($1, $2, $3) AS id";

type Verdicts<'a> = Vec<(LeaseToken, &'a Verdict)>;

/// The verdicts of one call.
type Given = Vec<(LeaseToken, Verdict)>;

/// Settles leases; completions go together with those of other callers.
pub(crate) struct Settler(Together<Given, Vec<Settled>>);

impl Settler {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        Self(Together::start(
            2,
            WITHOUT_TURN,
            GROUP,
            Vec::len,
            move |group| {
                let db = db.clone();
                async move { complete_all(&db, group).await }
            },
        ))
    }

    pub(super) async fn settle(
        &self,
        db: &Database,
        verdicts: &[(LeaseToken, Verdict)],
    ) -> Result<Vec<Settled>> {
        if verdicts.is_empty() {
            return Ok(Vec::new());
        }
        // The others may have to wait for their rows.
        let well = |(_, verdict): &(LeaseToken, Verdict)| matches!(verdict, Verdict::Complete(_));
        if !verdicts.iter().all(well) {
            return Ok(settle(db, verdicts).await?);
        }
        if let Some(_turn) = self.0.alone() {
            return Ok(settle(db, verdicts).await?);
        }
        self.0.call(verdicts.to_vec()).await
    }
}

/// Writes a group of completions and answers each of its calls, as those of jobs that are put in.
async fn complete_all(db: &Database, group: Vec<Waiting<Given, Vec<Settled>>>) {
    let verdicts = firsts(group.iter().flat_map(|waiting| &waiting.call));
    let all = complete(db, &verdicts).await.map(|mut took| {
        let calls = group.iter().map(|waiting| &waiting.call);
        calls.map(|call| answers(&mut took, call)).collect()
    });
    for waiting in answer_all(group, all) {
        let answer = settle(db, &waiting.call).await.map_err(Error::from);
        let _ = waiting.answer(answer);
    }
}

pub(super) async fn settle(
    db: &Database,
    verdicts: &[(LeaseToken, Verdict)],
) -> Outcome<Vec<Settled>> {
    let firsts = firsts(verdicts);
    let mut took = if firsts
        .iter()
        .all(|(_, v)| matches!(v, Verdict::Complete(_)))
    {
        complete(db, &firsts).await?
    } else {
        // Written out before it begins: the server ends a transaction that stands still.
        let completed = Complete::new(&firsts)?;
        let mut connection = db.connection().await?;
        let tx = connection.begin().await?;
        let took = settle_mixed(&tx, firsts, &completed).await?;
        tx.commit().await?;
        took
    };
    Ok(answers(&mut took, verdicts))
}

/// The first verdict of a lease ends it. Locked in the order of the ids, so that calls do not block each other for
/// good.
pub(super) fn firsts<'a>(
    verdicts: impl IntoIterator<Item = &'a (LeaseToken, Verdict)>,
) -> Verdicts<'a> {
    let mut seen = HashSet::new();
    let mut firsts: Verdicts<'a> = verdicts.into_iter().map(|(t, v)| (*t, v)).collect();
    firsts.retain(|(token, _)| seen.insert(*token));
    firsts.sort_by_key(|(token, _)| token.job);
    firsts
}

async fn complete(db: &Database, verdicts: &[(LeaseToken, &Verdict)]) -> Outcome<Took> {
    if verdicts.is_empty() {
        return Ok(Took::new());
    }
    let complete = Complete::new(verdicts)?;
    complete.took(&db.rows(COMPLETE, &complete.params()).await?)
}

fn answers(took: &mut Took, verdicts: &[(LeaseToken, Verdict)]) -> Vec<Settled> {
    let answer = |(token, _): &(LeaseToken, Verdict)| match took.remove(token) {
        Some(state) => Settled::Now(state),
        None => Settled::LeaseLost,
    };
    verdicts.iter().map(answer).collect()
}

type Took = HashMap<LeaseToken, JobState>;

/// Completions as columns.
#[derive(Default)]
pub(super) struct Complete {
    ids: Vec<Uuid>,
    fences: Vec<i64>,
    results: Vec<String>,
}

impl Complete {
    fn new(verdicts: &[(LeaseToken, &Verdict)]) -> Outcome<Self> {
        let mut columns = Self::default();
        for (token, verdict) in verdicts {
            if let Verdict::Complete(result) = verdict {
                columns.ids.push(token.job.uuid());
                columns.fences.push(token.fence);
                columns.results.push(to_json(result)?);
            }
        }
        Ok(columns)
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 3] {
        [&self.ids, &self.fences, &self.results]
    }

    fn took(&self, rows: &[tokio_postgres::Row]) -> Outcome<Took> {
        let done = rows.iter().map(|row| row.column::<Uuid>(0));
        let done: HashSet<Uuid> = done.collect::<Outcome<_>>()?;
        // Of several fences of one job only the one in the row held it; completion removed that row, so the
        // highest is the one that could.
        let mut held: HashMap<Uuid, i64> = HashMap::with_capacity(done.len());
        for (id, fence) in self.ids.iter().zip(&self.fences) {
            if done.contains(id) {
                let most = held.entry(*id).or_insert(*fence);
                *most = (*most).max(*fence);
            }
        }
        let token = |(id, fence): (Uuid, i64)| LeaseToken {
            job: id.into(),
            fence,
        };
        let held = held.into_iter().map(token);
        Ok(held.map(|token| (token, JobState::Completed)).collect())
    }
}

/// How a live job ends without a result.
pub(super) struct End {
    pub(super) id: Uuid,
    pub(super) state: JobState,
    /// Whether this end counts a crash.
    pub(super) crashed: bool,
}

/// Jobs that wait again.
#[derive(Default)]
struct Again {
    ids: Vec<Uuid>,
    run_ats: Vec<Option<DateTime<Utc>>>,
    attempts: Vec<i32>,
}

pub(super) async fn settle_mixed(
    tx: &Tx<'_>,
    verdicts: Verdicts<'_>,
    completed: &Complete,
) -> Outcome<Took> {
    if verdicts.is_empty() {
        return Ok(Took::new());
    }
    let ids: Vec<Uuid> = verdicts.iter().map(|(token, _)| token.job.uuid()).collect();
    let sql = "SELECT id, fence, attempts, max_attempts FROM automarket.queue
        WHERE id = ANY ($1) AND leased_until IS NOT NULL ORDER BY id FOR UPDATE";
    let mut held = HashMap::new();
    for row in tx.rows(sql, &[&ids]).await? {
        let token = LeaseToken {
            job: row.id("id")?,
            fence: row.column("fence")?,
        };
        held.insert(
            token,
            // One that cannot be read is only buried, whatever it says.
            (
                row.count("attempts")?,
                row.long_count("max_attempts").unwrap_or(0),
            ),
        );
    }
    let (mut took, mut waiting) = (Took::new(), Again::default());
    let (mut ended, mut failures) = (Vec::new(), Vec::new());
    for (token, verdict) in verdicts {
        let Some((attempts, max_attempts)) = held.get(&token).copied() else {
            continue;
        };
        let id = token.job.uuid();
        if matches!(verdict, Verdict::Complete(_)) {
            took.insert(token, JobState::Completed);
            continue;
        }
        let next = verdict.clone().resolve(attempts, max_attempts);
        took.insert(token, next.state);
        if let Some(error) = next.failure {
            failures.push((id, attempts, error));
        }
        if next.state == JobState::Waiting {
            waiting.ids.push(id);
            waiting.run_ats.push(next.run_at);
            waiting
                .attempts
                .push(i32::try_from(next.attempts).unwrap_or(i32::MAX));
        } else {
            ended.push(End {
                id,
                state: next.state,
                crashed: false,
            });
        }
    }
    if !completed.ids.is_empty() {
        // It takes those whose lease is held.
        tx.rows(COMPLETE, &completed.params()).await?;
    }
    add_failures(tx, &failures).await?;
    end(tx, &ended).await?;
    let sql = "UPDATE automarket.queue q SET leased_until = NULL, run_at = coalesce(t.run_at, q.run_at), attempts = t.attempts,
            line = automarket.line(
                q.kind, q.priority, q.tenant, coalesce(t.run_at, q.run_at) <= automarket.clock())
        FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[]) AS t (id, run_at, attempts)
        WHERE q.id = ANY ($1) AND q.id = t.id";
    if !waiting.ids.is_empty() {
        tx.execute(sql, &[&waiting.ids, &waiting.run_ats, &waiting.attempts])
            .await?;
    }
    Ok(took)
}

/// Moves live jobs out of the queue; what nobody could read in them becomes what can be, so that they can be shown and
/// redriven.
pub(super) async fn end(tx: &Tx<'_>, ends: &[End]) -> Outcome<()> {
    let sql = "WITH gone AS (
            DELETE FROM automarket.queue q
            USING unnest($1::uuid[], $2::text[], $3::integer[]) AS t (id, state, crashes)
            WHERE q.id = ANY ($1) AND q.id = t.id RETURNING q.*, t.state, t.crashes AS more)
        INSERT INTO automarket.ended
            (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, kind, priority,
            max_attempts, unique_key, created_at, payload)
        SELECT id, place, CASE WHEN isfinite(run_at) THEN run_at ELSE created_at END, automarket.clock(), coalesce(fence, 0),
            coalesce(attempts, 0), coalesce(crashes, 0) + more, tenant, state, kind, priority,
            least(greatest(max_attempts, 0), 4294967295), unique_key, created_at, payload FROM gone";
    if ends.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ends.iter().map(|end| end.id).collect();
    let states: Vec<Option<&str>> = ends.iter().map(|end| ended_state(end.state)).collect();
    let crashes: Vec<i32> = ends.iter().map(|end| i32::from(end.crashed)).collect();
    tx.execute(sql, &[&ids, &states, &crashes]).await?;
    Ok(())
}

/// Adds a failure to the history of each job, and drops what is too old.
pub(super) async fn add_failures(
    tx: &Tx<'_>,
    failures: &[(Uuid, u32, ErrorRecord)],
) -> Outcome<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = failures.iter().map(|(id, ..)| *id).collect();
    let attempts = failures
        .iter()
        .map(|(_, n, _)| i32::try_from(*n).unwrap_or(i32::MAX));
    let attempts: Vec<i32> = attempts.collect();
    let errors = failures.iter().map(|(.., error)| to_json(error));
    let errors: Vec<String> = errors.collect::<Result<_, _>>()?;
    let add = "INSERT INTO automarket.failures (job, number, attempt, at, error)
        SELECT t.id, coalesce((SELECT max(f.number) FROM automarket.failures f WHERE f.job = t.id), 0) + 1,
            t.attempt, automarket.clock(), t.error::json
        FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS t (id, attempt, error)";
    tx.execute(add, &[&ids, &attempts, &errors]).await?;
    let trim = "DELETE FROM automarket.failures f WHERE f.job = ANY ($1) AND f.number <= $2 +
        (SELECT max(n.number) FROM automarket.failures n WHERE n.job = f.job)";
    tx.execute(trim, &[&ids, &-sql_limit(FAILURES_KEPT)])
        .await?;
    Ok(())
}

/// Prolongs leases; returns those that could not be.
pub(crate) async fn prolong(
    db: &Connection<'_>,
    leases: &[LeaseToken],
    lease: Duration,
) -> Outcome<Vec<LeaseToken>> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let mut sorted = leases.to_vec();
    sorted.sort_by_key(|token| token.job);
    let ids: Vec<Uuid> = sorted.iter().map(|token| token.job.uuid()).collect();
    let fences: Vec<i64> = sorted.iter().map(|token| token.fence).collect();
    let sql = "SELECT job, held FROM automarket.prolong($1, $2, $3)";
    let mut held = HashSet::new();
    for row in db.rows(sql, &[&ids, &fences, &micros(lease)]).await? {
        held.insert(LeaseToken {
            job: row.id("job")?,
            fence: row.column("held")?,
        });
    }
    Ok(leases
        .iter()
        .filter(|token| !held.contains(token))
        .copied()
        .collect())
}

pub(super) async fn cancel(db: &Database, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    let sql = "WITH gone AS (
            DELETE FROM automarket.queue WHERE id = $1 AND tenant = $2 AND leased_until IS NULL RETURNING *)
        INSERT INTO automarket.ended
            (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, kind, priority,
            max_attempts, unique_key, created_at, payload)
        SELECT id, place, run_at, automarket.clock(), coalesce(fence, 0), coalesce(attempts, 0), coalesce(crashes, 0),
            tenant, 'cancelled', kind, priority, max_attempts, unique_key, created_at, payload FROM gone
        ON CONFLICT DO NOTHING"; // What was gone already was a late repeat.
    Ok(db.execute(sql, &[&id.uuid(), &tenant.as_str()]).await? > 0)
}

pub(super) async fn redrive(db: &Database, tenant: &TenantId, id: JobId) -> Outcome<bool> {
    // The ended row is locked first, so that two redrives do not both find it.
    let sql = "WITH dead AS (
            SELECT e.* FROM automarket.ended e
            WHERE e.id = $1 AND e.tenant = $2 AND e.state = 'dead' FOR UPDATE
        ), late AS ( -- A repeat that no claim has met yet.
            DELETE FROM automarket.queue q USING dead WHERE q.id = dead.id RETURNING q.id
        ), back AS (
            INSERT INTO automarket.queue
                (id, place, line, run_at, created_at, max_attempts, fence, priority, kind, tenant, unique_key, payload)
            SELECT id, place, automarket.line(kind, priority, tenant, true), automarket.clock(), created_at,
                max_attempts, fence, priority, kind, tenant, unique_key, payload
            FROM dead, automarket.bounded(), (SELECT count(*) FROM late) late
            ON CONFLICT DO NOTHING RETURNING id)
        DELETE FROM automarket.ended e USING back b WHERE e.id = b.id";
    Ok(db.execute(sql, &[&id.uuid(), &tenant.as_str()]).await? > 0)
}
