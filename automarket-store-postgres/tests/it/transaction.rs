//! A host puts jobs in inside its own transaction, with whatever driver it has.

use automarket_core::{
    ErrorKind, JobId, TenantId,
    chrono::{DateTime, Utc},
    store::{
        Enqueued, EventStore, JobState, JobStore, NewJob, NewPublishing, Publication,
        PublicationStore, REVISION, SLOT,
    },
    testing::sample_publishing,
};
use automarket_store_postgres::{testing::TestStore, with_sqlx, with_tokio_postgres};
use serde_json::json;
use uuid::Uuid;

use crate::{acme, client, cluster, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_commits_and_rolls_back_with_the_hosts_row() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    host.batch_execute(&format!("CREATE TABLE {}.users (name text)", test.schema()))
        .await
        .unwrap();
    let sign_up = format!("INSERT INTO {}.users VALUES ($1)", test.schema());
    let enqueue = format!(
        "SELECT {}.enqueue('acme', 'welcome', jsonb_build_object('user', $1::text))",
        test.schema()
    );
    for (name, commits) in [("ada", true), ("bob", false)] {
        let tx = host.transaction().await.unwrap();
        tx.execute(&sign_up, &[&name]).await.unwrap();
        let id: Uuid = tx.query_one(&enqueue, &[&name]).await.unwrap().get(0);
        assert_eq!(id.get_version_num(), 7);
        let unseen = test.store.job(&acme(), id.into()).await.unwrap();
        assert_eq!(unseen, None, "not before the commit");
        if commits {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        let found = test.store.job(&acme(), id.into()).await.unwrap();
        assert_eq!(
            found.map(|job| job.payload),
            commits.then(|| json!({"user": name}))
        );
    }
    let waiting = test
        .store
        .jobs(&acme(), JobState::Waiting, 10)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].priority, waiting[0].max_attempts), (0, 20));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_takes_everything_that_the_library_takes() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let host = client(cluster.url()).await;
    let sql = format!(
        "SELECT {}.enqueue(tenant => 'acme', kind => 'work', payload => '1', run_at => $1,
            priority => 7::smallint, max_attempts => 3, unique_key => 'k')",
        test.schema()
    );
    let at: DateTime<Utc> = "2099-01-01T00:00:00Z".parse().unwrap();
    let id: JobId = host
        .query_one(&sql, &[&at])
        .await
        .unwrap()
        .get::<_, Uuid>(0)
        .into();
    let found = test.store.job(&acme(), id).await.unwrap().unwrap();
    assert_eq!(
        (found.run_at, found.priority, found.max_attempts),
        (at, 7, 3)
    );
    let again: Uuid = host.query_one(&sql, &[&at]).await.unwrap().get(0);
    assert_eq!(
        JobId::from(again),
        id,
        "its unique key is taken: the job that holds it"
    );
    let ours = test.store.enqueue(&[job().unique("k")]).await.unwrap();
    assert_eq!(ours[0].id(), id, "by whichever door");
    for bad in [
        "('', 'k', '1')",
        "('a', NULL, '1')",
        "('a', 'k', '1', 'infinity')",
        "(E'a\\n', 'k', '1')",
        "('a', 'k', '1', unique_key => repeat('k', 1001))",
        "('a', repeat('k', 201), '1')",
        "('a', 'k', '1', run_at => '290000-01-01')",
        "('a', 'publish', '1')",
        "('a', 'publish-delete', '1')",
        "('a', 'measure', '1')",
        "('a', 'credential-keep-alive', '1')",
    ] {
        let sql = format!("SELECT {}.enqueue{bad}", test.schema());
        let refused = host.query_one(&sql, &[]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "22023", "{bad}");
    }
    test.remove().await.unwrap();
}

/// Whether post, publication, job and event are there: all, or none of them.
async fn is_there(test: &TestStore, publishing: &NewPublishing) -> bool {
    let (store, tenant) = (&test.store, &publishing.tenant);
    let post = store.post(tenant, publishing.post.id).await.unwrap();
    let publications = store.publications(tenant, publishing.post.id).await;
    let job = store.job(tenant, publishing.jobs[0].id).await.unwrap();
    let subject = &publishing.events[0].subject;
    let events = store.events_about(tenant, subject).await.unwrap();
    let there = post.is_some();
    if there {
        assert_eq!(post.as_ref(), Some(&publishing.post));
        assert_eq!(publications.unwrap(), publishing.publications);
        assert_eq!(events[0].event, publishing.events[0]);
        assert_eq!(
            job.map(|job| job.unique_key),
            Some(publishing.jobs[0].unique_key.clone())
        );
    } else {
        assert_eq!(
            (publications.unwrap().len(), job, events.len()),
            (0, None, 0)
        );
    }
    there
}

fn publishing() -> NewPublishing {
    sample_publishing("acme", "2027-01-01T00:00:00.5Z".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_commits_and_rolls_back_with_the_host_by_plain_sql() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    let sql = format!("SELECT {}.publish($1::text::json)", test.schema());
    for commits in [false, true] {
        let publishing = publishing();
        let text = serde_json::to_string(&publishing).unwrap();
        let tx = host.transaction().await.unwrap();
        let is_new: bool = tx.query_one(&sql, &[&text]).await.unwrap().get(0);
        assert!(is_new && !is_there(&test, &publishing).await);
        if commits {
            tx.commit().await.unwrap();
            let again: bool = host.query_one(&sql, &[&text]).await.unwrap().get(0);
            assert!(!again, "it is all there");
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(is_there(&test, &publishing).await, commits);
    }
    let mut foreign = publishing();
    foreign.jobs[0].tenant = TenantId::new("other").unwrap();
    let mut stray = publishing();
    stray.publications[0].post = publishing().post.id;
    for bad in [foreign, stray] {
        let text = serde_json::to_string(&bad).unwrap();
        let refused = host.query_one(&sql, &[&text]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "22023");
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_slot_and_a_post_that_moved_are_told_at_every_door() {
    use sqlx::{Connection as _, postgres::PgConnection};
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = &test.store;
    let one = client(cluster.url()).await;
    let mut two = PgConnection::connect(cluster.url()).await.unwrap();
    let holding = || {
        let mut new = publishing();
        new.publications[0].slot = Some(new.publications[0].due);
        new
    };
    let first = holding();
    store.put_publishing(&first).await.unwrap();
    let elsewhere = publishing().publications.remove(0);
    let mut moved = first.clone();
    moved.post.base.text = Some("other words".to_owned());
    moved.publications = vec![Publication {
        post: moved.post.id,
        ..elsewhere
    }];
    for (new, rule) in [(holding(), SLOT), (moved, REVISION)] {
        for refused in [
            store.put_publishing(&new).await,
            with_tokio_postgres::publish_in(store, &one, &new).await,
            with_sqlx::publish_in(store, &mut two, &new).await,
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.rule()),
                (ErrorKind::Conflict, Some(rule))
            );
        }
    }
    let again = with_sqlx::publish_in(store, &mut two, &first).await;
    assert!(!again.unwrap(), "what holds it may be written again");
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_helpers_commit_and_roll_back_with_the_host() {
    use sqlx::{Connection as _, postgres::PgConnection};
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = &test.store;
    let mut one = client(cluster.url()).await;
    let mut two = PgConnection::connect(cluster.url()).await.unwrap();
    for commits in [false, true] {
        let (a, b) = (
            publishing(),
            sample_publishing("other", DateTime::UNIX_EPOCH),
        );
        let (c, d): (NewJob, NewJob) = (job().unique(format!("c{commits}")), job());
        let tx = one.transaction().await.unwrap();
        assert!(
            with_tokio_postgres::publish_in(store, &tx, &a)
                .await
                .unwrap()
        );
        let put = with_tokio_postgres::enqueue_in(store, &tx, &c)
            .await
            .unwrap();
        assert_eq!(put, Enqueued::New(c.id));
        let mut sx = two.begin().await.unwrap();
        assert!(with_sqlx::publish_in(store, &mut *sx, &b).await.unwrap());
        let put = with_sqlx::enqueue_in(store, &mut *sx, &d).await.unwrap();
        assert_eq!(put.id(), d.id);
        if commits {
            tx.commit().await.unwrap();
            sx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
            sx.rollback().await.unwrap();
        }
        assert_eq!(is_there(&test, &a).await, commits);
        assert_eq!(is_there(&test, &b).await, commits);
        for id in [c.id, d.id] {
            assert_eq!(store.job(&acme(), id).await.unwrap().is_some(), commits);
        }
    }
    let taken = job();
    store.enqueue(std::slice::from_ref(&taken)).await.unwrap();
    let theirs = NewJob {
        tenant: TenantId::new("other").unwrap(),
        ..taken.clone()
    };
    let named = |error: automarket_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains(&taken.id.to_string()), "{error}");
    };
    named(
        with_tokio_postgres::enqueue_in(store, &one, &theirs)
            .await
            .unwrap_err(),
    );
    named(
        with_sqlx::enqueue_in(store, &mut two, &theirs)
            .await
            .unwrap_err(),
    );
    named(
        store
            .enqueue(std::slice::from_ref(&theirs))
            .await
            .unwrap_err(),
    );
    // A payload that is refused by nobody else is refused by neither.
    let odd = |n: u8| NewJob {
        payload: json!({"t": "a\0b\\u0000", "n": n}),
        ..job()
    };
    let (a, b) = (odd(1), odd(2));
    let put = with_tokio_postgres::enqueue_in(store, &one, &a);
    assert_eq!(put.await.unwrap(), Enqueued::New(a.id));
    let put = with_sqlx::enqueue_in(store, &mut two, &b);
    assert_eq!(put.await.unwrap(), Enqueued::New(b.id));
    for new in [a, b] {
        let held = store.job(&new.tenant, new.id).await.unwrap().unwrap();
        assert_eq!(held.payload, new.payload);
    }
    let long = job().unique("k".repeat(1_001));
    let too_long = |error: automarket_core::Error| {
        assert_eq!(error.field(), Some("unique_key"), "{error}");
    };
    let put = with_tokio_postgres::enqueue_in(store, &one, &long);
    too_long(put.await.unwrap_err());
    let put = with_sqlx::enqueue_in(store, &mut two, &long);
    too_long(put.await.unwrap_err());
    test.remove().await.unwrap();
}
