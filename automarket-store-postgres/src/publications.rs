use std::collections::HashMap;

use automarket_core::{
    AccountId, PostId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    content::Post,
    store::{NewPublishing, Publication, PublicationStore, PublishingChange, Routing, not_there},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Database, Params, decode},
    error::Outcome,
    events::EventRows,
    jobs::JobColumns,
    value::{Columns, damaged, limit as sql_limit, to_json},
};

#[async_trait]
impl PublicationStore for PostgresStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        publishing.check()?;
        let sql = "SELECT automarket.publish($1::text::json) AS is_new";
        let row = self.inner.db.row(sql, &[&to_json(publishing)?]).await;
        let row = row.map_err(|fault| fault.or_taken(publishing))?;
        let row = row.ok_or_else(|| damaged("the answer of publish"))?;
        if row.column("is_new")? {
            self.inner.bell.pull();
        }
        Ok(())
    }

    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        let sql = "SELECT body::text FROM automarket.posts WHERE tenant = $1 AND id = $2";
        let rows = self
            .inner
            .db
            .glance(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(decode(rows, |row| row.json("body"))?.pop())
    }

    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications WHERE tenant = $1 AND id = $2";
        let rows = self
            .inner
            .db
            .glance(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(decode(rows, |row| row.json("body"))?.pop())
    }

    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications WHERE tenant = $1 AND post = $2
            ORDER BY id";
        let rows = self
            .inner
            .db
            .glance(sql, &[&tenant.as_str(), &post.uuid()])
            .await;
        decode(rows, |row| row.json("body"))
    }

    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        change.check()?;
        // Most changes are made against what is stored, so that is found out in writing. Else what is read is
        // judged, and written if it is still so: no transaction waits for us meanwhile.
        let mut next: Vec<Publication> = change.publications.iter().map(as_new).collect();
        loop {
            match write(&self.inner.db, change, &next).await {
                Ok(at) => {
                    if !change.jobs.is_empty() {
                        self.inner.bell.pull();
                    }
                    next.iter_mut().for_each(|p| p.updated_at = at);
                    return Ok(next);
                }
                Err(fault) if fault.has_moved() == Some("post") => return Err(not_there("post")),
                Err(fault) if fault.has_moved().is_some() => {
                    next = judge(&self.inner.db, change).await?;
                }
                Err(fault) => {
                    let holder = next.iter().find(|p| p.held_slot().is_some());
                    let fault = fault.or_id_taken(&change.jobs);
                    return Err(match holder {
                        Some(holder) => fault.or_slot_taken(holder).into(),
                        None => fault.into(),
                    });
                }
            }
        }
    }

    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications
            WHERE live AND tenant = $1 AND route = $2 ORDER BY due, id LIMIT $3";
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid(), &sql_limit(limit)];
        let rows = self.inner.db.rows(sql, params).await;
        decode(rows, |row| row.json("body"))
    }

    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        routing: &Routing,
    ) -> Result<()> {
        let sql = "INSERT INTO automarket.routings (tenant, account, body)
            VALUES ($1, $2, $3::text::json)
            ON CONFLICT (tenant, account) DO UPDATE SET body = excluded.body";
        let body = to_json(routing)?;
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid(), &body];
        self.inner.db.execute(sql, params).await?;
        Ok(())
    }

    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing> {
        let sql = "SELECT body::text FROM automarket.routings WHERE tenant = $1 AND account = $2";
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid()];
        let rows = self.inner.db.glance(sql, params).await;
        let found = decode(rows, |row| row.json("body"))?.pop();
        Ok(found.unwrap_or_default())
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
    for row in db.rows(sql, &[&change.tenant.as_str(), &ids]).await? {
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

/// Writes the change with the publications as they shall stand; when that was.
async fn write(
    db: &Database,
    change: &PublishingChange,
    publications: &[Publication],
) -> Outcome<DateTime<Utc>> {
    let post = change.post.as_ref().map(to_json).transpose()?;
    let mut ordered: Vec<&Publication> = publications.iter().collect();
    ordered.sort_by_key(|publication| publication.id);
    let heads = ordered.into_iter().map(up_to_update);
    let heads: Vec<String> = heads.collect::<Result<_>>()?;
    let jobs = JobColumns::new(&change.jobs)?;
    let attempts = to_json(&change.attempts)?;
    let latencies = change.attempts.iter().map(|a| i32::from(a.latency_step()));
    let latencies: Vec<i32> = latencies.collect();
    let events = EventRows::new(&change.events)?;
    let tenant = change.tenant.as_str();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &post, &heads];
    params.extend(jobs.params());
    params.extend([&attempts as &(dyn ToSql + Sync), &latencies]);
    params.extend(events.params());
    let sql =
        "SELECT automarket.change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
        $16, $17, $18) AS at";
    let row = db.row(sql, &params).await?;
    let row = row.ok_or_else(|| damaged("the answer of change"))?;
    row.instant("at")
}

/// A publication as JSON, up to its last field, which the database sets.
fn up_to_update(publication: &Publication) -> Result<String> {
    let mut json = to_json(publication)?;
    let end = json.rfind(",\"updated_at\":");
    json.truncate(end.ok_or_else(|| damaged("a publication"))?);
    Ok(json)
}
