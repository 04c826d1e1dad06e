use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, job, json_of_all_sorts, tenant},
};
use crate::{ErrorKind, store::Verdict};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a step comes back whole, and a second value replaces it",
            |s| Box::pin(kept_and_replaced(s)),
        ),
        StoreCase::new(
            "steps keep the order in which they were first remembered",
            |s| Box::pin(in_first_order(s)),
        ),
        StoreCase::new(
            "a step that nests too deeply to be read is refused, and no other step is lost by it",
            |s| Box::pin(nesting(s)),
        ),
        StoreCase::new("steps outlive the lease and the job", |s| {
            Box::pin(outlive(s))
        }),
        StoreCase::new("an old fence remembers no step", |s| Box::pin(old_fence(s))),
    ]
}

async fn kept_and_replaced(s: &StoreUnderTest) {
    let a = tenant("a");
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    assert_eq!(s.store.step(&a, id, TEXT).await.unwrap(), None);
    s.store.put_step(token, TEXT, &json!(null)).await.unwrap();
    assert_eq!(s.store.step(&a, id, TEXT).await.unwrap(), Some(json!(null)));
    s.store
        .put_step(token, TEXT, &json_of_all_sorts())
        .await
        .unwrap();
    assert_eq!(
        s.store.step(&a, id, TEXT).await.unwrap(),
        Some(json_of_all_sorts())
    );
}

async fn nesting(s: &StoreUnderTest) {
    let nested = |levels: usize| {
        (0..levels).fold(json!(1), |inner, level| match level % 2 {
            0 => json!([inner]),
            _ => json!({ "a": inner }),
        })
    };
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    let deepest = nested(120);
    s.store.put_step(token, "deep", &deepest).await.unwrap();
    for levels in [121, 1_000] {
        let refused = s.store.put_step(token, "deeper", &nested(levels)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{levels}");
        assert_eq!(refused.rule(), Some("step.nesting"));
    }
    let steps = s.store.steps(&tenant("a"), id).await.unwrap();
    assert_eq!(steps, [("deep".to_owned(), deepest)]);
}

async fn in_first_order(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    for (name, value) in [("z", 1), ("a", 2), ("m", 3), ("z", 4)] {
        s.store.put_step(token, name, &json!(value)).await.unwrap();
    }
    let wanted = [("z", 4), ("a", 2), ("m", 3)].map(|(n, v)| (n.to_owned(), json!(v)));
    assert_eq!(s.store.steps(&tenant("a"), id).await.unwrap(), wanted);
}

async fn outlive(s: &StoreUnderTest) {
    let (a, now) = (tenant("a"), s.now().await);
    let id = s.put(job("a")).await;
    let first = s.claim_one().await.token;
    s.store.put_step(first, "one", &json!(1)).await.unwrap();
    s.settle(first, Verdict::Snooze { at: now }).await;
    let second = s.claim_one().await.token;
    s.store.put_step(second, "two", &json!(2)).await.unwrap();
    s.settle(second, Verdict::Complete(json!({}))).await;
    assert_eq!(s.store.steps(&a, id).await.unwrap().len(), 2);
    assert_eq!(s.store.step(&a, id, "one").await.unwrap(), Some(json!(1)));
}

async fn old_fence(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let old = s.claim_one().await.token;
    s.wait(31).await;
    s.store.put_step(old, "late", &json!(1)).await.unwrap();
    let new = s.claim_one().await.token;
    let refused = s.store.put_step(old, "later", &json!(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LeaseLost);
    s.settle(new, Verdict::Complete(json!(1))).await;
    let ended = s
        .store
        .put_step(new, "latest", &json!(1))
        .await
        .unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::LeaseLost);
    let names = s.store.steps(&tenant("a"), id).await.unwrap();
    assert_eq!(names, [("late".to_owned(), json!(1))]);
}
