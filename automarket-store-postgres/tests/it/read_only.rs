//! A server that is read-only for a moment (an old primary, a disk that is nearly full), or refuses the login:
//! nothing is final, and what is connected to it is not used again.

use automarket_core::{
    ErrorKind, Retry,
    store::{Claim, JobState, JobStore, Settled, Verdict},
};
use automarket_store_postgres::{PostgresStore, testing::TestStore};
use tokio_postgres::Client;

use crate::{acme, client, cluster, job};

/// Sessions of a database are ended until nobody comes back to it in time.
async fn end_sessions(admin: &Client, database: &str) {
    let sql =
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = $1";
    admin.query_one(sql, &[&database]).await.unwrap();
}

/// A database of its own and where it is; `None` when the server's URL does not end in a database that we know.
async fn database(admin: &Client, url: &str, name: &str) -> Option<String> {
    let own = url.strip_suffix("/postgres")?;
    admin
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    Some(format!("{own}/{name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_of_read_only_or_of_a_refused_login_loses_no_verdict() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let admin = client(cluster.url()).await;
    let Some(url) = database(&admin, cluster.url(), "for_a_moment").await else {
        return;
    };
    let store = PostgresStore::connect(&url).await.unwrap();
    let jobs = [job(), job()];
    store.enqueue(&jobs).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 2)).await.unwrap();
    let verdict = |n: usize| [(leases[n].token, Verdict::Complete(1.into()))];

    let sql = "ALTER DATABASE for_a_moment SET default_transaction_read_only = on";
    admin.batch_execute(sql).await.unwrap();
    end_sessions(&admin, "for_a_moment").await;
    let refused = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Storage, Some("postgres.readonly")),
        "{}",
        refused.report()
    );
    for _ in 0..20 {
        let error = store.settle(&verdict(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
        assert_eq!(error.retry(), Retry::After(None));
    }
    // Sessions that began before this stay as they are.
    let sql = "ALTER DATABASE for_a_moment RESET default_transaction_read_only";
    admin.batch_execute(sql).await.unwrap();
    let settled = store.settle(&verdict(0)).await.unwrap();
    assert_eq!(settled, [Settled::Now(JobState::Completed)]);

    let away = "ALTER DATABASE for_a_moment RENAME TO for_a_moment_away";
    loop {
        end_sessions(&admin, "for_a_moment").await;
        if admin.batch_execute(away).await.is_ok() {
            break;
        }
    }
    let mut refused = loop {
        // First it finds that its connections are gone.
        let error = store.settle(&verdict(1)).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(None), "{}", error.report());
        if error.kind() != ErrorKind::Storage {
            break error;
        }
    };
    assert_eq!(refused.rule(), Some("postgres.login"));
    let back = "ALTER DATABASE for_a_moment_away RENAME TO for_a_moment";
    admin.batch_execute(back).await.unwrap();
    let settled = store.settle(&verdict(1)).await.unwrap();
    assert_eq!(settled, [Settled::Now(JobState::Completed)]);
    for new in &jobs {
        let job = store.job(&acme(), new.id).await.unwrap().unwrap();
        assert_eq!((job.state, job.crashes), (JobState::Completed, 0));
    }

    // But who opens a store is told that it cannot be.
    let nowhere = format!("{}/nowhere", cluster.url().trim_end_matches("/postgres"));
    refused = PostgresStore::connect(nowhere).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry()),
        (ErrorKind::Config, Retry::Never)
    );
    drop(store);
    let sql = "DROP DATABASE for_a_moment WITH (FORCE)";
    admin.batch_execute(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_turned_read_only_is_not_used_again() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = PostgresStore::builder(cluster.url())
        .schema(test.schema())
        .pool_size(1);
    let one = TestStore {
        store: store.build().await.unwrap(),
    };
    let read_only = || async {
        one.run("SET default_transaction_read_only = on")
            .await
            .unwrap();
    };
    let new = [job()];
    // Who answers the short reads.
    let admin = client(cluster.url()).await;
    let reader = || async {
        one.store.steps(&acme(), new[0].id).await.unwrap();
        let sql = "SELECT pid FROM pg_stat_activity WHERE query LIKE $1
            ORDER BY backend_start DESC LIMIT 1";
        let pattern = format!("SELECT s.name%{}.steps%", test.schema());
        let row = admin.query_one(sql, &[&pattern]).await.unwrap();
        row.get::<_, i32>(0)
    };
    let before = reader().await;
    read_only().await;
    let error = one.store.enqueue(&new).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.rule()),
        (ErrorKind::Storage, Some("postgres.readonly"))
    );
    one.store.enqueue(&new).await.unwrap();
    assert_ne!(reader().await, before);
    let leases = one.store.claim(&Claim::new("worker", 1)).await.unwrap();
    // Inside a transaction too.
    let released = [(leases[0].token, Verdict::Release)];
    read_only().await;
    let error = one.store.settle(&released).await.unwrap_err();
    assert_eq!(error.rule(), Some("postgres.readonly"));
    let settled = one.store.settle(&released).await.unwrap();
    assert_eq!(settled, [Settled::Now(JobState::Waiting)]);
    test.remove().await.unwrap();
}
