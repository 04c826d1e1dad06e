use automarket_core::{
    Error, ErrorKind, PostId, PublicationId, Result, TenantId, async_trait,
    content::Post,
    store::{NewEvent, NewPublishing, Publication, PublicationStore},
};

use crate::{
    PostgresStore,
    db::decode,
    events,
    value::{Columns, damaged, to_json},
};

#[async_trait]
impl PublicationStore for PostgresStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        publishing.check()?;
        let sql = "SELECT automarket.publish($1::text::json) AS is_new";
        let row = self.inner.db.row(sql, &[&to_json(publishing)?]).await;
        let row = row.map_err(|fault| fault.or_id_taken(&publishing.jobs))?;
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
