//! Putting jobs in, and the writer that groups callers who each put in one.

use std::{sync::Arc, time::Duration};

use automarket_core::{
    Error, ErrorKind, ErrorRecord, Result,
    chrono::{DateTime, Utc},
    store::{Enqueued, NewJob},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    db::{Database, Tx},
    error::Outcome,
    value::{Columns as _, damaged, to_json},
};

const PUT_NEW: &str = "SELECT automarket.put_new($1, $2, $3, $4, $5, $6, $7)";
const PUT: &str = "SELECT * FROM automarket.put_jobs($1, $2, $3, $4, $5, $6, $7, $8)";

/// So many calls share an insert at the most, so that the first does not wait for ever.
const GROUP: usize = 256;
/// After so long the next group goes, though the one before it has not come back.
const PATIENCE: Duration = Duration::from_millis(20);
/// A call with more jobs than this gains nothing from company.
const SMALL: usize = 16;

/// Jobs as columns.
#[derive(Default)]
pub(crate) struct JobColumns<'a> {
    jobs: Vec<&'a NewJob>,
    ids: Vec<Uuid>,
    tenants: Vec<&'a str>,
    kinds: Vec<&'a str>,
    payloads: Vec<String>,
    run_ats: Vec<Option<DateTime<Utc>>>,
    priorities: Vec<i16>,
    max_attempts: Vec<i64>,
    keys: Vec<Option<&'a str>>,
}

impl<'a> JobColumns<'a> {
    pub(crate) fn new(jobs: impl IntoIterator<Item = &'a NewJob>) -> Result<Self> {
        let mut columns = Self::default();
        for job in jobs {
            columns.jobs.push(job);
            columns.ids.push(job.id.uuid());
            columns.tenants.push(job.tenant.as_str());
            columns.kinds.push(&job.kind);
            columns.payloads.push(to_json(&job.payload)?);
            columns.run_ats.push(job.run_at);
            columns.priorities.push(job.priority);
            columns.max_attempts.push(job.max_attempts.into());
            columns.keys.push(job.unique_key.as_deref());
        }
        Ok(columns)
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

    fn all_new(&self) -> Vec<Enqueued> {
        let ids = self.ids.iter().copied();
        ids.map(|id| Enqueued::New(id.into())).collect()
    }

    /// One answer per job, in order.
    fn answers(&self, rows: Outcome<Vec<Row>>) -> Outcome<Vec<Enqueued>> {
        let rows = rows.map_err(|fault| fault.or_id_taken(self.jobs.iter().copied()))?;
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
    let columns = JobColumns::new(jobs)?;
    columns.answers(tx.rows(PUT, &columns.params()).await)
}

async fn put<'a>(
    db: &Database,
    jobs: impl IntoIterator<Item = &'a NewJob>,
) -> Outcome<Vec<Enqueued>> {
    let columns = JobColumns::new(jobs)?;
    let params = columns.params();
    if columns.keys.iter().all(Option::is_none) {
        match db.rows(PUT_NEW, &params[..7]).await {
            Ok(_) => return Ok(columns.all_new()),
            Err(fault) if fault.is_known() => {}
            Err(fault) => return Err(fault),
        }
    }
    columns.answers(db.rows(PUT, &params).await)
}

struct Call {
    jobs: Vec<NewJob>,
    reply: oneshot::Sender<Result<Vec<Enqueued>>>,
}

/// Calls that wait at the same time share one insert and one commit. While a group is on its way the next one
/// gathers, so a lone caller waits for nobody: 64 callers at once make groups of about as many.
pub(crate) struct Writer {
    calls: mpsc::UnboundedSender<Call>,
    turn: Arc<Semaphore>,
}

impl Writer {
    /// Starts the task; it ends with the store.
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let (calls, mut waiting) = mpsc::unbounded_channel();
        let turn = Arc::new(Semaphore::new(1));
        let mine = turn.clone();
        tokio::spawn(async move {
            while let Some(first) = waiting.recv().await {
                // A group that waits for somebody's transaction does not hold the others up for good.
                let turn = timeout(PATIENCE, mine.clone().acquire_owned()).await;
                // Those who were just answered may have more: they come first.
                tokio::task::yield_now().await;
                let mut group = vec![first];
                while group.len() < GROUP
                    && let Ok(call) = waiting.try_recv()
                {
                    group.push(call);
                }
                let db = db.clone();
                tokio::spawn(async move {
                    write(&db, group).await;
                    drop(turn);
                });
            }
        });
        Self { calls, turn }
    }

    pub(super) async fn enqueue(&self, db: &Database, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
        // A unique key may have to wait for somebody's open transaction: not in company.
        if jobs.len() > SMALL || jobs.iter().any(|job| job.unique_key.is_some()) {
            return Ok(put(db, jobs).await?);
        }
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        // A lone caller needs no company, and no task stands between.
        if let Ok(_turn) = self.turn.try_acquire() {
            return Ok(put(db, jobs).await?);
        }
        let stopped = || {
            let message = "the runtime that the store was opened in has ended";
            Error::new(ErrorKind::Internal, message)
        };
        let (reply, answer) = oneshot::channel();
        let jobs = jobs.to_vec();
        self.calls
            .send(Call { jobs, reply })
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Writes a group and answers each of its calls. What the database refuses is tried again one by one, so that
/// nobody pays for another's mistake.
async fn write(db: &Database, group: Vec<Call>) {
    match put(db, group.iter().flat_map(|call| &call.jobs)).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for call in group {
                let own = answers.by_ref().take(call.jobs.len()).collect();
                // A caller that has gone does not want the answer.
                let _ = call.reply.send(Ok(own));
            }
        }
        Err(fault) => {
            let error = Error::from(fault);
            for call in group {
                let answer = match error.kind() {
                    ErrorKind::Storage => Err(Error::from(ErrorRecord::from(&error))),
                    _ => put(db, &call.jobs).await.map_err(Error::from),
                };
                let _ = call.reply.send(answer);
            }
        }
    }
}
