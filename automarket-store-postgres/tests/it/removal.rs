//! What is old is removed beside a host's open transaction that has some of it.

use std::{future::Future, time::Duration};

use automarket_core::{
    AccountId, Result,
    chrono::TimeDelta,
    store::{AuditAction, AuditStore, EventStore, JobStore, NewAudit, NewEvent, UpkeepStore},
};

use crate::{acme, client, cluster};

/// The deadline only ends a test that fails.
async fn removed(call: impl Future<Output = Result<usize>>) -> usize {
    let removed = tokio::time::timeout(Duration::from_secs(30), call).await;
    removed.expect("an answer").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_host_has_are_passed_by() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let (store, schema) = (&test.store, test.schema());
    let event = |subject: &str| NewEvent {
        tenant: acme(),
        kind: "told".into(),
        subject: subject.into(),
        data: 1.into(),
    };
    let entry = |why: &str| NewAudit {
        tenant: acme(),
        account: AccountId::new(),
        action: AuditAction::Use,
        who: "ada".into(),
        why: why.into(),
        outcome: "done".into(),
    };
    let events = ["one", "two", "three"].map(event);
    store.append_events(&events).await.unwrap();
    let entries = ["one", "two", "three"].map(entry);
    store.append_audit(&entries).await.unwrap();
    let later = store.now().await.unwrap() + TimeDelta::hours(1);

    let host = client(cluster.url()).await;
    let lock =
        |table: &str| format!("SELECT FROM {schema}.{table} ORDER BY sequence LIMIT 1 FOR UPDATE;");
    let locks = ["events", "audit"].map(lock).concat();
    host.batch_execute(&format!("BEGIN; {locks}"))
        .await
        .unwrap();
    assert_eq!(removed(store.remove_events(later, 2)).await, 2);
    assert_eq!(removed(store.remove_audit(later, 2)).await, 2);
    host.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(removed(store.remove_events(later, 9)).await, 1);
    assert_eq!(removed(store.remove_audit(later, 9)).await, 1);
    test.remove().await.unwrap();
}
