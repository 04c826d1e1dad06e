//! Publications, when several write those of one tenant at once.

use std::time::Duration;

use automarket_core::{
    AccountId, ErrorKind, Result, TenantId,
    store::{
        EventStore, JobStore, NewEvent, NewJob, NewPublishing, PublicationStore, PublishingChange,
        REVISION, SLOT,
    },
    testing::sample_publishing,
};
use automarket_store_postgres::testing::TestStore;
use tokio::{
    task::{JoinSet, yield_now},
    time::{self, timeout},
};
use tokio_postgres::Client;

use crate::{acme, client, cluster};

/// Far longer than anything here takes, so that a slow machine fails nothing.
const DEADLINE: Duration = Duration::from_secs(20);

async fn publishing(test: &TestStore) -> NewPublishing {
    let at = test.store.now().await.unwrap();
    sample_publishing("acme", at)
}

fn told(new: &NewPublishing) -> PublishingChange {
    let mut change = PublishingChange::new(new.tenant.clone());
    change.publications = new.publications.clone();
    change.events.push(NewEvent {
        tenant: new.tenant.clone(),
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
            yield_now().await;
        }
    };
    timeout(DEADLINE, there).await.expect("one sleeps");
}

/// Lets every statement of this sort take a while.
async fn lingers(test: &TestStore, what: &str) {
    let trigger =
        "CREATE OR REPLACE FUNCTION automarket.linger() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_sleep(1); RETURN NULL; END$$;
         CREATE TRIGGER linger AFTER";
    let rows = "FOR EACH ROW EXECUTE FUNCTION automarket.linger()";
    test.run(&format!("{trigger} {what} {rows}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_other_words_and_another_account_the_one_that_is_under_way_wins() {
    let Some(cluster) = cluster().await else {
        return;
    };
    for lingering in [
        "INSERT ON automarket.publications",
        "UPDATE ON automarket.posts",
    ] {
        let test = cluster.store().await.unwrap();
        let admin = client(cluster.url()).await;
        let post = publishing(&test).await;
        test.store.put_publishing(&post).await.unwrap();
        lingers(&test, lingering).await;
        // Without events, whose lock would hold up the other one.
        let mut edit = PublishingChange::new(acme());
        edit.post = Some(post.post.clone());
        edit.post.as_mut().unwrap().base.text = Some("other words".to_owned());
        edit.accounts = 1;
        let mut more = publishing(&test).await;
        more.post = post.post.clone();
        more.publications[0].post = post.post.id;
        more.publications[0].via = None;
        more.publications[0].target.account = AccountId::new();
        more.events.clear();
        let store = test.store.clone();
        let edit = async move { store.change_publishing(&edit).await.map(drop) };
        let store = test.store.clone();
        let more = async move { store.put_publishing(&more).await.map(drop) };
        type Call = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;
        let (edit, more): (Call, Call) = (Box::pin(edit), Box::pin(more));
        let (first, second) = match lingering.starts_with("INSERT") {
            true => (more, edit),
            false => (edit, more),
        };
        let first = tokio::spawn(first);
        asleep(&admin, test.schema()).await;
        let refused = second.await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some(REVISION))
        );
        first.await.unwrap().unwrap();
        test.remove().await.unwrap();
    }
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
    lingers(&test, "INSERT ON automarket.publications").await;
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

/// Lets what was spawned get in line, and then more time pass, at once, than calls wait for company.
async fn without_company() {
    for _ in 0..10 {
        yield_now().await;
    }
    time::pause();
    time::advance(Duration::from_millis(30)).await;
    time::resume();
}

// One thread, whose clock can be set.
#[tokio::test]
async fn a_hosts_open_transaction_holds_up_its_tenant_alone_and_not_for_good() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    let admin = client(cluster.url()).await;
    let news: Vec<NewPublishing> = {
        let mut news = Vec::new();
        for _ in 0..24 {
            news.push(publishing(&test).await);
            test.store
                .put_publishing(news.last().unwrap())
                .await
                .unwrap();
        }
        news
    };
    let open = host.transaction().await.unwrap();
    let lock = format!(
        "SELECT pg_advisory_xact_lock(hashtextextended('{}.events acme', 0))",
        test.schema()
    );
    open.execute(&lock, &[]).await.unwrap();
    let other = sample_publishing("other", test.store.now().await.unwrap());
    test.store.put_publishing(&other).await.unwrap();
    let mut changes = JoinSet::new();
    for (n, new) in news.iter().enumerate() {
        let (store, change) = (test.store.clone(), told(new));
        changes.spawn(async move { store.change_publishing(&change).await });
        without_company().await;
        if n == 8 {
            test.store.change_publishing(&told(&other)).await.unwrap();
            assert!(changes.try_join_next().is_none(), "it waited for none");
        }
    }
    let other = NewJob::new(TenantId::new("other").unwrap(), "work", 1.into());
    let put = timeout(DEADLINE, test.store.enqueue(&[other])).await;
    put.expect("others have connections").unwrap();
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND NOT l.granted AND strpos(a.query, $1) > 0";
    let waiting = admin.query_one(waiting, &[&test.schema()]).await;
    let waiting: i64 = waiting.unwrap().get(0);
    assert!(waiting <= 1, "{waiting} wait");
    let end = async {
        while let Some(changed) = changes.join_next().await {
            let error = changed.unwrap().unwrap_err();
            assert_eq!(
                (error.kind(), error.rule()),
                (ErrorKind::Storage, Some("postgres.timeout"))
            );
        }
    };
    timeout(DEADLINE, end)
        .await
        .expect("nothing waits for ever");
    open.rollback().await.unwrap();
    for new in &news {
        test.store.change_publishing(&told(new)).await.unwrap();
    }
    let post = news[0].post.id.to_string();
    let events = test.store.events_about(&acme(), &post).await;
    assert_eq!(events.unwrap().len(), 1);
    test.remove().await.unwrap();
}
