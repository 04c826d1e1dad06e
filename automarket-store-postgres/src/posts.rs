//! Putting posts in, those of one tenant that come at the same time in one statement.

use std::sync::Arc;

use automarket_core::{
    Result, TenantId,
    store::{NewJob, NewPublishing, Publication},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    db::Database,
    error::Outcome,
    events::EventRows,
    jobs::{JobColumns, payloads_of, with_payloads},
    publications::PublicationRows,
    separately::Separately,
    together::{Waiting, answer_all},
    value::{Columns as _, damaged, to_json},
};

/// So many posts go together at the most.
const GROUP: usize = 64;
/// New ones. What is there already is refused, and then goes by [`PUBLISH`], which says what of it is there.
const PUT_POSTS: &str =
    "SELECT automarket.put_posts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) FROM automarket.bounded()";
const PUBLISH: &str =
    "SELECT automarket.publish($1::text::json) AS is_new FROM automarket.bounded()";

/// Puts posts in with their publications, jobs and events: each holds the lock on the tenant's events to its commit.
pub(crate) struct Posts {
    tenants: Separately<TenantId, NewPublishing, bool>,
    db: Arc<Database>,
}

impl Posts {
    pub(crate) fn start(db: Arc<Database>) -> Self {
        let all = db.clone();
        let tenants = Separately::start(GROUP, move |group: Vec<Waiting<NewPublishing, bool>>| {
            let db = all.clone();
            async move {
                let new: Vec<&NewPublishing> = group.iter().map(|w| &w.call).collect();
                let all = put_new(&db, &new).await;
                let all = all.map(|()| vec![true; group.len()]);
                for waiting in answer_all(group, all) {
                    let answer = put(&db, &waiting.call).await;
                    let _ = waiting.answer(answer);
                }
            }
        });
        Self { tenants, db }
    }

    /// Whether it is new.
    pub(crate) async fn put(&self, new: &NewPublishing) -> Result<bool> {
        let alone = || put(&self.db, new);
        self.tenants.call(&new.tenant, new, alone).await
    }
}

async fn put(db: &Database, new: &NewPublishing) -> Result<bool> {
    match put_new(db, &[new]).await {
        Ok(()) => return Ok(true),
        Err(fault) if fault.has_moved().is_some() => {}
        Err(fault) => return Err(fault.or_taken(new).into()),
    }
    let row = db.row(PUBLISH, &[&to_json(new)?]).await;
    let row = row.map_err(|fault| fault.or_taken(new))?;
    let row = row.ok_or_else(|| damaged("the answer of publish"))?;
    Ok(row.column("is_new")?)
}

/// Puts in what is of one tenant, if none of it is there.
async fn put_new(db: &Database, new: &[&NewPublishing]) -> Outcome<()> {
    let Some(tenant) = new.first().map(|new| new.tenant.as_str()) else {
        return Ok(());
    };
    let mut posts: Vec<_> = new.iter().map(|new| &new.post).collect();
    // In one order, so that two processes do not wait for each other.
    posts.sort_by_key(|post| post.id);
    let post_ids: Vec<Uuid> = posts.iter().map(|post| post.id.uuid()).collect();
    let bodies: Vec<String> = posts.into_iter().map(to_json).collect::<Result<_>>()?;

    let publications = new.iter().flat_map(|new| &new.publications);
    let mut publications: Vec<&Publication> = publications.collect();
    publications.sort_by_key(|publication| publication.id);
    let mut rows = PublicationRows::default();
    for publication in publications {
        rows.push(publication, to_json(publication)?);
    }

    let jobs: Vec<&NewJob> = new.iter().flat_map(|new| &new.jobs).collect();
    let payloads = payloads_of(jobs.iter().copied())?;
    let jobs = JobColumns::new(with_payloads(jobs, &payloads));
    let events = EventRows::new(new.iter().flat_map(|new| &new.events))?;
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &post_ids, &bodies];
    params.extend(rows.params());
    params.extend(jobs.params());
    params.extend(events.params());
    db.rows(PUT_POSTS, &params).await?;
    Ok(())
}
