//! Putting jobs and publications in inside a transaction of the host's, on sqlx: they commit and roll back with
//! the host's own rows. Call `Automarket::wake` after the commit; without it a worker sees them at its next poll.

use automarket_core::{
    Error, EventId, JobId, Result,
    chrono::Utc,
    store::{Enqueued, NewJob, NewPublishing, rules::id_taken},
};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteArguments};
use uuid::Uuid;

use crate::{
    error::{by_code, is_foreign, no_store, said, transaction_gone},
    events,
    jobs::sql,
    publications,
    value::{from_json, micros, to_json},
};

/// Puts a job in on the host's connection or transaction (`&mut *tx`), to whose file a store has been opened
/// before. Outside a transaction it is one of its own. After an error nothing of it is there, and the transaction
/// goes on, but after `sqlite.transaction_gone`.
///
/// # Errors
/// As [`JobStore::enqueue`](automarket_core::store::JobStore::enqueue). `Storage` by the rule `sqlite.transaction_gone`
/// when a full disk or the like made SQLite roll the host's transaction back: what is written on it afterwards would
/// be committed by itself. Close that connection: sqlx does not know.
/// `Config` (`sqlite.no_store`) on a file that no store has opened.
pub async fn enqueue_in(db: &mut SqliteConnection, job: &NewJob) -> Result<Enqueued> {
    let within = db.is_in_transaction();
    let mut tx = db.begin().await.map_err(classify)?;
    let enqueued = put(&mut tx, job, micros(Utc::now())).await;
    end(tx, within, enqueued).await
}

/// Writes what `Tenant::prepare` gave, on the host's connection or transaction, as [`enqueue_in`] does. `false`
/// when all of it was there already.
///
/// # Errors
/// As [`PublicationStore::put_publishing`](automarket_core::store::PublicationStore::put_publishing).
pub async fn publish_in(db: &mut SqliteConnection, publishing: &NewPublishing) -> Result<bool> {
    publishing.check()?;
    let within = db.is_in_transaction();
    let mut tx = db.begin().await.map_err(classify)?;
    let published = put_all(&mut tx, publishing, micros(Utc::now())).await;
    end(tx, within, published).await
}

/// Keeps what was done, or takes it back.
async fn end<T>(tx: Transaction<'_, Sqlite>, within: bool, done: Result<T>) -> Result<T> {
    match done {
        Ok(done) => {
            tx.commit().await.map_err(classify)?;
            Ok(done)
        }
        Err(why) => match tx.rollback().await {
            // There is nothing left to roll back to.
            Err(_) if within => Err(transaction_gone(why)),
            _ => Err(why),
        },
    }
}

async fn put_all(db: &mut SqliteConnection, publishing: &NewPublishing, now: i64) -> Result<bool> {
    let (tenant, post) = (publishing.tenant.as_str(), &publishing.post);
    let put_post = sqlx::query(publications::PUT_POST)
        .bind(tenant)
        .bind(bytes(post.id.uuid()))
        .bind(to_json(post)?);
    if execute(db, put_post).await? == 0 && !is_new(db, publishing).await? {
        return Ok(false);
    }
    for publication in &publishing.publications {
        let put = sqlx::query(publications::PUT)
            .bind(tenant)
            .bind(bytes(publication.id.uuid()))
            .bind(bytes(publication.post.uuid()))
            .bind(publication.state.as_str())
            .bind(publication.revision)
            .bind(to_json(publication)?)
            .bind(!publication.state.is_terminal())
            .bind(bytes(publication.target.account.uuid()))
            .bind(bytes(publication.route().account.uuid()))
            .bind(micros(publication.due))
            .bind(publication.slot.map(micros));
        match put.execute(&mut *db).await {
            Ok(_) => {}
            Err(error) if is_unique(&error) && publication.held_slot().is_some() => {
                return Err(publication.slot_taken());
            }
            Err(error) => return Err(classify(error)),
        }
    }
    for job in &publishing.jobs {
        put(db, job, now).await?;
    }
    for event in &publishing.events {
        let append = sqlx::query(events::APPEND)
            .bind(bytes(EventId::new().uuid()))
            .bind(tenant)
            .bind(&event.kind)
            .bind(&event.subject)
            .bind(to_json(&event.data)?)
            .bind(now);
        execute(db, append).await?;
    }
    Ok(true)
}

/// As [`NewPublishing::is_new`], for a post that is there.
async fn is_new(db: &mut SqliteConnection, publishing: &NewPublishing) -> Result<bool> {
    let tenant = publishing.tenant.as_str();
    let body: String = sqlx::query_scalar(publications::POST)
        .bind(tenant)
        .bind(bytes(publishing.post.id.uuid()))
        .fetch_one(&mut *db)
        .await
        .map_err(classify)?;
    let there: Vec<String> = sqlx::query_scalar(publications::OF_POST)
        .bind(tenant)
        .bind(bytes(publishing.post.id.uuid()))
        .fetch_all(&mut *db)
        .await
        .map_err(classify)?;
    let there = there.iter().map(|body| from_json(body));
    let there = there.collect::<Result<Vec<_>>>()?;
    publishing.is_new(&from_json(&body)?, &there)
}

async fn put(db: &mut SqliteConnection, job: &NewJob, now: i64) -> Result<Enqueued> {
    job.check()?;
    let what = sqlx::query(sql::PUT_JOB)
        .bind(bytes(job.id.uuid()))
        .bind(job.tenant.as_str())
        .bind(&job.kind)
        .bind(to_json(&job.payload)?)
        .bind(job.priority)
        .bind(job.max_attempts)
        .bind(&job.unique_key)
        .bind(now)
        .bind(job.run_at.map_or(now, micros));
    execute(db, what).await?;
    let id = || bytes(job.id.uuid());
    if execute(db, sqlx::query(sql::PUT_WAITING).bind(id())).await? > 0 {
        execute(db, sqlx::query(sql::PUT_KEY).bind(id())).await?;
        return Ok(Enqueued::New(job.id));
    }
    let holder = sqlx::query_scalar::<_, Vec<u8>>(sql::HOLDER)
        .bind(bytes(job.id.uuid()))
        .bind(job.tenant.as_str())
        .bind(&job.kind)
        .bind(&job.unique_key)
        .fetch_optional(db)
        .await
        .map_err(classify)?;
    let holder = holder.and_then(|id| Uuid::from_slice(&id).ok());
    let holder = holder.ok_or_else(|| id_taken(job.id))?;
    Ok(Enqueued::Existing(JobId::from(holder)))
}

fn bytes(id: Uuid) -> Vec<u8> {
    id.into_bytes().to_vec()
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// How many rows it wrote.
async fn execute(db: &mut SqliteConnection, query: Query<'_>) -> Result<u64> {
    Ok(query.execute(db).await.map_err(classify)?.rows_affected())
}

/// Whether a unique index refused it. That of ids does not: what is there already is left as it is.
fn is_unique(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// `Storage` when the file is locked, full or cannot be written.
fn classify(error: sqlx::Error) -> Error {
    if is_foreign(&error.to_string()) {
        return no_store(error);
    }
    let code = error.as_database_error().and_then(|e| e.code());
    let code = code.and_then(|code| code.parse().ok());
    let code = code.map(|code| rusqlite::ffi::Error::new(code).code);
    said(by_code(code), error)
}
