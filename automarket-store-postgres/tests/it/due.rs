//! What becomes due in a flood.

use automarket_core::{
    TenantId,
    chrono::TimeDelta,
    store::{Claim, JobStore, NewJob},
    testing::StoreClock as _,
};

use crate::cluster;

fn of(tenant: &str) -> NewJob {
    NewJob::new(TenantId::new(tenant).unwrap(), "work", "x".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_jobs_that_become_due_holds_up_no_tenant_and_no_priority() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let clock = test.clock();
    let at = test.store.now().await.unwrap() + TimeDelta::hours(1);
    let flood: Vec<NewJob> = (0..20_000).map(|_| of("a").run_at(at)).collect();
    let late = at + TimeDelta::seconds(1);
    let (other, urgent) = (of("b").run_at(late), of("a").run_at(late));
    let urgent = NewJob {
        priority: 100,
        ..urgent
    };
    test.store.enqueue(&flood).await.unwrap();
    test.store
        .enqueue(&[other.clone(), urgent.clone()])
        .await
        .unwrap();
    clock.advance(TimeDelta::seconds(3602)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let leases = test.store.claim(&Claim::new("worker", 10)).await.unwrap();
        seen.extend(leases.iter().map(|lease| lease.job.id));
    }
    assert!(seen.contains(&other.id), "b's turn comes");
    assert!(seen.contains(&urgent.id), "what is urgent goes first");
    assert_eq!(seen.len(), 30);
    test.remove().await.unwrap();
}
