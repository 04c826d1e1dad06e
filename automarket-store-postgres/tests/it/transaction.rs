//! A host puts jobs in inside its own transaction, with whatever driver it has.

use automarket_core::{
    JobId,
    chrono::{DateTime, Utc},
    store::{JobState, JobStore},
};
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
    ] {
        let sql = format!("SELECT {}.enqueue{bad}", test.schema());
        let refused = host.query_one(&sql, &[]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "22023", "{bad}");
    }
    test.remove().await.unwrap();
}
