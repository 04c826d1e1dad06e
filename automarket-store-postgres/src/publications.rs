use automarket_core::{
    AccountId, PostId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    content::Post,
    store::{
        NewPublishing, Publication, PublicationState, PublicationStore, PublishingChange, Routing,
        RoutingPart,
    },
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    PostgresStore,
    db::{Params, decode},
    value::{Columns, limit as sql_limit, to_json},
};

/// What of publications stands in columns of its own.
#[derive(Default)]
pub(crate) struct PublicationRows<'a> {
    ids: Vec<Uuid>,
    posts: Vec<Uuid>,
    states: Vec<&'a str>,
    revisions: Vec<i64>,
    bodies: Vec<String>,
    accounts: Vec<Uuid>,
    routes: Vec<Uuid>,
    due: Vec<DateTime<Utc>>,
    slots: Vec<Option<DateTime<Utc>>>,
}

impl<'a> PublicationRows<'a> {
    pub(crate) fn push(&mut self, publication: &'a Publication, body: String) {
        self.ids.push(publication.id.uuid());
        self.posts.push(publication.post.uuid());
        self.states.push(publication.state.as_str());
        self.revisions.push(publication.revision);
        self.bodies.push(body);
        self.accounts.push(publication.target.account.uuid());
        self.routes.push(publication.route().account.uuid());
        self.due.push(publication.due);
        self.slots.push(publication.slot);
    }

    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.posts,
            &self.states,
            &self.revisions,
            &self.bodies,
            &self.accounts,
            &self.routes,
            &self.due,
            &self.slots,
        ]
    }
}

#[async_trait]
impl PublicationStore for PostgresStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<bool> {
        publishing.check()?;
        let is_new = self.inner.posts.put(publishing).await?;
        if is_new {
            self.inner.bell.pull();
        }
        Ok(is_new)
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
        let changed = self.inner.changes.change(change).await?;
        if !change.jobs.is_empty() {
            self.inner.bell.pull();
        }
        Ok(changed)
    }

    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        states: &[PublicationState],
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications
            WHERE live AND tenant = $1 AND route = $2 AND (cardinality($3::text[]) = 0 OR state = ANY ($3::text[]))
            ORDER BY due, id LIMIT $4";
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let limit = sql_limit(limit);
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid(), &states, &limit];
        let rows = self.inner.db.rows(sql, params).await;
        decode(rows, |row| row.json("body"))
    }

    async fn sent_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Publication>> {
        let sql = "SELECT body::text FROM automarket.publications
            WHERE tenant = $1 AND route = $2 AND body ->> 'sent_at' IS NOT NULL
                AND (live OR (body ->> 'updated_at')::timestamptz >= $3)";
        let params: Params<'_> = &[&tenant.as_str(), &account.uuid(), &since];
        let rows = self.inner.db.rows(sql, params).await;
        decode(rows, |row| row.json("body"))
    }

    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        part: &RoutingPart,
    ) -> Result<()> {
        let sql = "INSERT INTO automarket.routings (tenant, account, body)
            VALUES ($1, $2, $3::text::json)
            ON CONFLICT (tenant, account)
            DO UPDATE SET body = (routings.body::jsonb || excluded.body::jsonb)::json";
        let body = to_json(part)?;
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
