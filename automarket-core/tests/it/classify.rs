use std::time::Duration;

use automarket_core::{
    Error, ErrorKind, Retry, Secret,
    chrono::DateTime,
    http::{Call, Effect, Reply, classify},
    http_types::{HeaderMap, StatusCode},
    testing::Script,
};

use ErrorKind::*;

const NEVER: Retry = Retry::Never;
const AFTER: Retry = Retry::After(None);
const RECONCILE: Retry = Retry::Reconcile;

fn reply(effect: Effect, status: u16, headers: &[(&'static str, &str)], body: &str) -> Error {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    let reply = Reply::recorded("posts.create", effect, status, map, body.to_owned());
    classify(&reply, DateTime::UNIX_EPOCH)
}

fn message(body: &str) -> String {
    let error = reply(Effect::Read, 422, &[], body);
    error
        .message()
        .strip_prefix("the platform refuses the input")
        .unwrap()
        .trim_start_matches(": ")
        .to_owned()
}

#[test]
fn the_status_says_the_kind_and_the_effect_says_what_next() {
    for (status, kind, read, write) in [
        (400, InvalidInput, NEVER, NEVER),
        (401, Unauthorized, NEVER, NEVER),
        (402, QuotaExhausted, NEVER, NEVER),
        (403, Forbidden, NEVER, NEVER),
        (404, NotFound, NEVER, NEVER),
        (405, Unsupported, NEVER, NEVER),
        (407, Config, NEVER, NEVER),
        (408, Timeout, AFTER, RECONCILE),
        (409, Conflict, NEVER, NEVER),
        (410, NotFound, NEVER, NEVER),
        (412, Conflict, NEVER, NEVER),
        (413, TooLarge, NEVER, NEVER),
        (415, InvalidInput, NEVER, NEVER),
        (418, InvalidInput, NEVER, NEVER),
        (422, InvalidInput, NEVER, NEVER),
        (425, Unavailable, AFTER, AFTER),
        (426, ApiVersionRetired, NEVER, NEVER),
        (429, RateLimited, AFTER, AFTER),
        (451, Forbidden, NEVER, NEVER),
        (499, InvalidInput, NEVER, NEVER),
        (500, Unavailable, AFTER, RECONCILE),
        (501, Unsupported, NEVER, NEVER),
        (502, Unavailable, AFTER, RECONCILE),
        (503, Unavailable, AFTER, RECONCILE),
        (504, Unavailable, AFTER, RECONCILE),
        (522, Unavailable, AFTER, RECONCILE),
        (301, Config, NEVER, NEVER),
        (302, UnexpectedReply, NEVER, RECONCILE),
        (303, UnexpectedReply, NEVER, RECONCILE),
        (308, Config, NEVER, NEVER),
        (200, UnexpectedReply, NEVER, RECONCILE),
        (600, UnexpectedReply, NEVER, RECONCILE),
    ] {
        for (effect, next) in [(Effect::Read, read), (Effect::Write, write)] {
            for body in ["", "<html>oops</html>", "{\"message\":\"no\"}", "{\"a\":"] {
                let error = reply(effect, status, &[], body);
                let got = (error.kind(), error.retry());
                assert_eq!(got, (kind, next), "{status} {effect:?} {body}");
                assert_eq!(error.status(), Some(status));
                assert_eq!(error.operation(), Some("posts.create"));
                assert_eq!(error.body(), Some(body));
            }
        }
    }
}

#[test]
fn the_platforms_own_wait_is_taken_over() {
    let wait = [("retry-after", "7")];
    let after = Retry::After(Some(Duration::from_secs(7)));
    assert_eq!(reply(Effect::Write, 429, &wait, "").retry(), after);
    assert_eq!(reply(Effect::Read, 503, &wait, "").retry(), after);
    // It says when, not whether it was done.
    assert_eq!(reply(Effect::Write, 503, &wait, "").retry(), RECONCILE);
}

#[test]
fn the_message_is_the_platforms_own() {
    for (body, expected) in [
        (r#"{"message":"Text is too long"}"#, "Text is too long"),
        (
            r#"{"error":{"message":"Bad token","code":190}}"#,
            "Bad token",
        ),
        (
            r#"{"error":"invalid_grant","error_description":"Expired"}"#,
            "Expired",
        ),
        (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (
            r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
            "field required",
        ),
        (
            r#"{"title":"Invalid","detail":"The text is empty"}"#,
            "The text is empty",
        ),
        (
            r#"{"errors":[{"message":"No such field"}]}"#,
            "No such field",
        ),
        (r#"{"errors":["plain"]}"#, "plain"),
        (
            r#"{"statusCode":400,"error":"BadRequest","messages":["name is taken"]}"#,
            "name is taken",
        ),
        (
            r#"{"ok":false,"description":"chat not found"}"#,
            "chat not found",
        ),
        (r#"[{"message":"first"}]"#, "first"),
        ("no_text", "no_text"),
        ("<html><h1>502</h1></html>", ""),
        (r#"{"message":""}"#, ""),
        (r#"{"message":null,"errors":[]}"#, ""),
        ("{\"message\":", "{\"message\":"),
        ("", ""),
        ("null", ""),
    ] {
        assert_eq!(message(body), expected, "{body}");
    }
}

#[test]
fn a_hostile_message_is_bounded() {
    let long = format!("{{\"message\":\"{}\"}}", "é\\n".repeat(10_000));
    let got = message(&long);
    assert_eq!(got.chars().count(), 200);
    assert!(!got.contains('\n'));
    let deep = format!("{}1{}", "{\"error\":".repeat(100), "}".repeat(100));
    assert_eq!(message(&deep), "");
    let deeper = "[".repeat(100_000);
    assert_eq!(message(&deeper), "");
}

#[test]
fn a_moved_address_is_named_without_its_query() {
    let location = [("location", "https://new.example.com/login?token=s3cret")];
    let error = reply(Effect::Read, 301, &location, "");
    assert_eq!(
        error.message(),
        "the address has moved to https://new.example.com"
    );
    assert!(error.remedy().is_some());
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn an_echoed_secret_is_masked_in_every_spelling() {
    let token = "tök/en\"+1234";
    let spellings = [
        token.to_owned(),
        serde_json::to_string(token).unwrap(),
        "t%C3%B6k%2Fen%22%2B1234".to_owned(),
        "dMO2ay9lbiIrMTIzNA==".to_owned(),
        "74c3b66b2f656e222b31323334".to_owned(),
    ];
    let body = spellings.join(" ");
    let wire = Script::new()
        .expect("POST", "https://api.example.com/")
        .reply(401, body);
    let call = Call::post("posts.create", "https://api.example.com/")
        .unwrap()
        .bearer(&Secret::new(token));
    let reply = wire.context().call(call).await.unwrap();
    let error = classify(&reply, DateTime::UNIX_EPOCH);
    for text in [
        error.report(),
        format!("{error:?}"),
        format!("{reply:?}"),
        error.body().unwrap().to_owned(),
    ] {
        assert!(text.contains("[REDACTED]"), "{text}");
        for part in ["1234", "%2Fen", "dMO2", "74c3"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn a_long_secret_at_the_edge_of_the_excerpt_is_masked() {
    let token = "k".repeat(6000);
    let body = format!("{}{token}", "€".repeat(500));
    let wire = Script::new()
        .expect("GET", "https://api.example.com/")
        .reply(500, body);
    let call = Call::get("posts.list", "https://api.example.com/")
        .unwrap()
        .bearer(&Secret::new(token));
    let reply = wire.context().call(call).await.unwrap();
    assert!(!reply.excerpt().contains('k'));
}
