//! Putting jobs in, and the writer that groups callers who each put in one.

use std::sync::Arc;

use automarket_core::{
    Error, ErrorKind, ErrorRecord, Result,
    chrono::{DateTime, Utc},
    store::{Enqueued, NewJob, rows::NewRow},
};
use tokio_postgres::{Row, types::ToSql};
use uuid::{Uuid, Version};

use crate::{
    db::{Database, Tx},
    error::Outcome,
    together::{Together, Waiting},
    value::{Columns as _, damaged},
};

const PUT_ONE: &str = "SELECT automarket.put_one($1, $2, $3, $4, $5, $6)";
const PUT_ALIKE: &str = "SELECT automarket.put_alike($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PUT_NEW: &str = "SELECT automarket.put_new($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PUT: &str = "SELECT * FROM automarket.put_bounded($1, $2, $3, $4, $5, $6, $7, $8)";

/// So many jobs share an insert at the most, so that the first does not wait for ever.
const GROUP: usize = 1_000;
/// Calls with more jobs than this are batches: two groups of them go at a time, since it is the database that they wait
/// for, and not its disk.
const SMALL: usize = 16;
/// A call with more jobs than this gains nothing from company.
const LARGE: usize = 256;

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
    pub(crate) fn new(rows: impl IntoIterator<Item = &'a NewRow>) -> Self {
        let mut columns = Self::default();
        for NewRow { job, payload } in rows {
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
    let rows = NewRow::all(jobs)?;
    let columns = JobColumns::new(&rows);
    columns.answers(tx.rows(PUT, &columns.params()).await)
}

/// Puts jobs in without a transaction of a caller's.
async fn put<'a>(
    db: &Database,
    rows: impl IntoIterator<Item = &'a NewRow>,
) -> Outcome<Vec<Enqueued>> {
    let rows: Vec<&NewRow> = rows.into_iter().collect();
    if !rows.iter().any(|row| may_wait(row)) {
        match put_new(db, &rows).await {
            Ok(_) => {
                let ids = rows.iter().map(|row| row.job.id);
                return Ok(ids.map(Enqueued::New).collect());
            }
            Err(fault) if fault.is_known() => {}
            Err(fault) => return Err(fault),
        }
    }
    let columns = JobColumns::new(rows.iter().copied());
    columns.answers(db.rows(PUT, &columns.params()).await)
}

/// Puts jobs in of which none is known; their ids, if one is, are refused.
async fn put_new(db: &Database, rows: &[&NewRow]) -> Outcome<Vec<Row>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.job.id.uuid()).collect();
    let ends = (ids.iter().min(), ids.iter().max());
    let payloads = || rows.iter().map(|row| &row.payload).collect::<Vec<_>>();
    let Some(job) = alike(rows) else {
        let columns = JobColumns::new(rows.iter().copied());
        let [new @ .., _keys] = columns.params();
        let ends: [&(dyn ToSql + Sync); 2] = [&ends.0, &ends.1];
        return db.rows(PUT_NEW, &[&new[..], &ends[..]].concat()).await;
    };
    let (tenant, attempts) = (job.tenant.as_str(), i64::from(job.max_attempts));
    if let ([row], None) = (rows, job.run_at) {
        let id = row.job.id.uuid();
        return db
            .rows(
                PUT_ONE,
                &[
                    &id,
                    &tenant,
                    &job.kind,
                    &row.payload,
                    &job.priority,
                    &attempts,
                ],
            )
            .await;
    }
    db.rows(
        PUT_ALIKE,
        &[
            &ids,
            &payloads(),
            &tenant,
            &job.kind,
            &job.run_at,
            &job.priority,
            &attempts,
            &ends.0,
            &ends.1,
        ],
    )
    .await
}

/// What jobs have in common that differ in their ids and payloads alone.
fn alike<'a>(rows: &[&'a NewRow]) -> Option<&'a NewJob> {
    let first = &rows.first()?.job;
    let shape = |job: &'a NewJob| {
        (
            &job.tenant,
            &job.kind,
            job.run_at,
            job.priority,
            job.max_attempts,
        )
    };
    let same = rows.iter().all(|row| shape(&row.job) == shape(first));
    same.then_some(first)
}

type Company = Together<Vec<NewRow>, Vec<Enqueued>>;

/// Puts jobs in, calls that come at the same time in company.
pub(crate) struct Writer {
    small: Company,
    batches: Company,
}

impl Writer {
    pub(crate) fn start(db: &Arc<Database>) -> Self {
        let start = |groups| {
            let db = db.clone();
            Together::start(groups, GROUP, Vec::len, move |group| {
                let db = db.clone();
                async move { write(&db, group).await }
            })
        };
        Self {
            small: start(1),
            batches: start(2),
        }
    }

    pub(super) async fn enqueue(&self, db: &Database, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        let rows = NewRow::all(jobs)?;
        let company = match rows.len() {
            0 => return Ok(Vec::new()),
            1..=SMALL => &self.small,
            _ => &self.batches,
        };
        if rows.len() > LARGE || rows.iter().any(may_wait) {
            return Ok(put(db, &rows).await?);
        }
        if let Some(_turn) = company.alone() {
            return Ok(put(db, &rows).await?);
        }
        company.call(rows).await
    }
}

/// Whether somebody's open transaction may hold its key, or its id, since both follow from something: not in company.
fn may_wait(NewRow { job, .. }: &NewRow) -> bool {
    job.unique_key.is_some() || job.id.uuid().get_version() != Some(Version::SortRand)
}

/// Writes a group and answers each of its calls. What the database refuses is tried again one by one, so that
/// nobody pays for another's mistake. (A caller that has gone does not want the answer.)
async fn write(db: &Database, group: Vec<Waiting<Vec<NewRow>, Vec<Enqueued>>>) {
    match put(db, group.iter().flat_map(|waiting| &waiting.call)).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for waiting in group {
                let own = answers.by_ref().take(waiting.call.len()).collect();
                let _ = waiting.answer(Ok(own));
            }
        }
        Err(fault) => {
            let error = Error::from(fault);
            for waiting in group {
                let answer = match error.kind() {
                    ErrorKind::Storage if error.rule() != Some("postgres.conflict") => {
                        Err(Error::from(ErrorRecord::from(&error)))
                    }
                    _ => put(db, &waiting.call).await.map_err(Error::from),
                };
                let _ = waiting.answer(answer);
            }
        }
    }
}
