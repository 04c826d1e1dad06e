//! International domains: Twenty keeps those of companies in ASCII, those of addresses as people read them.

use automarket_connector_twenty::testing::FakeTwenty;
use automarket_core::{CrmProvider as _, ErrorKind, crm::Company, testing::Script};
use serde_json::{Value, json};

use crate::{
    World, contact, twenty,
    wire::{BASE, nobody, post},
};

#[tokio::test]
async fn an_international_domain_has_two_spellings() {
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/graphql"))
        .reply(200, r#"{"data":{"companies":{"edges":[],"pageInfo":{"hasNextPage":false}}}}"#)
        .expect("POST", &format!("{BASE}/rest/batch/companies?upsert=true"))
        .reply(201, r#"{"data":{"createCompanies":[{"id":"c2","domainName":{"primaryLinkUrl":"https://xn--mller-kva.de"}}]}}"#);
    let company = Company {
        domain: "Müller.de.".into(),
        ..Company::default()
    };
    let results = twenty().upsert_companies(&wire.context(), &[company]).await;
    assert_eq!(results.unwrap()[0].as_ref().unwrap().id, "c2");
    let bodies: Vec<Value> = wire
        .requests()
        .iter()
        .map(|request| serde_json::from_slice(request.body()).unwrap())
        .collect();
    let asked = [
        "https://xn--mller-kva.de",
        "http://xn--mller-kva.de",
        "xn--mller-kva.de",
        "https://müller.de",
        "http://müller.de",
        "müller.de",
        "https://www.xn--mller-kva.de",
        "http://www.xn--mller-kva.de",
        "www.xn--mller-kva.de",
        "https://www.müller.de",
        "http://www.müller.de",
        "www.müller.de",
    ];
    assert_eq!(bodies[0]["variables"]["values"], json!(asked));
    let written = &bodies[1][0]["domainName"]["primaryLinkUrl"];
    assert_eq!(*written, "https://xn--mller-kva.de");
    // Twenty keeps addresses as people read them.
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/graphql"))
        .reply(200, nobody())
        .expect("POST", &format!("{BASE}/graphql"))
        .reply(200, nobody())
        .expect("POST", &format!("{BASE}/rest/batch/people?upsert=true"))
        .reply(
            201,
            r#"{"data":{"createPeople":[{"id":"p2","emails":{"primaryEmail":"ann@müller.de"}}]}}"#,
        );
    let ann = [contact("Ann@XN--MLLER-KVA.de.")];
    let results = twenty().upsert_contacts(&wire.context(), &ann).await;
    assert_eq!(results.unwrap()[0].as_ref().unwrap().id, "p2");
    let asked = [0, 1].map(|at| {
        let body: Value = serde_json::from_slice(wire.requests()[at].body()).unwrap();
        body["variables"].clone()
    });
    let both = ["ann@müller.de", "ann@xn--mller-kva.de"];
    let likes = both.map(|email| format!("%\"{email}\"%"));
    let further = json!({"like0": likes[0], "like1": likes[1], "after": null});
    assert_eq!(asked, [json!({"values": both, "after": null}), further]);
    // What stands for a quote is one, and is in no filter.
    let error = twenty()
        .find_contact(&Script::new().context(), "a@x＂.io")
        .await;
    assert_eq!(error.unwrap_err().field(), Some("email"));
}

#[tokio::test]
async fn an_international_domain_is_one_company_and_one_address() {
    let world = World::new();
    let (twenty, cx) = (&world.twenty, &world.cx);
    let mut ids = Vec::new();
    for domain in ["müller.de", "XN--mller-kva.de", "https://Müller.de./"] {
        let company = Company {
            domain: domain.into(),
            ..Company::default()
        };
        let results = twenty.upsert_companies(cx, &[company]).await.unwrap();
        ids.push(results[0].as_ref().unwrap().id.clone());
    }
    for email in ["ann@müller.de", "Ann@xn--mller-kva.de."] {
        let results = twenty.upsert_contacts(cx, &[contact(email)]).await.unwrap();
        ids.push(results[0].as_ref().unwrap().id.clone());
        let found = twenty.find_contact(cx, email).await.unwrap().unwrap();
        assert_eq!(found.id, ids[3]);
    }
    ids.dedup();
    assert_eq!((ids.len(), world.effects()), (2, 2));
}

/// Who was merged in Twenty has the other's address as a further one.
#[tokio::test]
async fn a_person_is_known_by_further_addresses() {
    let world = World::new();
    let (twenty, cx) = (&world.twenty, &world.cx);
    let emails = json!({"primaryEmail": "ann@x.io", "additionalEmails": ["Ann_Lee@home.example"]});
    let ann = json!({"emails": emails});
    world.fake.import("person", vec![ann], cx.now());
    let ids = async |email: &str| {
        let found = twenty.find_contact(cx, email).await.unwrap();
        let written = twenty.upsert_contacts(cx, &[contact(email)]).await.unwrap();
        (
            found.map(|found| found.id),
            written[0].as_ref().unwrap().id.clone(),
        )
    };
    let (found, first) = ids("ann@x.io").await;
    assert_eq!(found.as_ref(), Some(&first));
    let (found, further) = ids("ANN_lee@home.example").await;
    assert_eq!((found, further), (Some(first.clone()), first.clone()));
    let emails = json!({"primaryEmail": "ann@x.io", "additionalEmails": ["ann_lee@home.example"]});
    let held = twenty.find_contact(cx, "ann@x.io").await.unwrap().unwrap();
    assert_eq!(held.fields["emails"], emails);
    // Compared exactly.
    for other in ["annxlee@home.example", "lee@home.example", "%@home.example"] {
        let (found, made) = ids(other).await;
        assert_eq!(found, None, "{other}");
        assert_ne!(made, first, "{other}");
    }
    // Who is there goes before who was merged into them.
    let old = json!({"emails": {"primaryEmail": "ann@old.example"}});
    world.fake.import("person", vec![old], cx.now());
    let merged = twenty.find_contact(cx, "ann@old.example").await.unwrap();
    twenty
        .archive(cx, "person", &merged.unwrap().id)
        .await
        .unwrap();
    let emails = json!({"primaryEmail": "ann@x.io", "additionalEmails": ["ann@old.example"]});
    let ann = json!({"id": first, "emails": emails});
    world.fake.import("person", vec![ann], cx.now());
    let (found, written) = ids("ann@old.example").await;
    assert_eq!((found, written), (Some(first.clone()), first));
}

/// Older servers cannot be asked for further addresses: people are known by the primary one there.
#[tokio::test]
async fn a_server_that_cannot_look_into_lists_is_served_all_the_same() {
    let world = World::with(FakeTwenty::new().without_like());
    let (twenty, cx) = (&world.twenty, &world.cx);
    let emails = json!({"primaryEmail": "ann@x.io", "additionalEmails": ["ann@home.example"]});
    world
        .fake
        .import("person", vec![json!({"emails": emails})], cx.now());
    let people = ["ann@x.io", "bob@x.io"].map(contact);
    for created in [true, false] {
        let written = twenty.upsert_contacts(cx, &people).await.unwrap();
        let created_now: Vec<_> = written
            .into_iter()
            .map(|end| end.unwrap().created)
            .collect();
        assert_eq!(created_now, [Some(false), Some(created)]);
    }
    let found = twenty.find_contact(cx, "bob@x.io").await.unwrap();
    assert!(found.is_some());
    let found = twenty.find_contact(cx, "ann@home.example").await.unwrap();
    assert_eq!(found, None);
    assert_eq!(world.effects(), 2);
}

/// However the second question is refused as one that is not understood, nobody has that further address; what else goes wrong is an error.
#[tokio::test]
async fn only_a_question_that_is_not_understood_finds_nobody() {
    let unknown = r#"Field \"like\" is not defined by type \"RawJsonFilter\"."#;
    let error = |code: &str| {
        format!(r#"{{"errors":[{{"message":"{unknown}","extensions":{{{code}}}}}],"data":null}}"#)
    };
    let limit = r#"{"statusCode":400,"error":"BadRequestException","messages":["Limit reached (100 tokens per 60000 ms)"]}"#;
    let database =
        r#"{"statusCode":400,"error":"BadRequestException","messages":["Query read timeout"]}"#;
    let forbidden =
        r#"{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}],"data":null}"#;
    for (status, body, kind) in [
        (200, error(r#""code":"GRAPHQL_VALIDATION_FAILED""#), None),
        (400, error(r#""code":"GRAPHQL_VALIDATION_FAILED""#), None),
        (200, error(r#""code":"BAD_USER_INPUT""#), None),
        (200, error(r#""code":"INTERNAL_SERVER_ERROR""#), None),
        (200, error(""), None),
        (400, error(""), None),
        (400, limit.into(), Some(ErrorKind::RateLimited)),
        (400, database.into(), Some(ErrorKind::Unavailable)),
        (200, forbidden.into(), Some(ErrorKind::Forbidden)),
        (503, String::new(), Some(ErrorKind::Unavailable)),
    ] {
        let wire = Script::new()
            .expect("POST", &format!("{BASE}/graphql"))
            .reply(200, nobody())
            .expect("POST", &format!("{BASE}/graphql"))
            .reply(status, body.clone());
        let wire = match kind {
            Some(_) => wire,
            None => wire
                .expect("POST", &format!("{BASE}/rest/batch/people?upsert=true"))
                .reply(201, r#"{"data":{"createPeople":[{"id":"p1","emails":{"primaryEmail":"ann@x.io"}}]}}"#),
        };
        let ann = [contact("ann@x.io")];
        let end = twenty().upsert_contacts(&wire.context(), &ann).await;
        assert_eq!(end.err().map(|error| error.kind()), kind, "{status} {body}");
        wire.finished();
        // The same by REST.
        if status != 200 {
            let list = r#"{"data":{"people":[]}}"#;
            let wire = Script::new()
                .expect("GET", &format!("{BASE}/rest/people?filter=emails.primaryEmail%5Beq%5D%3A%22ann%40x.io%22&limit=60&depth=0"))
                .reply(200, list)
                .expect("GET", &format!("{BASE}/rest/people?filter=emails.additionalEmails%5Blike%5D%3A%22%25ann%40x.io%25%22&limit=60&depth=0"))
                .reply(status, body.clone());
            let end = twenty().find_contact(&wire.context(), "ann@x.io").await;
            assert_eq!(end.err().map(|error| error.kind()), kind, "{status} {body}");
            wire.finished();
        }
    }
}

/// Who was deleted comes back by the primary address alone, as Twenty has it.
#[tokio::test]
async fn a_further_address_brings_nobody_back() {
    let world = World::new();
    let (twenty, cx) = (&world.twenty, &world.cx);
    let emails = json!({"primaryEmail": "ann@x.io", "additionalEmails": ["ann@home.example"]});
    world
        .fake
        .import("person", vec![json!({"emails": emails})], cx.now());
    let ann = twenty.find_contact(cx, "ann@x.io").await.unwrap().unwrap();
    twenty.archive(cx, "person", &ann.id).await.unwrap();
    for (email, same) in [("ann@home.example", false), ("ann@x.io", true)] {
        let written = twenty.upsert_contacts(cx, &[contact(email)]).await.unwrap();
        assert_eq!(written[0].as_ref().unwrap().id == ann.id, same, "{email}");
    }
}

/// `www.` makes no other company, as for Twenty itself.
#[tokio::test]
async fn a_company_is_known_with_and_without_www() {
    let world = World::new();
    let company = |domain: &str| Company {
        domain: domain.into(),
        name: domain.into(),
        ..Company::default()
    };
    let ids = async |domains: &[&str]| {
        let companies: Vec<_> = domains.iter().map(|domain| company(domain)).collect();
        let written = world.twenty.upsert_companies(&world.cx, &companies).await;
        let ids = written.unwrap().into_iter().map(|end| end.unwrap().id);
        ids.collect::<Vec<_>>()
    };
    let first = ids(&["https://acme.dev"]).await;
    assert_eq!(ids(&["https://www.acme.dev/about"]).await, first);
    let other = ids(&["www.other.dev", "other.dev", "https://WWW.other.dev"]).await;
    assert_eq!(other[1..], [other[0].clone(), other[0].clone()]);
    assert_eq!(ids(&["other.dev"]).await, other[..1]);
    assert_eq!(world.effects(), 2);
    // Of two that are there it is the one of that spelling.
    let twin = json!({"domainName": {"primaryLinkUrl": "https://www.acme.dev"}});
    world.fake.import("company", vec![twin], world.cx.now());
    let twin = ids(&["www.acme.dev"]).await;
    assert_ne!(twin, first);
    assert_eq!(ids(&["acme.dev"]).await, first);
    // `www.dev` is a domain, and no `dev` with a prefix.
    let www = ids(&["www.dev"]).await;
    assert_ne!(ids(&["dev"]).await, www);
}

#[tokio::test]
async fn companies_are_found_however_their_domain_was_written() {
    let query = "query($values:[String!]!,$after:String){companies(filter:{and:[{domainName:{primaryLinkUrl:{in:$values}}},{or:[{deletedAt:{is:NULL}},{deletedAt:{is:NOT_NULL}}]}]},first:60,after:$after){edges{node{id deletedAt domainName{primaryLinkUrl primaryLinkLabel secondaryLinks}}} pageInfo{hasNextPage endCursor}}}";
    let values = json!([
        "https://acme.dev",
        "http://acme.dev",
        "acme.dev",
        "https://www.acme.dev",
        "http://www.acme.dev",
        "www.acme.dev",
        "https://other.dev",
        "http://other.dev",
        "other.dev",
        "https://www.other.dev",
        "http://www.other.dev",
        "www.other.dev"
    ]);
    let wire = post(Script::new(), "/graphql", json!({"query": query, "variables": {"values": values, "after": null}}))
        .reply(200, r#"{"data":{"companies":{"edges":[{"node":{"id":"c1","domainName":{"primaryLinkUrl":"acme.dev"}}}],"pageInfo":{"hasNextPage":false}}}}"#);
    let wire = post(
        wire,
        "/rest/batch/companies?upsert=true",
        json!([
            {"id": "c1", "name": "Acme", "employees": 12},
            {"domainName": {"primaryLinkUrl": "https://other.dev"}},
        ]),
    )
    .reply(201, r#"{"data":{"createCompanies":[{"id":"c1"},{"id":"c2","domainName":{"primaryLinkUrl":"https://other.dev/"}}]}}"#);
    let company = |domain: &str, name: &str| Company {
        domain: domain.into(),
        name: name.into(),
        ..Company::default()
    };
    let acme = Company {
        employees: Some(12),
        ..company("HTTPS://Acme.dev/about?x", "Acme")
    };
    let results = twenty()
        .upsert_companies(
            &wire.context(),
            &[acme, company("other.dev", ""), company(" ", "None")],
        )
        .await
        .unwrap();
    assert_eq!(results[0].as_ref().unwrap().id, "c1");
    assert_eq!(results[1].as_ref().unwrap().id, "c2");
    assert_eq!(results[2].as_ref().unwrap_err().field(), Some("domain"));
    wire.finished();
}
