//! Versions that make other words of the same post.

use std::sync::Arc;

use super::harness::PublisherUnderTest;
use crate::{
    Lookup, Post,
    steps::MemorySteps,
    testing::{Fault, FaultRule, outcome::ok},
};

/// Whoever goes on after a lost answer looks for what was sent, though another version of the program, between the two,
/// makes other words of the post, its thread and its first comment: nothing is there twice.
///
/// # Panics
/// When something is, or is missing.
pub async fn what_was_sent_is_what_is_looked_for(fresh: &impl Fn() -> PublisherUnderTest) {
    let test = fresh();
    let cx = test.attempt("key-1");
    let whole = test.publisher.publish(&cx, &worded(&test, 1)).await;
    ok(whole, "a post with all that it may have");
    let whole = test.effects().len();
    for request in 0.. {
        let test = fresh();
        let name = format!("a lost answer to request {request} and an update");
        // Steps of its own let a context go on with other words, as those of a job do.
        let steps = Arc::new(MemorySteps::default());
        let cx = test.attempt("key-1").with_steps(steps);
        let rule = FaultRule::on("", Fault::CutAfter).after(request);
        test.sandbox.faults().add(rule);
        let intent = test.intent("key-1", &worded(&test, 2));
        let sent = test.publisher.publish(&cx, &worded(&test, 1)).await;
        if test.sandbox.faults().hits().is_empty() {
            assert!(request > 0, "publishing made no request");
            break;
        }
        if test.publisher.profile().abilities.find && sent.is_err() {
            let found = test.publisher.find(&cx, &intent).await;
            let absent = matches!(found, Ok(Lookup::Absent));
            assert!(
                !absent || test.effects().is_empty(),
                "{name}: what is there was not found"
            );
        }
        test.expect_resumption(&cx, &intent.post, whole, &name)
            .await;
        let shown = serde_json::json!(test.effects()).to_string();
        assert!(
            !(shown.contains("(1)") && shown.contains("(2)")),
            "{name}: words of both versions: {shown}"
        );
    }
}

/// The post with a thread and a first comment, where it may have them, as this version words it.
fn worded(test: &PublisherUnderTest, version: usize) -> Post {
    let mut post = test.similar(version);
    let able = test.own_rules().abilities;
    if able.thread {
        post.base.thread = Some(vec![format!("Second ({version})")]);
    }
    if able.first_comment {
        post.base.first_comment = Some(format!("Comment ({version})"));
    }
    post
}
