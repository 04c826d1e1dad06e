use automarket_core::{
    Error, ErrorKind, PostId, PublicationId, Result, TenantId, async_trait,
    content::Post,
    store::{NewEvent, NewPublishing, Publication, PublicationStore},
};

use crate::{
    PostgresStore,
    db::{Tx, decode},
    error::{Fault, Outcome},
    events, jobs,
    value::{Columns, damaged, to_json},
};

#[async_trait]
impl PublicationStore for PostgresStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        publishing.check()?;
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let tenant = publishing.tenant.as_str();
        let post = to_json(&publishing.post)?;
        let sql = "INSERT INTO automarket.posts (tenant, id, body) VALUES ($1, $2, $3::text::json)
            ON CONFLICT (tenant, id) DO NOTHING";
        let mut new = tx
            .execute(sql, &[&tenant, &publishing.post.id.uuid(), &post])
            .await?;
        for publication in &publishing.publications {
            new += insert(&tx, publication).await?;
        }
        if new > 0 {
            jobs::enqueue(&tx, &publishing.jobs).await?;
            events::append(&tx, &publishing.events).await?;
        }
        Ok(tx.commit().await?)
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

    async fn update_publication(
        &self,
        publication: &Publication,
        events: &[NewEvent],
    ) -> Result<Publication> {
        publication.check_events(events)?;
        let mut db = self.inner.db.connection().await?;
        let tx = db.begin().await?;
        let (tenant, id) = (publication.tenant.as_str(), publication.id.uuid());
        let sql = "SELECT body::text, automarket.clock() AS now FROM automarket.publications
            WHERE tenant = $1 AND id = $2 FOR UPDATE";
        let row = tx.row(sql, &[&tenant, &id]).await?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such publication"))?;
        let old: Publication = row.json("body")?;
        let changed = old.replaced_by(publication, row.instant("now")?)?;
        let sql =
            "UPDATE automarket.publications SET state = $3, revision = $4, body = $5::text::json
            WHERE tenant = $1 AND id = $2";
        let body = to_json(&changed)?;
        let written = tx
            .execute(
                sql,
                &[
                    &tenant,
                    &id,
                    &changed.state.as_str(),
                    &changed.revision,
                    &body,
                ],
            )
            .await?;
        if written != 1 {
            return Err(damaged("a publication"));
        }
        events::append(&tx, events).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// Writes the publication unless its id is there; how many rows were written.
async fn insert(tx: &Tx<'_>, publication: &Publication) -> Outcome<u64> {
    let body = to_json(publication).map_err(Fault::Ours)?;
    let sql = "INSERT INTO automarket.publications (tenant, id, post, state, revision, body)
        VALUES ($1, $2, $3, $4, $5, $6::text::json) ON CONFLICT (tenant, id) DO NOTHING";
    tx.execute(
        sql,
        &[
            &publication.tenant.as_str(),
            &publication.id.uuid(),
            &publication.post.uuid(),
            &publication.state.as_str(),
            &publication.revision,
            &body,
        ],
    )
    .await
}
