//! What runs often is not planned anew each time: for a few rows that takes longer than to write them.

use std::time::Duration;

use automarket_core::{
    AccountId, Error, ErrorKind, ErrorRecord,
    chrono::TimeDelta,
    store::{
        Claim, GateStore, JobStore, NewJob, PublicationStore, PublishingChange, Signal, Verdict,
    },
    testing::sample_publishing,
};
use serde_json::json;

use crate::{cluster, job};

/// More than the server tries out before it keeps a plan.
const TIMES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_often_is_planned_once() {
    let Some(cluster) = cluster().await else {
        return;
    };
    // One call after the other: all by the same connection.
    let test = cluster.store().await.unwrap();
    let store = &test.store;
    for _ in 0..TIMES {
        store.enqueue(&[job()]).await.unwrap();
        store.enqueue(&[job(), job(), job()]).await.unwrap();
        let batch: Vec<NewJob> = (0..50).map(|_| job()).collect();
        store.enqueue(&batch).await.unwrap();
        store.enqueue(&batch).await.unwrap();
        let later = NewJob {
            priority: 3,
            run_at: Some(store.now().await.unwrap() - TimeDelta::seconds(1)),
            ..job()
        };
        store.enqueue(&[later.clone(), job()]).await.unwrap();
        store.enqueue(&[later]).await.unwrap();
        let leases = store.claim(&Claim::new("worker", 99)).await.unwrap();
        let tokens: Vec<_> = leases.iter().map(|lease| lease.token).collect();
        store
            .heartbeat(&tokens, Duration::from_secs(60))
            .await
            .unwrap();
        store.put_step(tokens[0], "step", &json!(1)).await.unwrap();
        let at = store.now().await.unwrap();
        let error = ErrorRecord::from(&Error::new(ErrorKind::Internal, "no"));
        let verdicts = [
            Verdict::Complete(json!(1)),
            Verdict::Retry {
                at,
                error: error.clone(),
            },
            Verdict::Snooze { at },
            Verdict::Release,
            Verdict::Bury(error),
        ];
        let ends: Vec<_> = tokens
            .into_iter()
            .zip(verdicts.into_iter().cycle())
            .collect();
        store.settle(&ends).await.unwrap();
        let kinds = ["work", "rest", "play"].map(String::from);
        let some = Claim {
            kinds: kinds.into(),
            ..Claim::new("worker", 9)
        };
        store.claim(&some).await.unwrap();
        let new = sample_publishing("acme", at);
        store.put_publishing(&new).await.unwrap();
        let mut change = PublishingChange::new(new.tenant.clone());
        (change.publications, change.events) = (new.publications, new.events);
        store.change_publishing(&change).await.unwrap();
        let told = store.tell_gate(&new.tenant, AccountId::new(), "rate", Signal::Failed, false);
        told.await.unwrap();
        store.next_ready(&[]).await.unwrap();
        store.queue_stats().await.unwrap();
    }
    test.run(
        "DO $$
        DECLARE anew text := (SELECT string_agg(statement, E'\\n') FROM pg_prepared_statements
            WHERE generic_plans = 0 AND custom_plans > 9);
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_prepared_statements WHERE generic_plans > 9) THEN
                RAISE EXCEPTION 'another connection';
            ELSIF anew <> '' THEN
                RAISE EXCEPTION '%', anew;
            END IF;
        END $$",
    )
    .await
    .unwrap();
    test.remove().await.unwrap();
}
