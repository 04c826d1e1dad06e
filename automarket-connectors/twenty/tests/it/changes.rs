//! K3: nothing is missed, and every page gets on.

use std::collections::{BTreeMap, BTreeSet};

use automarket_core::{
    CrmProvider as _, ErrorKind, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    crm::{Changes, Company, Contact},
    http_types::Method,
    testing::Script,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{World, contact, twenty};
use automarket_connector_twenty::testing::FakeTwenty;

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
    // The first, 42 of that millisecond, one of what is later, one of deleted records.
    assert_eq!(pages, 45);
    // They are older than a slow transaction can be, so they are not read again.
    assert_eq!(sweep(&world, &mut cursor).await, (Vec::new(), 2));
    assert!(cursor.unwrap().len() < 1_000);
}

/// Servers order by the microsecond, and answer and go on by the millisecond.
#[tokio::test]
async fn a_page_that_ends_within_a_millisecond_loses_nothing() {
    for fake in [FakeTwenty::new(), FakeTwenty::old()] {
        let world = World::with(fake);
        let old = at("2026-11-20T08:00:00Z");
        world.fake.import("person", people(0..59), old);
        for (n, letter) in [(59, "b"), (60, "a")] {
            let mut person = people(n..n + 1);
            let id = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace('x', letter);
            person[0]["id"] = json!(id);
            let at = at("2026-11-20T09:00:00.061Z") + TimeDelta::microseconds(n as i64);
            world.fake.import("person", person, at);
        }
        let mut cursor = None;
        assert_eq!(sweep(&world, &mut cursor).await.0.len(), 61);
        assert_eq!(sweep(&world, &mut cursor).await.0.len(), 0);
    }
}

#[tokio::test]
async fn batches_of_one_instant_each_are_told_once() {
    for fake in [FakeTwenty::new(), FakeTwenty::old()] {
        let world = World::with(fake);
        let noon = at("2026-11-20T09:00:00.0001Z");
        world.fake.import("person", people(0..1), noon);
        for n in 0..5 {
            let batch = people(1 + n * 60..61 + n * 60);
            let at = noon + TimeDelta::microseconds(1_100 * (n as i64 + 1));
            world.fake.import("person", batch, at);
        }
        let mut cursor = None;
        let (ids, _) = sweep(&world, &mut cursor).await;
        assert_eq!(ids.len(), 301);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 301);
        assert_eq!(sweep(&world, &mut cursor).await.0.len(), 0);
    }
}

#[tokio::test]
async fn writes_closer_than_a_millisecond_are_told_once_and_in_order() {
    for fake in [FakeTwenty::new(), FakeTwenty::old()] {
        let world = World::with(fake);
        let mut time = at("2026-11-20T09:00:00Z");
        for n in 0..200_u64 {
            time +=
                TimeDelta::microseconds(5 + (n * 7_919 % 97) as i64 * if n < 80 { 1 } else { 8 });
            let lot = people(n as usize * 2..n as usize * 2 + 2);
            world.fake.import("person", lot, time);
        }
        let (mut cursor, mut told) = (None, Vec::new());
        loop {
            let page = page(&world, &mut cursor).await;
            told.extend(page.records);
            if !page.more {
                break;
            }
        }
        assert!(told.iter().map(|record| record.updated_at).is_sorted());
        let ids: BTreeSet<_> = told.iter().map(|record| &record.id).collect();
        assert_eq!((told.len(), ids.len()), (400, 400));
        assert_eq!(sweep(&world, &mut cursor).await.0.len(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is written between and while pages are read, its last state is told, and each sweep ends.
    #[test]
    fn every_change_is_told(
        old in any::<bool>(),
        lots in prop::collection::vec((0..120_usize, 1..70_usize, 0..1_500_i64, 0..3_usize), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::with(if old { FakeTwenty::old() } else { FakeTwenty::new() });
            let mut time = at("2026-11-20T09:59:59Z");
            let (mut cursor, mut told, mut is) = (None, BTreeMap::new(), BTreeMap::new());
            for (round, (start, count, gap, pages)) in lots.into_iter().enumerate() {
                time += TimeDelta::microseconds(gap);
                let mut lot = people(start..start + count);
                for person in &mut lot {
                    person["jobTitle"] = json!(round.to_string());
                    is.insert(person["emails"]["primaryEmail"].clone().to_string(), round.to_string());
                }
                world.fake.import("person", lot, time);
                for _ in 0..pages {
                    tell(&mut told, page(&world, &mut cursor).await);
                    // Whoever has read an answer writes in a later millisecond.
                    time += TimeDelta::milliseconds(1);
                }
            }
            // The sweep that is on, and one more.
            for _ in 0..2 {
                let mut pages = 0;
                while tell(&mut told, page(&world, &mut cursor).await) {
                    pages += 1;
                    assert!(pages < 500);
                }
            }
            assert_eq!(told, is);
        });
    }
}

fn tell(told: &mut BTreeMap<String, String>, page: Changes) -> bool {
    for record in page.records {
        let email = record.fields["emails"]["primaryEmail"].to_string();
        let title = record.fields["jobTitle"].as_str().unwrap().to_owned();
        told.insert(email, title);
    }
    page.more
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

/// What a contact does not speak of is kept, also of a record that was deleted in Twenty's window.
#[tokio::test]
async fn restored_records_keep_what_they_had() {
    let world = World::new();
    let mut ann = contact("ann@example.com");
    ann.phone = Some("+4915123456789".into());
    let acme = Company {
        domain: "acme.dev".into(),
        name: "Acme".into(),
        ..Company::default()
    };
    let further = json!([{"url": "https://acme.io", "label": "more"}]);
    let mut links = json!({"primaryLinkUrl": "https://acme.dev", "primaryLinkLabel": "Acme", "secondaryLinks": further.to_string()});
    let company = json!([{"domainName": links.clone(), "name": "Acme"}]);
    world
        .twenty
        .upsert_contacts(&world.cx, &[ann])
        .await
        .unwrap();
    let emails =
        json!({"primaryEmail": "ann@example.com", "additionalEmails": ["ann@home.example"]});
    let found = world
        .twenty
        .find_contact(&world.cx, "ann@example.com")
        .await;
    let id = found.unwrap().unwrap().id;
    let raw = |method, path, body| {
        let world = &world;
        async move {
            world
                .twenty
                .raw(&world.cx, method, path, Some(&body))
                .await
                .unwrap()
        }
    };
    let path = format!("rest/people/{id}");
    raw(Method::PATCH, &*path, json!({"emails": emails})).await;
    let made = raw(Method::POST, "rest/batch/companies", company).await;
    let made = made["data"]["createCompanies"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (object, id) in [("person", &id), ("company", &made)] {
        world.twenty.archive(&world.cx, object, id).await.unwrap();
    }

    let annette = Contact {
        email: "ann@example.com".into(),
        first_name: Some("Annette".into()),
        ..Contact::default()
    };
    let back = world.twenty.upsert_contacts(&world.cx, &[annette]).await;
    let back = back.unwrap().remove(0).unwrap();
    assert_eq!((back.id, back.created), (id, Some(false)));
    let found = world
        .twenty
        .find_contact(&world.cx, "ann@example.com")
        .await;
    let fields = found.unwrap().unwrap().fields;
    assert_eq!(
        fields["name"],
        json!({"firstName": "Annette", "lastName": "Lee"})
    );
    assert_eq!(fields["emails"], emails);
    let back = world.twenty.upsert_companies(&world.cx, &[acme]).await;
    assert_eq!(back.unwrap().remove(0).unwrap().id, made);
    let path = format!("rest/companies/{made}");
    let company = world.twenty.raw(&world.cx, Method::GET, &path, None);
    let company = company.await.unwrap();
    links["secondaryLinks"] = further;
    assert_eq!(company["data"]["company"]["domainName"], links);
}

#[tokio::test]
async fn pages_that_do_not_get_on_end_in_an_error() {
    let first = "https://twenty.example/rest/people?order_by=updatedAt%5BAscNullsFirst%5D%2Cid%5BAscNullsFirst%5D&limit=60";
    let within = "https://twenty.example/rest/people?order_by=id%5BAscNullsFirst%5D&limit=60&filter=updatedAt%5Bgte%5D%3A%222026-11-20T10%3A00%3A00.000Z%22%2CupdatedAt%5Blt%5D%3A%222026-11-20T10%3A00%3A00.001Z%22";
    let body = json!({
        "data": {"people": [{"id": "a", "updatedAt": "2026-11-20T10:00:00.000Z"}]},
        "pageInfo": {"hasNextPage": true, "endCursor": "same"},
    });
    let wire = Script::new()
        .expect("GET", &format!("{first}&depth=0"))
        .reply(200, body.to_string())
        .expect("GET", &format!("{within}&depth=0"))
        .reply(200, body.to_string())
        .expect("GET", &format!("{within}&starting_after=same&depth=0"))
        .reply(200, body.to_string());
    let cx = wire.context();
    let mut cursor = None;
    for told in [1, 0] {
        let twenty = twenty();
        let page = twenty.changes_since(&cx, "person", cursor.as_deref());
        let page = page.await.unwrap();
        assert_eq!((page.records.len(), page.more), (told, true));
        cursor = page.cursor;
    }
    let error = twenty()
        .changes_since(&cx, "person", cursor.as_deref())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::UnexpectedReply, Retry::Never)
    );
    wire.finished();
}
