//! Golden requests, and answers as the instance gives them.

use automarket_connector_mixpost::{
    DeleteMode, MixpostOptions, MixpostPostInput, PostFilter,
    options::{LinkedInOptions, Visibility},
    testing,
};
use automarket_core::{
    Context, Delivery, ErrorKind, Handle, Outcome, Platform, Post, Publisher, Receipt, Retry,
    content::Variant,
    publisher::NOT_SENT,
    testing::{ManualClock, Script},
};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::world::{account_on, at, hello, mixpost};

const W: &str = "https://mixpost.example/mixpost/api/1e0c6e6a-2f55-4f5c-9a41-6a1f6b6f0001";
const POST: &str = "8eb4e98d-2b93-44bd-a664-7a6438eff67b";

fn context(wire: &Script) -> Context {
    wire.context()
        .with_clock(Arc::new(ManualClock::parse("2026-11-20T09:00:00Z")))
        .with_account(account_on(testing::X_ACCOUNT, Platform::X))
        .with_key("k1")
}

fn accounts() -> String {
    json!({"data": [
        {"id": 1, "uuid": "a1", "provider": "twitter", "name": "Acme", "username": "acme", "authorized": true},
        {"id": 2, "uuid": "a2", "provider": "linkedin_page", "name": "Acme Inc", "username": null, "authorized": false},
        {"id": 3, "uuid": "a3", "provider": "gbp", "name": "Acme Shop", "authorized": true},
    ]})
    .to_string()
}

fn a_post(status: &str, account: Value) -> String {
    json!({
        "id": 3, "uuid": POST, "status": status, "accounts": [account],
        "versions": [], "tags": [], "scheduled_at": "2026-12-01 14:00:00", "published_at": null,
    })
    .to_string()
}

fn up_to_create() -> Script {
    Script::new()
        .expect("GET", &format!("{W}/accounts"))
        .header("accept", "application/json")
        .header("authorization", "Bearer test-token")
        .reply(200, accounts())
        .expect("POST", &format!("{W}/tags"))
        .json(json!({"name": "am-6ab9f1eb8f7d3388f4f9d586f66e99fd", "hex_color": "#94a3b8"}))
        .reply(
            201,
            r#"{"id":4,"uuid":"t4","name":"am-6ab9f1eb8f7d3388f4f9d586f66e99fd"}"#,
        )
        .expect("POST", &format!("{W}/posts"))
}

#[tokio::test]
async fn a_scheduled_post_on_the_wire() {
    let wire = up_to_create()
        .json(json!({
            "date": "2026-12-01", "time": "14:00", "timezone": "UTC", "schedule": true,
            "accounts": [1], "tags": [4],
            "versions": [{"account_id": 0, "is_original": true, "options": {}, "content": [{
                "body": "<div>Hello from Acme &amp; friends</div><div></div><div>https://acme.dev/</div>",
                "media": [],
            }]}],
        }))
        .reply(200, a_post("scheduled", json!({"id": 1})));
    let post = hello()
        .link("https://acme.dev")
        .unwrap()
        .delivery(Delivery::At(at("2026-12-01T13:59:10Z")));
    let outcome = mixpost().publish(&context(&wire), &post).await.unwrap();
    let Outcome::Accepted(handle) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(handle.remote_id, POST);
    assert_eq!(handle.due, Some(at("2026-12-01T14:00:00Z")));
    wire.finished();
}

#[tokio::test]
async fn each_delivery_has_its_flag() {
    for (delivery, flag) in [
        (Delivery::Now, Some("schedule_now")),
        (Delivery::Queue, Some("queue")),
        (Delivery::Draft, None),
    ] {
        let mut body = json!({
            "accounts": [1], "tags": [4],
            "versions": [{"account_id": 0, "is_original": true, "options": {},
                "content": [{"body": "<div>Hello from Acme &amp; friends</div>", "media": []}]}],
        });
        if let Some(flag) = flag {
            body[flag] = json!(true);
        }
        let wire = up_to_create()
            .json(body)
            .reply(201, a_post("PUBLISHING", json!({"id": 1})));
        let post = hello().delivery(delivery);
        let outcome = mixpost().publish(&context(&wire), &post).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(handle) if handle.due.is_none()));
    }
}

#[tokio::test]
async fn threads_and_options_on_the_wire() {
    let wire = up_to_create()
        .json(json!({
            "schedule_now": true, "accounts": [1], "tags": [4],
            "versions": [{"account_id": 0, "is_original": true,
                "options": {"linkedin": {"visibility": "CONNECTIONS"}},
                "content": [
                    {"body": "<div>one</div>", "media": []},
                    {"body": "<div>two</div><div>lines</div>", "media": []},
                ]}],
        }))
        .reply(201, a_post("scheduled", json!({"id": 1})));
    let options = MixpostOptions {
        linkedin: Some(LinkedInOptions {
            visibility: Visibility::Connections,
        }),
        ..MixpostOptions::default()
    };
    let mut post = Post::text("one");
    post.base.thread = Some(vec!["two\nlines".to_owned()]);
    post.base = Variant::with_options(post.base, &options).unwrap();
    mixpost().publish(&context(&wire), &post).await.unwrap();
    wire.finished();
}

#[tokio::test]
async fn an_answer_that_names_no_post_is_looked_up() {
    // The documentation shows a tag as the answer, by mistake; a list shows the post.
    let tag = json!({"id": 9, "uuid": POST, "status": "scheduled",
        "tags": [{"id": 4, "name": "am-6ab9f1eb8f7d3388f4f9d586f66e99fd"}], "accounts": [{"id": 1}]});
    let wire = up_to_create()
        .reply(200, r#"{"id":4,"uuid":"t4","name":"news"}"#)
        .expect(
            "GET",
            &format!("{W}/posts?page=1&limit=50&tags[]=am-6ab9f1eb8f7d3388f4f9d586f66e99fd"),
        )
        .reply(
            200,
            json!({"data": [tag], "meta": {"current_page": 1, "last_page": 1}}).to_string(),
        );
    let cx = context(&wire);
    let error = mixpost().publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconcile, "{error:?}");
    let outcome = mixpost().publish(&cx, &hello()).await.unwrap();
    assert_eq!(outcome.remote_id(), POST);
    wire.finished();
}

#[tokio::test]
async fn identities_tell_network_and_need_of_reconnection() {
    let wire = Script::new()
        .expect("GET", &format!("{W}/accounts"))
        .reply(200, accounts());
    let identities = mixpost().identify(&wire.context()).await.unwrap();
    let short: Vec<_> = identities
        .iter()
        .map(|i| (i.remote_id.as_str(), i.network.as_str(), i.needs_reauth))
        .collect();
    assert_eq!(
        short,
        [
            ("1", "x", false),
            ("2", "linkedin", true),
            ("3", "gbp", false)
        ]
    );
    assert_eq!(identities[0].handle.as_deref(), Some("acme"));
    assert_eq!(identities[0].settings, json!({"uuid": "a1"}));
}

#[tokio::test]
async fn a_poll_reads_status_link_and_refusal() {
    let poll = async |reply: String, status: u16| {
        let wire = Script::new()
            .expect("GET", &format!("{W}/posts/{POST}"))
            .reply(status, reply);
        let handle = Handle {
            remote_id: POST.to_owned(),
            due: None,
            data: json!({"account": 1}),
        };
        mixpost().poll(&wire.context(), &handle).await
    };
    let account = json!({"id": 1, "external_url": "https://x.com/acme/status/7", "errors": []});
    let Outcome::Done(receipt) = poll(a_post("published", account.clone()), 200)
        .await
        .unwrap()
    else {
        panic!("published is done")
    };
    assert_eq!(receipt.url.as_deref(), Some("https://x.com/acme/status/7"));
    // Another account of the post failed, ours did not.
    assert!(matches!(
        poll(a_post("FAILED", account), 200).await.unwrap(),
        Outcome::Done(_)
    ));
    for status in [
        "scheduled",
        "publishing",
        "needs_approval",
        "draft",
        "something new",
    ] {
        let outcome = poll(a_post(status, json!({"id": 1})), 200).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)), "{status}");
    }
    let refused = json!({"id": 1, "errors": ["Status is a duplicate."]});
    let error = poll(a_post("failed", refused), 200).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentRefused);
    assert!(
        error.message().contains("Status is a duplicate."),
        "{error}"
    );
    let lost = json!({"id": 1, "authorized": false, "errors": ["Unauthorized"]});
    let error = poll(a_post("failed", lost), 200).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.remedy().unwrap().contains("reconnect"));
    let role = r#"{"message":"Access forbidden."}"#.to_owned();
    assert_eq!(
        poll(role, 403).await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
}

/// Asked for by its UUID a post in the trash is not there.
#[tokio::test]
async fn what_is_not_there_is_looked_for_in_the_trash() {
    let deleted = a_post("published", json!({"id": 1}));
    let lists = ["[]".to_owned(), format!("[{deleted}]")];
    for (list, found) in lists.into_iter().zip([false, true]) {
        let wire = Script::new()
            .expect("GET", &format!("{W}/posts/{POST}"))
            .reply(404, r#"{"message":"No query results for model [Post]."}"#)
            .expect("GET", &format!("{W}/posts?page=1&limit=50&status=trash"))
            .reply(200, format!(r#"{{"data":{list}}}"#));
        let handle = Handle {
            remote_id: POST.to_owned(),
            due: None,
            data: json!({"account": 1}),
        };
        let end = mixpost().poll(&wire.context(), &handle).await;
        match found {
            true => assert!(matches!(end, Ok(Outcome::Done(_))), "{end:?}"),
            false => assert_eq!(end.unwrap_err().kind(), ErrorKind::CannotTell),
        }
        wire.finished();
    }
}

/// Mixpost keeps no status: what a network's proxy or its own trouble answered looks like a refusal without words.
#[tokio::test]
async fn a_failure_is_a_refusal_only_where_the_network_said_no() {
    let poll = async |account: serde_json::Value| {
        let wire = Script::new()
            .expect("GET", &format!("{W}/posts/{POST}"))
            .reply(200, a_post("failed", account));
        let handle = Handle {
            remote_id: POST.to_owned(),
            due: None,
            data: json!({"account": 1}),
        };
        mixpost().poll(&wire.context(), &handle).await.unwrap_err()
    };
    let meta = |code: u16, transient: bool| json!({"error": {"message": "(#100) x", "code": code, "is_transient": transient}});
    for errors in [
        json!(null),
        json!([]),
        json!([""]),
        // X, of an answer without title and detail, and by its older interface.
        json!([":"]),
        json!(["An error occurred while creating the post."]),
        json!(["Service Unavailable: Service Unavailable"]),
        json!(["{}"]),
        json!(["Over capacity"]),
        json!({"status": 504, "message": "Gateway Time-out"}),
        json!({"status": 500, "message": "Oops"}),
        json!({"error": "There was a temporary problem serving your request, please try again"}),
        json!({"error": "InternalServerError", "message": "Internal Server Error"}),
        meta(1, false),
        meta(2, false),
        meta(190, true),
    ] {
        let error = poll(json!({"id": 1, "external_url": null, "errors": errors})).await;
        assert_eq!(error.kind(), ErrorKind::CannotTell, "{errors}: {error:?}");
        assert!(error.remedy().is_some(), "{errors}");
    }
    for errors in [
        json!(["Status is a duplicate."]),
        json!(["Forbidden: You are not allowed to create a Tweet with duplicate content."]),
        json!({"error": "Validation failed: Text is too long", "details": {}}),
        json!({"status": 422, "message": "DUPLICATE_POST"}),
        meta(100, false),
    ] {
        let error = poll(json!({"id": 1, "external_url": null, "errors": errors})).await;
        assert_eq!(
            error.kind(),
            ErrorKind::ContentRefused,
            "{errors}: {error:?}"
        );
    }
    // A lost login or a limit when it was due says nothing of the words: it did not go out, and does not by itself.
    let (lost, limit) = (ErrorKind::Unauthorized, ErrorKind::RateLimited);
    for (errors, kind) in [
        (json!(["Access token expired"]), lost),
        (json!(["access_token_expired"]), lost),
        (json!(["Service disabled"]), lost),
        (json!(["Unauthorized: Unauthorized"]), lost),
        (json!(["Too Many Requests: Too Many Requests"]), limit),
        (
            json!({"rate_limit_exceed": true, "message": "The rate limit has been exceeded", "next_attempt_at": "2026-12-01 10:00"}),
            limit,
        ),
    ] {
        let error = poll(json!({"id": 1, "external_url": null, "errors": errors})).await;
        assert_eq!(error.kind(), kind, "{errors}: {error:?}");
        let ends = (error.rule(), error.retry(), error.is_elsewhere());
        assert_eq!(ends, (Some(NOT_SENT), Retry::Never, true), "{errors}");
        assert!(error.remedy().unwrap().contains("send it again"));
    }
    // What Mixpost has the network's post of is out, whatever was said after.
    let link = "https://x.com/acme/status/7";
    let error = poll(json!({"id": 1, "external_url": link, "errors": ["Reply refused."]})).await;
    assert_eq!(error.kind(), ErrorKind::CannotTell);
}

#[tokio::test]
async fn deleting_leaves_the_network_first_and_the_record_last() {
    let link = json!({"id": 1, "external_url": "https://x.com/acme/status/7"});
    let url = format!("{W}/posts/{POST}");
    let wire = Script::new()
        .expect("GET", &url)
        .reply(200, a_post("published", link))
        .expect("DELETE", &url)
        .json(json!({"trash": false, "delete_mode": "social_only"}))
        .reply(
            200,
            r#"{"deleted":true,"deleting_from_social_platforms":"in_queue"}"#,
        )
        .expect("GET", &url)
        .reply(
            200,
            a_post("published", json!({"id": 1, "external_url": null})),
        )
        .expect("DELETE", &url)
        .json(json!({"trash": false, "delete_mode": "app_only"}))
        .reply(200, r#"{"deleted":true,"deleted_from_app":true}"#);
    let cx = context(&wire);
    mixpost().delete(&cx, &Receipt::new(POST)).await.unwrap();
    wire.finished();
    let wire = Script::new()
        .expect("GET", &url)
        .reply(200, a_post("scheduled", json!({"id": 1})))
        .expect("DELETE", &url)
        .json(json!({"trash": false, "delete_mode": "app_only"}))
        .reply(200, r#"{"deleted":true,"deleted_from_app":true}"#);
    let cx = context(&wire);
    mixpost().delete(&cx, &Receipt::new(POST)).await.unwrap();
    wire.finished();
}

#[tokio::test]
async fn the_other_endpoints_on_the_wire() {
    let input = MixpostPostInput {
        accounts: vec![1],
        at: Some(at("2026-12-01T14:00:00Z")),
        ..MixpostPostInput::default()
    };
    let filter = PostFilter {
        status: Some("draft".into()),
        keyword: Some("a b&c".into()),
        accounts: vec![1, 2],
        tags: vec!["news".into()],
    };
    let post = |path: &str| format!("{W}/posts/{path}");
    let wire = Script::new()
        .expect("GET", "https://mixpost.example/mixpost/api/ping")
        .reply(200, "pong")
        .expect("GET", "https://mixpost.example/mixpost/api/workspaces")
        .reply(200, r#"{"data":[{"uuid":"w1","name":"Acme"}]}"#)
        .expect(
            "GET",
            &post("").replace("/posts/", "/posts?page=2&limit=50&status=draft&keyword=a%20b%26c&accounts[]=1&accounts[]=2&tags[]=news"),
        )
        .reply(200, r#"{"data":[],"meta":{"current_page":2,"last_page":2,"total":51}}"#)
        .expect("PUT", &post(POST))
        .json(json!({"date": "2026-12-01", "time": "14:00", "timezone": "UTC",
            "accounts": [1], "tags": [], "versions": []}))
        .reply(200, "{}")
        .expect("POST", &post(&format!("schedule/{POST}")))
        .json(json!({"postNow": false}))
        .reply(200, r#"{"success":true}"#)
        .expect("POST", &post(&format!("schedule/{POST}")))
        .json(json!({"postNow": true}))
        .reply(200, r#"{"success":true}"#)
        .expect("POST", &post(&format!("add-to-queue/{POST}")))
        .reply(200, r#"{"success":true}"#)
        .expect("POST", &post(&format!("approve/{POST}")))
        .reply(200, r#"{"success":true}"#)
        .expect("POST", &post(&format!("retry/{POST}/a1")))
        .reply(200, "")
        .expect("DELETE", &post(POST))
        .json(json!({"trash": true, "delete_mode": "social_only"}))
        .reply(200, "")
        .expect("DELETE", &format!("{W}/media"))
        .json(json!({"items": [4, 5]}))
        .reply(200, "")
        .expect("PUT", &format!("{W}/media/m4"))
        .json(json!({"alt_text": "A cat"}))
        .reply(200, "{}")
        .expect("PUT", &format!("{W}/tags/t4"))
        .json(json!({"name": "news", "hex_color": "#000000"}))
        .reply(200, "{}")
        .expect("DELETE", &format!("{W}/tags/t4"))
        .reply(200, "{}");
    let (cx, mixpost) = (wire.context(), mixpost());
    mixpost.ping(&cx).await.unwrap();
    assert_eq!(mixpost.workspaces(&cx).await.unwrap()[0].uuid, "w1");
    let page = mixpost.posts(&cx, &filter, 2).await.unwrap();
    assert_eq!((page.total, page.is_last()), (Some(51), true));
    mixpost.update_post(&cx, POST, &input).await.unwrap();
    mixpost.schedule(&cx, POST, None).await.unwrap();
    mixpost.publish_now(&cx, POST).await.unwrap();
    mixpost.add_to_queue(&cx, POST).await.unwrap();
    mixpost.approve(&cx, POST).await.unwrap();
    mixpost.retry(&cx, POST, "a1").await.unwrap();
    mixpost
        .delete_post(&cx, POST, true, DeleteMode::SocialOnly)
        .await
        .unwrap();
    mixpost.delete_media(&cx, &[4, 5]).await.unwrap();
    mixpost
        .update_media(&cx, "m4", Some("A cat"), None)
        .await
        .unwrap();
    mixpost
        .update_tag(&cx, "t4", "news", "#000000")
        .await
        .unwrap();
    mixpost.delete_tag(&cx, "t4").await.unwrap();
    wire.finished();
}

#[tokio::test]
async fn ids_stay_one_segment_of_the_path() {
    let wire = Script::new()
        .expect("GET", &format!("{W}/posts/a%2F..%2Fb"))
        .reply(404, r#"{"message":"No query results."}"#);
    let (cx, mixpost) = (wire.context(), mixpost());
    assert_eq!(
        mixpost.get_post(&cx, "a/../b").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        mixpost.get_post(&cx, "..").await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}
