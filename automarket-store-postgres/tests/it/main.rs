//! The store from the outside: its contract, its schema, the host's transactions, its faults, and what a kill
//! leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed assumption of a test is a panic"
)]

mod alike;
mod claims;
mod company;
mod contract;
mod due;
mod faults;
mod heart;
mod isolation;
mod kill;
mod late;
mod left;
mod numbers;
mod planned;
mod pooler;
mod publishing;
mod read_only;
mod refused;
mod removal;
mod restart;
mod rights;
mod schema;
mod settings;
mod silence;
mod transaction;
mod unique;
mod wake;

use automarket_core::{TenantId, store::NewJob};
use automarket_store_postgres::{
    PostgresStore,
    testing::{Cluster, TestStore},
};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// The one server of these tests; `None` when there is none to be had.
async fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
    let start = || async { Cluster::start().await.unwrap() };
    CLUSTER.get_or_init(start).await.as_ref()
}

/// Another store on the same schema, with connections of its own, as another process has it.
async fn other(cluster: &Cluster, test: &TestStore) -> PostgresStore {
    let other = PostgresStore::builder(cluster.url()).schema(test.schema());
    other.build().await.unwrap()
}

/// A plain connection, as a host would have.
async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn job() -> NewJob {
    NewJob::new(acme(), "work", "x".into())
}
