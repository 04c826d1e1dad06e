use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use automarket_connector_slack::{
    PLATFORM, Slack,
    testing::{CHANNEL, FOREIGN_CHANNEL, FakeSlack, PRIVATE_CHANNEL, TOKEN},
};
use automarket_core::{
    Context, Credential, ErrorKind, Identity, Media, Notice, Notifier as _, Receipt, Result,
    TenantId,
    chrono::TimeDelta,
    content::{MediaKind, MediaSource},
    store::Account,
    testing::{
        Fake as _, Fault, FaultRule, ManualClock, Sandbox,
        conformance::notifier::NotifierUnderTest, done,
    },
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
async fn one_login_is_the_channels_that_it_can_tell_people_in() {
    let (sandbox, fake) = world();
    let cx = context(&sandbox, "", "k");
    let found = Slack::new().identify(&cx).await.unwrap();
    let shown = |found: &[Identity]| -> Vec<(String, String)> {
        let named = found.iter();
        named
            .map(|one| (one.remote_id.clone(), one.name.clone()))
            .collect()
    };
    let of = |id: &str, name: &str| (id.to_owned(), format!("#{name} in Sandbox"));
    let public = [of(CHANNEL, "general"), of(FOREIGN_CHANNEL, "random")];
    let private = of(PRIVATE_CHANNEL, "marketing");
    assert_eq!(shown(&found), [&public[..], &[private]].concat());
    assert_eq!(found[0].handle.as_deref(), Some("#general"));
    // Each of them can be told something.
    for channel in &found {
        let cx = context(&sandbox, &channel.remote_id, &channel.remote_id);
        let sent = Slack::new().notify(&cx, &Notice::new("t", "")).await;
        assert!(sent.is_ok(), "{} {sent:?}", channel.name);
    }
    assert_eq!(fake.effects().len(), 3);
    // Private channels are a scope of their own.
    fake.take_scope("groups:read");
    let found = Slack::new().identify(&cx).await.unwrap();
    assert_eq!(shown(&found), public);
    fake.take_scope("channels:read");
    let error = Slack::new().identify(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("channels:read"), "{error}");
    fake.revoke();
    let error = Slack::new().identify(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_lost_message_in_a_channel_that_the_bot_is_not_in_stays_unknown() {
    let (sandbox, fake) = world();
    let cx = context(&sandbox, FOREIGN_CHANNEL, "k");
    sandbox.fault("chat.postMessage", Fault::CutAfter);
    for _ in 0..2 {
        let lost = Slack::new().notify(&cx, &Notice::new("t", "")).await;
        assert!(lost.unwrap_err().is_unknown());
    }
    assert_eq!(fake.effects().len(), 1);
}

/// A notice with a file, and a world whose time is moved by hand.
fn report() -> (Sandbox, Arc<FakeSlack>, ManualClock, Notice) {
    let (clock, fake) = (
        ManualClock::parse("2027-01-11T09:00:00Z"),
        Arc::new(FakeSlack::new()),
    );
    let sandbox = Sandbox::new().with_clock(Arc::new(clock.clone()));
    let mut notice = Notice::new("Report", "Numbers.");
    let chart = Media::image(&b"png"[..], "image/png").alt("a chart");
    notice.files.push(chart);
    (sandbox.with(fake.clone()), fake, clock, notice)
}

#[tokio::test]
async fn files_are_shared_under_the_message_once() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock.clone()));
    sandbox.fault("completeUploadExternal", Fault::CutAfter);
    // Slack shares a moment after it was told: that nothing is seen yet does not say that nothing comes.
    for _ in 0..2 {
        let lost = Slack::new().notify(&cx, &notice).await.unwrap_err();
        assert!(lost.is_unknown());
    }
    clock.advance(TimeDelta::seconds(10));
    let sent = Slack::new().notify(&cx, &notice).await.unwrap();
    let held = fake.effects();
    assert_eq!(held.len(), 2, "one message, and one share under it");
    assert_eq!(held[1]["thread_ts"], sent.remote_id());
    assert_eq!(held[1]["files"].as_array().unwrap().len(), 1);
}

/// What becomes of it while the clock goes on by itself.
async fn told(cx: &Context, clock: &ManualClock, notice: &Notice) -> Result<Receipt> {
    let (slack, cx) = (Slack::new(), cx.clone().with_clock(Arc::new(clock.clone())));
    let later = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        clock.advance(TimeDelta::seconds(10));
    };
    tokio::join!(slack.notify(&cx, notice), later).0.map(done)
}

async fn in_time(cx: &Context, clock: &ManualClock, notice: &Notice) -> Receipt {
    told(cx, clock, notice).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_document_with_an_alternative_text_is_shared() {
    let (sandbox, fake, clock, mut notice) = report();
    let mut report = Media::new(MediaKind::Document, MediaSource::Bytes(b"%PDF"[..].into()));
    report.name = Some("report.pdf".into());
    notice.files = vec![report.alt("Numbers of May")];
    let sent = in_time(&context(&sandbox, CHANNEL, "k"), &clock, &notice).await;
    assert_eq!(sent.files_error(), None);
    assert_eq!(fake.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn files_that_slack_says_yes_to_and_never_shares_are_told_of() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k");
    fake.drop_files();
    for _ in 0..2 {
        let waits = told(&cx, &clock, &notice).await.unwrap_err();
        assert!(waits.is_unknown());
        clock.advance(TimeDelta::minutes(2));
    }
    clock.advance(TimeDelta::minutes(1));
    for _ in 0..2 {
        let sent = in_time(&cx, &clock, &notice).await;
        let why = sent.files_error().unwrap();
        assert!(why.message.contains("not seen"), "{why:?}");
        assert_eq!(fake.effects().len(), 1);
    }
    // Where nobody may look, its yes is all there is.
    fake.take_scope("files:read");
    let sent = in_time(&cx, &clock, &notice).await;
    assert_eq!(sent.files_error(), None);
}

#[tokio::test(start_paused = true)]
async fn files_that_slack_shares_late_are_waited_for() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k");
    fake.share_after(30);
    let waits = told(&cx, &clock, &notice).await.unwrap_err();
    assert!(waits.is_unknown());
    clock.advance(TimeDelta::seconds(21));
    let sent = in_time(&cx, &clock, &notice).await;
    assert_eq!((sent.files_error(), fake.effects().len()), (None, 2));

    // So are those that are shared for the second time.
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k");
    fake.share_after(30);
    let lost = FaultRule::on("completeUploadExternal", Fault::CutBefore);
    sandbox.faults().add(lost);
    for _ in 0..2 {
        told(&cx, &clock, &notice).await.unwrap_err();
    }
    clock.advance(TimeDelta::minutes(5));
    let waits = told(&cx, &clock, &notice).await.unwrap_err();
    assert!(waits.is_unknown());
    clock.advance(TimeDelta::seconds(21));
    let sent = in_time(&cx, &clock, &notice).await;
    assert_eq!((sent.files_error(), fake.effects().len()), (None, 2));
}

#[tokio::test]
async fn a_file_that_is_not_taken_keeps_the_message_back() {
    let image = || Media::image(&b"png"[..], "image/png");
    for file in [
        Media::file(MediaKind::Image, "/there/is/no/such.png"),
        Media::image(&b""[..], "image/png"),
        image().alt("a".repeat(1001)),
    ] {
        let (sandbox, fake, clock, mut notice) = report();
        let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock));
        notice.files.push(file);
        let error = Slack::new().notify(&cx, &notice).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        assert!(fake.effects().is_empty());
    }
}

#[tokio::test]
async fn an_upload_that_breaks_is_slacks_trouble() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock));
    let broken = FaultRule::on("/upload/v1/", Fault::NotSent);
    sandbox.faults().add(broken);
    let error = Slack::new().notify(&cx, &notice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
    assert_eq!(error.platform(), Some(&PLATFORM));
    assert!(fake.effects().is_empty());
}

#[tokio::test]
async fn files_that_are_refused_under_the_message_are_told_of() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, FOREIGN_CHANNEL, "k").with_clock(Arc::new(clock));
    for _ in 0..2 {
        let sent = done(Slack::new().notify(&cx, &notice).await.unwrap());
        let why = sent.files_error().unwrap();
        assert!(why.message.contains("the files"), "{why:?}");
        assert_eq!(fake.effects().len(), 1);
        assert_eq!(sent.remote_id, fake.effects()[0]["ts"]);
    }
}

#[tokio::test]
async fn files_that_are_gone_end_the_look_for_them() {
    for body in [
        r#"{"ok":false,"error":"file_not_found"}"#,
        r#"{"ok":false,"error":"file_deleted"}"#,
    ] {
        let (sandbox, fake, clock, notice) = report();
        let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock.clone()));
        sandbox.fault("completeUploadExternal", Fault::CutAfter);
        Slack::new().notify(&cx, &notice).await.unwrap_err();
        fake.forget_files();
        let gone = FaultRule::on("files.info", Fault::Reply(200, body)).times(9);
        sandbox.faults().add(gone);
        let waits = Slack::new().notify(&cx, &notice).await.unwrap_err();
        assert!(waits.is_unknown());
        clock.advance(TimeDelta::minutes(6));
        let sent = done(Slack::new().notify(&cx, &notice).await.unwrap());
        let why = sent.files_error().unwrap();
        assert!(why.message.contains("file_not_found"), "{why:?}");
        assert_eq!(sent.remote_id, fake.effects()[0]["ts"]);
    }
}

#[tokio::test]
async fn whether_files_are_shared_cannot_be_told_without_the_scope() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock.clone()));
    let lost = FaultRule::on("completeUploadExternal", Fault::CutAfter);
    sandbox.faults().add(lost);
    Slack::new().notify(&cx, &notice).await.unwrap_err();
    fake.take_scope("files:read");
    let error = Slack::new().notify(&cx, &notice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell, "{error:?}");
    assert!(error.remedy().unwrap().contains("files:read"));
    assert_eq!(fake.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn files_that_stay_unshared_are_shared_again() {
    let (sandbox, fake, clock, notice) = report();
    let cx = context(&sandbox, CHANNEL, "k").with_clock(Arc::new(clock.clone()));
    sandbox.fault("completeUploadExternal", Fault::CutBefore);
    for _ in 0..2 {
        let lost = Slack::new().notify(&cx, &notice).await.unwrap_err();
        assert!(lost.is_unknown());
    }
    clock.advance(TimeDelta::minutes(5));
    let sent = in_time(&cx, &clock, &notice).await;
    assert_eq!((sent.files_error(), fake.effects().len()), (None, 2));
}

#[tokio::test]
async fn a_lost_reply_in_a_thread_is_found_there() {
    let (sandbox, fake) = world();
    let cx = |key| context(&sandbox, CHANNEL, key);
    let slack = Slack::new();
    let first = slack.notify(&cx("first"), &Notice::new("t", "")).await;
    let mut reply = Notice::new("a reply", "");
    reply.thread = Some(first.unwrap().remote_id().to_owned());
    sandbox.fault("chat.postMessage", Fault::CutAfter);
    let second = cx("second");
    let lost = slack.notify(&second, &reply).await.unwrap_err();
    assert!(lost.is_unknown());
    let found = slack.notify(&second, &reply).await.unwrap();
    let held = fake.effects();
    assert_eq!(held.len(), 2, "sent once");
    assert_eq!(found.remote_id(), held[1]["ts"]);
    // And one that surely did not arrive is sent again.
    sandbox.fault("chat.postMessage", Fault::CutBefore);
    let third = cx("third");
    slack.notify(&third, &reply).await.unwrap_err();
    slack.notify(&third, &reply).await.unwrap();
    assert_eq!(fake.effects().len(), 3);
}

#[tokio::test]
async fn without_the_history_scope_a_lost_answer_stays_unknown() {
    let (sandbox, fake) = world();
    fake.take_scope("channels:history");
    let cx = context(&sandbox, CHANNEL, "k");
    sandbox.fault("chat.postMessage", Fault::CutAfter);
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
    sandbox.fault("chat.postMessage", Fault::CutAfter);
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
    fake.take_scope("chat:write.public");
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
    sandbox.fault("chat.postMessage", Fault::StatusBefore(503));
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

#[tokio::test]
async fn a_lost_message_is_found_though_our_clock_was_set_back() {
    let (sandbox, fake) = world();
    let cx = context(&sandbox, CHANNEL, "k");
    let lost = FaultRule::on("chat.postMessage", Fault::CutAfter);
    sandbox.faults().add(lost);
    let ahead = ManualClock::at(cx.now() + TimeDelta::hours(1));
    let ahead = cx.clone().with_clock(Arc::new(ahead));
    let notice = Notice::new("t", "");
    let lost = Slack::new().notify(&ahead, &notice).await;
    assert!(lost.unwrap_err().is_unknown());
    let found = Slack::new().notify(&cx, &notice).await.unwrap();
    assert_eq!(fake.effects().len(), 1);
    assert_eq!(found.remote_id(), fake.effects()[0]["ts"]);
}
