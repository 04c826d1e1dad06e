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
                {"type": "section", "text": {"type": "plain_text", "text": "Live & well"}},
                {"type": "section", "fields": [{"type": "plain_text", "text": "x: scheduled"}]},
                {"type": "section", "text": {"type": "mrkdwn", "text": "<https://example.com/?a=1&b=2|open>"}},
            ],
        }))
        .reply(200, r#"{"ok":true,"channel":"C0123456789","ts":"1763650001.000200","message":{"text":"Launch"}}"#);
    let outcome = Slack::new().notify(&bot(&wire), &notice).await.unwrap();
    assert_eq!(outcome.remote_id(), "1763650001.000200");
    wire.finished();
}

#[tokio::test]
async fn channels_are_read_page_by_page() {
    let wire = Script::new()
        .expect("POST", "https://slack.com/api/auth.test")
        .header("authorization", "Bearer test-token")
        .reply(200, r#"{"ok":true,"url":"https://acme.slack.com/","team":"Acme","user":"bot","team_id":"T0","user_id":"U0","bot_id":"B0","is_enterprise_install":false}"#)
        .expect("POST", "https://slack.com/api/conversations.list")
        .header("authorization", "Bearer test-token")
        .reply(200, r#"{"ok":true,"channels":[{"id":"C012AB3CD","name":"general","is_channel":true,"is_private":false,"is_member":true,"num_members":23}],"response_metadata":{"next_cursor":"dGVhbTpDMDYxRkE1UEI="}}"#)
        .expect("POST", "https://slack.com/api/conversations.list")
        .reply(200, r#"{"ok":true,"channels":[{"id":"G0AAAAAAA","name":"board","is_private":true}],"response_metadata":{"next_cursor":""}}"#);
    let found = Slack::new().identify(&bot(&wire)).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|one| one.remote_id.as_str()).collect();
    assert_eq!(ids, ["C012AB3CD", "G0AAAAAAA"]);
    assert_eq!(found[0].name, "#general in Acme");
    wire.finished();
    let asked = "types=public_channel%2Cprivate_channel&exclude_archived=true&limit=999";
    let requests = wire.requests();
    assert_eq!(requests[1].body(), asked);
    let next = format!("{asked}&cursor=dGVhbTpDMDYxRkE1UEI%3D");
    assert_eq!(*requests[2].body(), next);
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
        // Neither is about the token.
        (
            200,
            r#"{"ok":false,"error":"no_permission"}"#,
            ErrorKind::Forbidden,
            Retry::Never,
        ),
        (
            200,
            r#"{"ok":false,"error":"org_login_required"}"#,
            ErrorKind::Unavailable,
            Retry::After(None),
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
        if body.contains("no_permission") {
            assert!(error.remedy().unwrap().contains("invite the bot"));
        }
    }
}
