//! A role that does not own the schema: what it lacks is said when the store is opened, not by the first call that
//! needs it.

use automarket_core::{Error, ErrorKind, Retry, store::JobStore};
use automarket_store_postgres::PostgresStore;

use crate::{client, cluster, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_a_right_is_told_which_when_it_opens_the_store() {
    let Some(cluster) = cluster().await else {
        return;
    };
    // A server of somebody else's may want a password of a new role.
    if !cluster.url().contains("//automarket@") {
        return;
    }
    let url = cluster.url().replace("//automarket@", "//rights_app@");
    let open = async |url: &str| {
        let store = PostgresStore::builder(url).schema("rights").pool_size(1);
        store.build().await
    };
    let refused = async || -> Error {
        let refused = open(&url).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.retry(), refused.rule()),
            (ErrorKind::Config, Retry::Never, Some("postgres.privilege")),
            "{}",
            refused.report()
        );
        refused
    };
    let owner = client(cluster.url()).await;
    let run = async |sql: &str| owner.batch_execute(sql).await.unwrap();
    open(cluster.url()).await.unwrap();

    run("CREATE ROLE rights_app LOGIN").await;
    assert!(refused().await.message().contains("schema rights"));
    run("GRANT USAGE ON SCHEMA rights TO rights_app; GRANT SELECT ON rights.migrations TO rights_app").await;
    let said = refused().await;
    // Each table and view of ours is looked at.
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'rights'::regnamespace
        AND relkind IN ('r', 'v') AND relname <> 'migrations' UNION SELECT 'places'";
    for row in owner.query(sql, &[]).await.unwrap() {
        let name: String = row.get(0);
        let mut words = said.message().split([' ', ',', ';']);
        assert!(words.any(|word| word == name), "{name}: {said}");
    }
    run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rights TO rights_app").await;
    let said = refused().await;
    assert!(said.message().ends_with("USAGE on places"), "{said}");
    run("GRANT USAGE ON ALL SEQUENCES IN SCHEMA rights TO rights_app").await;
    // What the store never does, it needs no right for.
    run("REVOKE USAGE ON SEQUENCE rights.places FROM rights_app;
        GRANT UPDATE ON SEQUENCE rights.places TO rights_app;
        REVOKE INSERT ON rights.migrations FROM rights_app")
    .await;
    run("CREATE TABLE rights.of_the_host (id int)").await;
    let store = open(&url).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();

    // What is taken away later is named too.
    run("REVOKE ALL ON SEQUENCE rights.places FROM rights_app").await;
    let said = store.enqueue(&[job()]).await.unwrap_err();
    assert_eq!(said.rule(), Some("postgres.privilege"));
    assert!(said.message().contains("places"), "{said}");
    run("DROP SCHEMA rights CASCADE; DROP OWNED BY rights_app; DROP ROLE rights_app").await;
}
