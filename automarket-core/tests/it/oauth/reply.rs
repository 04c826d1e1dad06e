use automarket_core::{
    Error, ErrorKind, Platform, Retry, Secret,
    chrono::{DateTime, Utc},
    http::{Effect, Reply},
    http_types::{HeaderMap, HeaderValue, StatusCode},
    oauth::{Cause, Meaning, Provider, TokenSet, read_token_reply, rule},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn now() -> DateTime<Utc> {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn provider() -> Provider {
    Provider::new(Platform::X, "https://a.example", "https://a.example")
}

fn answer(status: u16, body: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    let headers = HeaderMap::from_iter([(
        "retry-after".parse().unwrap(),
        HeaderValue::from_static("7"),
    )]);
    Reply::recorded(
        "oauth.exchange",
        Effect::Write,
        status,
        headers,
        body.to_owned(),
    )
}

fn read(status: u16, body: &str) -> Result<TokenSet, Error> {
    read_token_reply(&provider(), &answer(status, body), now())
}

fn with(fields: Value) -> TokenSet {
    let mut body = json!({"access_token": "at"});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    read(200, &body.to_string()).unwrap()
}

fn life(tokens: &TokenSet) -> Option<i64> {
    tokens.expires_at.map(|end| (end - now()).num_seconds())
}

#[test]
fn a_life_is_read_in_every_spelling_and_its_lack_is_unknown() {
    for (value, seconds) in [
        (json!(3600), Some(3600)),
        (json!("3600"), Some(3600)),
        (json!(" 3600 "), Some(3600)),
        (json!(3600.9), Some(3600)),
        (json!(0), None),
        (json!(-5), None),
        (json!(null), None),
        (json!("never"), None),
        (json!("inf"), None),
        (json!([3600]), None),
        (json!(u64::MAX), None),
        (json!(1e300), None),
    ] {
        assert_eq!(
            life(&with(json!({ "expires_in": value }))),
            seconds,
            "{value}"
        );
    }
    assert_eq!(life(&with(json!({}))), None);
    assert_eq!(
        life(&with(
            json!({"expires_in": 3_600_000, "expires_in_sec": 3600})
        )),
        Some(3600)
    );
    let year = with(json!({"refresh_token": "rt", "refresh_token_expires_in": "31536000"}));
    assert_eq!((year.refresh_expires_at.unwrap() - now()).num_days(), 365);
}

#[test]
fn scopes_are_read_as_text_and_list_and_their_lack_is_unknown() {
    let ab = Some(vec!["a".to_owned(), "b:c".to_owned()]);
    for (fields, scopes) in [
        (json!({"scope": "a b:c"}), ab.clone()),
        (json!({"scope": "a,b:c"}), ab.clone()),
        (json!({"scope": "a, b:c a"}), ab.clone()),
        (json!({"scope": ["a", "b:c"]}), ab.clone()),
        (
            json!({"scope": null, "scopes": ["a", "b:c", 7]}),
            ab.clone(),
        ),
        (json!({"permissions": "a,b:c"}), ab),
        (json!({"scope": ""}), None),
        (json!({"scope": {"a": 1}}), None),
        (json!({}), None),
    ] {
        assert_eq!(with(fields.clone()).scopes, scopes, "{fields}");
    }
}

#[test]
fn a_base_address_is_https_or_left_out() {
    for (value, base) in [
        (
            "https://acme.my.salesforce.com",
            Some("https://acme.my.salesforce.com/"),
        ),
        ("www.zohoapis.eu", Some("https://www.zohoapis.eu/")),
        ("http://acme.pipedrive.com", None),
        ("https://user:pass@acme.pipedrive.com", None),
        ("file:///etc/passwd", None),
        ("", None),
    ] {
        let tokens = with(json!({ "api_domain": value }));
        assert_eq!(
            tokens.base_url.as_ref().map(|url| url.as_str()),
            base,
            "{value}"
        );
    }
}

#[test]
fn forms_wrapped_and_marked_bodies_are_read() {
    for body in [
        "access_token=at&expires_in=60&scope=a%20b",
        "\u{feff}{\"access_token\":\"at\",\"expires_in\":60,\"scope\":\"a b\"}",
        "{\"data\":[{\"access_token\":\"at\",\"expires_in\":60,\"scope\":\"a b\"}]}",
        "{\"data\":{\"access_token\":\"at\",\"expires_in\":60,\"scope\":\"a b\"}}",
    ] {
        let tokens = read(200, body).unwrap();
        assert_eq!(tokens.access_token.expose(), "at", "{body}");
        assert_eq!(life(&tokens), Some(60), "{body}");
        assert_eq!(tokens.scopes.unwrap().len(), 2, "{body}");
    }
}

#[test]
fn a_success_without_a_token_may_have_used_the_code_up() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "<html>hello</html>",
        "{\"access_token\":\"\"}",
        "{\"access_token\":null}",
        "{\"access_token\":12}",
        "{\"access_token\":\"a\\nb\"}",
        "{\"access_token\":\"a b\"}",
        "{\"data\":[]}",
    ] {
        let error = read(200, body).unwrap_err();
        assert_eq!(error.rule(), Some(rule::REPLY), "{body}");
        assert_eq!(error.retry(), Retry::Reconcile, "{body}");
    }
}

#[test]
fn only_a_definite_answer_says_that_the_grant_is_dead() {
    let dead = "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been revoked\"}";
    for (status, body, kind, wanted, cause) in [
        (
            400,
            dead,
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            200,
            dead,
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            200,
            "{\"error\":\"invalid_grant\",\"access_token\":null}",
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            200,
            "{\"error\":\"invalid_grant\",\"access_token\":\"\"}",
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            401,
            dead,
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            429,
            dead,
            ErrorKind::RateLimited,
            rule::WAIT,
            Cause::Platform,
        ),
        (
            500,
            dead,
            ErrorKind::Unavailable,
            rule::FAILING,
            Cause::Platform,
        ),
        (
            503,
            "<html>",
            ErrorKind::Unavailable,
            rule::FAILING,
            Cause::Platform,
        ),
        (408, "", ErrorKind::Timeout, rule::FAILING, Cause::Platform),
        (
            400,
            "error=invalid_grant",
            ErrorKind::Unauthorized,
            rule::INVALID_GRANT,
            Cause::User,
        ),
        (
            400,
            "{\"error\":\"invalid_client\"}",
            ErrorKind::Config,
            rule::CLIENT,
            Cause::Configuration,
        ),
        (
            401,
            "",
            ErrorKind::Config,
            rule::CLIENT,
            Cause::Configuration,
        ),
        (
            400,
            "{\"error\":\"invalid_scope\"}",
            ErrorKind::Config,
            rule::SCOPE,
            Cause::Configuration,
        ),
        (
            400,
            "{\"error\":\"new_thing\"}",
            ErrorKind::InvalidInput,
            rule::REFUSED,
            Cause::Platform,
        ),
        (
            400,
            "",
            ErrorKind::InvalidInput,
            rule::REFUSED,
            Cause::Platform,
        ),
        (
            403,
            "<html>",
            ErrorKind::Forbidden,
            rule::REFUSED,
            Cause::Platform,
        ),
        (
            200,
            "{\"ok\":false,\"error\":\"fatal_error\"}",
            ErrorKind::InvalidInput,
            rule::REFUSED,
            Cause::Platform,
        ),
    ] {
        let error = read(status, body).unwrap_err();
        assert_eq!(
            (error.kind(), error.rule()),
            (kind, Some(wanted)),
            "{status} {body}"
        );
        assert_eq!(Cause::of(&error), cause, "{status} {body}");
        assert_eq!(error.platform(), Some(&Platform::X));
    }
}

#[test]
fn a_platforms_own_codes_come_first() {
    let provider = Provider {
        codes: &[
            ("190", Meaning::GrantDead),
            ("4", Meaning::Wait),
            ("Access Denied", Meaning::Wait),
            ("invalid_request: The token", Meaning::GrantDead),
            ("1: Error validating client secret", Meaning::Client),
            ("1", Meaning::Failing),
            ("400: Invalid Client Secret", Meaning::Client),
        ],
        ..provider()
    };
    let rule_of = |status, body: &str| {
        let error = read_token_reply(&provider, &answer(status, body), now()).unwrap_err();
        (error.rule().unwrap().to_owned(), error.retry())
    };
    let meta =
        |code: i64| json!({"error": {"message": "no", "type": "OAuthException", "code": code}});
    let wait = Retry::After(Some(std::time::Duration::from_secs(7)));
    assert_eq!(
        rule_of(400, &meta(190).to_string()),
        (rule::INVALID_GRANT.to_owned(), Retry::Never)
    );
    assert_eq!(rule_of(400, &meta(4).to_string()).0, rule::WAIT);
    assert_eq!(rule_of(400, &meta(5).to_string()).0, rule::REFUSED);
    let zoho = "{\"error\":\"Access Denied\",\"status\":\"failure\"}";
    assert_eq!(rule_of(200, zoho).0, rule::WAIT);
    // Meta says of a wrong secret what it says when it fails, and its words stand elsewhere.
    let message = |code: i64, said: &str| json!({"error": {"message": said, "code": code}});
    let secret = "Error validating client secret.";
    for (body, rule) in [
        (message(1, secret), rule::CLIENT),
        (message(1, "An unknown error occurred"), rule::FAILING),
        (message(2, secret), rule::REFUSED),
        (
            json!({"error_type": "OAuthException", "code": 400, "error_message": "Invalid Client Secret"}),
            rule::CLIENT,
        ),
        (
            json!({"error_type": "OAuthException", "code": 400, "error_message": "No matching code"}),
            rule::REFUSED,
        ),
    ] {
        assert_eq!(rule_of(400, &body.to_string()).0, rule, "{body}");
    }
    // X says of dead tokens what it says of wrong requests; only the words differ.
    let told = |code: &str, words: &str| {
        let body = json!({"error": code, "error_description": words});
        rule_of(400, &body.to_string()).0
    };
    let request = "invalid_request";
    assert_eq!(told(request, "The token was used."), rule::INVALID_GRANT);
    assert_eq!(told(request, "A parameter is missing"), rule::REQUEST);
    assert_eq!(told("invalid_client", "The token was used."), rule::CLIENT);
    assert_eq!(
        rule_of(
            503,
            &json!({"error": request, "error_description": "The token"}).to_string()
        )
        .0,
        rule::FAILING
    );
    assert_eq!(rule_of(429, "").1, wait);
}

#[test]
fn no_error_holds_what_the_reply_holds() {
    let secret = "S3CRET-token-value";
    for (status, body) in [
        (200, json!({"accessToken": secret})),
        (200, json!({"access_token": {"value": secret}})),
        (200, json!({"refresh_token": secret})),
        (
            400,
            json!({"error": "invalid_grant", "access_token": secret}),
        ),
        (400, json!({"error": {"code": 1, "access_token": secret}})),
        (
            400,
            json!({"error": "x", "id_token": secret, "data": {"t": secret}}),
        ),
        (500, json!({"access_token": secret})),
        (302, json!({"refresh_token": secret})),
    ] {
        let error = read(status, &body.to_string()).unwrap_err();
        let text = format!("{error:?} {}", error.report());
        assert!(!text.contains(secret), "{status} {text}");
    }
    // What the call sent is masked wherever it comes back.
    let body =
        json!({"error": "invalid_grant", "error_description": format!("code {secret} is dead")});
    let reply = answer(400, &body.to_string()).masking(&Secret::new(secret));
    let error = read_token_reply(&provider(), &reply, now()).unwrap_err();
    assert!(!format!("{error:?}").contains(secret));
    assert!(error.body().unwrap().contains("is dead"));
}

#[test]
fn nothing_of_a_token_set_prints() {
    let mut tokens = TokenSet::new(Secret::new("access-1"));
    tokens.refresh_token = Some(Secret::new("refresh-1"));
    let text = format!("{tokens:?}");
    assert!(
        !text.contains("access-1") && !text.contains("refresh-1"),
        "{text}"
    );
}

#[test]
fn a_renewal_keeps_what_the_reply_leaves_out() {
    let mut old = with(json!({"refresh_token": "rt", "scope": "a", "api_domain": "a.example"}));
    old.refresh_expires_at = Some(now());
    let same = old.clone().renewed(with(json!({"expires_in": 60})));
    assert_eq!(same.refresh_token.as_ref().map(Secret::expose), Some("rt"));
    assert_eq!(same.refresh_expires_at, Some(now()));
    assert_eq!(
        (same.scopes, same.base_url),
        (old.scopes.clone(), old.base_url.clone())
    );
    let new = old.renewed(with(json!({"refresh_token": "rt2", "scope": "b"})));
    assert_eq!(new.refresh_token.as_ref().map(Secret::expose), Some("rt2"));
    assert_eq!(new.refresh_expires_at, None);
    assert_eq!(new.scopes.unwrap(), ["b"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("access_token".to_owned()),
        Just("refresh_token".to_owned()),
        Just("expires_in".to_owned()),
        Just("scope".to_owned()),
        Just("data".to_owned()),
        Just("error".to_owned()),
        Just("code".to_owned()),
        "[a-z_]{1,8}",
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever comes is read or refused, and a refusal says what may be done.
    #[test]
    fn anything_is_answered(status in 200u16..600, body in any_json()) {
        match read(status, &body.to_string()) {
            Ok(tokens) => {
                prop_assert!((200..300).contains(&status));
                prop_assert!(!tokens.access_token.expose().is_empty());
            }
            Err(error) => prop_assert!(error.rule().is_some()),
        }
    }

    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let reply = Reply::recorded("t", Effect::Read, StatusCode::OK, HeaderMap::new(), body);
        let _ = read_token_reply(&provider(), &reply, now());
    }

    #[test]
    fn what_was_given_is_read(
        access in "[!-~]{1,80}",
        refresh in proptest::option::of("[!-~]{1,80}"),
        seconds in 1i64..10_000_000,
        as_text in any::<bool>(),
        scopes in proptest::collection::btree_set("[a-z:./_]{1,12}", 0..5),
    ) {
        let scopes: Vec<String> = scopes.into_iter().collect();
        let mut body = json!({"access_token": access, "scope": scopes.join(",")});
        body["expires_in"] = if as_text { json!(seconds.to_string()) } else { json!(seconds) };
        if let Some(refresh) = &refresh {
            body["refresh_token"] = json!(refresh);
        }
        let tokens = read(200, &body.to_string()).unwrap();
        prop_assert_eq!(tokens.access_token.expose(), &access);
        prop_assert_eq!(tokens.refresh_token.map(|t| t.expose().to_owned()), refresh);
        prop_assert_eq!(tokens.expires_at.map(|end| (end - now()).num_seconds()), Some(seconds));
        prop_assert_eq!(tokens.scopes.unwrap_or_default(), scopes);
    }
}
