//! What a database, a role or a server may be set to, and what it may turn out to be.

use automarket_core::store::JobStore;
use automarket_store_postgres::{PostgresStore, testing::Cluster};

use crate::{acme, client, job};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_the_server_whatever_it_is_set_to() {
    let Some(mut cluster) = Cluster::own().await.unwrap() else {
        return;
    };
    let admin = client(cluster.url()).await;
    admin
        .batch_execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        .await
        .unwrap();
    for sql in [
        "SELECT pg_reload_conf()",
        "ALTER DATABASE postgres SET synchronous_commit = off",
        "CHECKPOINT",
    ] {
        admin.batch_execute(sql).await.unwrap();
    }
    let store = PostgresStore::connect(cluster.url()).await.unwrap();
    let new = job();
    store.enqueue(std::slice::from_ref(&new)).await.unwrap();
    cluster.stop().unwrap();
    cluster.start_again().await.unwrap();
    let store = PostgresStore::connect(cluster.url()).await.unwrap();
    assert!(store.job(&acme(), new.id).await.unwrap().is_some());
}
