//! Calls that nobody waits for any more leave their statements behind; what comes next does not wait behind those.

use std::{future::Future, time::Duration};

use automarket_core::{
    AccountId, JobId, Result,
    store::{AccountStore, GateStore, JobStore, Signal, UpkeepStore},
};
use automarket_store_postgres::PostgresStore;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::{acme, client, cluster};

/// Done once a statement of the store waits for a lock.
async fn waits(admin: &Client, schema: &str) {
    let sql = "SELECT FROM pg_stat_activity
        WHERE application_name = 'automarket' AND wait_event_type = 'Lock' AND query LIKE $1";
    let ours = format!("%{schema}%");
    while admin.query(sql, &[&ours]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Drops the call while it waits for a lock.
async fn leave<T>(admin: &Client, schema: &str, call: impl Future<Output = Result<T>>) {
    tokio::select! {
        biased;
        _ = call => panic!("it had to wait"),
        () = waits(admin, schema) => {}
    }
}

/// The deadline only ends a test that fails.
async fn answered<T>(call: impl Future<Output = Result<T>>) -> T {
    let answer = timeout(Duration::from_secs(60), call).await;
    answer.expect("an answer").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_call_that_was_dropped_has_another_connection() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (host, admin) = (client(cluster.url()).await, client(cluster.url()).await);
    let store = PostgresStore::builder(cluster.url()).schema(test.schema());
    let store = store.pool_size(1).build().await.unwrap();
    let (tenant, account) = (acme(), AccountId::new());
    let lock = |table: &str| {
        let schema = test.schema();
        format!("BEGIN; LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE")
    };

    host.batch_execute(&lock("workers")).await.unwrap();
    leave(&admin, test.schema(), store.remove_worker("gone")).await;
    assert!(!answered(store.cancel_job(&tenant, JobId::new())).await);
    host.batch_execute("ROLLBACK").await.unwrap();

    // In the middle of a transaction.
    host.batch_execute(&lock("gates")).await.unwrap();
    let told = store.tell_gate(&tenant, account, "rate", Signal::Failed, false);
    leave(&admin, test.schema(), told).await;
    assert!(!answered(store.cancel_job(&tenant, JobId::new())).await);
    host.batch_execute("ROLLBACK").await.unwrap();
    let there = store.tell_gate(&tenant, account, "rate", Signal::Failed, false);
    assert_eq!(answered(there).await.failures, 1, "the other was not done");

    // A short read, though another one still waits on the same connection.
    host.batch_execute(&lock("accounts")).await.unwrap();
    let other = {
        let (store, tenant) = (store.clone(), tenant.clone());
        tokio::spawn(async move { store.account(&tenant, account).await })
    };
    waits(&admin, test.schema()).await;
    leave(&admin, test.schema(), store.account(&tenant, account)).await;
    answered(store.now()).await;
    host.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(other.await.unwrap().unwrap(), None);
    test.remove().await.unwrap();
}
