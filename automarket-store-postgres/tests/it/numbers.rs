//! Kinds and tenants whose numbers are the same. No two real ones are known, so a test says that all are.

use std::collections::HashSet;

use automarket_core::{
    JobId, TenantId,
    chrono::TimeDelta,
    store::{Claim, JobStore, NewJob},
    testing::StoreClock as _,
};
use automarket_store_postgres::testing::TestStore;

use crate::cluster;

/// The least number there is, beside which a step too far leaves the lines.
const ALIKE: &str =
    "CREATE OR REPLACE FUNCTION automarket.kind_number(kind text) RETURNS bigint LANGUAGE sql
    IMMUTABLE AS 'SELECT 0::bigint'";
const ONE_LINE: &str = "UPDATE automarket.queue SET line = line & -8388608 | 7";

fn of(tenant: &str, kind: &str) -> NewJob {
    NewJob::new(TenantId::new(tenant).unwrap(), kind, "x".into())
}

async fn put(test: &TestStore, jobs: &[NewJob]) -> Vec<JobId> {
    let put = test.store.enqueue(jobs).await.unwrap();
    put.iter().map(|put| put.id()).collect()
}

async fn claim(test: &TestStore, kind: Option<&str>, limit: usize) -> Vec<JobId> {
    let mut claim = Claim::new("worker", limit);
    claim.kinds.extend(kind.map(str::to_owned));
    let leases = test.store.claim(&claim).await.unwrap();
    leases.iter().map(|lease| lease.job.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_one_number_are_told_apart() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let clock = test.clock();
    test.run(ALIKE).await.unwrap();
    let start = test.store.now().await.unwrap();
    let soon = start + TimeDelta::hours(1);
    let with = |kind, priority| NewJob {
        priority,
        ..of("acme", kind)
    };
    // Those of the other kind are more, and stand before ours, in lines on both sides of it.
    let others = (0..1_100).map(|n| NewJob {
        priority: 1,
        ..of(&format!("tenant {}", n % 20), "other")
    });
    let others: Vec<_> = others.collect();
    let later = (0..1_100).map(|_| with("other", 1).run_at(soon));
    let others = put(&test, &[others, later.collect()].concat()).await;
    let wanted = ["ours".to_owned()];
    assert_eq!(test.store.next_ready(&wanted).await.unwrap(), None);
    assert!(claim(&test, Some("ours"), 10).await.is_empty());
    let ours = [
        with("ours", i16::MAX),
        with("ours", 1),
        with("ours", 1),
        with("ours", 1),
        with("ours", i16::MIN),
        with("ours", 0).run_at(soon + TimeDelta::seconds(1)),
    ];
    let ours = put(&test, &ours).await;
    for one in &ours[..4] {
        assert_eq!(claim(&test, Some("ours"), 1).await, [*one]);
    }
    assert_eq!(claim(&test, Some("ours"), 10).await, ours[4..5]);
    clock.advance(TimeDelta::seconds(3_590)).await;
    let next = test.store.next_ready(&wanted).await.unwrap();
    assert!(next < Some(soon), "the leases that ran out come first");
    assert_eq!(claim(&test, Some("ours"), 10).await, ours[..5]);
    test.run("DELETE FROM automarket.queue WHERE leased_until IS NOT NULL")
        .await
        .unwrap();
    let next = test.store.next_ready(&wanted).await.unwrap();
    assert_eq!(next, Some(soon + TimeDelta::seconds(1)));
    clock.advance(TimeDelta::seconds(12)).await;
    assert_eq!(claim(&test, Some("ours"), 10).await, ours[5..]);
    // Whoever wants both gets each once.
    let mut rest = HashSet::new();
    while let more = claim(&test, None, 500).await
        && !more.is_empty()
    {
        rest.extend(more);
    }
    assert_eq!(rest, others.into_iter().collect());
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_of_one_number_share_a_line_and_lose_nothing() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let jobs: Vec<_> = (0..9).map(|n| of(["a", "b", "c"][n % 3], "work")).collect();
    let put = put(&test, &jobs).await;
    test.run(ONE_LINE).await.unwrap();
    let mut seen = Vec::new();
    for limit in [1, 4, 9] {
        seen.extend(claim(&test, Some("work"), limit).await);
    }
    assert_eq!(seen, put, "in the order put in");
    test.remove().await.unwrap();
}
