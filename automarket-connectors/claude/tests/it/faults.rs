//! What goes wrong on the way, and how many questions are paid for in the end.

use std::{sync::Arc, time::Duration};

use automarket_connector_claude::{
    Claude,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Context, Credential, ErrorKind, Retry,
    ai::Generator as _,
    steps::MemorySteps,
    testing::{
        Fake as _, Fault, FaultRule, Sandbox,
        conformance::generator::{brief, page},
    },
};

/// Generates under a fault and then again, as a worker would, with the same steps.
async fn twice(fault: Fault, skip: u32, mood: Option<Mood>) -> (ErrorKind, Retry, usize) {
    let fake = Arc::new(FakeClaude::new());
    mood.into_iter().for_each(|mood| fake.next(mood));
    let sandbox = Sandbox::new().with(fake.clone());
    sandbox
        .faults()
        .add(FaultRule::on("/v1/messages", fault).after(skip));
    let cx = Context::new(sandbox.clone())
        .with_credential(Credential::token(FakeClaude::KEY))
        .with_steps(Arc::new(MemorySteps::default()));
    let error = Claude::default()
        .generate(&cx, &brief(page()))
        .await
        .unwrap_err();
    assert_eq!(sandbox.faults().hits().len(), 1, "the fault hit");
    assert_eq!(error.platform().unwrap().as_str(), "claude");
    Claude::default()
        .generate(&cx, &brief(page()))
        .await
        .unwrap();
    let paid = fake.effects().len();
    Claude::default()
        .generate(&cx, &brief(page()))
        .await
        .unwrap();
    assert_eq!(
        fake.effects().len(),
        paid,
        "a known answer is not asked for again"
    );
    (error.kind(), error.retry(), paid)
}

#[tokio::test(start_paused = true)]
async fn each_fault_has_its_kind_and_its_price() {
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (fault, kind, retry, paid) in [
        (Fault::NotSent, ErrorKind::Network, Retry::After(None), 1),
        (Fault::CutBefore, ErrorKind::Network, Retry::Reconcile, 1),
        (Fault::CutAfter, ErrorKind::Network, Retry::Reconcile, 2),
        (Fault::HangAfter, ErrorKind::Timeout, Retry::Reconcile, 2),
        (
            Fault::StatusBefore(500),
            ErrorKind::Unavailable,
            Retry::Reconcile,
            1,
        ),
        (
            Fault::StatusAfter(502),
            ErrorKind::Unavailable,
            Retry::Reconcile,
            2,
        ),
        (
            Fault::HalfAfter,
            ErrorKind::UnexpectedReply,
            Retry::Reconcile,
            2,
        ),
        (
            Fault::GarbageAfter,
            ErrorKind::UnexpectedReply,
            Retry::Reconcile,
            2,
        ),
        (
            Fault::RateLimited(None),
            ErrorKind::RateLimited,
            Retry::After(None),
            1,
        ),
        (
            Fault::RateLimited(Some("9")),
            ErrorKind::RateLimited,
            Retry::After(Some(Duration::from_secs(9))),
            1,
        ),
        (
            Fault::Unauthorized,
            ErrorKind::Unauthorized,
            Retry::Never,
            1,
        ),
        (
            Fault::Reply(529, overloaded),
            ErrorKind::Unavailable,
            Retry::After(None),
            1,
        ),
    ] {
        let name = format!("{fault:?}");
        assert_eq!(twice(fault, 0, None).await, (kind, retry, paid), "{name}");
    }
}

#[tokio::test]
async fn a_cut_repair_does_not_ask_the_first_question_again() {
    let ended = twice(Fault::CutAfter, 1, Some(Mood::Invent)).await;
    assert_eq!(ended, (ErrorKind::Network, Retry::Reconcile, 3));
}
