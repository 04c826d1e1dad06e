//! Publications, when several write those of one tenant at once.

use std::time::Duration;

use automarket_core::{
    ErrorKind,
    store::{JobStore, NewEvent, NewPublishing, PublicationStore, PublishingChange, SLOT},
    testing::sample_publishing,
};
use automarket_store_postgres::testing::TestStore;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::{acme, client, cluster};

/// Far longer than anything here takes, so that a slow machine fails nothing.
const DEADLINE: Duration = Duration::from_secs(20);

async fn publishing(test: &TestStore) -> NewPublishing {
    let at = test.store.now().await.unwrap();
    sample_publishing("acme", at)
}

fn told(new: &NewPublishing) -> PublishingChange {
    let mut change = PublishingChange::new(acme());
    change.publications = new.publications.clone();
    change.events.push(NewEvent {
        tenant: acme(),
        kind: "publication.moved".to_owned(),
        subject: new.post.id.to_string(),
        data: 1.into(),
    });
    change
}

/// Waits until one of the schema's sessions sleeps.
async fn asleep(admin: &Client, schema: &str) {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE wait_event = 'PgSleep' AND strpos(query, $1) > 0)";
    let there = async {
        while !admin
            .query_one(sql, &[&schema])
            .await
            .unwrap()
            .get::<_, bool>(0)
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, there).await.expect("one sleeps");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_new_publication_and_a_moved_one_at_a_slot_neither_is_a_victim() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let admin = client(cluster.url()).await;
    let mut moved = publishing(&test).await;
    test.store.put_publishing(&moved).await.unwrap();
    test.run(
        "CREATE FUNCTION automarket.linger() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_sleep(1); RETURN NULL; END$$;
         CREATE TRIGGER linger AFTER INSERT ON automarket.publications FOR EACH ROW
            EXECUTE FUNCTION automarket.linger()",
    )
    .await
    .unwrap();
    let mut new = publishing(&test).await;
    let slot = Some(new.publications[0].due);
    new.publications[0].slot = slot;
    let store = test.store.clone();
    let first = tokio::spawn(async move { store.put_publishing(&new).await });
    asleep(&admin, test.schema()).await;
    moved.publications[0].slot = slot;
    let refused = test.store.change_publishing(&told(&moved)).await;
    first.await.unwrap().unwrap();
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Conflict, Some(SLOT)),
        "{}",
        refused.report()
    );
    test.remove().await.unwrap();
}
