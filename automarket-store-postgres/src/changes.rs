//! Changes of publications.

use std::{collections::HashMap, sync::Arc};

use automarket_core::{
    Result, TenantId,
    chrono::{DateTime, Utc},
    store::{
        NewJob, Publication, PublishingChange,
        rules::{not_there, post_moved},
    },
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    db::Database,
    error::{ACCOUNTS, Outcome, POST},
    events::EventRows,
    jobs::{JobColumns, payloads_of, with_payloads},
    publications::PublicationRows,
    separately::Separately,
    together::{Waiting, answer_all},
    value::{Columns, damaged, from_json, to_json, to_plain_json},
};

/// So many changes go together at the most.
const GROUP: usize = 64;
const CHANGE: &str = "SELECT automarket.change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27) AS at FROM automarket.bounded()";

/// With a new body of a post, which is locked then.
const EDIT: &str =
    "SELECT automarket.change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27) AS at,
    automarket.has_accounts($1, $28, $29) FROM automarket.bounded()";

/// Changes, those of one tenant that wait at the same time in one statement: each holds the lock on the tenant's
/// events to its commit, so by themselves they would queue for it, each with a commit of its own.
pub(crate) struct Changes {
    tenants: Separately<TenantId, PublishingChange, Vec<Publication>>,
    db: Arc<Database>,
}

impl Changes {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let all = db.clone();
        let tenants = Separately::start(GROUP, move |group: Group| {
            let db = all.clone();
            async move {
                let changes: Vec<&PublishingChange> = group.iter().map(|w| &w.call).collect();
                let all = write(&db, &changes, changes.iter().map(|c| as_new(c)).collect()).await;
                for waiting in answer_all(group, all) {
                    let answer = change(&db, &waiting.call).await;
                    let _ = waiting.answer(answer);
                }
            }
        });
        Self { tenants, db }
    }

    pub(crate) async fn change(&self, wanted: &PublishingChange) -> Result<Vec<Publication>> {
        let alone = || change(&self.db, wanted);
        // A new body is written under another lock, too.
        if wanted.post.is_some() {
            return alone().await;
        }
        self.tenants.call(&wanted.tenant, wanted, alone).await
    }
}

type Group = Vec<Waiting<PublishingChange, Vec<Publication>>>;

async fn change(db: &Database, change: &PublishingChange) -> Result<Vec<Publication>> {
    // Most changes are made against what is stored, so that is found out in writing. Else what is read is
    // judged, and written if it is still so: no transaction waits for us meanwhile.
    let mut next = as_new(change);
    loop {
        match write(db, &[change], vec![next]).await {
            Ok(changed) => return Ok(changed.into_iter().flatten().collect()),
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

/// The publications as they will stand if the change was made against what is stored.
fn as_new(change: &PublishingChange) -> Vec<Publication> {
    let next = |publication: &Publication| Publication {
        revision: publication.revision + 1,
        ..publication.clone()
    };
    change.publications.iter().map(next).collect()
}

/// Writes a change, or several of one tenant without a post's new body, with the publications as they shall stand; as
/// they stand then.
async fn write(
    db: &Database,
    changes: &[&PublishingChange],
    mut publications: Vec<Vec<Publication>>,
) -> Outcome<Vec<Vec<Publication>>> {
    let Some(first) = changes.first() else {
        return Ok(Vec::new());
    };
    let post = first.post.as_ref().map(to_json).transpose()?;
    let mut ordered: Vec<&mut Publication> = publications.iter_mut().flatten().collect();
    ordered.sort_by_key(|publication| publication.id);
    let mut rows = PublicationRows::default();
    let mut created = Vec::with_capacity(ordered.len());
    for publication in ordered {
        let head = up_to_update(publication)?;
        // As text, since what is finer than a microsecond is rounded there as in the record.
        created.push(publication.created_at.to_rfc3339());
        rows.push(publication, head);
    }
    let jobs: Vec<&NewJob> = changes.iter().flat_map(|change| &change.jobs).collect();
    let payloads = payloads_of(jobs.iter().copied())?;
    let jobs = JobColumns::new(with_payloads(jobs, &payloads));
    let attempts: Vec<_> = changes.iter().flat_map(|change| &change.attempts).collect();
    let latencies = attempts.iter().map(|a| i32::from(a.latency_step()));
    let latencies: Vec<i32> = latencies.collect();
    let (attempts, _) = to_plain_json(&attempts)?;
    let events = EventRows::new(changes.iter().flat_map(|change| &change.events))?;
    let tenant = first.tenant.as_str();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &post];
    params.extend(rows.params());
    params.push(&created);
    params.extend(jobs.params());
    params.extend([&attempts as &(dyn ToSql + Sync), &latencies]);
    params.extend(events.params());
    let edited = first.post.as_ref().map(|post| post.id.uuid());
    let accounts = i64::try_from(first.accounts).unwrap_or(i64::MAX);
    let sql = match &edited {
        Some(post) => {
            params.extend([post as &(dyn ToSql + Sync), &accounts]);
            EDIT
        }
        None => CHANGE,
    };
    let answer = db.row(sql, &params).await?;
    let row = answer.ok_or_else(|| damaged("the answer of change"))?;
    let at: DateTime<Utc> = row.instant("at")?;
    let all = publications.iter_mut().flatten();
    all.for_each(|publication| publication.updated_at = at);
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
