//! Putting jobs and publications in inside a transaction of the host's, on `tokio-postgres`. Call
//! [`JobStore::wake`](automarket_core::store::JobStore::wake) (or `Automarket::wake`) after the commit.

use automarket_core::{
    Result,
    store::{Enqueued, NewJob, NewPublishing},
};
use tokio_postgres::GenericClient;

use crate::{
    PostgresStore,
    error::{Fault, Outcome},
    in_transaction::{PUBLISH, PUT, enqueued, one},
    value::{Columns, to_json},
};

/// Puts a job in on the host's connection or transaction.
///
/// # Errors
/// As [`JobStore::enqueue`](automarket_core::store::JobStore::enqueue). The transaction is lost then, as after
/// any error.
pub async fn enqueue_in(
    store: &PostgresStore,
    client: &impl GenericClient,
    job: &NewJob,
) -> Result<Enqueued> {
    let new = one(job)?;
    let answer: Outcome<_> = async {
        let row = client.query_one(&store.statement(PUT), &[&new]).await?;
        let id: String = row.column("job")?;
        Ok(enqueued(&id, row.column("is_new")?)?)
    }
    .await;
    Ok(answer.map_err(|fault| fault.or_id_taken([job.id]))?)
}

/// Writes what `Tenant::prepare` gave, on the host's connection or transaction. `false` when all of it was there
/// already.
///
/// # Errors
/// As [`PublicationStore::put_publishing`](automarket_core::store::PublicationStore::put_publishing). The
/// transaction is lost then, as after any error.
pub async fn publish_in(
    store: &PostgresStore,
    client: &impl GenericClient,
    publishing: &NewPublishing,
) -> Result<bool> {
    publishing.check()?;
    let sql = store.statement(PUBLISH);
    let row = client.query_one(&sql, &[&to_json(publishing)?]).await;
    let row = row.map_err(|error| Fault::from(error).or_taken(publishing))?;
    Ok(row.column("is_new")?)
}
