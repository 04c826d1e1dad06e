//! Putting jobs in, and the writer that groups callers who each put in one.

use std::sync::Arc;

use automarket_core::{
    Error, Result,
    chrono::{DateTime, Utc},
    store::{
        Enqueued, NewJob,
        rows::{NewRow, are_alike, payload_of},
    },
};
use tokio_postgres::{Row, types::ToSql};
use uuid::{Uuid, Version};

use super::{fresh::Highest, lines::LineNumbers};
use crate::{
    db::{Database, Params, Tx},
    error::Outcome,
    together::{Together, WITHOUT_TURN, Waiting, answer_apart},
    value::{Columns as _, damaged},
};

// Jobs of one line that are due now and that nobody can have put in before: not looked for among the ended ones, which a
// claim does, and in no function, whose way costs a lone job as much. How long they wait is what put_alike is set to.
const PUT_ONE: &str = "INSERT INTO automarket.queue
        (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, payload)
    VALUES ($1, CASE WHEN set_config('lock_timeout', '3s', true) <> '' THEN nextval('automarket.places') << 20 END,
        $2, automarket.clock(), automarket.clock(), $3, $4, $5, $6, $7::text::json)";
const PUT_SEVERAL: &str = "INSERT INTO automarket.queue
        (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, payload)
    SELECT g.id, (first.place << 20) + g.n, $2, automarket.clock(), automarket.clock(), $3, $4, $5, $6, g.payload::json
    FROM (SELECT nextval('automarket.places') AS place, set_config('lock_timeout', '3s', true)) first,
        unnest($1::uuid[], $7::text[]) WITH ORDINALITY AS g (id, payload, n)";
const PUT_ALIKE: &str = "SELECT automarket.put_alike($1, $2, $3, $4, $5, $6, $7, $8, $9) AS line";
const PUT_NEW: &str = "SELECT automarket.put_new($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PUT: &str =
    "SELECT n, job, is_new FROM automarket.put_bounded($1, $2, $3, $4, $5, $6, $7, $8)";

/// So many jobs share an insert at the most, so that the first does not wait for ever.
const GROUP: usize = 1_000;
/// A call with more jobs than this is a batch, and gains nothing from company: it is the database that it waits for, and
/// not its disk.
const SMALL: usize = 16;

/// A job, and its payload as text.
pub(crate) type Written<'a> = (&'a NewJob, &'a str);

fn written(row: &NewRow) -> Written<'_> {
    (&row.job, &row.payload)
}

/// The payloads of jobs that may be put in.
pub(crate) fn payloads_of<'a>(jobs: impl IntoIterator<Item = &'a NewJob>) -> Result<Vec<String>> {
    jobs.into_iter().map(payload_of).collect()
}

/// Jobs with their payloads.
pub(crate) fn with_payloads<'a>(
    jobs: impl IntoIterator<Item = &'a NewJob>,
    payloads: &'a [String],
) -> impl Iterator<Item = Written<'a>> {
    jobs.into_iter().zip(payloads.iter().map(String::as_str))
}

/// Jobs as columns.
#[derive(Default)]
pub(crate) struct JobColumns<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<&'a str>,
    kinds: Vec<&'a str>,
    payloads: Vec<&'a str>,
    run_ats: Vec<Option<DateTime<Utc>>>,
    priorities: Vec<i16>,
    max_attempts: Vec<i64>,
    keys: Vec<Option<&'a str>>,
}

impl<'a> JobColumns<'a> {
    pub(crate) fn new(rows: impl IntoIterator<Item = Written<'a>>) -> Self {
        let mut columns = Self::default();
        for (job, payload) in rows {
            columns.ids.push(job.id.uuid());
            columns.tenants.push(job.tenant.as_str());
            columns.kinds.push(&job.kind);
            columns.payloads.push(payload);
            columns.run_ats.push(job.run_at);
            columns.priorities.push(job.priority);
            columns.max_attempts.push(job.max_attempts.into());
            columns.keys.push(job.unique_key.as_deref());
        }
        columns
    }

    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 8] {
        [
            &self.ids,
            &self.tenants,
            &self.kinds,
            &self.payloads,
            &self.run_ats,
            &self.priorities,
            &self.max_attempts,
            &self.keys,
        ]
    }

    /// One answer per job, in order.
    fn answers(&self, rows: Outcome<Vec<Row>>) -> Outcome<Vec<Enqueued>> {
        let rows =
            rows.map_err(|fault| fault.or_id_taken(self.ids.iter().map(|id| (*id).into())))?;
        let mut answers = vec![None; self.ids.len()];
        for row in rows {
            let (n, id): (i64, _) = (row.column("n")?, row.id("job")?);
            let new: bool = row.column("is_new")?;
            let place = usize::try_from(n - 1).ok();
            if let Some(answer) = place.and_then(|place| answers.get_mut(place)) {
                *answer = Some(if new {
                    Enqueued::New(id)
                } else {
                    Enqueued::Existing(id)
                });
            }
        }
        let whole: Option<Vec<Enqueued>> = answers.into_iter().collect();
        Ok(whole.ok_or_else(|| damaged("the answer of put_jobs"))?)
    }
}

/// Puts jobs in inside a transaction.
pub(crate) async fn enqueue(tx: &Tx<'_>, jobs: &[NewJob]) -> Outcome<Vec<Enqueued>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let payloads = payloads_of(jobs)?;
    let columns = JobColumns::new(with_payloads(jobs, &payloads));
    columns.answers(tx.rows(PUT, &columns.params()).await)
}

/// Puts jobs in outside a caller's transaction.
struct Inserts {
    db: Arc<Database>,
    lines: LineNumbers,
    highest: Highest,
}

impl Inserts {
    async fn put<'a>(&self, rows: impl IntoIterator<Item = Written<'a>>) -> Outcome<Vec<Enqueued>> {
        let rows: Vec<Written<'_>> = rows.into_iter().collect();
        if !rows.iter().any(|(job, _)| may_wait(job)) {
            match self.put_new(&rows).await {
                Ok(()) => {
                    let ids = rows.iter().map(|(job, _)| job.id);
                    return Ok(ids.map(Enqueued::New).collect());
                }
                Err(fault) if fault.is_known() => {}
                Err(fault) => return Err(fault),
            }
        }
        let columns = JobColumns::new(rows.iter().copied());
        columns.answers(self.db.rows(PUT, &columns.params()).await)
    }

    /// Puts jobs in of which none is known; if one is, they are refused.
    async fn put_new(&self, rows: &[Written<'_>]) -> Outcome<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(job, _)| job.id.uuid()).collect();
        let (Some(&lowest), Some(&highest)) = (ids.iter().min(), ids.iter().max()) else {
            return Ok(());
        };
        let fresh = self.highest.rises(lowest, highest);
        let alike = rows
            .first()
            .filter(|(first, _)| rows.iter().all(|(job, _)| are_alike(job, first)));
        let Some((job, _)) = alike else {
            let columns = JobColumns::new(rows.iter().copied());
            let [new @ .., _keys] = columns.params();
            let ends: [&(dyn ToSql + Sync); 2] = [&lowest, &highest];
            self.db
                .rows(PUT_NEW, &[&new[..], &ends[..]].concat())
                .await?;
            return Ok(());
        };
        let payloads: Vec<&str> = rows.iter().map(|(_, payload)| *payload).collect();
        let (tenant, kind, priority) = (job.tenant.as_str(), &job.kind, job.priority);
        let attempts = i64::from(job.max_attempts);
        let line = job.run_at.is_none().then(|| self.lines.of(job)).flatten();
        if fresh && let Some(line) = line {
            let [line, attempts, priority, kind, tenant]: [&(dyn ToSql + Sync); 5] =
                [&line, &attempts, &priority, kind, &tenant];
            match (&ids[..], &payloads[..]) {
                ([id], [payload]) => {
                    let params: Params<'_> = &[id, line, attempts, priority, kind, tenant, payload];
                    self.db.execute(PUT_ONE, params).await?
                }
                _ => {
                    let params: Params<'_> =
                        &[&ids, line, attempts, priority, kind, tenant, &payloads];
                    self.db.execute(PUT_SEVERAL, params).await?
                }
            };
            return Ok(());
        }
        let params: Params<'_> = &[
            &ids,
            &payloads,
            &tenant,
            kind,
            &job.run_at,
            &priority,
            &attempts,
            &lowest,
            &highest,
        ];
        let told = self.db.row(PUT_ALIKE, params).await?;
        if job.run_at.is_none()
            && let Some(told) = told
        {
            self.lines.note(job, told.column("line")?);
        }
        Ok(())
    }
}

/// Puts jobs in, small calls that come at the same time in company.
pub(crate) struct Writer {
    inserts: Arc<Inserts>,
    company: Together<Vec<NewRow>, Vec<Enqueued>>,
}

impl Writer {
    pub(crate) fn start(db: &Arc<Database>) -> Self {
        let inserts = Arc::new(Inserts {
            db: db.clone(),
            lines: LineNumbers::default(),
            highest: Highest::default(),
        });
        let company = {
            let inserts = inserts.clone();
            Together::start(1, WITHOUT_TURN, GROUP, Vec::len, move |group| {
                let inserts = inserts.clone();
                async move { write(&inserts, group).await }
            })
        };
        Self { inserts, company }
    }

    pub(super) async fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let apart = jobs.len() > SMALL || jobs.iter().any(may_wait);
        let turn = (!apart).then(|| self.company.alone()).flatten();
        if !apart && turn.is_none() {
            return self.company.call(NewRow::all(jobs)?).await;
        }
        let payloads = payloads_of(jobs)?;
        let rows = with_payloads(jobs, &payloads);
        Ok(self.inserts.put(rows).await?)
    }
}

/// Whether its insert may wait for somebody's transaction, since it has a unique key or an id that follows from something:
/// such jobs do not go in company.
fn may_wait(job: &NewJob) -> bool {
    job.unique_key.is_some() || job.id.uuid().get_version() != Some(Version::SortRand)
}

/// Writes a group and answers each of its calls. What the database refuses is tried again one by one, so that
/// nobody pays for another's mistake. (A caller that has gone does not want the answer.)
async fn write(inserts: &Inserts, group: Vec<Waiting<Vec<NewRow>, Vec<Enqueued>>>) {
    let rows = group.iter().flat_map(|waiting| &waiting.call);
    let put = inserts.put(rows.map(written)).await;
    let all = put.map(|answers| {
        let mut answers = answers.into_iter();
        let own =
            |waiting: &Waiting<Vec<NewRow>, _>| answers.by_ref().take(waiting.call.len()).collect();
        group.iter().map(own).collect()
    });
    for waiting in answer_apart(group, all) {
        let answer = inserts.put(waiting.call.iter().map(written)).await;
        let _ = waiting.answer(answer.map_err(Error::from));
    }
}
