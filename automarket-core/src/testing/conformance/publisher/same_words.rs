//! Posts that say the same.

use std::sync::Arc;

use chrono::TimeDelta;

use super::harness::{PublisherUnderTest, err, ok};
use crate::{
    ErrorKind, Post,
    testing::{Fault, FaultRule},
};

/// A lost post that never arrived is not taken for another one of the same words that the account published just before:
/// it is sent, or nobody can tell. Neither where their links tell them apart, nor where nothing does, and neither seconds
/// after nor at once, where only [`Taken`](crate::Taken) knows the other.
///
/// # Panics
/// When one post is the end of both.
pub async fn a_lost_post_is_no_other_of_the_same_words(fresh: &impl Fn() -> PublisherUnderTest) {
    for linked in [false, true] {
        for (seconds, known) in [(10, false), (10, true), (0, true)] {
            let test = fresh();
            let name = format!("links {linked}, {seconds} s later, known {known}");
            let with = |path: &str| match linked {
                true => ok(link(&test.post, path), "a link"),
                false => test.post.clone(),
            };
            let (one, two) = (with("1"), with("2"));
            let first = match test.publisher.publish(&test.attempt("key-1"), &one).await {
                // It takes no links.
                Err(error) if linked && error.kind() == ErrorKind::InvalidInput => return,
                first => ok(first, &name),
            };
            test.clock.advance(TimeDelta::seconds(seconds));
            let (method, path) = test.write.clone();
            let rule = FaultRule::on(path, Fault::CutBefore).method(method);
            test.sandbox.faults().add(rule);
            let mut cx = test.attempt("key-2");
            if known {
                cx = cx.with_taken(Arc::new(vec![first.remote_id().to_owned()]));
            }
            let lost = err(test.publisher.publish(&cx, &two).await, &name);
            assert!(lost.is_unknown(), "{name}: {lost:?}");
            test.clock.advance(TimeDelta::minutes(1));
            match test.publisher.publish(&cx, &two).await {
                Ok(second) => {
                    assert_ne!(first.remote_id(), second.remote_id(), "{name}");
                    test.expect_effects(2, &name);
                }
                Err(error) => {
                    // The platform takes no text twice.
                    let refused = error.kind() == ErrorKind::Duplicate;
                    assert!(error.is_unknown() || refused, "{name}: {error:?}");
                    test.expect_effects(1, &name);
                }
            }
        }
    }
}

fn link(post: &Post, path: &str) -> crate::Result<Post> {
    let address = format!("https://acme.example/blog/{path}");
    post.clone().link(&address)
}
