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
        StoreCase::new("flows that are over are removed, the oldest first", |s| {
            Box::pin(removed(s))
        }),
        StoreCase::new("a flow is its tenant's alone", |s| Box::pin(of_tenant(s))),
        StoreCase::new(
            "what waits is listed page by page and re-sealed in place",
            |s| Box::pin(resealed(s)),
        ),
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

async fn removed(s: &StoreUnderTest) {
    for (tenant, id) in [("b", "1"), ("a", "1"), ("a", "2")] {
        s.store.put_flow(&flow(s, tenant, id).await).await.unwrap();
        s.wait(1).await;
    }
    assert_eq!(s.store.remove_flows(9).await.unwrap(), 0);
    s.wait(597).await;
    assert_eq!(s.store.remove_flows(9).await.unwrap(), 1);
    let left = s.store.flows(None, 9).await.unwrap();
    assert!(left.iter().all(|flow| flow.tenant == tenant("a")) && left.len() == 2);
    let waits = flow(s, "c", "1").await;
    s.store.put_flow(&waits).await.unwrap();
    s.wait(2).await;
    assert_eq!(s.store.remove_flows(1).await.unwrap(), 1);
    assert_eq!(s.store.remove_flows(9).await.unwrap(), 1);
    assert_eq!(s.store.remove_flows(9).await.unwrap(), 0);
    assert_eq!(s.store.flows(None, 9).await.unwrap(), [waits]);
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

async fn resealed(s: &StoreUnderTest) {
    let mut waiting = Vec::new();
    for (tenant, id) in [("a", "1"), ("a", "2"), ("b", "1")] {
        let flow = flow(s, tenant, id).await;
        s.store.put_flow(&flow).await.unwrap();
        waiting.push(flow);
    }
    assert_eq!(s.store.flows(None, 2).await.unwrap(), waiting[..2]);
    let after = (waiting[1].tenant.clone(), waiting[1].id.clone());
    assert_eq!(s.store.flows(Some(&after), 2).await.unwrap(), waiting[2..]);

    assert!(s.store.reseal_flow(&waiting[0], &[7, 7]).await.unwrap());
    let a = tenant("a");
    let taken = s.store.take_flow(&a, "1").await.unwrap().unwrap();
    assert_eq!(taken.sealed, [7, 7]);
    assert_eq!(taken.expires_at, waiting[0].expires_at);
    // One that was taken does not come back, and one that was replaced stays as it is.
    assert!(!s.store.reseal_flow(&taken, &[8]).await.unwrap());
    assert_eq!(s.store.take_flow(&a, "1").await.unwrap(), None);
    let newer = Flow {
        sealed: vec![9],
        ..waiting[1].clone()
    };
    s.store.put_flow(&newer).await.unwrap();
    assert!(!s.store.reseal_flow(&waiting[1], &[8]).await.unwrap());
    assert_eq!(s.store.take_flow(&a, "2").await.unwrap(), Some(newer));
    s.wait(601).await;
    assert_eq!(s.store.flows(None, 9).await.unwrap(), []);
}
