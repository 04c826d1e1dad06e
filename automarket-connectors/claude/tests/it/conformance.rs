//! Core's suites, and the moods of the fake.

use std::sync::Arc;

use automarket_connector_claude::{
    Claude, ClaudeConfig,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Context, Credential, ErrorKind,
    ai::{Generator as _, LanguageModel as _},
    testing::{
        Fake as _, Sandbox,
        conformance::generator::{self as suite, brief, page, question},
    },
};

fn context(fake: &Arc<FakeClaude>) -> Context {
    Context::new(Sandbox::new().with(fake.clone()))
        .with_credential(Credential::token(FakeClaude::KEY))
}

#[tokio::test]
async fn it_keeps_the_generator_contract() {
    let fake = Arc::new(FakeClaude::new());
    suite::generator(&Claude::default(), || context(&fake)).await;
}

#[tokio::test]
async fn it_keeps_the_language_model_contract() {
    let fake = Arc::new(FakeClaude::new());
    suite::language_model(&Claude::default(), || context(&fake)).await;
}

#[tokio::test]
async fn every_mood_ends_as_it_should() {
    use Mood::{Forget, Invent, Prose, Refuse, TooLong, Truncate};
    for (moods, repairs) in [
        (vec![], 0),
        (vec![Prose], 1),
        (vec![TooLong], 1),
        (vec![Invent], 1),
        (vec![Forget, Prose], 2),
    ] {
        let fake = Arc::new(FakeClaude::new());
        moods.iter().for_each(|mood| fake.next(*mood));
        let drafts = Claude::default()
            .generate(&context(&fake), &brief(page()))
            .await
            .unwrap();
        assert_eq!(
            (drafts.generator.as_str(), drafts.repairs),
            ("claude", repairs),
            "{moods:?}"
        );
        assert_eq!(drafts.model.as_deref(), Some("claude-sonnet-5-5"));
        assert_eq!(
            fake.effects().len(),
            repairs as usize + 1,
            "each question is one effect"
        );
    }
    for (moods, kind) in [
        (vec![Refuse], ErrorKind::ContentRefused),
        (vec![Truncate], ErrorKind::Truncated),
        (vec![Prose, Prose, Prose], ErrorKind::UnexpectedReply),
    ] {
        let fake = Arc::new(FakeClaude::new());
        moods.iter().for_each(|mood| fake.next(*mood));
        let error = Claude::default()
            .generate(&context(&fake), &brief(page()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{moods:?}");
    }
}

#[tokio::test]
async fn the_fake_is_as_strict_as_the_api() {
    let fake = Arc::new(FakeClaude::new());
    let wrong = context(&fake).with_credential(Credential::token("sk-ant-wrong"));
    let error = Claude::default().identify(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let retired = Claude::new(ClaudeConfig::default().model("claude-2"));
    let error = retired
        .complete(&context(&fake), &question())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.remedy().unwrap().contains("identify"));
    let mut open = question();
    open.schema = Some(serde_json::json!({ "type": "object", "properties": {} }));
    let error = Claude::default()
        .complete(&context(&fake), &open)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(fake.effects().len(), 0, "what is refused is not billed");

    Claude::default()
        .complete(&context(&fake), &question())
        .await
        .unwrap();
    let other = FakeClaude::new();
    other.load(fake.save()).unwrap();
    assert_eq!(other.effects(), fake.effects());
}
