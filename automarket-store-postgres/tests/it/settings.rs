//! What a database, a role, a server or a pooler may be set to, and what it may turn out to be.

use automarket_core::{
    AccountId, Error, ErrorKind, Platform, Retry,
    chrono::DateTime,
    store::{Account, AccountStore, JobStore},
};
use automarket_store_postgres::{PostgresStore, testing::Cluster, with_tokio_postgres};
use tokio_postgres::Client;

use crate::{acme, client, cluster, job};

/// A database of its own and where it is; `None` when the server's URL does not end in a database that we know.
async fn database(admin: &Client, url: &str, name: &str, more: &str) -> Option<String> {
    let own = url.strip_suffix("/postgres")?;
    let sql = format!("CREATE DATABASE {name} {more}");
    admin.batch_execute(&sql).await.unwrap();
    Some(format!("{own}/{name}"))
}

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

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_wait_for_work_are_not_ended() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let admin = client(cluster.url()).await;
    let name = "ends_what_waits";
    let Some(url) = database(&admin, cluster.url(), name, "").await else {
        return;
    };
    let timeout = format!("ALTER DATABASE {name} SET idle_session_timeout = '500ms'");
    admin.batch_execute(&timeout).await.unwrap();
    let store = PostgresStore::connect(url).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
    let ours = async || {
        let sql = format!(
            "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        let row = admin.query_one(&sql, &[]).await.unwrap();
        row.get::<_, Option<Vec<i32>>>(0).unwrap()
    };
    let before = ours().await;
    admin.batch_execute("SELECT pg_sleep(1.5)").await.unwrap();
    assert_eq!(ours().await, before);
    drop(store);
    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.batch_execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_hold_every_character_is_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let admin = client(cluster.url()).await;
    for (encoding, rule) in [("LATIN1", Some("postgres.encoding")), ("SQL_ASCII", None)] {
        let name = format!("in_{}", encoding.to_lowercase());
        let more = format!("ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        let Some(url) = database(&admin, cluster.url(), &name, &more).await else {
            return;
        };
        let opened = PostgresStore::connect(url).await;
        assert_eq!(opened.as_ref().err().and_then(Error::rule), rule);
        if let Err(refused) = opened {
            assert_eq!(
                (refused.kind(), refused.retry()),
                (ErrorKind::Config, Retry::Never)
            );
        }
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        admin.batch_execute(&sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changes_under_a_running_process_ends_no_work() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = &test.store;
    let id = AccountId::new();
    let account = Account {
        id,
        tenant: acme(),
        platform: Platform::from_static("x"),
        network: Platform::from_static("x"),
        remote_id: "1".into(),
        name: "Ada".into(),
        settings: serde_json::json!({}),
        created_at: DateTime::UNIX_EPOCH,
    };
    store.put_account(&account).await.unwrap();
    // The statements of both are prepared.
    store.account(&acme(), id).await.unwrap();
    store.accounts(&acme()).await.unwrap();
    // As a later version's migration might.
    test.run("ALTER TABLE automarket.accounts ADD COLUMN region text")
        .await
        .unwrap();
    assert!(store.account(&acme(), id).await.unwrap().is_some());
    assert_eq!(store.accounts(&acme()).await.unwrap().len(), 1);
    test.run("ALTER TABLE automarket.accounts ALTER COLUMN name TYPE varchar(500)")
        .await
        .unwrap();
    let stale = store.account(&acme(), id).await.unwrap_err();
    assert_eq!(
        (stale.kind(), stale.retry(), stale.rule()),
        (
            ErrorKind::Storage,
            Retry::After(None),
            Some("postgres.prepared")
        ),
        "{}",
        stale.report()
    );
    assert!(store.account(&acme(), id).await.unwrap().is_some());
    assert_eq!(store.accounts(&acme()).await.unwrap().len(), 1);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_transaction_on_a_database_without_a_store_is_told_as_such() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let admin = client(cluster.url()).await;
    let Some(url) = database(&admin, cluster.url(), "without_a_store", "").await else {
        return;
    };
    let host = client(&url).await;
    let refused = with_tokio_postgres::enqueue_in(&test.store, &host, &job()).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Config, Some("postgres.no_store"))
    );
    drop(host);
    let sql = "DROP DATABASE without_a_store WITH (FORCE)";
    admin.batch_execute(sql).await.unwrap();
    test.remove().await.unwrap();
}
