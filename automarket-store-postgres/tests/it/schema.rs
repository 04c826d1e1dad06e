//! The schema: ours alone, made once, never older than the binary's.

use automarket_core::{
    ErrorKind, Result,
    store::{JobStore, UpkeepStore},
};
use automarket_store_postgres::PostgresStore;

use crate::{client, cluster, job};

async fn open(url: &str, schema: &str) -> Result<PostgresStore> {
    PostgresStore::builder(url)
        .schema(schema)
        .pool_size(2)
        .build()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_openers_at_once_make_one_schema() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let openers = (0..8).map(|_| {
        tokio::spawn(async move {
            let store = open(cluster.url(), "opened_by_many").await.unwrap();
            store.enqueue(&[job()]).await.unwrap();
        })
    });
    for opener in openers.collect::<Vec<_>>() {
        opener.await.unwrap();
    }
    let again = open(cluster.url(), "opened_by_many").await.unwrap();
    assert_eq!(again.queue_stats().await.unwrap().ready, 8);
    let host = client(cluster.url()).await;
    let sql = "SELECT count(*) FROM opened_by_many.migrations";
    let ran: i64 = host.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(ran, i64::from(again.schema_version().await.unwrap()));
    host.batch_execute("DROP SCHEMA opened_by_many CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_tables_are_left_alone_and_schemas_do_not_meet() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    host.batch_execute(
        "CREATE SCHEMA host; CREATE TABLE host.jobs (id int); CREATE TABLE host.migrations (version text);
         INSERT INTO host.jobs VALUES (1); INSERT INTO host.migrations VALUES ('host')",
    )
    .await
    .unwrap();
    let (one, two) = (
        cluster.store().await.unwrap(),
        cluster.store().await.unwrap(),
    );
    one.store.enqueue(&[job()]).await.unwrap();
    assert_eq!(one.store.queue_stats().await.unwrap().ready, 1);
    assert_eq!(two.store.queue_stats().await.unwrap().ready, 0);
    let sql = "SELECT (SELECT count(*) FROM host.jobs) + (SELECT count(*) FROM host.migrations),
        (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
    let row = host.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 0));
    host.batch_execute("DROP SCHEMA host CASCADE")
        .await
        .unwrap();
    one.remove().await.unwrap();
    two.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_and_a_changed_migration_are_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let schema = test.schema().to_owned();
    test.run("INSERT INTO automarket.migrations VALUES (99, 'x')")
        .await
        .unwrap();
    let refused = open(cluster.url(), &schema).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Config, Some("postgres.newer_schema"))
    );
    assert!(refused.message().contains("99"), "{refused}");
    test.run("DELETE FROM automarket.migrations WHERE number = 99")
        .await
        .unwrap();
    open(cluster.url(), &schema).await.unwrap();
    test.run("UPDATE automarket.migrations SET checksum = 'x' WHERE number = 1")
        .await
        .unwrap();
    let refused = open(cluster.url(), &schema).await.unwrap_err();
    assert_eq!(refused.rule(), Some("postgres.changed_migration"));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_cut_in_the_middle_leaves_nothing_half_done() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    // A name of ours is taken, so the second file fails after the first one ran.
    host.batch_execute(
        "CREATE SCHEMA half; CREATE FUNCTION half.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    )
    .await
    .unwrap();
    assert_eq!(
        open(cluster.url(), "half").await.unwrap_err().kind(),
        ErrorKind::Internal
    );
    let sql = "SELECT count(*) FROM pg_class WHERE relnamespace = 'half'::regnamespace";
    assert_eq!(host.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    host.batch_execute("DROP FUNCTION half.clock()")
        .await
        .unwrap();
    open(cluster.url(), "half")
        .await
        .unwrap()
        .enqueue(&[job()])
        .await
        .unwrap();
    host.batch_execute("DROP SCHEMA half CASCADE")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_name_or_login_is_a_configuration_error() {
    let Some(cluster) = cluster().await else {
        return;
    };
    for schema in ["", "1a", "a-b", "A", "a.b", "a\"b", &"a".repeat(64)] {
        let refused = open(cluster.url(), schema).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{schema}");
    }
    let no_database = cluster.url().replace("/postgres", "/nowhere");
    if no_database != cluster.url() {
        let refused = open(&no_database, "a").await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Config, Some("postgres.login"))
        );
    }
}
