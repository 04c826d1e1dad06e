use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, tenant},
};
use crate::{Metrics, Platform, PublicationId, store::Measurement};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a measurement comes back whole, what is missing is not zero",
            |s| Box::pin(comes_back_whole(s)),
        ),
        StoreCase::new("a series is in the order of time, each instant once", |s| {
            Box::pin(in_order(s))
        }),
        StoreCase::new("a tenant's measurements are read from an instant on", |s| {
            Box::pin(since(s))
        }),
        StoreCase::new("measurements of other tenants are not seen", |s| {
            Box::pin(others(s))
        }),
        StoreCase::new(
            "old measurements go a few at a time, the oldest first",
            |s| Box::pin(removed(s)),
        ),
    ]
}

fn point(tenant_name: &str, publication: &str, as_of: DateTime<Utc>, likes: u64) -> Measurement {
    Measurement {
        tenant: tenant(tenant_name),
        publication: PublicationId::derived(publication),
        as_of,
        source: Platform::X,
        metrics: Metrics {
            likes: Some(likes),
            ..Metrics::default()
        },
    }
}

async fn put(s: &StoreUnderTest, point: &Measurement) {
    s.store.put_measurement(point).await.unwrap();
}

async fn series(s: &StoreUnderTest, tenant_name: &str, publication: &str) -> Vec<Measurement> {
    let id = PublicationId::derived(publication);
    s.store
        .measurements(&tenant(tenant_name), id)
        .await
        .unwrap()
}

async fn comes_back_whole(s: &StoreUnderTest) {
    assert_eq!(series(s, "a", "p").await, []);
    let mut full = point("a", "p", s.now().await, 0);
    full.source = Platform::LINKEDIN;
    full.metrics.impressions = Some(9_007_199_254_740_993);
    full.metrics.raw = [
        (TEXT.to_owned(), json!({ "deep": [1.5, null, TEXT] })),
        ("largest".to_owned(), json!(u64::MAX)),
    ]
    .into();
    put(s, &full).await;
    let back = series(s, "a", "p").await;
    assert_eq!(back, [full]);
    assert_eq!(
        (back[0].metrics.likes, back[0].metrics.reach),
        (Some(0), None)
    );
}

async fn in_order(s: &StoreUnderTest) {
    let now = s.now().await;
    let micro = TimeDelta::microseconds(1);
    let points = [
        point("a", "p", now, 1),
        point("a", "p", now + micro, 2),
        point("a", "p", now + micro * 2, 3),
    ];
    for index in [2, 0, 1] {
        put(s, &points[index]).await;
    }
    put(s, &point("a", "p", now, 7)).await;
    put(s, &point("a", "q", now, 8)).await;
    assert_eq!(series(s, "a", "p").await, points);
}

async fn since(s: &StoreUnderTest) {
    let now = s.now().await;
    let later = now + TimeDelta::hours(1);
    let mut both = [point("a", "p", later, 2), point("a", "q", later, 3)];
    both.sort_by_key(|point| point.publication);
    put(s, &point("a", "p", now, 1)).await;
    put(s, &both[1]).await;
    put(s, &both[0]).await;
    put(s, &point("b", "p", later, 9)).await;
    let a = tenant("a");
    let read = async |since, limit| {
        let read = s.store.measurements_since(&a, since, limit);
        read.await.unwrap()
    };
    assert_eq!(read(later, 9).await, both);
    assert_eq!(read(now, 2).await.len(), 2);
    assert_eq!(read(now, 1).await[0].as_of, now);
    let after = later + TimeDelta::microseconds(1);
    assert_eq!(read(after, 9).await, []);
}

async fn others(s: &StoreUnderTest) {
    let now = s.now().await;
    put(s, &point("a", "p", now, 1)).await;
    put(s, &point("b", "p", now, 2)).await;
    assert_eq!(series(s, "a", "p").await[0].metrics.likes, Some(1));
    assert_eq!(series(s, "b", "p").await[0].metrics.likes, Some(2));
    assert_eq!(series(s, "A", "p").await, []);
}

async fn removed(s: &StoreUnderTest) {
    let now = s.now().await;
    for hour in 0..4 {
        let owner = if hour % 2 == 0 { "a" } else { "b" };
        put(s, &point(owner, "p", now + TimeDelta::hours(hour), 1)).await;
    }
    let cut = now + TimeDelta::hours(3);
    let remove = async |limit| s.store.remove_measurements(cut, limit).await.unwrap();
    assert_eq!(remove(1).await, 1);
    assert_eq!(series(s, "a", "p").await.len(), 1, "the oldest went");
    assert_eq!(remove(9).await, 2);
    assert_eq!(remove(9).await, 0);
    assert_eq!(series(s, "b", "p").await.len(), 1, "the newest stays");
}
