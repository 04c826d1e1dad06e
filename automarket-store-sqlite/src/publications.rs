use automarket_core::{
    Error, ErrorKind, PostId, PublicationId, Result, TenantId, async_trait,
    content::Post,
    store::{NewEvent, NewPublishing, Publication, PublicationStore},
};
use rusqlite::{OptionalExtension, params};

use crate::{
    SqliteStore,
    error::{Fault, Outcome},
    events::{self, EventRow},
    jobs::{self, NewRow},
    value::{Columns, blob, instant, to_json},
    writer::Tx,
};

#[async_trait]
impl PublicationStore for SqliteStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<()> {
        let rows = NewRows::new(publishing)?;
        let call = self.inner.writer.call(move |tx| rows.put(tx));
        call.await.map(drop)
    }

    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached("SELECT body FROM automarket_posts WHERE tenant = ?1 AND id = ?2")?
                .query_row(params![tenant.as_str(), blob(id)], |row| {
                    Ok(row.json("body"))
                })
                .optional()?
                .transpose()
        });
        read.await
    }

    async fn publication(
        &self,
        tenant: &TenantId,
        id: PublicationId,
    ) -> Result<Option<Publication>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| stored(db, &tenant, id));
        read.await
    }

    async fn publications(&self, tenant: &TenantId, post: PostId) -> Result<Vec<Publication>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT body FROM automarket_publications WHERE tenant = ?1 AND post = ?2
                 ORDER BY id",
            )?
            .query_and_then(params![tenant.as_str(), blob(post)], |row| row.json("body"))?
            .collect()
        });
        read.await
    }

    async fn update_publication(
        &self,
        publication: &Publication,
        events: &[NewEvent],
    ) -> Result<Publication> {
        publication.check_events(events)?;
        let (new, events) = (publication.clone(), EventRow::all(events)?);
        let call = self.inner.writer.call(move |tx| {
            let not_found = || Fault::Ours(Error::new(ErrorKind::NotFound, "no such publication"));
            let old = stored(tx.db, &new.tenant, new.id)?.ok_or_else(not_found)?;
            let changed = old.replaced_by(&new, instant(tx.now)?)?;
            tx.db
                .prepare_cached(
                    "UPDATE automarket_publications
                     SET post = ?3, state = ?4, revision = ?5, body = ?6
                     WHERE tenant = ?1 AND id = ?2",
                )?
                .execute(columns(&changed, &to_json(&changed)?))?;
            events::append(tx, &events)?;
            Ok(changed)
        });
        call.await
    }
}

pub(crate) const PUT_POST: &str =
    "INSERT INTO automarket_posts (tenant, id, body) VALUES (?1, ?2, ?3)
     ON CONFLICT (tenant, id) DO NOTHING";

pub(crate) const PUT: &str =
    "INSERT INTO automarket_publications (tenant, id, post, state, revision, body)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, id) DO NOTHING";

/// A publishing whose rows are written out already, so that the writer need not.
pub(crate) struct NewRows {
    tenant: TenantId,
    post: (PostId, String),
    publications: Vec<(Publication, String)>,
    jobs: Vec<NewRow>,
    events: Vec<EventRow>,
}

impl NewRows {
    pub(crate) fn new(publishing: &NewPublishing) -> Result<Self> {
        publishing.check()?;
        let publications = publishing.publications.iter();
        let publications = publications.map(|p| Ok((p.clone(), to_json(p)?)));
        Ok(Self {
            tenant: publishing.tenant.clone(),
            post: (publishing.post.id, to_json(&publishing.post)?),
            publications: publications.collect::<Result<_>>()?,
            jobs: NewRow::all(&publishing.jobs)?,
            events: EventRow::all(&publishing.events)?,
        })
    }

    /// Writes what is not there; whether anything was new.
    pub(crate) fn put(&self, tx: &Tx<'_>) -> Outcome<bool> {
        let (post, body) = &self.post;
        let mut new = tx.db.prepare_cached(PUT_POST)?.execute(params![
            self.tenant.as_str(),
            blob(*post),
            body
        ])?;
        let mut put = tx.db.prepare_cached(PUT)?;
        for (publication, body) in &self.publications {
            new += put.execute(columns(publication, body))?;
        }
        if new > 0 {
            jobs::enqueue(tx, &self.jobs)?;
            events::append(tx, &self.events)?;
        }
        Ok(new > 0)
    }
}

fn columns<'a>(
    publication: &'a Publication,
    body: &'a str,
) -> (&'a str, [u8; 16], [u8; 16], &'static str, i64, &'a str) {
    (
        publication.tenant.as_str(),
        blob(publication.id),
        blob(publication.post),
        publication.state.as_str(),
        publication.revision,
        body,
    )
}

fn stored(
    db: &rusqlite::Connection,
    tenant: &TenantId,
    id: PublicationId,
) -> Outcome<Option<Publication>> {
    db.prepare_cached("SELECT body FROM automarket_publications WHERE tenant = ?1 AND id = ?2")?
        .query_row(params![tenant.as_str(), blob(id)], |row| {
            Ok(row.json("body"))
        })
        .optional()?
        .transpose()
}
