use std::{collections::HashSet, sync::Arc};

use serde_json::json;
use tokio::sync::Barrier;

use super::{
    StoreCase, StoreUnderTest,
    samples::{LEASE, job, tenant},
};
use crate::{
    JobId,
    store::{Claim, NewJob, Verdict},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a job is claimed by one of many workers", |s| {
            Box::pin(exclusive(s))
        }),
        StoreCase::new(
            "a claim goes by priority, then run_at, then the order put in",
            |s| Box::pin(in_order(s)),
        ),
        StoreCase::new("a claim takes no more than its limit", |s| {
            Box::pin(limited(s))
        }),
        StoreCase::new("a job is not claimed before its time", |s| {
            Box::pin(not_before_its_time(s))
        }),
        StoreCase::new("a claim of one job takes that one, if it is ready", |s| {
            Box::pin(only_one_job(s))
        }),
        StoreCase::new("a claim of some kinds takes only those", |s| {
            Box::pin(only_some_kinds(s))
        }),
        StoreCase::new(
            "a tenant's flood does not keep another's jobs out of a claim",
            |s| Box::pin(flood(s)),
        ),
        StoreCase::new(
            "a flood that becomes due does not keep another tenant's jobs out of the line",
            |s| Box::pin(due_flood(s)),
        ),
        StoreCase::new("claims of one job each go round the tenants", |s| {
            Box::pin(round_the_tenants(s))
        }),
        StoreCase::new("a higher priority goes before any tenant's turn", |s| {
            Box::pin(priority_before_turn(s))
        }),
        StoreCase::new("the lease carries the job, a fence and its end", |s| {
            Box::pin(lease_carries(s))
        }),
        StoreCase::new("a waiting job gets another time, any other not", |s| {
            Box::pin(rescheduled(s))
        }),
    ]
}

fn with_priority(tenant_name: &str, priority: i16) -> NewJob {
    NewJob {
        priority,
        ..job(tenant_name)
    }
}

async fn put_many(s: &StoreUnderTest, tenant_name: &str, count: usize) -> Vec<JobId> {
    let new: Vec<NewJob> = (0..count).map(|_| job(tenant_name)).collect();
    s.store.enqueue(&new).await.unwrap();
    new.iter().map(|job| job.id).collect()
}

async fn exclusive(s: &StoreUnderTest) {
    let ids = put_many(s, "a", 200).await;
    let workers = 16;
    let start = Arc::new(Barrier::new(workers));
    let tasks = (0..workers).map(|worker| {
        let (store, start) = (s.store.clone(), start.clone());
        tokio::spawn(async move {
            let claim = Claim::new(format!("worker {worker}"), 7).lease(LEASE);
            let mut taken = Vec::new();
            start.wait().await;
            loop {
                let leases = store.claim(&claim).await.unwrap();
                if leases.is_empty() {
                    return taken;
                }
                taken.extend(leases.into_iter().map(|lease| lease.job.id));
            }
        })
    });
    let mut taken = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        taken.extend(task.await.unwrap());
    }
    assert_eq!(taken.len(), ids.len(), "none twice");
    assert_eq!(
        taken.into_iter().collect::<HashSet<_>>(),
        ids.into_iter().collect()
    );
}

async fn in_order(s: &StoreUnderTest) {
    let (early, late) = (s.in_seconds(-20).await, s.in_seconds(-10).await);
    let at = |priority, run_at| with_priority("a", priority).run_at(run_at);
    let wanted = [
        at(i16::MAX, late),
        at(1, early),
        at(1, late),
        at(1, late),
        at(0, early),
        at(-1, early),
        at(i16::MIN, early),
    ];
    for place in [5, 2, 0, 6, 4, 3, 1] {
        s.put(wanted[place].clone()).await;
    }
    let mut claimed = s.claimed_ids(2).await;
    claimed.extend(s.claimed_ids(100).await);
    assert_eq!(claimed, wanted.map(|job| job.id));
}

async fn limited(s: &StoreUnderTest) {
    put_many(s, "a", 5).await;
    assert_eq!(s.claim(0).await, []);
    assert_eq!(s.claim(3).await.len(), 3);
    assert_eq!(s.claim(usize::MAX).await.len(), 2);
    assert_eq!(s.claim(3).await, []);
}

async fn not_before_its_time(s: &StoreUnderTest) {
    let later = s.put(job("a").run_at(s.in_seconds(60).await)).await;
    let now = s.put(job("a")).await;
    assert_eq!(s.claimed_ids(10).await, [now]);
    s.wait(50).await;
    let again = s.claim(10).await;
    assert!(again.iter().all(|lease| lease.job.id == now));
    s.wait(11).await;
    assert!(s.claimed_ids(10).await.contains(&later));
}

async fn only_one_job(s: &StoreUnderTest) {
    let claim = |id| async move {
        let claim = Claim::new("worker", 10).lease(LEASE).only(id);
        let leases = s.store.claim(&claim).await.unwrap();
        leases.iter().map(|lease| lease.job.id).collect::<Vec<_>>()
    };
    let ids = put_many(s, "a", 3).await;
    let later = s.put(job("a").run_at(s.in_seconds(60).await)).await;
    assert_eq!(claim(ids[1]).await, [ids[1]]);
    assert_eq!(claim(ids[1]).await, [], "it is leased");
    assert_eq!(claim(later).await, [], "its time has not come");
    assert_eq!(claim(JobId::new()).await, [], "there is none");
    let mut other_kind = Claim::new("worker", 10).only(ids[0]);
    other_kind.kinds = vec!["other".to_owned()];
    assert_eq!(s.store.claim(&other_kind).await.unwrap(), []);
    s.wait(61).await;
    assert_eq!(claim(later).await, [later]);
    assert_eq!(claim(ids[1]).await, [ids[1]], "its lease ran out");
}

async fn only_some_kinds(s: &StoreUnderTest) {
    let of = |kind: &str| NewJob::new(tenant("a"), kind, json!({}));
    let (one, two, three) = (
        s.put(of("one")).await,
        s.put(of("two")).await,
        s.put(of("three")).await,
    );
    let claim = |kinds: &[&str]| {
        let mut claim = Claim::new("worker", 10).lease(LEASE);
        claim.kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        async move {
            let leases = s.store.claim(&claim).await.unwrap();
            leases.iter().map(|lease| lease.job.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(claim(&["none"]).await, []);
    assert_eq!(claim(&["three", "one", "one"]).await, [one, three]);
    assert_eq!(claim(&["three", "one"]).await, []);
    assert_eq!(claim(&[]).await, [two]);
}

async fn flood(s: &StoreUnderTest) {
    put_many(s, "m", 300).await;
    let b = put_many(s, "b", 3).await;
    let z = put_many(s, "z", 2).await;
    let claimed = s.claimed_ids(20).await;
    assert_eq!(claimed.len(), 20);
    assert!(b.iter().chain(&z).all(|id| claimed.contains(id)));
}

async fn due_flood(s: &StoreUnderTest) {
    let (flood, after) = (s.in_seconds(10).await, s.in_seconds(11).await);
    let jobs: Vec<NewJob> = (0..5_000).map(|_| job("a").run_at(flood)).collect();
    s.store.enqueue(&jobs).await.unwrap();
    let b = s.put(job("b").run_at(after)).await;
    s.wait(12).await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.extend(s.claimed_ids(10).await);
    }
    assert_eq!(claimed.len(), 30);
    assert!(claimed.contains(&b), "within three claims");
}

async fn round_the_tenants(s: &StoreUnderTest) {
    put_many(s, "b", 50).await;
    let a = put_many(s, "a", 2).await;
    let c = put_many(s, "c", 2).await;
    let mut claimed = Vec::new();
    for _ in 0..6 {
        let lease = s.claim_one().await;
        s.settle(lease.token, Verdict::Complete(json!(1))).await;
        claimed.push(lease.job.id);
    }
    assert!(a.iter().chain(&c).all(|id| claimed.contains(id)));
}

async fn priority_before_turn(s: &StoreUnderTest) {
    put_many(s, "b", 1).await;
    for _ in 0..5 {
        s.put(with_priority("a", 1)).await;
    }
    let claimed = s.claim(5).await;
    assert!(claimed.iter().all(|lease| lease.job.tenant == tenant("a")));
}

async fn lease_carries(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let now = s.now().await;
    let first = s.claim_one().await;
    assert_eq!((first.token.job, first.job.fence), (id, first.token.fence));
    assert!(first.token.fence > 0);
    let held = (first.expires_at - now).num_milliseconds();
    assert!((30_000..31_000).contains(&held), "{held} ms");
    assert!(first.is_first(LEASE));
    s.settle(first.token, Verdict::Release).await;
    let second = s.claim_one().await;
    assert!(second.token.fence > first.token.fence);
    assert!(!second.is_first(LEASE));
    s.wait(31).await;
    let third = s.claim_one().await;
    assert!(third.token.fence > second.token.fence);
    assert!(!third.is_first(LEASE));
}

async fn rescheduled(s: &StoreUnderTest) {
    let a = tenant("a");
    let id = s.put(job("a").run_at(s.in_seconds(3600).await)).await;
    let (soon, now) = (s.in_seconds(60).await, s.now().await);
    assert!(s.store.reschedule_job(&a, id, soon).await.unwrap());
    assert_eq!(s.job(id).await.run_at, soon);
    assert_eq!(s.claim(1).await, []);
    assert!(s.store.reschedule_job(&a, id, now).await.unwrap());
    assert_eq!(s.store.next_ready(&[]).await.unwrap(), Some(now));
    let later = s.in_seconds(120).await;
    assert!(s.store.reschedule_job(&a, id, later).await.unwrap());
    assert_eq!(s.claim(1).await, [], "a ready job may be put off");
    assert!(s.store.reschedule_job(&a, id, now).await.unwrap());
    let lease = s.claim_one().await;
    assert!(!s.store.reschedule_job(&a, id, now).await.unwrap());
    s.settle(lease.token, Verdict::Complete(1.into())).await;
    assert!(!s.store.reschedule_job(&a, id, now).await.unwrap());
    let nobody = s.store.reschedule_job(&a, JobId::new(), now).await;
    assert!(!nobody.unwrap());
}
