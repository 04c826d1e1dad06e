use super::{
    StoreCase, StoreUnderTest,
    samples::{event, tenant},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "events come back whole, in the order they were appended",
            |s| Box::pin(in_order(s)),
        ),
        StoreCase::new(
            "events are read on from a sequence number, up to the limit",
            |s| Box::pin(read_on(s)),
        ),
        StoreCase::new("events about one subject leave out the others", |s| {
            Box::pin(about_one_subject(s))
        }),
    ]
}

async fn in_order(s: &StoreUnderTest) {
    let new = [event("a", "one", "x"), event("a", "two", "y")];
    let third = event("a", "three", "x");
    s.store.append_events(&new).await.unwrap();
    s.wait(60).await;
    s.store
        .append_events(std::slice::from_ref(&third))
        .await
        .unwrap();
    let events = s.store.events(&tenant("a"), 0, 10).await.unwrap();
    let [one, two, three] = events.as_slice() else {
        panic!("three events, not {}", events.len())
    };
    assert_eq!(
        [&one.event, &two.event, &three.event],
        [&new[0], &new[1], &third]
    );
    assert!(one.sequence > 0 && one.sequence < two.sequence && two.sequence < three.sequence);
    assert_ne!(one.id, two.id);
    assert!((three.at - two.at).num_seconds() >= 60);
}

async fn read_on(s: &StoreUnderTest) {
    let kinds = ["0", "1", "2", "3", "4"];
    let new = kinds.map(|kind| event("a", kind, "x"));
    s.store.append_events(&new).await.unwrap();
    s.store.append_events(&[]).await.unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = s.store.events(&tenant("a"), after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        seen.extend(page.into_iter().map(|event| event.event.kind));
    }
    assert_eq!(seen, kinds);
}

async fn about_one_subject(s: &StoreUnderTest) {
    let new = [
        event("a", "one", "x"),
        event("a", "two", "y"),
        event("a", "three", "x"),
    ];
    s.store.append_events(&new).await.unwrap();
    let about = s.store.events_about(&tenant("a"), "x").await.unwrap();
    let kinds: Vec<&str> = about.iter().map(|e| e.event.kind.as_str()).collect();
    assert_eq!(kinds, ["one", "three"]);
}
