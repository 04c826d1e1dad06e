//! What the queue says of itself.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{error, job, tenant},
};
use crate::{
    ErrorKind, Retry,
    store::{NewJob, QueueStats, Verdict},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "the stats count what is ready, later, leased and dead",
            |s| Box::pin(stats(s)),
        ),
        StoreCase::new(
            "the next ready time is that of the earliest job or lease",
            |s| Box::pin(next_ready(s)),
        ),
    ]
}

async fn stats(s: &StoreUnderTest) {
    assert_eq!(s.store.queue_stats().await.unwrap(), QueueStats::default());
    let due = s.in_seconds(-50).await;
    for _ in 0..3 {
        s.put(job("a")).await;
    }
    let oldest = NewJob {
        priority: -1,
        ..job("b").run_at(due)
    };
    s.put(oldest).await;
    let mut later = job("b").run_at(s.in_seconds(60).await);
    later.kind = "other".into();
    s.put(later).await;
    let leases = s.claim(2).await;
    let mut slip = error("no");
    slip.field = Some("page".into());
    slip.retry = Retry::Never;
    s.settle(leases[0].token, Verdict::Bury(slip)).await;
    let wanted = QueueStats {
        ready: 2,
        later: 1,
        leased: 1,
        dead: 1,
        dead_by_input: 1,
        oldest_due: Some(due),
    };
    assert_eq!(s.store.queue_stats().await.unwrap(), wanted);
    let kinds = s.store.live_kinds().await.unwrap();
    assert_eq!(
        kinds,
        BTreeMap::from([("work".into(), 3), ("other".into(), 1)])
    );
    s.wait(31).await;
    s.settle(leases[0].token, Verdict::Release).await;
    let wanted = QueueStats {
        ready: 3,
        leased: 0,
        ..wanted
    };
    assert_eq!(s.store.queue_stats().await.unwrap(), wanted);
    for lease in s.claim(2).await {
        s.settle(lease.token, Verdict::Complete(json!(1))).await;
    }
    let left = s.store.queue_stats().await.unwrap();
    assert_eq!((left.ready, left.leased), (1, 0));
    assert_eq!(left.oldest_due, Some(due));
    s.wait(60).await;
    let left = s.store.queue_stats().await.unwrap();
    assert_eq!((left.ready, left.later), (2, 0));
    let mut ours = error(r#"no "field":"page""#);
    ours.retry = Retry::Never;
    let mut missing = error("no connector");
    (missing.kind, missing.retry) = (ErrorKind::Config, Retry::Never);
    missing.field = Some("targets".into());
    for error in [ours, missing] {
        let token = s.claim(1).await.remove(0).token;
        s.settle(token, Verdict::Bury(error)).await;
    }
    let left = s.store.queue_stats().await.unwrap();
    assert_eq!((left.dead, left.dead_by_input), (3, 1));
}

async fn next_ready(s: &StoreUnderTest) {
    let next = |kinds: Vec<String>| async move { s.store.next_ready(&kinds).await.unwrap() };
    let work = || vec!["work".to_owned()];
    assert_eq!(next(vec![]).await, None);
    let later = s.in_seconds(60).await;
    s.put(job("a").run_at(later)).await;
    s.put(job("b").run_at(later + TimeDelta::seconds(5))).await;
    assert_eq!(next(vec![]).await, Some(later));
    assert_eq!(next(work()).await, Some(later));
    assert_eq!(next(vec!["other".to_owned()]).await, None);
    s.put(NewJob::new(tenant("a"), "other", json!({}))).await;
    let at = next(vec![]).await;
    assert!(
        at.is_some_and(|at| at <= later - TimeDelta::seconds(59)),
        "one is ready"
    );
    assert_eq!(next(work()).await, Some(later));
    let lease = s.claim_one().await;
    assert_eq!(next(vec![]).await, Some(lease.expires_at));
    assert_eq!(next(work()).await, Some(later));
    s.settle(lease.token, Verdict::Complete(json!(1))).await;
    assert_eq!(next(vec![]).await, Some(later));
}
