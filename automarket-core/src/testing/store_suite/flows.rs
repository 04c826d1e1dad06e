use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, tenant},
};
use crate::store::Flow;

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a flow is taken whole, and once", |s| {
            Box::pin(taken_once(s))
        }),
        StoreCase::new("of many takers of a flow one gets it", |s| {
            Box::pin(one_of_many_takers(s))
        }),
        StoreCase::new("a flow that is over is gone", |s| Box::pin(over(s))),
        StoreCase::new("a flow is its tenant's alone", |s| Box::pin(of_tenant(s))),
    ]
}

async fn flow(s: &StoreUnderTest, tenant_name: &str, id: &str) -> Flow {
    Flow {
        tenant: tenant(tenant_name),
        id: id.to_owned(),
        sealed: vec![0, 255, b'\'', 10],
        expires_at: s.in_seconds(600).await,
    }
}

async fn taken_once(s: &StoreUnderTest) {
    let new = flow(s, "a", TEXT).await;
    s.store.put_flow(&new).await.unwrap();
    let a = tenant("a");
    assert_eq!(s.store.take_flow(&a, "other").await.unwrap(), None);
    assert_eq!(s.store.take_flow(&a, TEXT).await.unwrap(), Some(new));
    assert_eq!(s.store.take_flow(&a, TEXT).await.unwrap(), None);
}

async fn one_of_many_takers(s: &StoreUnderTest) {
    s.store.put_flow(&flow(s, "a", "1").await).await.unwrap();
    let takers = (0..8).map(|_| {
        let store = s.store.clone();
        tokio::spawn(async move { store.take_flow(&tenant("a"), "1").await })
    });
    let mut got = 0;
    for taker in takers.collect::<Vec<_>>() {
        got += usize::from(taker.await.unwrap().unwrap().is_some());
    }
    assert_eq!(got, 1);
}

async fn over(s: &StoreUnderTest) {
    let a = tenant("a");
    for id in ["1", "2"] {
        s.store.put_flow(&flow(s, "a", id).await).await.unwrap();
    }
    s.wait(590).await;
    assert!(s.store.take_flow(&a, "1").await.unwrap().is_some());
    s.wait(11).await;
    assert_eq!(s.store.take_flow(&a, "2").await.unwrap(), None);
    // And the next one that is put finds its own place only.
    let next = flow(s, "a", "2").await;
    s.store.put_flow(&next).await.unwrap();
    assert_eq!(s.store.take_flow(&a, "2").await.unwrap(), Some(next));
}

async fn of_tenant(s: &StoreUnderTest) {
    let (mine, theirs) = (flow(s, "a", "1").await, flow(s, "b", "1").await);
    s.store.put_flow(&mine).await.unwrap();
    for other in ["b", "A", "a ", "a%"] {
        assert_eq!(s.store.take_flow(&tenant(other), "1").await.unwrap(), None);
    }
    s.store.put_flow(&theirs).await.unwrap();
    let b = tenant("b");
    assert_eq!(s.store.take_flow(&b, "1").await.unwrap(), Some(theirs));
    let a = tenant("a");
    assert_eq!(s.store.take_flow(&a, "1").await.unwrap(), Some(mine));
}
