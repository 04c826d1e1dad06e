//! Posts that say the same.

use std::sync::Arc;

use chrono::TimeDelta;

use super::harness::PublisherUnderTest;
use crate::{
    ErrorKind, Outcome, Post,
    content::Media,
    testing::{
        Fault, FaultRule,
        outcome::{err, ok},
    },
};

/// A lost post that never arrived is not taken for another one of the same words that the account published just before:
/// it is sent, or nobody can tell. Neither where their links or media tell them apart, nor where nothing does, and neither
/// seconds after nor at once, where only [`Taken`](crate::Taken) knows the other.
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
                Err(error) if linked && error.kind() == ErrorKind::InvalidInput => continue,
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
            let end = test.publisher.publish(&cx, &two).await;
            two_or_one(&test, &first, end, &name);
        }
    }
    let test = fresh();
    if test.post.base.media.is_some() {
        return;
    }
    // Somebody's own post without media: no publication of ours, and younger than clocks may differ.
    let name = "media on the lost one alone";
    let cx = test.attempt("key-1");
    let first = ok(test.publisher.publish(&cx, &test.post).await, name);
    test.clock.advance(TimeDelta::minutes(2));
    let (method, path) = test.write.clone();
    let rule = FaultRule::on(path, Fault::CutBefore).method(method);
    test.sandbox.faults().add(rule);
    let pictured = test.post.clone().media(Media::image(PNG, "image/png"));
    let cx = test.attempt("key-2").with_taken(Arc::new(Vec::new()));
    let mut end = test.publisher.publish(&cx, &pictured).await;
    if matches!(&end, Err(error) if error.kind() == ErrorKind::InvalidInput) {
        // It takes no pictures.
        return;
    }
    if end.as_ref().is_err_and(crate::Error::is_unknown) {
        test.clock.advance(TimeDelta::minutes(1));
        end = test.publisher.publish(&cx, &pictured).await;
    }
    two_or_one(&test, &first, end, name);
}

/// That the second is a post of its own, or not known to be any.
fn two_or_one(
    test: &PublisherUnderTest,
    first: &Outcome,
    second: crate::Result<Outcome>,
    name: &str,
) {
    match second {
        Ok(second) => {
            assert_ne!(first.remote_id(), second.remote_id(), "{name}");
            test.expect_effects(2, name);
        }
        Err(error) => {
            // The platform takes no text twice.
            let refused = error.kind() == ErrorKind::Duplicate;
            assert!(error.is_unknown() || refused, "{name}: {error:?}");
            test.expect_effects(1, name);
        }
    }
}

/// The head of an image of 640 by 480 pixels.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";

fn link(post: &Post, path: &str) -> crate::Result<Post> {
    let address = format!("https://acme.example/blog/{path}");
    post.clone().link(&address)
}
