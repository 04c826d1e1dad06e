//! Golden requests, recorded answers.

use automarket_core::{
    Context, Credential, CrmProvider as _, ErrorKind, Platform, Retry, TenantId, Url,
    chrono::{DateTime, Utc},
    content::{CampaignStatus, Utm},
    crm::{Activity, CampaignPost, CampaignRecord, CampaignUtm, Contact, Field, FieldKind, Lead},
    store::Account,
    testing::Script,
};
use serde_json::{Value, json};

use crate::{contact, twenty};
use automarket_connector_twenty::{PLATFORM, testing::FakeTwenty};

pub(crate) const BASE: &str = "https://twenty.example";
pub(crate) fn get(wire: Script, path: &str) -> Script {
    wire.expect("GET", &format!("{BASE}{path}"))
        .header("authorization", "Bearer test-token")
}

pub(crate) fn post(wire: Script, path: &str, body: Value) -> Script {
    wire.expect("POST", &format!("{BASE}{path}"))
        .header("authorization", "Bearer test-token")
        .header("content-type", "application/json")
        .json(body)
}

const NAME: &str = " name{firstName lastName}";

/// The look-up of people by this filter, with what is selected of the composite fields.
fn people_query(declared: &str, filter: &str, parts: &str, variables: Value) -> Value {
    let query = format!(
        "query({declared},$after:String){{people(filter:{{{filter}}},first:60,after:$after){{edges{{node{{id deletedAt emails{{primaryEmail additionalEmails}}{parts}}}}} pageInfo{{hasNextPage endCursor}}}}}}"
    );
    json!({"query": query, "variables": variables})
}

fn by_primary(emails: &[&str], parts: &str) -> Value {
    let filter = "and:[{emails:{primaryEmail:{in:$values}}},{or:[{deletedAt:{is:NULL}},{deletedAt:{is:NOT_NULL}}]}]";
    let variables = json!({"values": emails, "after": null});
    people_query("$values:[String!]!", filter, parts, variables)
}

fn by_further(emails: &[&str], parts: &str) -> Value {
    let each = |text: fn(usize) -> String| (0..emails.len()).map(text).collect::<Vec<_>>();
    let declared = each(|at| format!("$like{at}:String")).join(",");
    let ways = each(|at| format!("{{emails:{{additionalEmails:{{like:$like{at}}}}}}}"));
    let mut variables = json!({"after": null});
    for (at, email) in emails.iter().enumerate() {
        variables[format!("like{at}")] = json!(format!("%\"{email}\"%"));
    }
    let filter = format!("or:[{}]", ways.join(","));
    people_query(&declared, &filter, parts, variables)
}

/// Both look-ups of these addresses; nobody has them.
fn nobody_has(emails: &[&str]) -> Script {
    let wire = post(Script::new(), "/graphql", by_primary(emails, NAME)).reply(200, nobody());
    post(wire, "/graphql", by_further(emails, NAME)).reply(200, nobody())
}

pub(crate) fn nobody() -> String {
    json!({"data": {"people": {"edges": [], "pageInfo": {"hasNextPage": false}}}}).to_string()
}

#[tokio::test]
async fn identify_reads_a_person_and_the_workspace_out_of_the_key() {
    let wire = get(Script::new(), "/rest/people?limit=1&depth=0")
        .reply(200, r#"{"data":{"people":[]},"totalCount":0,"pageInfo":{"hasNextPage":false,"startCursor":null,"endCursor":null}}"#);
    let who = twenty().identify(&wire.context()).await.unwrap();
    // `test-token` is no JWT: the machine's name stands in.
    assert_eq!(
        (&*who[0].remote_id, &*who[0].name),
        ("twenty.example", "twenty.example")
    );
    assert_eq!(who[0].settings, json!({"base_url": BASE}));
    let wire = Script::new()
        .expect("GET", &format!("{BASE}/rest/people?limit=1&depth=0"))
        .reply(200, r#"{"data":{"people":[]}}"#);
    let cx = wire
        .context()
        .with_credential(Credential::token(FakeTwenty::TOKEN));
    assert_eq!(
        twenty().identify(&cx).await.unwrap()[0].remote_id,
        FakeTwenty::WORKSPACE
    );
}

#[tokio::test]
async fn the_account_says_where_its_workspace_is() {
    let wire = Script::new()
        .expect(
            "GET",
            "https://crm.acme.dev/base/rest/people?limit=1&depth=0",
        )
        .reply(200, r#"{"data":{"people":[]}}"#);
    let account = Account::new(acme(), PLATFORM, "w")
        .with_settings(json!({"base_url": "https://crm.acme.dev/base/"}));
    let cx = wire.context().with_account(account.clone());
    twenty().identify(&cx).await.unwrap();
    wire.finished();
    for bad in [
        "nonsense",
        "ftp://crm.acme.dev",
        "https://user@crm.acme.dev",
        "https://crm.acme.dev?x=1",
    ] {
        let account = account.clone().with_settings(json!({"base_url": bad}));
        let cx = Script::new().context().with_account(account);
        let error = twenty().identify(&cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
    }
    let nobody = Context::new(Script::new());
    assert_eq!(
        twenty().identify(&nobody).await.unwrap_err().kind(),
        ErrorKind::Config
    );
}

pub(crate) fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

#[tokio::test]
async fn find_contact_asks_for_one_address() {
    let wire = get(
        Script::new(),
        "/rest/people?filter=emails.primaryEmail%5Beq%5D%3A%22o%27ann%2Bx%40example.com%22&limit=60&depth=0",
    )
    .reply(200, r#"{"data":{"people":[{"id":"5b1f0a44-3c11-5d1e-9a63-2c8e6b0f8a10","emails":{"primaryEmail":"o'ann+x@example.com"},"updatedAt":"2026-11-20T10:00:00.000Z"}]},"totalCount":1,"pageInfo":{"hasNextPage":false}}"#);
    let found = twenty()
        .find_contact(&wire.context(), " O'Ann+x@Example.com")
        .await;
    let found = found.unwrap().unwrap();
    assert_eq!(found.id, "5b1f0a44-3c11-5d1e-9a63-2c8e6b0f8a10");
    assert_eq!(found.updated_at, "2026-11-20T10:00:00Z".parse().ok());
    for bad in [
        "",
        "ann",
        "@x.y",
        "a@",
        "a@b@c",
        "a b@x.y",
        "a\"@x.y",
        "a\\@x.y",
        "a@x.y\"],or(id[is]:NOT_NULL)",
        "a,b@x.y",
        "a\n@x.y",
        "(a)@x.y",
        "a[b]@x.y",
    ] {
        let error = twenty()
            .find_contact(&Script::new().context(), bad)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("email")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn new_and_known_people_go_in_one_batch() {
    let ann = "5b1f0a44-3c11-5d1e-9a63-2c8e6b0f8a10";
    let bob = "0b1f0a44-3c11-5d1e-9a63-2c8e6b0f8a11";
    let every = format!(
        "{NAME} phones{{primaryPhoneNumber primaryPhoneCallingCode additionalPhones}} linkedinLink{{primaryLinkLabel primaryLinkUrl secondaryLinks}}"
    );
    let wire = post(Script::new(), "/graphql", by_primary(&["ann@example.com", "bob@example.com"], &every))
        .reply(200, json!({"data": {"people": {"edges": [{"node": {
            "id": ann,
            "name": {"firstName": "Ann", "lastName": "Lee"},
            "emails": {"primaryEmail": "ann@example.com"},
            "phones": {"primaryPhoneNumber": "15123456789", "primaryPhoneCallingCode": "+49", "additionalPhones": null},
            "linkedinLink": {"primaryLinkUrl": "https://linkedin.com/in/old", "primaryLinkLabel": "me", "secondaryLinks": []},
        }}], "pageInfo": {"hasNextPage": false, "endCursor": "x"}}}}).to_string());
    // Only who was not found is asked for by further addresses.
    let wire =
        post(wire, "/graphql", by_further(&["bob@example.com"], &every)).reply(200, nobody());
    let wire = post(
        wire,
        "/rest/batch/people?upsert=true",
        json!([
            // Known by id, with the address that it has: whole composites, and the same phone is not sent again.
            {"id": ann, "emails": {"primaryEmail": "ann@example.com"}, "name": {"firstName": "Annette", "lastName": "Lee"}, "jobTitle": "CTO",
             "linkedinLink": {"primaryLinkUrl": "https://linkedin.com/in/ann", "primaryLinkLabel": "me", "secondaryLinks": "[]"}},
            // New: no id, so that it can only meet a record of the same address.
            {"emails": {"primaryEmail": "bob@example.com"},
             "phones": {"primaryPhoneNumber": "+14155550100"},
             "city": "Bonn", "plan": "pro"},
        ]),
    )
    .reply(201, json!({"data": {"createPeople": [
        {"id": bob, "emails": {"primaryEmail": "bob@example.com"}, "createdAt": "2026-11-20T10:00:00.000Z", "updatedAt": "2026-11-20T10:00:00.000Z"},
        {"id": ann, "emails": {"primaryEmail": "ann@example.com"}, "createdAt": "2026-11-20T10:00:00.000Z", "updatedAt": "2026-11-20T10:00:00.000Z"},
    ]}}).to_string());
    let people = [
        Contact {
            email: " Ann@Example.com".into(),
            first_name: Some("Annette".into()),
            phone: Some("+4915123456789".into()),
            job_title: Some("CTO".into()),
            linkedin: Url::parse("https://linkedin.com/in/ann").ok(),
            ..Contact::default()
        },
        Contact {
            email: "bob@example.com".into(),
            phone: Some("+14155550100".into()),
            city: Some("Bonn".into()),
            fields: [("plan".to_owned(), json!("pro"))].into(),
            ..Contact::default()
        },
    ];
    let results = twenty()
        .upsert_contacts(&wire.context(), &people)
        .await
        .unwrap();
    let ends: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!((&*ends[0].id, ends[0].created), (ann, Some(false)));
    assert_eq!((&*ends[1].id, ends[1].created), (bob, Some(true)));
    wire.finished();
}

#[tokio::test]
async fn a_success_with_fewer_results_than_records_is_an_error_of_those_missing() {
    let wire = nobody_has(&["a@x.io", "b@x.io"])
        .expect("POST", &format!("{BASE}/rest/batch/people?upsert=true"))
        .reply(
            201,
            r#"{"data":{"createPeople":[{"id":"1","emails":{"primaryEmail":"b@x.io"}}]}}"#,
        );
    let people = [contact("a@x.io"), contact("b@x.io")];
    let results = twenty()
        .upsert_contacts(&wire.context(), &people)
        .await
        .unwrap();
    let error = results[0].as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::UnexpectedReply, Retry::After(None))
    );
    let other = results[1].as_ref().unwrap();
    // Twenty does not say whether it created, and this answer has no times.
    assert_eq!((&*other.id, other.created), ("1", None));
}

#[tokio::test]
async fn bad_records_are_refused_before_any_request() {
    let no_email = Contact::default();
    let own_id = Contact {
        fields: [("id".to_owned(), json!("x"))].into(),
        ..contact("a@x.io")
    };
    let wire = nobody_has(&["a@x.io"]);
    let results = twenty()
        .upsert_contacts(&wire.context(), &[no_email, own_id])
        .await
        .unwrap();
    let fields: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().unwrap_err().field())
        .collect();
    assert_eq!(fields, [Some("email"), Some("fields.id")]);
    assert!(
        twenty()
            .upsert_contacts(&Script::new().context(), &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_lead_is_a_person_and_an_opportunity_with_a_derived_id() {
    let wire = nobody_has(&["ann@example.com"])
        .expect("POST", &format!("{BASE}/rest/batch/people?upsert=true"))
        .reply(201, r#"{"data":{"createPeople":[{"id":"p1","emails":{"primaryEmail":"ann@example.com"}}]}}"#);
    let id = "9af71f27-a348-5401-b5ed-40534f4dabe1";
    let wire = post(
        wire,
        "/rest/batch/opportunities?upsert=true",
        json!([{"id": id, "pointOfContactId": "p1", "name": "Ten seats", "stage": "NEW",
                "amount": {"amountMicros": 1_200_000_000, "currencyCode": "EUR"}, "source": "x"}]),
    )
    .reply(
        201,
        json!({"data": {"createOpportunities": [{"id": id}]}}).to_string(),
    );
    let lead = Lead {
        key: "lead-1".into(),
        contact: contact("ann@example.com"),
        name: "Ten seats".into(),
        stage: Some("NEW".into()),
        amount: Some((1_200_000_000, "EUR".into())),
        fields: [("source".to_owned(), json!("x"))].into(),
    };
    let keyless = Lead::default();
    let results = twenty()
        .upsert_leads(&wire.context(), &[lead, keyless])
        .await
        .unwrap();
    assert_eq!(results[0].as_ref().unwrap().id, id);
    assert_eq!(results[1].as_ref().unwrap_err().field(), Some("email"));
    wire.finished();
}

fn activity() -> Activity {
    Activity {
        key: "a1".into(),
        object: "person".into(),
        record_id: "p1".into(),
        title: "Reply on LinkedIn".into(),
        body: "Asked for a demo.".into(),
        at: "2026-11-20T10:00:00Z".parse().unwrap(),
    }
}

/// The derived ids are a promise: another way of deriving them would double every record.
#[tokio::test]
async fn an_activity_is_a_note_and_its_tie() {
    let (note, tie) = (
        "11f2f217-a10e-5d2a-b214-ee3579ba1bad",
        "2ecf54da-7db3-5ce3-8118-c8a55df51d77",
    );
    let text = "Asked for a demo.\n\n*2026-11-20 10:00:00 UTC*";
    let wire = post(
        Script::new(),
        "/rest/notes?upsert=true",
        json!({"id": note, "title": "Reply on LinkedIn", "bodyV2": {"markdown": text}}),
    )
    .reply(
        201,
        json!({"data": {"createNote": {"id": note}}}).to_string(),
    );
    let wire = post(
        wire,
        "/rest/noteTargets?upsert=true",
        json!({"id": tie, "noteId": note, "targetPersonId": "p1"}),
    )
    .reply(
        201,
        json!({"data": {"createNoteTarget": {"id": tie}}}).to_string(),
    );
    let end = twenty()
        .record_activity(&wire.context(), &activity())
        .await
        .unwrap();
    assert_eq!(end.id, note);
    wire.finished();
}

#[tokio::test]
async fn the_schema_is_provisioned_and_a_campaign_recorded() {
    let objects = json!({"data": {"objects": [
        {"id": "C", "nameSingular": "campaign", "namePlural": "campaigns", "fields": [
            {"name": "name", "type": "TEXT"}, {"name": "description", "type": "TEXT"}, {"name": "campaignStatus", "type": "SELECT"},
            {"name": "campaignType", "type": "TEXT"}, {"name": "sourceUrl", "type": "TEXT"}, {"name": "externalKey", "type": "TEXT"}]},
        {"id": "P", "nameSingular": "campaignPost", "namePlural": "campaignPosts", "fields": [
            {"name": "name"}, {"name": "platform"}, {"name": "content"}, {"name": "characterCount"}, {"name": "scheduledAt"},
            {"name": "remoteId"}, {"name": "externalKey"}, {"name": "campaign"}]},
        {"id": "U", "nameSingular": "utmRecord", "namePlural": "utmRecords", "fields": [
            {"name": "name"}, {"name": "utmSource"}, {"name": "utmMedium"}, {"name": "utmCampaign"}, {"name": "utmTerm"},
            {"name": "utmContent"}, {"name": "href"}, {"name": "platforms"}, {"name": "externalKey"}]},
    ]}});
    let wire =
        get(Script::new(), "/rest/metadata/objects?limit=1000").reply(200, objects.to_string());
    let wire = post(
        wire,
        "/rest/metadata/fields",
        json!({"objectMetadataId": "U", "name": "campaign", "label": "Campaign", "type": "RELATION", "icon": "IconTarget",
               "relationCreationPayload": {"type": "MANY_TO_ONE", "targetObjectMetadataId": "C",
                                           "targetFieldLabel": "Utm records", "targetFieldIcon": "IconTarget"}}),
    )
    .reply(201, r#"{"data":{"createOneField":{"id":"F"}}}"#);
    let ids = [
        "862a47b4-bb9c-5644-8031-ef5eddcccdb3",
        "70faba55-ba34-5794-95ef-f01bdf461c49",
        "9b082ee9-0401-5935-8e01-14c6690b1df6",
    ];
    let wire = post(
        wire,
        "/rest/campaigns?upsert=true",
        json!({"id": ids[0], "externalKey": "c1", "name": "Launch", "description": "About it", "campaignStatus": "SCHEDULED",
               "campaignType": "website", "sourceUrl": "https://acme.dev/"}),
    )
    .reply(201, json!({"data": {"createCampaign": {"id": ids[0]}}}).to_string());
    let wire = post(
        wire,
        "/rest/batch/campaignPosts?upsert=true",
        json!([{"id": ids[1], "externalKey": "p1", "campaignId": ids[0], "name": "x: We shipped!", "platform": "x",
                "content": "We shipped!\nLook.", "characterCount": 17, "scheduledAt": "2026-11-21T10:00:00Z", "remoteId": "17"}]),
    )
    .reply(201, json!({"data": {"createCampaignPosts": [{"id": ids[1]}]}}).to_string());
    let wire = post(
        wire,
        "/rest/batch/utmRecords?upsert=true",
        json!([{"id": ids[2], "externalKey": "u1", "campaignId": ids[0], "name": "launch: x", "utmSource": "x", "utmMedium": "social",
                "utmCampaign": "launch", "utmTerm": "", "utmContent": "", "href": "https://acme.dev/?utm_source=x", "platforms": ["x"]}]),
    )
    .reply(201, json!({"data": {"createUtmRecords": [{"id": ids[2]}]}}).to_string());
    let at: DateTime<Utc> = "2026-11-21T10:00:00Z".parse().unwrap();
    let campaign = CampaignRecord {
        key: "c1".into(),
        name: "Launch".into(),
        description: "About it".into(),
        status: CampaignStatus::Scheduled,
        kind: "website".into(),
        source: Url::parse("https://acme.dev").ok(),
        posts: vec![CampaignPost {
            key: "p1".into(),
            network: Platform::X,
            text: "We shipped!\nLook.".into(),
            length: 17,
            scheduled_at: Some(at),
            remote_id: Some("17".into()),
        }],
        utms: vec![CampaignUtm {
            key: "u1".into(),
            utm: Utm::campaign("launch").with_source("x"),
            href: Url::parse("https://acme.dev/?utm_source=x").unwrap(),
            networks: vec![Platform::X],
        }],
    };
    let end = twenty()
        .record_campaign(&wire.context(), &campaign)
        .await
        .unwrap();
    assert_eq!(
        (end.campaign, end.posts, end.utms),
        (ids[0].into(), vec![ids[1].into()], vec![ids[2].into()])
    );
    wire.finished();
}

#[tokio::test]
async fn objects_and_fields_are_created_and_a_taken_name_is_looked_up() {
    let field = |name: &str, kind, unique| Field {
        name: name.into(),
        label: name.to_uppercase(),
        kind,
        unique,
    };
    let wanted = [
        field("externalKey", FieldKind::Text, true),
        field(
            "level",
            FieldKind::Select(vec!["low".into(), "very high".into()]),
            false,
        ),
    ];
    let object = |fields: Value| {
        json!([{"id": "T", "nameSingular": "touchpoint", "namePlural": "touchpoints", "fields": fields}]).to_string()
    };
    // As different server versions wrap it: bare list, `data` list, edges.
    let wire = get(Script::new(), "/rest/metadata/objects?limit=1000").reply(200, r#"{"data":[]}"#);
    let wire = post(
        wire,
        "/rest/metadata/objects",
        json!({"nameSingular": "touchpoint", "namePlural": "touchpoints", "labelSingular": "Touchpoint", "labelPlural": "Touchpoints",
               "icon": "IconTarget", "description": "Kept by automarket"}),
    )
    .reply(409, r#"{"statusCode":409,"error":"ConflictException","messages":["Object already exists"]}"#);
    let wire = get(wire, "/rest/metadata/objects?limit=1000").reply(200, object(json!([])));
    let wire = post(
        wire,
        "/rest/metadata/fields",
        json!({"objectMetadataId": "T", "name": "externalKey", "label": "EXTERNALKEY", "type": "TEXT", "isNullable": true, "isUnique": true}),
    )
    .reply(201, r#"{"id":"F1"}"#);
    let wire = post(
        wire,
        "/rest/metadata/fields",
        json!({"objectMetadataId": "T", "name": "level", "label": "LEVEL", "type": "SELECT", "isNullable": true, "options": [
            {"value": "LOW", "label": "low", "position": 0, "color": "blue"},
            {"value": "VERY_HIGH", "label": "very high", "position": 1, "color": "green"}]}),
    )
    .reply(400, r#"{"statusCode":400,"error":"BadRequestException","messages":["Name is NOT_AVAILABLE"]}"#);
    let there = json!({"edges": [{"node": {"name": "level", "label": "Level", "type": "SELECT", "options": [{"value": "LOW"}]}}]});
    let wire = get(wire, "/rest/metadata/objects?limit=1000").reply(200, object(there.clone()));
    let created = twenty()
        .ensure_fields(&wire.context(), "touchpoint", &wanted)
        .await;
    assert_eq!(created.unwrap(), ["externalKey"]);
    wire.finished();
    let wire = get(Script::new(), "/rest/metadata/objects?limit=1000").reply(200, object(there));
    let fields = twenty()
        .fields(&wire.context(), "touchpoints")
        .await
        .unwrap();
    assert_eq!(fields[0].kind, FieldKind::Select(vec!["LOW".into()]));
    // Taken, and still not to be seen: that is no success.
    let wire =
        get(Script::new(), "/rest/metadata/objects?limit=1000").reply(200, object(json!([])));
    let wire = wire
        .expect("POST", &format!("{BASE}/rest/metadata/fields"))
        .reply(400, r#"{"messages":["The name is already used"]}"#);
    let wire = get(wire, "/rest/metadata/objects?limit=1000").reply(200, object(json!([])));
    let error = twenty()
        .ensure_fields(&wire.context(), "touchpoint", &wanted[..1])
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.rule()),
        (ErrorKind::InvalidInput, Some("name_taken"))
    );
}

#[tokio::test]
async fn archive_is_always_soft() {
    let path = "/rest/opportunities/5b1f%2F..?soft_delete=true";
    let wire = Script::new()
        .expect("DELETE", &format!("{BASE}{path}"))
        .reply(
            404,
            r#"{"statusCode":404,"error":"NotFoundException","messages":["Record not found"]}"#,
        );
    twenty()
        .archive(&wire.context(), "opportunity", "5b1f/..")
        .await
        .unwrap();
    wire.finished();
}

#[tokio::test]
async fn servers_from_before_the_rename_are_met_half_way() {
    let unknown = |field: &str| {
        json!({"statusCode": 400, "error": "BadRequestException", "messages": [format!("Object note doesn't have any \"{field}\" field.")]}).to_string()
    };
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/rest/notes?upsert=true"))
        .reply(400, unknown("bodyV2"))
        .expect("POST", &format!("{BASE}/rest/notes?upsert=true"))
        .reply(201, r#"{"data":{"createNote":{"id":"n1"}}}"#)
        .expect("POST", &format!("{BASE}/rest/noteTargets?upsert=true"))
        .reply(400, unknown("targetPersonId"))
        .expect("POST", &format!("{BASE}/rest/noteTargets?upsert=true"))
        .reply(201, r#"{"data":{"createNoteTarget":{"id":"t1"}}}"#);
    twenty()
        .record_activity(&wire.context(), &activity())
        .await
        .unwrap();
    wire.finished();
    let bodies: Vec<Value> = wire
        .requests()
        .iter()
        .map(|request| serde_json::from_slice(request.body()).unwrap())
        .collect();
    assert_eq!(
        bodies[1]["body"],
        "Asked for a demo.\n\n*2026-11-20 10:00:00 UTC*"
    );
    assert_eq!(
        (&bodies[1]["bodyV2"], &bodies[3]["personId"]),
        (&Value::Null, &json!("p1"))
    );
}
