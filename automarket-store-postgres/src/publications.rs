use std::collections::HashMap;

use automarket_core::{
    AccountId, PostId, PublicationId, Result, TenantId, async_trait,
    content::Post,
    store::{NewPublishing, Publication, PublicationStore, PublishingChange, Routing, not_there},
};
use uuid::Uuid;

use crate::{
    PostgresStore, attempts,
    db::{Params, Tx, decode},
    events, jobs,
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
            .rows(sql, &[&tenant.as_str(), &id.uuid()])
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
            .rows(sql, &[&tenant.as_str(), &id.uuid()])
            .await;
        Ok(decode(rows, |row| row.json("body"))?.pop())
    }

    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications WHERE tenant = $1 AND post = $2
            ORDER BY id";
        let rows = self
            .inner
            .db
            .rows(sql, &[&tenant.as_str(), &post.uuid()])
            .await;
        decode(rows, |row| row.json("body"))
    }

    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        change.check()?;
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let tenant = change.tenant.as_str();
        if let Some(post) = &change.post {
            let sql =
                "UPDATE automarket.posts SET body = $3::text::json WHERE tenant = $1 AND id = $2";
            let body = to_json(post)?;
            let replaced = tx.execute(sql, &[&tenant, &post.id.uuid(), &body]).await?;
            if replaced == 0 {
                return Err(not_there("post"));
            }
        }
        let changed = replace(&tx, tenant, &change.publications).await?;
        if !change.jobs.is_empty() {
            let put = jobs::enqueue(&tx, &change.jobs).await;
            put.map_err(|fault| fault.or_id_taken(&change.jobs))?;
        }
        attempts::append(&tx, &change.attempts).await?;
        events::append(&tx, &change.events).await?;
        tx.commit().await?;
        if !change.jobs.is_empty() {
            self.inner.bell.pull();
        }
        Ok(changed)
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
        let rows = self.inner.db.rows(sql, params).await;
        let found = decode(rows, |row| row.json("body"))?.pop();
        Ok(found.unwrap_or_default())
    }
}

/// Replaces the publications if their revisions are the stored ones. Locked in the order of their ids, so that
/// calls do not block each other for good.
async fn replace(tx: &Tx<'_>, tenant: &str, new: &[Publication]) -> Result<Vec<Publication>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = new.iter().map(|p| p.id.uuid()).collect();
    let sql = "SELECT id, body::text, automarket.clock() AS now FROM automarket.publications
        WHERE tenant = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE";
    let mut stored = HashMap::new();
    for row in tx.rows(sql, &[&tenant, &ids]).await? {
        let publication: Publication = row.json("body")?;
        stored.insert(publication.id, (publication, row.instant("now")?));
    }
    let mut changed = Vec::with_capacity(new.len());
    for new in new {
        let (old, now) = stored
            .get(&new.id)
            .ok_or_else(|| not_there("publication"))?;
        let publication = old.replaced_by(new, *now)?;
        let sql =
            "UPDATE automarket.publications SET state = $3, revision = $4, body = $5::text::json,
                live = $6, account = $7, route = $8, due = $9, slot = $10
            WHERE tenant = $1 AND id = $2";
        let body = to_json(&publication)?;
        let written = tx
            .execute(
                sql,
                &[
                    &tenant,
                    &publication.id.uuid(),
                    &publication.state.as_str(),
                    &publication.revision,
                    &body,
                    &!publication.state.is_terminal(),
                    &publication.target.account.uuid(),
                    &publication.route().account.uuid(),
                    &publication.due,
                    &publication.slot,
                ],
            )
            .await
            .map_err(|fault| fault.or_slot_taken(&publication))?;
        if written != 1 {
            return Err(damaged("a publication"));
        }
        changed.push(publication);
    }
    Ok(changed)
}
