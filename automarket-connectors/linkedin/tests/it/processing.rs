//! What LinkedIn goes on with after it took a post: the post's `lifecycleState`.

use std::time::Duration;

use automarket_core::{
    Context, Delivery, ErrorKind, Handle, Intent, Lookup, Media, Outcome, Post, Publisher, Result,
    Retry,
    chrono::TimeDelta,
    http_types::Method,
    testing::{Fault, FaultRule},
};
use serde_json::json;

use crate::world::{COMMENT, World, accepted, commented, done, hello};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";

fn shown(post: Post) -> Post {
    post.media(Media::image(PNG, "image/png"))
}

/// How many posts readers see.
fn public(world: &World) -> usize {
    let effects = world.effects();
    effects.iter().filter(|p| p["state"] == "PUBLISHED").count()
}

fn lose(world: &World, fault: Fault) {
    let rule = FaultRule::on("/rest/posts", fault).method(Method::POST);
    world.sandbox.faults().add(rule);
}

async fn failed(world: &World, cx: &Context, handle: &Handle) {
    let polled: Result<Outcome> = world.linkedin.poll(cx, handle).await;
    let error = polled.unwrap_err();
    let said = (error.kind(), error.retry(), error.rule());
    let refused = (
        ErrorKind::InvalidInput,
        Retry::Never,
        Some("linkedin.publish_failed"),
    );
    assert_eq!(said, refused, "{error:?}");
    assert!(error.remedy().is_some());
    assert_eq!(public(world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_done_when_it_is_public() {
    let world = World::new();
    world.fake.publish_late(2, false);
    let cx = world.cx();
    let outcome = world.linkedin.publish(&cx, &shown(hello())).await;
    let handle = accepted(outcome.unwrap());
    // Asked again in the middle of it, it is the same one.
    let again = world.linkedin.publish(&cx, &shown(hello())).await;
    assert_eq!(accepted(again.unwrap()), handle);
    let receipt = done(world.linkedin.poll(&cx, &handle).await.unwrap());
    assert_eq!(receipt.remote_id, handle.remote_id);
    assert_eq!(public(&world), 1);

    // Where nobody may ask, the success is what is known; where the question fails, it is asked again.
    let outcome = world.linkedin.publish(&world.anna(), &shown(hello())).await;
    done(outcome.unwrap());
    for (fault, known) in [
        (400, true),
        (403, true),
        (404, true),
        (401, false),
        (426, false),
        (503, false),
    ] {
        let world = World::new();
        let rule = FaultRule::on("/rest/posts/", Fault::StatusBefore(fault));
        world.sandbox.faults().add(rule);
        let outcome = world.linkedin.publish(&world.cx(), &shown(hello())).await;
        assert_eq!(
            matches!(outcome.unwrap(), Outcome::Done(_)),
            known,
            "{fault}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_that_linkedin_fails_is_refused() {
    for (questions, post) in [(0, hello()), (3, hello()), (1, commented())] {
        let world = World::new();
        world.fake.publish_late(questions, true);
        let cx = world.cx();
        let outcome = world.linkedin.publish(&cx, &shown(post)).await;
        let handle = accepted(outcome.unwrap());
        for _ in 1..questions {
            accepted(world.linkedin.poll(&cx, &handle).await.unwrap());
        }
        failed(&world, &cx, &handle).await;
    }
    // A draft that somebody published, too.
    let world = World::new();
    let cx = world.cx();
    let draft = hello().delivery(Delivery::Draft);
    let handle = accepted(world.linkedin.publish(&cx, &draft).await.unwrap());
    world.fake.publish_late(0, true);
    assert!(world.fake.publish_draft(&handle.remote_id));
    failed(&world, &cx, &handle).await;
}

#[tokio::test(start_paused = true)]
async fn a_first_comment_waits_until_its_post_is_public() {
    let world = World::new();
    world.fake.publish_late(2, false);
    let cx = world.cx();
    let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
    let receipt = done(outcome.unwrap());
    assert_eq!(receipt.comment_error(), None);
    assert_eq!(world.effects()[0]["comments"][0]["text"], COMMENT);

    // Longer than one attempt takes.
    let world = World::new();
    world.fake.publish_late(4, false);
    let cx = world.cx();
    let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
    let later = Retry::After(Some(Duration::from_secs(30)));
    assert_eq!(outcome.unwrap_err().retry(), later);
    let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
    assert_eq!(done(outcome.unwrap()).comment_error(), None);
    assert_eq!(world.effects().len(), 1);

    // Nor is it placed, or given up, where the question fails: that is told as what it is.
    const DAY: &str = r#"{"status":429,"message":"Resource level throttle MEMBER DAY limit for calls to this resource is reached."}"#;
    let midnight = Retry::After(Some(Duration::from_secs(15 * 3600)));
    for (fault, kind, retry) in [
        (
            Fault::StatusBefore(503),
            ErrorKind::Unavailable,
            Retry::After(None),
        ),
        (Fault::Reply(429, DAY), ErrorKind::RateLimited, midnight),
        (
            Fault::StatusBefore(401),
            ErrorKind::Unauthorized,
            Retry::Never,
        ),
        (
            Fault::StatusBefore(426),
            ErrorKind::ApiVersionRetired,
            Retry::Never,
        ),
        (
            Fault::Reply(200, "<html>login</html>"),
            ErrorKind::UnexpectedReply,
            Retry::After(None),
        ),
    ] {
        for fails in [false, true] {
            let world = World::new();
            world.fake.publish_late(0, fails);
            let rule = FaultRule::on("/rest/posts/", fault.clone());
            world.sandbox.faults().add(rule);
            let cx = world.cx();
            let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{error:?}");
            assert!(error.message().contains("first comment"), "{error}");
            world.clock.advance(TimeDelta::minutes(11));
            let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
            match fails {
                true => failed(&world, &cx, &accepted(outcome.unwrap())).await,
                false => assert_eq!(done(outcome.unwrap()).comment_error(), None),
            }
            assert_eq!(world.effects().len(), 1);
        }
    }

    // Not for ever, and then it is told.
    let world = World::new();
    world.fake.publish_late(7, false);
    let cx = world.cx();
    let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
    outcome.unwrap_err();
    world.clock.advance(TimeDelta::minutes(11));
    let outcome = world.linkedin.publish(&cx, &shown(commented())).await;
    let handle = accepted(outcome.unwrap());
    accepted(world.linkedin.poll(&cx, &handle).await.unwrap());
    let receipt = done(world.linkedin.poll(&cx, &handle).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert!(why.message.contains("the first comment"), "{why:?}");
    assert_eq!(world.effects()[0]["comments"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_that_failed_is_not_found_and_one_in_processing_is() {
    let post = shown(hello());
    let find = async |world: &World, cx: &Context| {
        let intent = Intent {
            key: "key".into(),
            post: post.clone(),
            at: cx.now(),
        };
        world.linkedin.find(cx, &intent).await.unwrap()
    };
    let world = World::new();
    world.fake.publish_late(9, false);
    // LinkedIn's refusal of repeats is no help with files.
    world.fake.set_takes_repeats(true);
    lose(&world, Fault::CutAfter);
    let cx = world.cx();
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    let Lookup::Found(found) = find(&world, &cx).await else {
        panic!("not found")
    };
    let handle = accepted(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(accepted(found), handle);
    assert_eq!(world.effects().len(), 1);

    // It failed: LinkedIn takes the same again, or nobody can tell what it has.
    for takes_repeats in [true, false] {
        let world = World::new();
        world.fake.publish_late(0, true);
        world.fake.set_takes_repeats(takes_repeats);
        lose(&world, Fault::CutAfter);
        let cx = world.cx();
        world.linkedin.publish(&cx, &post).await.unwrap_err();
        assert_eq!(find(&world, &cx).await, Lookup::Absent);
        world.fake.publish_late(0, false);
        match world.linkedin.publish(&cx, &post).await {
            Ok(outcome) => assert!(takes_repeats && matches!(outcome, Outcome::Done(_))),
            Err(error) => {
                assert_eq!(
                    (error.kind(), takes_repeats),
                    (ErrorKind::CannotTell, false)
                );
            }
        }
        assert_eq!(public(&world), usize::from(takes_repeats));
    }
}
