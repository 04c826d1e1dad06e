use std::sync::Arc;

use automarket_connector_slack::{
    PLATFORM, Slack,
    testing::{FakeSlack, WEBHOOK},
};
use automarket_core::{
    Context, Credential, ErrorKind, Media, Notice, Notifier as _,
    testing::{Sandbox, conformance::notifier::NotifierUnderTest},
};

#[tokio::test]
async fn keeps_the_notifier_contract() {
    let sandbox = Sandbox::new().with(Arc::new(FakeSlack::new()));
    let world = sandbox.clone();
    let context = move || {
        Context::new(world.clone())
            .with_credential(Credential::address(WEBHOOK))
            .with_key("k")
    };
    let suite = NotifierUnderTest {
        notifier: &Slack::new(),
        platform: PLATFORM,
        sandbox,
        context: &context,
        send_path: "/services/",
        finds: false,
    };
    suite.run().await;
}

#[tokio::test]
async fn a_revoked_webhook_says_so_and_never_shows_its_address() {
    let fake = FakeSlack::new();
    fake.revoke();
    let cx = Context::new(Sandbox::new().with(Arc::new(fake)))
        .with_credential(Credential::address(WEBHOOK));
    let error = Slack::new()
        .notify(&cx, &Notice::new("t", ""))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    for text in [format!("{error:?}"), error.report(), format!("{cx:?}")] {
        assert!(!text.contains("sandbox-secret"), "{text}");
    }
}

#[tokio::test]
async fn what_a_webhook_cannot_do_is_unsupported() {
    let cx = Context::new(Sandbox::new()).with_credential(Credential::address(WEBHOOK));
    let mut notice = Notice::new("t", "");
    notice.files.push(Media::image(&b"x"[..], "image/png"));
    assert_eq!(
        Slack::new().notify(&cx, &notice).await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(
        Slack::new().identify(&cx).await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}
