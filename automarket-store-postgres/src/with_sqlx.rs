//! Putting jobs and publications in inside a transaction of the host's, on sqlx. Call
//! [`JobStore::wake`](automarket_core::store::JobStore::wake) (or `Automarket::wake`) after the commit.

use automarket_core::{
    Error, ErrorKind, Result,
    store::{
        Enqueued, NewJob, NewPublishing,
        rules::{id_taken, post_moved},
    },
};
use sqlx::{AssertSqlSafe, PgExecutor, postgres::PgDatabaseError};
use tokio_postgres::error::SqlState;

use crate::{
    PostgresStore,
    error::{ID_TAKEN, MOVED, SLOT_TAKEN, by_code, connection, said, slot_holder},
    in_transaction::{PUBLISH, PUT, enqueued, one},
    value::to_json,
};

/// Puts a job in on the host's connection or transaction (`&mut *tx`).
///
/// # Errors
/// As [`JobStore::enqueue`](automarket_core::store::JobStore::enqueue). The transaction is lost then, as after
/// any error.
pub async fn enqueue_in(
    store: &PostgresStore,
    executor: impl PgExecutor<'_>,
    job: &NewJob,
) -> Result<Enqueued> {
    // Ours, with the name of the schema in it.
    let sql = AssertSqlSafe(store.statement(PUT));
    let (id, is_new): (String, bool) = sqlx::query_as(sql)
        .bind(one(job)?)
        .fetch_one(executor)
        .await
        .map_err(|error| classify(error, std::slice::from_ref(job)))?;
    enqueued(&id, is_new)
}

/// Writes what `Tenant::prepare` gave, on the host's connection or transaction (`&mut *tx`). `false` when all of
/// it was there already.
///
/// # Errors
/// As [`PublicationStore::put_publishing`](automarket_core::store::PublicationStore::put_publishing). The
/// transaction is lost then, as after any error.
pub async fn publish_in(
    store: &PostgresStore,
    executor: impl PgExecutor<'_>,
    publishing: &NewPublishing,
) -> Result<bool> {
    publishing.check()?;
    sqlx::query_scalar(AssertSqlSafe(store.statement(PUBLISH)))
        .bind(to_json(publishing)?)
        .fetch_one(executor)
        .await
        .map_err(
            |error| match (constraint(&error), slot_holder(publishing)) {
                (Some(SLOT_TAKEN), Some(holder)) => holder.slot_taken(),
                _ if has_moved(&error) => post_moved(publishing.post.id),
                _ => classify(error, &publishing.jobs),
            },
        )
}

fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

fn has_moved(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(MOVED)
}

fn classify(error: sqlx::Error, jobs: &[NewJob]) -> Error {
    let database = error.as_database_error();
    let database = database.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let words = match (&error, database) {
        (_, Some(refused)) if refused.code() == ID_TAKEN => {
            let taken = refused.detail().unwrap_or_default();
            match jobs.iter().find(|job| job.id.to_string() == taken) {
                Some(job) => return id_taken(job.id),
                None => by_code(&SqlState::from_code(ID_TAKEN)),
            }
        }
        (_, Some(refused)) => by_code(&SqlState::from_code(refused.code())),
        (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed, _) => {
            connection()
        }
        _ => (
            ErrorKind::Internal,
            "the database did not do what was asked",
            "postgres.other",
            None,
        ),
    };
    let refused = database.map(|refused| refused.message().to_owned());
    said(words, refused.as_deref(), error)
}
