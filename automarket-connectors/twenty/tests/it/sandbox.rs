//! The fake itself refuses what the platform refuses.

use automarket_connector_twenty::testing::FakeTwenty;
use automarket_core::{
    CrmProvider as _, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Utc},
    crm::Activity,
    http_types::Method,
};
use serde_json::{Value, json};

use crate::{World, contact};

async fn send(world: &World, method: Method, path: &str, body: Value) -> Result<Value> {
    let body = Some(&body).filter(|body| !body.is_null());
    world.twenty.raw(&world.cx, method, path, body).await
}

async fn refused(world: &World, method: Method, path: &str, body: Value) -> (Option<u16>, String) {
    let error: Error = send(world, method, path, body).await.unwrap_err();
    (error.status(), error.body().unwrap_or_default().to_owned())
}

fn person(email: &str) -> Value {
    json!({"emails": {"primaryEmail": email, "additionalEmails": []}})
}

#[tokio::test]
async fn batches_are_all_or_none_and_hold_sixty() {
    let world = World::new();
    let batch = json!([person("a@x.io"), {"shoeSize": 44}]);
    let (status, text) =
        refused(&world, Method::POST, "rest/batch/people?upsert=true", batch).await;
    assert_eq!((status, world.effects()), (Some(400), 0));
    assert!(text.contains("shoeSize"), "{text}");
    let many: Vec<_> = (0..61).map(|n| person(&format!("p{n}@x.io"))).collect();
    let (status, _) = refused(&world, Method::POST, "rest/batch/people", json!(many)).await;
    assert_eq!((status, world.effects()), (Some(400), 0));
}

#[tokio::test]
async fn upserts_match_unique_values_and_restore() {
    let world = World::new();
    let made = send(&world, Method::POST, "rest/people", person("a@x.io"))
        .await
        .unwrap();
    let id = made["data"]["createPerson"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, text) = refused(&world, Method::POST, "rest/people", person("a@x.io")).await;
    assert_eq!(status, Some(400));
    assert!(text.contains("duplicate entry"), "{text}");
    // Another case is the same address, another address another person.
    let same = person("A@X.io");
    let same = send(&world, Method::POST, "rest/people?upsert=true", same).await;
    assert_eq!(same.unwrap()["data"]["createPerson"]["id"], json!(id));
    send(
        &world,
        Method::POST,
        "rest/people?upsert=true",
        person("b@x.io"),
    )
    .await
    .unwrap();
    assert_eq!(world.effects(), 2);
    let mut torn = person("b@x.io");
    torn["id"] = json!(id);
    let (_, text) = refused(&world, Method::POST, "rest/people?upsert=true", torn).await;
    assert!(text.contains("Multiple records found"), "{text}");
    let path = format!("rest/people/{id}?soft_delete=true");
    send(&world, Method::DELETE, &path, Value::Null)
        .await
        .unwrap();
    assert_eq!(world.effects(), 1);
    let back = send(
        &world,
        Method::POST,
        "rest/people?upsert=true",
        person("a@x.io"),
    )
    .await
    .unwrap();
    assert_eq!(back["data"]["createPerson"]["id"], json!(id));
    // Without the parameter it is gone for good.
    send(
        &world,
        Method::DELETE,
        &format!("rest/people/{id}"),
        Value::Null,
    )
    .await
    .unwrap();
    let fresh = send(
        &world,
        Method::POST,
        "rest/people?upsert=true",
        person("a@x.io"),
    )
    .await
    .unwrap();
    assert_ne!(fresh["data"]["createPerson"]["id"], json!(id));
}

#[tokio::test]
async fn ids_names_and_queries_are_checked() {
    let world = World::new();
    let v7 = json!({"id": "0197e5a0-7000-7000-8000-000000000000"});
    assert!(
        refused(&world, Method::POST, "rest/people", v7)
            .await
            .1
            .contains("not a valid UUID")
    );
    for path in [
        "rest/rockets",
        "rest/people?depth=2",
        "rest/people?limit=201",
        "rest/people?filter=shoeSize%5Beq%5D:1",
        "rest/people?filter=city%5Bsounds%5D:1",
        "rest/people?filter=city%5Beq%5D:%22x",
        "rest/people?starting_after=x",
    ] {
        let (status, text) = refused(&world, Method::GET, path, Value::Null).await;
        assert_eq!(status, Some(400), "{path}: {text}");
    }
    for body in [
        json!({"nameSingular": "event", "namePlural": "events", "labelSingular": "E", "labelPlural": "Es"}),
        json!({"nameSingular": "Rocket", "namePlural": "rockets", "labelSingular": "R", "labelPlural": "Rs"}),
    ] {
        let (status, _) = refused(&world, Method::POST, "rest/metadata/objects", body).await;
        assert_eq!(status, Some(400));
    }
    let rocket = json!({"nameSingular": "rocket", "namePlural": "rockets", "labelSingular": "R", "labelPlural": "Rs"});
    let made = send(
        &world,
        Method::POST,
        "rest/metadata/objects",
        rocket.clone(),
    )
    .await
    .unwrap();
    assert_eq!(
        refused(&world, Method::POST, "rest/metadata/objects", rocket)
            .await
            .0,
        Some(409)
    );
    let id = &made["data"]["createOneObject"]["id"];
    let field = json!({"objectMetadataId": id, "name": "stage", "label": "Stage", "type": "SELECT", "options": [{"value": "low"}]});
    assert_eq!(
        refused(&world, Method::POST, "rest/metadata/fields", field)
            .await
            .0,
        Some(400)
    );
    send(&world, Method::GET, "rest/rockets", Value::Null)
        .await
        .unwrap();
}

#[tokio::test]
async fn graphql_reads_what_is_asked_and_refuses_what_is_not_there() {
    let world = World::new();
    send(&world, Method::POST, "rest/people", person("a@x.io"))
        .await
        .unwrap();
    let ask = |query: &str| json!({"query": query, "variables": {"e": "a@x.io"}});
    let query = "query Find($e: String!) { people(filter: {emails: {primaryEmail: {eq: $e}}}, first: 2) { edges { node { emails { primaryEmail } } } totalCount } }";
    let found = send(&world, Method::POST, "graphql", ask(query))
        .await
        .unwrap();
    assert_eq!(
        found["data"]["people"],
        json!({"edges": [{"node": {"emails": {"primaryEmail": "a@x.io"}}}], "totalCount": 1})
    );
    for bad in [
        "{rockets{edges{node{id}}}}",
        "{people{edges{node{shoeSize}}}}",
        "{people(filter:{id:{eq:$x}}){totalCount}}",
        "query($e:[String!]!){people{totalCount}}",
        "{people(sort:1){totalCount}}",
        "{people",
        "",
    ] {
        let error = send(&world, Method::POST, "graphql", ask(bad))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::InvalidInput, Some(200)),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn an_old_server_takes_activities_once() {
    let world = World::with(FakeTwenty::old());
    let ann = [contact("ann@example.com")];
    let ann = world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
    let at: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
    let activity = Activity {
        key: "a1".into(),
        object: "person".into(),
        record_id: ann[0].as_ref().unwrap().id.clone(),
        title: "Met".into(),
        body: "At the fair".into(),
        at,
    };
    let twenty = &world.twenty;
    twenty.record_activity(&world.cx, &activity).await.unwrap();
    assert_eq!(world.effects(), 3);
    // It knows no upsert, so that nothing can be repeated or updated there; it doubles nothing either.
    let again = twenty.record_activity(&world.cx, &activity).await;
    let same = [contact("ann@example.com")];
    let known = twenty.upsert_contacts(&world.cx, &same).await;
    for error in [again.unwrap_err(), known.unwrap().remove(0).unwrap_err()] {
        let told = (ErrorKind::Duplicate, Retry::Never);
        assert_eq!((error.kind(), error.retry()), told);
        assert!(error.remedy().unwrap_or_default().contains("too old"));
    }
    assert_eq!(world.effects(), 3);
    // A person who is not there cannot have one.
    let stranger = Activity {
        key: "a2".into(),
        record_id: "00000000-0000-5000-8000-000000000000".into(),
        ..activity
    };
    let error = world
        .twenty
        .record_activity(&world.cx, &stranger)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.rule()),
        (ErrorKind::InvalidInput, Some("database"))
    );
}

#[tokio::test]
async fn a_revoked_key_is_no_missing_right() {
    let world = World::new();
    world.fake.revoke();
    let who = world.twenty.identify(&world.cx).await.unwrap_err();
    let ann = [contact("ann@example.com")];
    let written = world.twenty.upsert_contacts(&world.cx, &ann).await;
    for error in [who, written.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.remedy().unwrap().contains("new key"));
    }
}

#[tokio::test]
async fn archiving_in_an_unknown_object_is_an_error() {
    let world = World::new();
    let (twenty, cx) = (&world.twenty, &world.cx);
    let ann = [contact("ann@example.com")];
    let ann = twenty.upsert_contacts(cx, &ann).await.unwrap().remove(0);
    let id = ann.unwrap().id;
    let error = twenty.archive(cx, "rocket", &id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(world.effects(), 1);
    // Of the record itself, twice is once.
    for _ in 0..2 {
        twenty.archive(cx, "person", &id).await.unwrap();
    }
    assert_eq!(world.effects(), 0);
}
