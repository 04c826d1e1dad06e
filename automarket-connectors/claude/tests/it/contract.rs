//! Every request against the official description, where `AUTOMARKET_SPECS` names the folder that holds it.

use std::sync::Arc;

use automarket_connector_claude::{
    Claude, ClaudeConfig,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Context, Credential,
    ai::{Generator as _, LanguageModel as _, ModelRequest},
    chrono::Utc,
    testing::{
        Description, Fake as _, Recorder, Sandbox,
        conformance::generator::{brief, page, question},
    },
};

/// Sends everything the connector can send; what comes back is the fake's, which is checked too.
#[tokio::test]
async fn requests_and_the_fakes_answers_follow_the_description() {
    let Some(description) = Description::load("claude", "") else {
        return;
    };
    let fake = FakeClaude::new();
    fake.next(Mood::Invent);
    fake.next(Mood::Prose);
    let fake = Arc::new(fake);

    let wire = Recorder::new(Sandbox::new().with(fake.clone()));
    let cx = Context::new(wire.clone()).with_credential(Credential::token(FakeClaude::KEY));
    let claude = Claude::default();
    claude.identify(&cx).await.unwrap();
    claude.generate(&cx, &brief(page())).await.unwrap();
    drop(claude.stream(&cx, &question()).await.unwrap());
    let bare = Claude::new(ClaudeConfig::default().effort(None));
    let hi = ModelRequest {
        turns: vec!["hi".into()],
        ..Default::default()
    };
    bare.complete(&cx, &hi).await.unwrap();

    let requests = wire.requests();
    assert_eq!(
        requests.len(),
        6,
        "models, three turns, a stream, a bare question"
    );
    for request in &requests {
        assert_eq!(description.request_faults(request), [""; 0], "{request:?}");
        let reply = fake.handle(request, Utc::now());
        assert_eq!(
            description.reply_faults(request, &reply),
            [""; 0],
            "{request:?}"
        );
    }
}
