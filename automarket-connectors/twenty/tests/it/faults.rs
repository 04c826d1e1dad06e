//! Every fault ends in the right number of records on the sandbox.

use automarket_core::{
    CrmProvider as _, ErrorKind, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    content::CampaignStatus,
    crm::{Activity, CampaignPost, CampaignRecord, Company},
    http_types::Method,
    testing::{Fault, FaultRule, Sandbox},
};
use serde_json::json;
use std::time::Duration;

use crate::{World, contact};
use automarket_connector_twenty::{PLATFORM, testing::FakeTwenty};

fn faults() -> Vec<Fault> {
    vec![
        Fault::NotSent,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::StatusBefore(500),
        Fault::StatusAfter(500),
        Fault::StatusAfter(502),
        Fault::StatusBefore(520),
        Fault::HalfAfter,
        Fault::GarbageAfter,
        Fault::RateLimited(Some("7")),
        Fault::RateLimited(None),
        Fault::Reply(
            400,
            r#"{"statusCode":400,"error":"BadRequestException","messages":["Limit reached (100 tokens per 60000 ms)"]}"#,
        ),
        Fault::Unauthorized,
    ]
}

const DUPLICATE: &str = r#"{"statusCode":400,"error":"BadRequestException","messages":["A duplicate entry was detected"]}"#;

const OLDER_DUPLICATE: &str = r#"{"statusCode":400,"error":"BadRequestException","messages":["Duplicate Emails with value p7@example.com. Please set a unique one."]}"#;

fn at() -> DateTime<Utc> {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn campaign() -> CampaignRecord {
    CampaignRecord {
        key: "c1".into(),
        name: "Launch".into(),
        description: String::new(),
        status: CampaignStatus::Active,
        kind: "website".into(),
        source: None,
        posts: (0..3)
            .map(|n| CampaignPost {
                key: format!("p{n}"),
                network: automarket_core::Platform::X,
                text: format!("Post {n}"),
                length: 6,
                scheduled_at: None,
                remote_id: None,
            })
            .collect(),
        utms: Vec::new(),
    }
}

/// Repeats the campaign until it is recorded, as the queue would; says what came first.
async fn settle(world: &World) -> Option<(ErrorKind, Retry)> {
    let mut first = None;
    for _ in 0..3 {
        match world.twenty.record_campaign(&world.cx, &campaign()).await {
            Ok(_) => return first,
            Err(error) => first.get_or_insert((error.kind(), error.retry())),
        };
        world.clock.advance(TimeDelta::seconds(61));
    }
    panic!("never recorded: {first:?}");
}

#[tokio::test]
async fn a_campaign_is_recorded_once_whatever_call_fails() {
    for fault in faults() {
        for (method, path) in [
            (Method::GET, "/rest/metadata/objects"),
            (Method::POST, "/rest/metadata/objects"),
            (Method::POST, "/rest/metadata/fields"),
            (Method::POST, "/rest/campaigns"),
            (Method::POST, "/rest/batch/campaignPosts"),
        ] {
            let world = World::new();
            let is_post = method == Method::POST;
            let rule = FaultRule::on(path, fault.clone()).method(method);
            world.sandbox.faults().add(rule);
            let first = settle(&world).await;
            assert_eq!(world.sandbox.faults().hits().len(), 1, "{fault:?} {path}");
            assert_eq!(world.effects(), 4, "{fault:?} on {path}");
            let expected = match fault {
                Fault::Unauthorized => (ErrorKind::Unauthorized, Retry::Never),
                Fault::RateLimited(Some(_)) => {
                    let wait = Some(Duration::from_secs(7));
                    (ErrorKind::RateLimited, Retry::After(wait))
                }
                Fault::RateLimited(None) | Fault::Reply(..) => {
                    let wait = Some(Duration::from_secs(60));
                    (ErrorKind::RateLimited, Retry::After(wait))
                }
                // What was created is read again, so the answer's body does not matter.
                Fault::HalfAfter | Fault::GarbageAfter if path.contains("metadata") && is_post => {
                    assert_eq!(first, None);
                    continue;
                }
                Fault::HalfAfter | Fault::GarbageAfter => {
                    (ErrorKind::UnexpectedReply, Retry::After(None))
                }
                Fault::StatusBefore(_) | Fault::StatusAfter(_) => {
                    (ErrorKind::Unavailable, Retry::After(None))
                }
                _ => (ErrorKind::Network, Retry::After(None)),
            };
            assert_eq!(first, Some(expected), "{fault:?} on {path}");
        }
    }
}

#[tokio::test]
async fn an_activity_is_one_note_whatever_call_fails() {
    for fault in faults() {
        for path in ["/rest/notes", "/rest/noteTargets"] {
            let world = World::new();
            let ann = [contact("ann@example.com")];
            let ann = world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
            let activity = Activity {
                key: "a1".into(),
                object: "person".into(),
                record_id: ann[0].as_ref().unwrap().id.clone(),
                title: "Met".into(),
                body: "At the fair".into(),
                at: at(),
            };
            world.sandbox.fault(path, fault.clone());
            let first = world.twenty.record_activity(&world.cx, &activity).await;
            assert!(first.is_err(), "{fault:?} on {path}");
            world
                .twenty
                .record_activity(&world.cx, &activity)
                .await
                .unwrap();
            // The person, the note and what ties them.
            assert_eq!(world.effects(), 3, "{fault:?} on {path}");
        }
    }
}

#[tokio::test]
async fn what_ends_a_batch_is_told_to_the_records_not_reached() {
    let world = World::new();
    let people: Vec<_> = (0..150)
        .map(|n| contact(&format!("p{n}@example.com")))
        .collect();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/rest/batch/people", Fault::RateLimited(Some("7"))).after(1));
    let results = world
        .twenty
        .upsert_contacts(&world.cx, &people)
        .await
        .unwrap();
    let written = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((results.len(), written, world.effects()), (150, 60, 60));
    let error = results[149].as_ref().unwrap_err();
    let wait = Some(Duration::from_secs(7));
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::After(wait))
    );
    // Nothing was sent after the limit: four look-ups, two batches.
    assert_eq!(world.fake.requests(), 5);
}

#[tokio::test]
async fn a_batch_of_a_thousand_with_seven_bad_takes_few_calls() {
    let world = World::new();
    let mut people: Vec<_> = (0..1_000)
        .map(|n| contact(&format!("p{n}@example.com")))
        .collect();
    for bad in [3, 99, 200, 400, 401, 650, 999] {
        people[bad].fields.insert("shoeSize".into(), json!(44));
    }
    let results = world
        .twenty
        .upsert_contacts(&world.cx, &people)
        .await
        .unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 993);
    // 34 look-ups, 17 batches; each bad record takes 6 halvings, one call alone and one batch of those that waited.
    let calls = world.fake.requests();
    assert!(calls <= 34 + 17 + 7 * 8, "{calls} calls");
}

/// A failover: nothing is the records' fault.
#[tokio::test]
async fn the_databases_trouble_is_no_records_fault() {
    let people: Vec<_> = (0..70)
        .map(|n| contact(&format!("p{n}@example.com")))
        .collect();
    let timeout = r#"{"statusCode":400,"error":"Bad Request","messages":["Query read timeout"]}"#;
    let world = World::new();
    let rule = FaultRule::on("/rest/batch/people", Fault::Reply(400, timeout));
    world.sandbox.faults().add(rule);
    let error = world.twenty.upsert_contacts(&world.cx, &people).await;
    let error = error.unwrap_err();
    let told = (ErrorKind::Unavailable, Retry::After(None));
    assert_eq!((error.kind(), error.retry()), told);
    // Current servers say the same of a bad value: the others are written, and this one may be repeated.
    let refused =
        r#"{"statusCode":400,"error":"BadRequestException","messages":["Data validation error."]}"#;
    let rule = FaultRule::on("/rest/batch/people", Fault::Reply(400, refused)).times(1_000);
    world.sandbox.faults().add(rule);
    let results = world.twenty.upsert_contacts(&world.cx, &people[..3]).await;
    for result in results.unwrap() {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.retry()), told);
    }
    assert_eq!(world.effects(), 0);
    let companies = [12, 3_000_000_000, 7].map(|employees| Company {
        domain: format!("acme{employees}.dev"),
        employees: Some(employees),
        ..Company::default()
    });
    let results = world.twenty.upsert_companies(&world.cx, &companies).await;
    let results = results.unwrap();
    assert!(results[0].is_ok() && results[2].is_ok());
    let error = results[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.retry()), told);
    // What is no exception of HTTP comes as 400 as well, under its own name.
    for body in [
        r#"{"statusCode":400,"error":"Error","messages":["Client has encountered a connection error and is not queryable"]}"#,
        r#"{"statusCode":400,"error":"Error","messages":["Client was closed and is not queryable"]}"#,
        r#"{"statusCode":400,"error":"MaxRetriesPerRequestError","messages":["Reached the max retries per request limit (which is 20)."]}"#,
        r#"{"statusCode":400,"error":"TypeError","messages":["Cannot read properties of undefined (reading 'id')"]}"#,
    ] {
        let world = World::new();
        let rule = FaultRule::on("/rest/campaigns", Fault::Reply(400, body));
        world.sandbox.faults().add(rule);
        let first = settle(&world).await;
        assert_eq!(first, Some(told), "{body}");
        assert_eq!(world.effects(), 4);
    }
}

/// What a refused batch was refused for may be over when it is sent in parts.
#[tokio::test]
async fn what_is_refused_for_a_moment_is_nobodys_last_word() {
    let too_large = Fault::Reply(413, "<html><h1>413 Request Entity Too Large</h1></html>");
    let people: Vec<_> = (0..60)
        .map(|n| contact(&format!("p{n}@example.com")))
        .collect();
    for (fault, calls) in [
        (Fault::Reply(400, DUPLICATE), 4),
        (Fault::Reply(400, OLDER_DUPLICATE), 4),
        // The look-ups, the batch, six halves and the last record alone.
        (too_large, 10),
    ] {
        let world = World::new();
        let rule = FaultRule::on("/rest/batch/people", fault);
        world.sandbox.faults().add(rule);
        let results = world.twenty.upsert_contacts(&world.cx, &people).await;
        let refused = results.unwrap().into_iter().filter_map(Result::err);
        assert_eq!(refused.count(), 0);
        assert_eq!(world.effects(), 60);
        let hits = world.sandbox.faults().hits().len();
        assert!(world.fake.requests() + hits <= calls, "{calls}");
    }
}

#[tokio::test]
async fn a_campaign_that_somebody_else_creates_meanwhile_is_met() {
    for path in ["/rest/campaigns", "/rest/batch/campaignPosts"] {
        let world = World::new();
        let rule = FaultRule::on(path, Fault::Reply(400, DUPLICATE));
        world.sandbox.faults().add(rule);
        let recorded = world.twenty.record_campaign(&world.cx, &campaign()).await;
        assert_eq!(recorded.unwrap().posts.len(), 3, "{path}");
    }
}

#[tokio::test]
async fn a_duplicate_that_stays_one_is_told() {
    let world = World::new();
    for path in ["/rest/campaigns", "/rest/batch/people"] {
        let rule = FaultRule::on(path, Fault::Reply(400, DUPLICATE)).times(u32::MAX);
        world.sandbox.faults().add(rule);
    }
    let error = world.twenty.record_campaign(&world.cx, &campaign()).await;
    let error = error.unwrap_err();
    let told = (ErrorKind::Duplicate, Retry::Never);
    assert_eq!((error.kind(), error.retry()), told);
    let ann = [contact("ann@example.com")];
    let results = world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
    let error = results[0].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.retry()), told);
    assert_eq!(world.sandbox.faults().hits().len(), 4);
}

#[tokio::test]
async fn the_request_limit_of_the_workspace_is_a_rate_limit() {
    let world = World::with(FakeTwenty::new().limited(2));
    for _ in 0..2 {
        world.twenty.identify(&world.cx).await.unwrap();
    }
    let error = world.twenty.identify(&world.cx).await.unwrap_err();
    let wait = Some(Duration::from_secs(60));
    assert_eq!(
        (error.kind(), error.retry(), error.status()),
        (ErrorKind::RateLimited, Retry::After(wait), Some(400))
    );
    world.clock.advance(TimeDelta::seconds(60));
    world.twenty.identify(&world.cx).await.unwrap();
}

#[tokio::test]
async fn a_new_object_that_is_not_served_yet_is_waited_for() {
    let world = World::new();
    let missing = r#"{"statusCode":400,"error":"BadRequestException","messages":["object 'campaigns' not found"]}"#;
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/rest/campaigns", Fault::Reply(400, missing)).times(2));
    for _ in 0..2 {
        let error = world
            .twenty
            .record_campaign(&world.cx, &campaign())
            .await
            .unwrap_err();
        assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(5))));
    }
    world
        .twenty
        .record_campaign(&world.cx, &campaign())
        .await
        .unwrap();
    assert_eq!(world.effects(), 4);
}

#[tokio::test]
async fn an_object_that_another_worker_has_just_made_is_waited_for_too() {
    let world = World::new();
    let (twenty, campaign) = (&world.twenty, campaign());
    twenty.record_campaign(&world.cx, &campaign).await.unwrap();
    // A context of its own, that finds nothing to create.
    let cx = automarket_core::Context::new(world.sandbox.clone())
        .with_credential(automarket_core::Credential::token(FakeTwenty::TOKEN));
    let missing = r#"{"statusCode":400,"error":"BadRequestException","messages":["object 'campaigns' not found"]}"#;
    let rule = FaultRule::on("/rest/campaigns", Fault::Reply(400, missing));
    world.sandbox.faults().add(rule);
    let error = twenty.record_campaign(&cx, &campaign).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(5))));
    twenty.record_campaign(&cx, &campaign).await.unwrap();
    assert_eq!(world.effects(), 4);
}

#[tokio::test]
async fn the_schema_is_looked_at_once_per_run() {
    let world = World::new();
    let campaign = campaign();
    let record = || world.twenty.record_campaign(&world.cx, &campaign);
    record().await.unwrap();
    let before = world.fake.requests();
    record().await.unwrap();
    // The campaign and its posts; there are no links.
    assert_eq!(world.fake.requests() - before, 2);
}

#[tokio::test]
async fn two_workers_make_one_schema() {
    let world = World::new();
    let campaign = campaign();
    let other = World::new();
    // Two contexts, so two memories of steps, on one workspace.
    let cx = automarket_core::Context::new(world.sandbox.clone())
        .with_credential(automarket_core::Credential::token(FakeTwenty::TOKEN));
    let (one, two) = tokio::join!(
        world.twenty.record_campaign(&world.cx, &campaign),
        other.twenty.record_campaign(&cx, &campaign)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(world.effects(), 4);
}

#[tokio::test]
async fn a_list_that_does_not_end_is_not_read_for_ever() {
    let page = [
        r#"{"data":[],"pageInfo":{"hasNextPage":true,"endCursor":"a"}}"#,
        r#"{"data":[],"pageInfo":{"hasNextPage":true,"endCursor":"b"}}"#,
    ];
    let world = World::new();
    let faults = world.sandbox.faults();
    for path in ["/graphql", "/rest/metadata/objects"] {
        for turn in 0..300 {
            faults.add(FaultRule::on(path, Fault::Reply(200, page[turn % 2])));
        }
    }
    let companies = [Company {
        name: "Acme".into(),
        domain: "acme.dev".into(),
        ..Company::default()
    }];
    let end = world.twenty.upsert_companies(&world.cx, &companies).await;
    let error = end.unwrap_err();
    let expected = (ErrorKind::UnexpectedReply, Retry::After(None));
    assert_eq!((error.kind(), error.retry()), expected);
    let end = world.twenty.fields(&world.cx, "person").await;
    let error = end.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedReply);
    assert_eq!(faults.hits().len(), 400);
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn no_error_and_no_debug_shows_the_key() {
    let world = World::new();
    for fault in faults() {
        world.sandbox.fault("", fault);
        let error = world.twenty.identify(&world.cx).await.unwrap_err();
        let shown = format!("{error:?} {error} {}", error.report());
        assert!(!shown.contains(FakeTwenty::TOKEN), "{shown}");
    }
    // A server that repeats the header in its answer.
    let echo: &'static str = Box::leak(format!("<p>Bearer {}</p>", FakeTwenty::TOKEN).into());
    world.sandbox.fault("", Fault::Reply(500, echo));
    let error = world.twenty.identify(&world.cx).await.unwrap_err();
    assert!(!format!("{error:?}").contains(FakeTwenty::TOKEN));
    assert!(error.body().is_some_and(|body| body.contains("[REDACTED]")));
    let shown = format!("{:?} {:?}", world.twenty, world.cx);
    assert!(!shown.contains(FakeTwenty::TOKEN), "{shown}");
}

#[tokio::test]
async fn the_sandbox_outlives_its_process() {
    let world = World::new();
    let ann = [contact("ann@example.com")];
    world.twenty.upsert_contacts(&world.cx, &ann).await.unwrap();
    let saved = automarket_core::testing::Fake::save(&*world.fake);
    let next = World::new();
    automarket_core::testing::Fake::load(&*next.fake, saved).unwrap();
    let sandbox: &Sandbox = &next.sandbox;
    assert_eq!(sandbox.effects(&PLATFORM), world.sandbox.effects(&PLATFORM));
    let found = next.twenty.find_contact(&next.cx, "ann@example.com").await;
    assert!(found.unwrap().is_some());
}
