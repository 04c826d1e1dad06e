//! The pass-through, what answers mean, and what no input can do.

use std::time::Duration;

use automarket_connector_twenty::PLATFORM;
use automarket_core::{
    Context, Credential, CrmProvider as _, ErrorKind, Retry, Url, http_types::Method,
    store::Account, testing::Script,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    twenty,
    wire::{BASE, acme, get},
};

#[tokio::test]
async fn raw_passes_the_body_and_reads_errors_out_of_graphql() {
    let wire = Script::new()
        .expect("PATCH", &format!("{BASE}/rest/tasks/t1?depth=0"))
        .json(json!({"status": "DONE"}))
        .reply(200, r#"{"data":{"updateTask":{"id":"t1"}}}"#)
        .expect("DELETE", &format!("{BASE}/rest/metadata/webhooks/w1"))
        .reply(200, "");
    let cx = wire.context();
    let body = json!({"status": "DONE"});
    let end = twenty()
        .raw(&cx, Method::PATCH, "/rest/tasks/t1?depth=0", Some(&body))
        .await;
    assert_eq!(end.unwrap()["data"]["updateTask"]["id"], "t1");
    let end = twenty()
        .raw(&cx, Method::DELETE, "rest/metadata/webhooks/w1", None)
        .await;
    assert_eq!(end.unwrap(), Value::Null);
    for (code, kind) in [
        ("UNAUTHENTICATED", ErrorKind::Unauthorized),
        ("FORBIDDEN", ErrorKind::Forbidden),
        ("BAD_USER_INPUT", ErrorKind::InvalidInput),
        ("GRAPHQL_VALIDATION_FAILED", ErrorKind::InvalidInput),
        ("NOT_FOUND", ErrorKind::NotFound),
        ("INTERNAL_SERVER_ERROR", ErrorKind::Unavailable),
        ("SOMETHING_NEW", ErrorKind::UnexpectedReply),
    ] {
        let body =
            json!({"errors": [{"message": "no", "extensions": {"code": code}}], "data": null});
        let wire = Script::new()
            .expect("POST", &format!("{BASE}/graphql"))
            .reply(200, body.to_string());
        let error = twenty()
            .raw(
                &wire.context(),
                Method::POST,
                "graphql",
                Some(&json!({"query": "{x}"})),
            )
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.platform_code()), (kind, Some(code)));
        // A mutation whose end is not clear may have happened.
        let unclear = ["INTERNAL_SERVER_ERROR", "SOMETHING_NEW"].contains(&code);
        assert_eq!(error.is_unknown(), unclear, "{code}");
    }
    // Of a key that is revoked it says so.
    let body = json!({"errors": [{"message": "This API Key is revoked", "extensions": {"code": "FORBIDDEN"}}], "data": null});
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/graphql"))
        .reply(200, body.to_string());
    let ann = [crate::contact("ann@example.com")];
    let error = twenty().upsert_contacts(&wire.context(), &ann).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.remedy().unwrap().contains("new key"));
    let half = json!({"data": {"a": {"id": "1"}, "b": null}, "errors": [{"message": "no", "extensions": {"code": "BAD_USER_INPUT"}}]});
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/graphql"))
        .reply(200, half.to_string());
    let error = twenty()
        .raw(&wire.context(), Method::POST, "graphql", None)
        .await
        .unwrap_err();
    assert!(error.is_unknown(), "a part was done: {error:?}");
    // So is what the database's trouble cut off.
    let lost = r#"{"statusCode":400,"messages":["Connection terminated unexpectedly"]}"#;
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/rest/tasks"))
        .reply(400, lost);
    let error = twenty()
        .raw(&wire.context(), Method::POST, "rest/tasks", None)
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Reconcile);
    // A lost answer of a write that we do not know is never repeated.
    let wire = Script::new()
        .expect("POST", &format!("{BASE}/rest/tasks"))
        .cut(true);
    let error = twenty()
        .raw(&wire.context(), Method::POST, "rest/tasks", None)
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Reconcile);
}

#[tokio::test]
async fn every_answer_has_its_class() {
    let error = |messages: &str| {
        json!({"statusCode": 400, "error": "BadRequestException", "messages": [messages]})
            .to_string()
    };
    let minute = |seconds| Retry::After(Some(Duration::from_secs(seconds)));
    let table = [
        (
            401,
            error("Token invalid."),
            ErrorKind::Unauthorized,
            Retry::Never,
        ),
        (
            403,
            error("Forbidden resource"),
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            403,
            r#"{"statusCode":403,"error":"FORBIDDEN_EXCEPTION","messages":["This API Key is revoked"]}"#.into(),
            ErrorKind::Unauthorized,
            Retry::Never,
        ),
        (
            403,
            r#"{"statusCode":403,"error":"INVALID_JWT_TOKEN_TYPE","messages":["Wrong type"]}"#.into(),
            ErrorKind::Unauthorized,
            Retry::Never,
        ),
        // A value that is quoted is no word on the key.
        (
            403,
            error("No right to write 'This API Key is revoked'"),
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            400,
            error("PERMISSION_DENIED"),
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            400,
            error("Object person doesn't have any \"x\" field."),
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (
            400,
            error("A duplicate entry was detected"),
            ErrorKind::Duplicate,
            Retry::Never,
        ),
        (
            400,
            error("Duplicate Emails with value a@b.example. Please set a unique one."),
            ErrorKind::Duplicate,
            Retry::Never,
        ),
        (
            409,
            error("Object already exists"),
            ErrorKind::Duplicate,
            Retry::Never,
        ),
        (
            400,
            error("Multiple records found with the same unique field values for id"),
            ErrorKind::Conflict,
            Retry::Never,
        ),
        (
            404,
            error("Record not found"),
            ErrorKind::NotFound,
            Retry::Never,
        ),
        (
            400,
            error("Record not found"),
            ErrorKind::NotFound,
            Retry::Never,
        ),
        (
            400,
            error("object 'rockets' not found"),
            ErrorKind::NotFound,
            Retry::Never,
        ),
        (429, error("slow down"), ErrorKind::RateLimited, minute(60)),
        (
            400,
            error("Limit reached (100 tokens per 60000 ms)"),
            ErrorKind::RateLimited,
            minute(60),
        ),
        (
            500,
            error("Limit reached (50 tokens per 30000 ms)"),
            ErrorKind::RateLimited,
            minute(30),
        ),
        (
            400,
            error("Limit reached (1 tokens per 99999999999 ms)"),
            ErrorKind::RateLimited,
            minute(3_600),
        ),
        (
            400,
            error("Limit reached (odd)"),
            ErrorKind::RateLimited,
            minute(60),
        ),
        (
            400,
            error("Query read timeout"),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            400,
            r#"{"statusCode":400,"message":"Connection terminated unexpectedly","error":"Bad Request"}"#.into(),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            400,
            error("cannot execute UPDATE in a read-only transaction"),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            400,
            error("connect ECONNREFUSED 10.0.0.7:5432"),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            400,
            error("Data validation error."),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            400,
            error("Invalid string value 'deadlock detected' for text field"),
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (
            500,
            error("invalid input syntax for type uuid: \"x\""),
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (
            500,
            error("Internal server error"),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            502,
            "<html>Bad gateway</html>".into(),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            520,
            String::new(),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (
            200,
            "<html>Sign in</html>".into(),
            ErrorKind::UnexpectedReply,
            Retry::After(None),
        ),
        (
            200,
            r#"{"data":{"x":1}}"#.into(),
            ErrorKind::UnexpectedReply,
            Retry::After(None),
        ),
    ];
    for (status, body, kind, retry) in table {
        let wire = get(Script::new(), "/rest/people?limit=1&depth=0").reply(status, body.clone());
        let error = twenty().identify(&wire.context()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (kind, retry),
            "{status} {body}: {error:?}"
        );
        assert_eq!(
            (error.platform(), error.status()),
            (Some(&PLATFORM), Some(status))
        );
        assert_eq!(error.operation(), Some("records.list"));
    }
}

#[tokio::test]
async fn archive_says_done_only_of_a_record() {
    let missing = |text: &str| {
        json!({"statusCode": 400, "error": "BadRequestException", "messages": [text]}).to_string()
    };
    for (status, body) in [
        (
            400,
            missing("object 'analysis' not found. Did you mean 'analyses'?"),
        ),
        (404, "<h1>404</h1>".into()),
        (404, missing("Cannot DELETE /rest/people/x")),
        (404, String::new()),
    ] {
        let wire = Script::new()
            .expect("DELETE", &format!("{BASE}/rest/people/x?soft_delete=true"))
            .reply(status, body.clone());
        let error = twenty().archive(&wire.context(), "person", "x").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound, "{body}");
    }
}

proptest! {
    /// G2: what is taken as an address arrives as the one value of one comparison.
    #[test]
    fn an_address_is_one_literal_of_the_filter(local in "[^@]{1,20}", domain in "[^@]{1,20}") {
        let email = format!("{local}@{domain}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = Seen::default();
        let cx = Context::new(seen.clone()).with_credential(Credential::token("t"));
        let end = runtime.block_on(twenty().find_contact(&cx, &email));
        let asked = seen.urls();
        if asked.is_empty() {
            prop_assert_eq!(end.unwrap_err().kind(), ErrorKind::InvalidInput);
            return Ok(());
        }
        let around = [("emails.primaryEmail[eq]:\"", "\""), ("emails.additionalEmails[like]:\"%", "%\"")];
        prop_assert_eq!(asked.len(), around.len());
        for (url, (before, after)) in asked.iter().zip(around) {
            let filter = url.query_pairs().find(|(name, _)| name == "filter").unwrap().1.into_owned();
            let ways = filter.strip_prefix("or(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&filter);
            for part in ways.split(',') {
                let value = part.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap();
                let kept = local.trim_start().to_lowercase();
                prop_assert_eq!(value.split_once('@').map(|(local, _)| local), Some(&*kept));
                prop_assert!(!value.contains(['"', '\\', ',', '(', ')', '[', ']']) && !value.chars().any(char::is_control));
            }
        }
    }

    /// G3: whatever path is given, no request leaves the base.
    #[test]
    fn raw_never_leaves_the_base(path in "([a-z./\\\\%2e5cf@:;?#-]{0,12}|\\PC{0,12})") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = Seen::default();
        let account = Account::new(acme(), PLATFORM, "w")
            .with_settings(json!({"base_url": "https://crm.acme.dev/in/here"}));
        let cx = Context::new(seen.clone()).with_credential(Credential::token("t")).with_account(account);
        let end = runtime.block_on(twenty().raw(&cx, Method::GET, &path, None));
        match seen.urls().pop() {
            Some(url) => {
                prop_assert_eq!(url.host_str(), Some("crm.acme.dev"));
                prop_assert!(url.path().starts_with("/in/here/"), "{}", url);
                prop_assert!(!url.path().contains("/../") && !url.path().contains("//"), "{}", url);
            }
            None => prop_assert_eq!(end.unwrap_err().kind(), ErrorKind::InvalidInput),
        }
    }
}

/// A wire that remembers where requests went and answers empty lists.
#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<Url>>>);

impl Seen {
    fn urls(&self) -> Vec<Url> {
        self.0.lock().unwrap().clone()
    }
}

#[automarket_core::async_trait]
impl automarket_core::http::Transport for Seen {
    async fn send(
        &self,
        request: automarket_core::http_types::Request<automarket_core::Bytes>,
    ) -> Result<
        automarket_core::http_types::Response<automarket_core::http::Body>,
        automarket_core::http::TransportError,
    > {
        self.0
            .lock()
            .unwrap()
            .extend(Url::parse(&request.uri().to_string()));
        let body = automarket_core::http::Body::Full(r#"{"data":{"people":[]}}"#.into());
        Ok(automarket_core::http_types::Response::new(body))
    }
}
