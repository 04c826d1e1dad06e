//! K3: nothing is missed, and every page gets on.

use std::collections::BTreeSet;

use automarket_core::{
    CrmProvider as _, ErrorKind, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    crm::Changes,
    testing::Script,
};
use serde_json::{Value, json};

use crate::{World, contact, twenty};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn people(range: std::ops::Range<usize>) -> Vec<Value> {
    range
        .map(|n| json!({"emails": {"primaryEmail": format!("p{n}@example.com")}}))
        .collect()
}

async fn page(world: &World, cursor: &mut Option<String>) -> Changes {
    let page = world
        .twenty
        .changes_since(&world.cx, "person", cursor.as_deref())
        .await
        .unwrap();
    assert_ne!(page.cursor, *cursor, "the cursor stands still");
    cursor.clone_from(&page.cursor);
    page
}

async fn sweep(world: &World, cursor: &mut Option<String>) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let page = page(world, cursor).await;
        pages += 1;
        ids.extend(page.records.into_iter().map(|record| record.id));
        if !page.more {
            return (ids, pages);
        }
    }
}

#[tokio::test]
async fn thousands_of_one_timestamp_are_told_once() {
    let world = World::new();
    let noon = at("2026-11-20T09:00:00Z");
    world.fake.import("person", people(0..2_500), noon);
    let mut cursor = None;
    let (ids, pages) = sweep(&world, &mut cursor).await;
    assert_eq!(ids.len(), 2_500);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 2_500);
    // 42 of live records, one of deleted ones.
    assert_eq!(pages, 43);
    // They are older than a slow transaction can be, so they are not read again.
    assert_eq!(sweep(&world, &mut cursor).await, (Vec::new(), 2));
    assert!(cursor.unwrap().len() < 1_000);
}

#[tokio::test]
async fn what_a_slow_transaction_shows_late_is_told() {
    let world = World::new();
    world
        .fake
        .import("person", people(0..3), at("2026-11-20T09:59:58Z"));
    let mut cursor = None;
    assert_eq!(sweep(&world, &mut cursor).await.0.len(), 3);
    // Written before the first sweep, visible only now, with an earlier time than what was told.
    world
        .fake
        .import("person", people(3..4), at("2026-11-20T09:59:30Z"));
    assert_eq!(sweep(&world, &mut cursor).await.0.len(), 1);
    assert_eq!(sweep(&world, &mut cursor).await.0.len(), 0);
    // A minute later nothing of that can still come, and nothing is told twice.
    for _ in 0..3 {
        world.clock.advance(TimeDelta::seconds(45));
        assert_eq!(sweep(&world, &mut cursor).await.0.len(), 0);
    }
}

#[tokio::test]
async fn updates_while_paging_are_told() {
    let world = World::new();
    world
        .fake
        .import("person", people(0..130), at("2026-11-20T09:00:00Z"));
    let mut cursor = None;
    let first = page(&world, &mut cursor).await;
    assert_eq!((first.records.len(), first.more), (60, true));
    // One that was told changes, one that was not changes, one that was not is deleted.
    let told = first.records[0].fields["emails"]["primaryEmail"].clone();
    let told_ids: BTreeSet<_> = first
        .records
        .iter()
        .map(|record| record.id.clone())
        .collect();
    let changed = contact(told.as_str().unwrap());
    world
        .twenty
        .upsert_contacts(&world.cx, &[changed])
        .await
        .unwrap();
    let mut others = Vec::new();
    for n in 0..130 {
        let email = format!("p{n}@example.com");
        let found = world
            .twenty
            .find_contact(&world.cx, &email)
            .await
            .unwrap()
            .unwrap();
        if !told_ids.contains(&found.id) {
            others.push((email, found.id));
        }
    }
    let (email, updated) = &others[0];
    let (_, deleted) = &others[1];
    world
        .twenty
        .upsert_contacts(&world.cx, &[contact(email)])
        .await
        .unwrap();
    world
        .twenty
        .archive(&world.cx, "person", deleted)
        .await
        .unwrap();
    let (mut ids, mut gone) = (Vec::new(), Vec::new());
    loop {
        let page = page(&world, &mut cursor).await;
        ids.extend(page.records.into_iter().map(|record| record.id));
        gone.extend(page.deleted);
        if !page.more {
            break;
        }
    }
    assert_eq!(
        ids.len(),
        70,
        "69 untold ones without the deleted, and the told one again"
    );
    assert!(ids.contains(&first.records[0].id) && ids.contains(updated));
    assert_eq!(gone, std::slice::from_ref(deleted));
}

#[tokio::test]
async fn restored_records_are_told() {
    let world = World::new();
    let ann = [contact("ann@example.com")];
    let id = world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
    let id = id[0].as_ref().unwrap().id.clone();
    let mut cursor = None;
    sweep(&world, &mut cursor).await;
    world
        .twenty
        .archive(&world.cx, "person", &id)
        .await
        .unwrap();
    assert_eq!(page(&world, &mut cursor).await.records, []);
    let gone = page(&world, &mut cursor).await.deleted;
    assert_eq!(gone, std::slice::from_ref(&id));
    let again = world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
    let again = again[0].as_ref().unwrap();
    // The same record comes back, and it was not created.
    assert_eq!((&again.id, again.created), (&id, Some(false)));
    assert_eq!(sweep(&world, &mut cursor).await.0, [id]);
}

#[tokio::test]
async fn a_cursor_of_the_server_that_does_not_move_ends_in_an_error() {
    let url = "https://twenty.example/rest/people?order_by=updatedAt%5BAscNullsFirst%5D%2Cid%5BAscNullsFirst%5D&limit=60";
    let body = json!({
        "data": {"people": [{"id": "a", "updatedAt": "2026-11-20T10:00:00.000Z"}]},
        "pageInfo": {"hasNextPage": true, "endCursor": "same"},
    });
    let wire = Script::new()
        .expect("GET", &format!("{url}&depth=0"))
        .reply(200, body.to_string())
        .expect("GET", &format!("{url}&starting_after=same&depth=0"))
        .reply(200, body.to_string());
    let cx = wire.context();
    let first = twenty().changes_since(&cx, "person", None).await.unwrap();
    let error = twenty()
        .changes_since(&cx, "person", first.cursor.as_deref())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::UnexpectedReply, Retry::Never)
    );
    wire.finished();
}
