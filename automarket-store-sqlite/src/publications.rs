use automarket_core::{
    AccountId, PostId, PublicationId, Result, TenantId, async_trait,
    chrono::{DateTime, Utc},
    content::Post,
    store::{
        NewPublishing, Publication, PublicationState, PublicationStore, PublishingChange, Routing,
        RoutingPart,
        rows::NewRow,
        rules::{not_there, post_moved},
    },
};
use rusqlite::{OptionalExtension, params};

use crate::{
    SqliteStore,
    attempts::{self, AttemptRow},
    error::{Fault, Outcome},
    events::{self, EventRow},
    jobs,
    value::{Columns, blob, instant, limit as sql_limit, micros, to_json},
    writer::Tx,
};

#[async_trait]
impl PublicationStore for SqliteStore {
    async fn put_publishing(&self, publishing: &NewPublishing) -> Result<bool> {
        let rows = NewRows::new(publishing)?;
        self.inner.writer.call(move |tx| rows.put(tx)).await
    }

    async fn post(&self, tenant: &TenantId, id: PostId) -> Result<Option<Post>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(POST)?
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
        let read = self
            .inner
            .readers
            .read(move |db| of_post(db, &tenant, post));
        read.await
    }

    async fn change_publishing(&self, change: &PublishingChange) -> Result<Vec<Publication>> {
        change.check()?;
        let tenant = change.tenant.clone();
        let post = match &change.post {
            Some(post) => Some((post.id, to_json(post)?)),
            None => None,
        };
        let (publications, accounts) = (change.publications.clone(), sql_limit(change.accounts));
        let jobs = NewRow::all(&change.jobs)?;
        let events = EventRow::all(&change.events)?;
        let attempts = AttemptRow::all(&change.attempts)?;
        let call = self.inner.writer.call(move |tx| {
            if let Some((id, body)) = &post {
                replace_post(tx, &tenant, *id, body)?;
                if accounts_of(tx, &tenant, *id)? != accounts {
                    return Err(Fault::Ours(post_moved(*id)));
                }
            }
            let mut changed = Vec::with_capacity(publications.len());
            for new in &publications {
                changed.push(replace(tx, new)?);
            }
            jobs::enqueue(tx, &jobs)?;
            events::append(tx, &events)?;
            attempts::append(tx, &attempts)?;
            Ok(changed)
        });
        call.await
    }

    async fn live_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        states: &[PublicationState],
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let (tenant, states) = (tenant.clone(), to_json(&states)?);
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT body FROM automarket_publications
                 WHERE live = 1 AND tenant = ?1 AND route = ?2
                    AND (?3 = '[]' OR state IN (SELECT value FROM json_each(?3)))
                 ORDER BY due, id LIMIT ?4",
            )?
            .query_and_then(
                params![tenant.as_str(), blob(account), states, sql_limit(limit)],
                |row| row.json("body"),
            )?
            .collect()
        });
        read.await
    }

    async fn sent_publications(
        &self,
        tenant: &TenantId,
        account: AccountId,
        since: DateTime<Utc>,
    ) -> Result<Vec<Publication>> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(SENT)?
                .query_and_then(
                    params![tenant.as_str(), blob(account), since.timestamp()],
                    |row| row.json("body"),
                )?
                .collect::<Outcome<Vec<Publication>>>()
        });
        let mut sent = read.await?;
        // SQLite compares whole seconds.
        sent.retain(|p| p.updated_at >= since || !p.state.is_terminal());
        Ok(sent)
    }

    async fn put_routing(
        &self,
        tenant: &TenantId,
        account: AccountId,
        part: &RoutingPart,
    ) -> Result<()> {
        let (tenant, body) = (tenant.clone(), to_json(part)?);
        let call = self.inner.writer.call(move |tx| {
            tx.db
                .prepare_cached(
                    "INSERT INTO automarket_routings (tenant, account, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (tenant, account) DO UPDATE SET body = json_patch(body, excluded.body)",
                )?
                .execute(params![tenant.as_str(), blob(account), body])?;
            Ok(())
        });
        call.await
    }

    async fn routing(&self, tenant: &TenantId, account: AccountId) -> Result<Routing> {
        let tenant = tenant.clone();
        let read = self.inner.readers.read(move |db| {
            db.prepare_cached(
                "SELECT body FROM automarket_routings WHERE tenant = ?1 AND account = ?2",
            )?
            .query_row(params![tenant.as_str(), blob(account)], |row| {
                Ok(row.json("body"))
            })
            .optional()?
            .transpose()
        });
        Ok(read.await?.unwrap_or_default())
    }
}

fn replace_post(tx: &Tx<'_>, tenant: &TenantId, id: PostId, body: &str) -> Outcome<()> {
    let replaced = tx
        .db
        .prepare_cached("UPDATE automarket_posts SET body = ?3 WHERE tenant = ?1 AND id = ?2")?
        .execute(params![tenant.as_str(), blob(id), body])?;
    match replaced {
        0 => Err(Fault::Ours(not_there("post"))),
        _ => Ok(()),
    }
}

/// How many publications a post has.
fn accounts_of(tx: &Tx<'_>, tenant: &TenantId, id: PostId) -> Outcome<i64> {
    let sql = "SELECT count(*) FROM automarket_publications WHERE tenant = ?1 AND post = ?2";
    let mut count = tx.db.prepare_cached(sql)?;
    Ok(count.query_row(params![tenant.as_str(), blob(id)], |row| row.get(0))?)
}

/// Replaces the publication if its revision is the stored one.
fn replace(tx: &Tx<'_>, new: &Publication) -> Outcome<Publication> {
    let old = stored(tx.db, &new.tenant, new.id)?;
    let old = old.ok_or_else(|| Fault::Ours(not_there("publication")))?;
    let changed = old.replaced_by(new, instant(tx.now)?)?;
    slot_is_free(tx, &changed)?;
    if old.route().account != changed.route().account {
        let there = of_post(tx.db, &changed.tenant, changed.post)?;
        if there.iter().any(|other| changed.doubles(other)) {
            return Err(Fault::Ours(post_moved(changed.post)));
        }
    }
    let body = to_json(&changed)?;
    tx.db
        .prepare_cached(
            "UPDATE automarket_publications SET state = ?3, revision = ?4, body = ?5, live = ?6,
                account = ?7, route = ?8, due = ?9, slot = ?10
             WHERE tenant = ?1 AND id = ?2",
        )?
        .execute(params![
            changed.tenant.as_str(),
            blob(changed.id),
            changed.state.as_str(),
            changed.revision,
            body,
            !changed.state.is_terminal(),
            blob(changed.target.account),
            blob(changed.route().account),
            micros(changed.due),
            changed.slot.map(micros),
        ])?;
    Ok(changed)
}

pub(crate) const PUT_POST: &str =
    "INSERT INTO automarket_posts (tenant, id, body) VALUES (?1, ?2, ?3)
     ON CONFLICT (tenant, id) DO NOTHING";

pub(crate) const PUT: &str = "INSERT INTO automarket_publications
        (tenant, id, post, state, revision, body, live, account, route, due, slot)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// A post, of tenant and id.
pub(crate) const POST: &str = "SELECT body FROM automarket_posts WHERE tenant = ?1 AND id = ?2";

/// The publications of a post, of tenant and post.
pub(crate) const OF_POST: &str =
    "SELECT body FROM automarket_publications WHERE tenant = ?1 AND post = ?2 ORDER BY id";

/// What was sent, and is live or has changed since; each part has its index.
const SENT: &str = "
    SELECT body FROM automarket_publications
    WHERE live = 1 AND tenant = ?1 AND route = ?2 AND json_extract(body, '$.sent_at') IS NOT NULL
    UNION ALL
    SELECT body FROM automarket_publications INDEXED BY automarket_publications_sent
    WHERE live = 0 AND json_valid(body) AND json_extract(body, '$.sent_at') IS NOT NULL
        AND json_extract(body, '$.updated_at') GLOB '[0-9]*'
        AND tenant = ?1 AND route = ?2
        AND CAST(strftime('%s', json_extract(body, '$.updated_at')) AS INTEGER) >= ?3";

/// A publishing whose rows are written out already, so that the writer need not.
pub(crate) struct NewRows {
    new: NewPublishing,
    post: String,
    publications: Vec<String>,
    jobs: Vec<NewRow>,
    events: Vec<EventRow>,
}

impl NewRows {
    pub(crate) fn new(publishing: &NewPublishing) -> Result<Self> {
        publishing.check()?;
        let publications = publishing.publications.iter().map(to_json);
        Ok(Self {
            new: publishing.clone(),
            post: to_json(&publishing.post)?,
            publications: publications.collect::<Result<_>>()?,
            jobs: NewRow::all(&publishing.jobs)?,
            events: EventRow::all(&publishing.events)?,
        })
    }

    /// Writes what is not there; whether anything was new.
    pub(crate) fn put(&self, tx: &Tx<'_>) -> Outcome<bool> {
        let (tenant, post) = (self.new.tenant.as_str(), blob(self.new.post.id));
        let put = params![tenant, post, self.post];
        if tx.db.prepare_cached(PUT_POST)?.execute(put)? == 0 {
            let mut stored = tx.db.prepare_cached(POST)?;
            let stored: Post =
                stored.query_row(params![tenant, post], |row| Ok(row.json("body")))??;
            let there = of_post(tx.db, &self.new.tenant, self.new.post.id)?;
            if !self.new.is_new(&stored, &there)? {
                return Ok(false);
            }
        }
        for (publication, body) in self.new.publications.iter().zip(&self.publications) {
            insert(tx, publication, body)?;
        }
        jobs::enqueue(tx, &self.jobs)?;
        events::append(tx, &self.events)?;
        Ok(true)
    }
}

fn insert(tx: &Tx<'_>, publication: &Publication, body: &str) -> Outcome<()> {
    slot_is_free(tx, publication)?;
    tx.db.prepare_cached(PUT)?.execute(params![
        publication.tenant.as_str(),
        blob(publication.id),
        blob(publication.post),
        publication.state.as_str(),
        publication.revision,
        body,
        !publication.state.is_terminal(),
        blob(publication.target.account),
        blob(publication.route().account),
        micros(publication.due),
        publication.slot.map(micros),
    ])?;
    Ok(())
}

/// Only one transaction writes at a time, so that looking is enough; the unique index holds it all the same.
fn slot_is_free(tx: &Tx<'_>, publication: &Publication) -> Outcome<()> {
    let Some(slot) = publication.held_slot() else {
        return Ok(());
    };
    let taken = tx
        .db
        .prepare_cached(
            "SELECT 1 FROM automarket_publications
             WHERE live = 1 AND slot = ?3 AND tenant = ?1 AND account = ?2 AND id <> ?4",
        )?
        .exists(params![
            publication.tenant.as_str(),
            blob(publication.target.account),
            micros(slot),
            blob(publication.id),
        ])?;
    match taken {
        true => Err(Fault::Ours(publication.slot_taken())),
        false => Ok(()),
    }
}

fn of_post(
    db: &rusqlite::Connection,
    tenant: &TenantId,
    post: PostId,
) -> Outcome<Vec<Publication>> {
    db.prepare_cached(OF_POST)?
        .query_and_then(params![tenant.as_str(), blob(post)], |row| row.json("body"))?
        .collect()
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::jobs::testing::{database, operations, searches};

    fn ended(db: &Connection, updated_at: &str, count: i64) {
        let put = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
            INSERT INTO automarket_publications (tenant, id, post, state, revision, body, live, route)
            SELECT 'acme', randomblob(16), x'', 'published', 1,
                json_object('sent_at', ?2, 'updated_at', ?2), 0, x'01' FROM n";
        db.execute(put, params![count, updated_at]).unwrap();
    }

    #[test]
    fn what_was_sent_is_found_past_all_that_was_ever_published() {
        let cost = |published| {
            let db = database();
            ended(&db, "2027-01-01T00:00:00.5Z", 1);
            ended(&db, "2026-01-01T00:00:00Z", published);
            searches(&db, SENT);
            operations(&db, |db| {
                let mut sent = db.prepare(SENT).unwrap();
                let sent = sent.query_map(params!["acme", [1_u8], 1_798_761_600], |_| Ok(()));
                assert_eq!(sent.unwrap().count(), 1);
            })
        };
        let (few, many) = (cost(1), cost(500));
        assert!(few > 0 && many <= few, "{few} operations became {many}");
    }
}
