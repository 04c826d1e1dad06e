//! Golden requests and recorded replies.

use automarket_connector_slack::{PLATFORM, Slack};
use automarket_core::{
    Context, Credential, ErrorKind, Notice, Notifier as _, Retry, TenantId, Url, store::Account,
    testing::Script,
};
use serde_json::json;

fn bot(wire: &Script) -> Context {
    let account = Account::new(TenantId::new("acme").unwrap(), PLATFORM, "C0123456789");
    wire.context().with_account(account).with_key("job-42")
}

#[tokio::test]
async fn a_bot_posts_blocks_with_its_key() {
    let mut notice = Notice::new("Launch", "Live & well").field("x", "scheduled");
    notice.links.push((
        "open".into(),
        Url::parse("https://example.com/?a=1&b=2").unwrap(),
    ));
    notice.thread = Some("1763650000.000100".into());
    let wire = Script::new()
        .expect("POST", "https://slack.com/api/chat.postMessage")
        .header("authorization", "Bearer test-token")
        .header("content-type", "application/json; charset=utf-8")
        .json(json!({
            "channel": "C0123456789",
            "text": "Launch\nLive &amp; well",
            "thread_ts": "1763650000.000100",
            "unfurl_links": false,
            "metadata": {"event_type": "automarket_notice", "event_payload": {"key": "job-42"}},
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "Launch"}},
                {"type": "section", "text": {"type": "mrkdwn", "text": "Live &amp; well"}},
                {"type": "section", "fields": [{"type": "mrkdwn", "text": "*x*\nscheduled"}]},
                {"type": "section", "text": {"type": "mrkdwn", "text": "<https://example.com/?a=1&b=2|open>"}},
            ],
        }))
        .reply(200, r#"{"ok":true,"channel":"C0123456789","ts":"1763650001.000200","message":{"text":"Launch"}}"#);
    let outcome = Slack::new().notify(&bot(&wire), &notice).await.unwrap();
    assert_eq!(outcome.remote_id(), "1763650001.000200");
    wire.finished();
}

#[tokio::test]
async fn a_webhook_gets_no_token() {
    let wire = Script::new()
        .expect("POST", "https://hooks.slack.com/services/T0/B0/s")
        .json(json!({"text": "T", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "T"}}]}))
        .reply(200, "ok");
    let cx = Context::new(wire.clone()).with_credential(Credential::address(
        "https://hooks.slack.com/services/T0/B0/s",
    ));
    Slack::new()
        .notify(&cx, &Notice::new("T", ""))
        .await
        .unwrap();
    assert!(wire.requests()[0].headers().get("authorization").is_none());
}

#[tokio::test]
async fn recorded_refusals_map_to_kinds() {
    let table = [
        (
            200,
            r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text]"]}}"#,
            ErrorKind::InvalidInput,
            Retry::Never,
        ),
        (
            200,
            r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"files:write"}"#,
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            200,
            r#"{"ok":false,"error":"fatal_error"}"#,
            ErrorKind::Unavailable,
            Retry::Reconcile,
        ),
        (
            200,
            r#"{"ok":false,"error":"ratelimited"}"#,
            ErrorKind::RateLimited,
            Retry::After(None),
        ),
        (
            200,
            r#"{"ok":tru"#,
            ErrorKind::UnexpectedReply,
            Retry::Reconcile,
        ),
        (
            500,
            "<html>oops</html>",
            ErrorKind::Unavailable,
            Retry::Reconcile,
        ),
    ];
    for (status, body, kind, retry) in table {
        let wire = Script::new()
            .expect("POST", "https://slack.com/api/chat.postMessage")
            .reply(status, body);
        let error = Slack::new()
            .notify(&bot(&wire), &Notice::new("t", ""))
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{body}");
        assert_eq!(error.platform(), Some(&PLATFORM), "{body}");
    }
}
