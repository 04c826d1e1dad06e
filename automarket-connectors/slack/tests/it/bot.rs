use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use automarket_connector_slack::{
    PLATFORM, Slack,
    testing::{CHANNEL, FOREIGN_CHANNEL, FakeSlack, TOKEN},
};
use automarket_core::{
    Context, Credential, ErrorKind, Media, Notice, Notifier as _, TenantId,
    store::Account,
    testing::{Fake as _, Fault, FaultRule, Sandbox, conformance::notifier::NotifierUnderTest},
};

fn context(sandbox: &Sandbox, channel: &str, key: &str) -> Context {
    let account = Account::new(TenantId::new("acme").unwrap(), PLATFORM, channel);
    Context::new(sandbox.clone())
        .with_account(account)
        .with_credential(Credential::token(TOKEN))
        .with_key(key)
}

fn world() -> (Sandbox, Arc<FakeSlack>) {
    let fake = Arc::new(FakeSlack::new());
    (Sandbox::new().with(fake.clone()), fake)
}

#[tokio::test]
async fn keeps_the_notifier_contract() {
    let (sandbox, _) = world();
    let (inner, keys) = (sandbox.clone(), AtomicU32::new(0));
    let fresh = move || {
        context(
            &inner,
            CHANNEL,
            &keys.fetch_add(1, Ordering::Relaxed).to_string(),
        )
    };
    let suite = NotifierUnderTest {
        notifier: &Slack::new(),
        platform: PLATFORM,
        sandbox,
        context: &fresh,
        send_path: "chat.postMessage",
        finds: true,
    };
    suite.run().await;
}

#[tokio::test]
async fn says_who_it_is() {
    let (sandbox, _) = world();
    let who = Slack::new()
        .identify(&context(&sandbox, CHANNEL, "k"))
        .await
        .unwrap();
    assert_eq!(
        (who[0].remote_id.as_str(), who[0].name.as_str()),
        ("T0SANDBOX", "Sandbox")
    );
}

#[tokio::test]
async fn files_are_shared_under_the_message_once() {
    let (sandbox, fake) = world();
    let cx = context(&sandbox, CHANNEL, "k");
    let mut notice = Notice::new("Report", "Numbers.");
    notice
        .files
        .push(Media::image(&b"png"[..], "image/png").alt("a chart"));
    sandbox
        .faults()
        .add(FaultRule::on("completeUploadExternal", Fault::CutAfter));
    let lost = Slack::new().notify(&cx, &notice).await.unwrap_err();
    assert!(lost.is_unknown());
    let sent = Slack::new().notify(&cx, &notice).await.unwrap();
    let held = fake.effects();
    assert_eq!(held.len(), 2, "one message, and one share under it");
    assert_eq!(held[1]["thread_ts"], sent.remote_id());
    assert_eq!(held[1]["files"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_the_history_scope_a_lost_answer_stays_unknown() {
    let (sandbox, fake) = world();
    fake.forbid_history();
    let cx = context(&sandbox, CHANNEL, "k");
    sandbox
        .faults()
        .add(FaultRule::on("chat.postMessage", Fault::CutAfter));
    assert!(
        Slack::new()
            .notify(&cx, &Notice::new("t", ""))
            .await
            .unwrap_err()
            .is_unknown()
    );
    assert_eq!(
        Slack::new()
            .notify(&cx, &Notice::new("t", ""))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::CannotTell
    );
    assert_eq!(fake.effects().len(), 1);
}

#[tokio::test]
async fn a_lost_message_is_found_beyond_the_first_page() {
    let (sandbox, fake) = world();
    let cx = context(&sandbox, CHANNEL, "wanted");
    sandbox
        .faults()
        .add(FaultRule::on("chat.postMessage", Fault::CutAfter));
    assert!(
        Slack::new()
            .notify(&cx, &Notice::new("mine", ""))
            .await
            .is_err()
    );
    for n in 0..150 {
        let other = context(&sandbox, CHANNEL, &format!("other {n}"));
        Slack::new()
            .notify(&other, &Notice::new("mine", ""))
            .await
            .unwrap();
    }
    let found = Slack::new()
        .notify(&cx, &Notice::new("mine", ""))
        .await
        .unwrap();
    assert_eq!(found.remote_id(), fake.effects()[0]["ts"]);
    assert_eq!(fake.effects().len(), 151);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let (sandbox, fake) = world();
    let notice = Notice::new("t", "");
    let kind = async |cx: Context| Slack::new().notify(&cx, &notice).await.unwrap_err().kind();
    assert_eq!(
        kind(context(&sandbox, FOREIGN_CHANNEL, "k")).await,
        ErrorKind::NotFound
    );
    assert_eq!(
        kind(context(&sandbox, "", "k")).await,
        ErrorKind::InvalidInput
    );
    sandbox
        .faults()
        .add(FaultRule::on("chat.postMessage", Fault::StatusBefore(503)));
    assert_eq!(
        kind(context(&sandbox, CHANNEL, "k")).await,
        ErrorKind::Unavailable
    );
    fake.revoke();
    let error = Slack::new()
        .notify(&context(&sandbox, CHANNEL, "k"), &notice)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error:?}").contains(TOKEN));
    assert!(fake.effects().is_empty());
}
