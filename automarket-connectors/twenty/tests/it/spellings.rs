//! International domains: Twenty keeps those of companies in ASCII, those of addresses as people read them.

use automarket_core::{CrmProvider as _, crm::Company, testing::Script};
use serde_json::{Value, json};

use crate::{
    World, contact, twenty,
    wire::{BASE, nobody},
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
    ];
    assert_eq!(bodies[0]["variables"]["values"], json!(asked));
    let written = &bodies[1][0]["domainName"]["primaryLinkUrl"];
    assert_eq!(*written, "https://xn--mller-kva.de");
    // Twenty keeps addresses as people read them.
    let wire = Script::new()
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
    let asked: Value = serde_json::from_slice(wire.requests()[0].body()).unwrap();
    let both = ["ann@müller.de", "ann@xn--mller-kva.de"];
    assert_eq!(asked["variables"]["values"], json!(both));
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
