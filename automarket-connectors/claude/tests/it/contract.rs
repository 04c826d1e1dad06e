//! Every request against the official description, where `AUTOMARKET_SPECS` names the folder that holds it.

use std::sync::Arc;

use automarket_connector_claude::{
    Claude, ClaudeConfig,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Context, Credential,
    ai::{Generator as _, LanguageModel as _, ModelRequest},
    testing::{
        Description, Recorder, Sandbox,
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

    let wire = Recorder::new(Sandbox::new().with(Arc::new(fake)));
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

    let exchanges = wire.exchanges();
    assert_eq!(
        exchanges.len(),
        6,
        "models, three turns, a stream, a bare question"
    );
    for (request, reply) in &exchanges {
        assert_eq!(description.request_faults(request), [""; 0], "{request:?}");
        assert_eq!(
            description.reply_faults(request, reply),
            [""; 0],
            "{request:?}"
        );
    }
}
