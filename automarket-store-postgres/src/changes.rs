//! Changes of publications.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    Error, ErrorKind, ErrorRecord, Result, TenantId,
    chrono::{DateTime, Utc},
    store::{
        Publication, PublishingChange,
        rules::{not_there, post_moved},
    },
};
use tokio::runtime::Handle;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    db::{Database, Params, Tx},
    error::{ACCOUNTS, Outcome, POST},
    events::EventRows,
    jobs::{JobColumns, payloads_of, with_payloads},
    together::{Together, Waiting},
    value::{Columns, damaged, from_json, to_json, to_plain_json},
};

/// So many changes go together at the most.
const GROUP: usize = 64;
const CHANGE: &str =
    "SELECT automarket.change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18) AS at FROM automarket.bounded()";

/// With a new body of a post, which is locked then.
const EDIT: &str = "SELECT automarket.change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18) AS at, automarket.has_accounts($1, $19, $20) FROM automarket.bounded()";

/// Changes, those of one tenant that wait at the same time in one transaction: each holds the lock on the tenant's
/// events to its commit, so by themselves they would queue for it, each with a commit of its own.
pub(crate) struct Changes {
    /// The tenants with changes under way: one that waits for somebody's transaction holds no other up.
    tenants: Mutex<HashMap<TenantId, Busy>>,
    db: Arc<Database>,
    /// Of whoever opened the store, and not of a caller, which may end.
    runtime: Handle,
}

type Line = Together<PublishingChange, Vec<Publication>>;
type Group = Vec<Waiting<PublishingChange, Vec<Publication>>>;

struct Busy {
    line: Arc<Line>,
    callers: usize,
}

/// One call of a tenant; with its last one the tenant's line ends.
struct Caller<'a> {
    changes: &'a Changes,
    tenant: &'a TenantId,
}

impl Changes {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        Self {
            tenants: Mutex::default(),
            db,
            runtime: Handle::current(),
        }
    }

    pub(crate) async fn change(&self, wanted: &PublishingChange) -> Result<Vec<Publication>> {
        let (line, _caller) = self.line_of(&wanted.tenant);
        if let Some(_turn) = line.alone() {
            return change(&self.db, wanted).await;
        }
        line.call(wanted.clone()).await
    }

    fn line_of<'a>(&'a self, tenant: &'a TenantId) -> (Arc<Line>, Caller<'a>) {
        let mut tenants = self.tenants();
        let busy = tenants.entry(tenant.clone()).or_insert_with(|| Busy {
            line: Arc::new(self.line()),
            callers: 0,
        });
        busy.callers += 1;
        let caller = Caller {
            changes: self,
            tenant,
        };
        (busy.line.clone(), caller)
    }

    fn line(&self) -> Line {
        let _in_it = self.runtime.enter();
        let db = self.db.clone();
        let send = move |group: Group| {
            let db = db.clone();
            async move { change_all(&db, group).await }
        };
        // Another group of the tenant would only wait beside the first.
        Together::start(1, 0, GROUP, |_| 1, send)
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Busy>> {
        let tenants = self.tenants.lock();
        tenants.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut tenants = self.changes.tenants();
        if let Some(busy) = tenants.get_mut(self.tenant) {
            busy.callers -= 1;
            if busy.callers == 0 {
                tenants.remove(self.tenant);
            }
        }
    }
}

/// Makes a tenant's changes in one transaction; one by one when one of them cannot be made.
async fn change_all(db: &Database, group: Group) {
    let all = match &group[..] {
        [_] => None,
        _ => in_one(db, &group).await,
    };
    match all {
        Some(Ok(all)) => {
            for (waiting, changed) in group.into_iter().zip(all) {
                let _ = waiting.answer(Ok(changed));
            }
        }
        Some(Err(error)) => {
            for waiting in group {
                let _ = waiting.answer(Err(ErrorRecord::from(&error).into()));
            }
        }
        None => {
            for waiting in group {
                let answer = change(db, &waiting.call).await;
                let _ = waiting.answer(answer);
            }
        }
    }
}

/// `None` when nothing was changed, since one of them cannot be.
async fn in_one(db: &Database, group: &Group) -> Option<Result<Vec<Vec<Publication>>>> {
    let made = async {
        let mut connection = db.connection().await?;
        let tx = connection.begin().await?;
        let mut all = Vec::with_capacity(group.len());
        for waiting in group {
            let next = waiting.call.publications.iter().map(as_new).collect();
            all.push(write(On::Tx(&tx), &waiting.call, next).await?);
        }
        tx.commit().await?;
        Outcome::Ok(all)
    };
    match made.await.map_err(Error::from) {
        Err(error)
            if error.kind() != ErrorKind::Storage || error.rule() == Some("postgres.conflict") =>
        {
            None
        }
        made => Some(made),
    }
}

async fn change(db: &Database, change: &PublishingChange) -> Result<Vec<Publication>> {
    // Most changes are made against what is stored, so that is found out in writing. Else what is read is
    // judged, and written if it is still so: no transaction waits for us meanwhile.
    let mut next: Vec<Publication> = change.publications.iter().map(as_new).collect();
    loop {
        match write(On::Any(db), change, next).await {
            Ok(changed) => return Ok(changed),
            Err(fault) if fault.has_moved() == Some(POST) => return Err(not_there("post")),
            Err(fault) if fault.has_moved() == Some(ACCOUNTS) => {
                let edited = change.post.as_ref().map(|post| post.id);
                let post = edited.or(change.publications.first().map(|p| p.post));
                return Err(post.map_or_else(|| fault.into(), post_moved));
            }
            Err(fault) if fault.has_moved().is_some() => next = judge(db, change).await?,
            Err(fault) => {
                let holder = change.publications.iter().find(|p| p.held_slot().is_some());
                let fault = fault.or_id_taken(change.jobs.iter().map(|job| job.id));
                return Err(match holder {
                    Some(holder) => fault.or_slot_taken(holder).into(),
                    None => fault.into(),
                });
            }
        }
    }
}

/// Where a change is written.
enum On<'a> {
    /// In a transaction.
    Tx(&'a Tx<'a>),
    /// In one of its own.
    Any(&'a Database),
}

impl On<'_> {
    async fn rows(&self, sql: &'static str, params: Params<'_>) -> Outcome<Vec<Row>> {
        match self {
            Self::Tx(tx) => tx.rows(sql, params).await,
            Self::Any(db) => db.rows(sql, params).await,
        }
    }
}

/// The publications as they will stand, if their revisions are the stored ones.
async fn judge(db: &Database, change: &PublishingChange) -> Result<Vec<Publication>> {
    if change.publications.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = change.publications.iter().map(|p| p.id.uuid()).collect();
    let sql = "SELECT body::text, automarket.clock() AS now FROM automarket.publications
        WHERE tenant = $1 AND id = ANY ($2)";
    let mut stored = HashMap::new();
    for row in db.glance(sql, &[&change.tenant.as_str(), &ids]).await? {
        let publication: Publication = row.json("body")?;
        stored.insert(publication.id, (publication, row.instant("now")?));
    }
    let replaced = change.publications.iter().map(|new| {
        let found = stored.get(&new.id);
        let (old, now) = found.ok_or_else(|| not_there("publication"))?;
        old.replaced_by(new, *now)
    });
    replaced.collect()
}

/// As it will stand if it was made against what is stored.
fn as_new(publication: &Publication) -> Publication {
    Publication {
        revision: publication.revision + 1,
        ..publication.clone()
    }
}

/// Writes the change with the publications as they shall stand; as they stand then.
async fn write(
    on: On<'_>,
    change: &PublishingChange,
    mut publications: Vec<Publication>,
) -> Outcome<Vec<Publication>> {
    let post = change.post.as_ref().map(to_json).transpose()?;
    let mut ordered: Vec<&mut Publication> = publications.iter_mut().collect();
    ordered.sort_by_key(|publication| publication.id);
    let heads = ordered.into_iter().map(up_to_update);
    let heads: Vec<String> = heads.collect::<Result<_>>()?;
    let payloads = payloads_of(&change.jobs)?;
    let jobs = JobColumns::new(with_payloads(&change.jobs, &payloads));
    let (attempts, _) = to_plain_json(&change.attempts)?;
    let latencies = change.attempts.iter().map(|a| i32::from(a.latency_step()));
    let latencies: Vec<i32> = latencies.collect();
    let events = EventRows::new(&change.events)?;
    let tenant = change.tenant.as_str();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &post, &heads];
    params.extend(jobs.params());
    params.extend([&attempts as &(dyn ToSql + Sync), &latencies]);
    params.extend(events.params());
    let edited = change.post.as_ref().map(|post| post.id.uuid());
    let accounts = i64::try_from(change.accounts).unwrap_or(i64::MAX);
    let sql = match &edited {
        Some(post) => {
            params.extend([post as &(dyn ToSql + Sync), &accounts]);
            EDIT
        }
        None => CHANGE,
    };
    let answer = on.rows(sql, &params).await?;
    let row = answer
        .first()
        .ok_or_else(|| damaged("the answer of change"))?;
    let at: DateTime<Utc> = row.instant("at")?;
    publications.iter_mut().for_each(|p| p.updated_at = at);
    Ok(publications)
}

/// A publication as JSON, up to its last field, which the database sets. It is as it will be stored then: what became of a
/// post is not lost for a character that the platform said.
fn up_to_update(publication: &mut Publication) -> Result<String> {
    let (mut json, is_another) = to_plain_json(publication)?;
    if is_another {
        *publication = from_json(&json)?;
    }
    let end = json.rfind(",\"updated_at\":");
    json.truncate(end.ok_or_else(|| damaged("a publication"))?);
    Ok(json)
}
