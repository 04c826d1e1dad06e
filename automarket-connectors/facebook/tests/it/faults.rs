//! The fault acceptance: each ends right, with exactly the right number of posts.

use std::time::Duration;

use automarket_core::{
    Credential, ErrorKind, Post, Publisher, Retry,
    testing::{
        Fault, FaultRule,
        conformance::publisher::{self, PublisherUnderTest},
    },
};

use crate::conformance::fresh;
use crate::world::{World, done, hello};

fn commented() -> Post {
    let mut post = hello();
    post.base.first_comment = Some("First".into());
    post
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_post_or_comment_leaves_one_of_each() {
    let of = || PublisherUnderTest {
        post: commented(),
        ..fresh()
    };
    let more = [
        Fault::Reply(
            500,
            r#"{"error":{"message":"An unknown error occurred","code":1}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#2) Service temporarily unavailable","code":2,"is_transient":true}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#4) Application request limit reached","code":4}}"#,
        ),
        Fault::Reply(
            403,
            r#"{"error":{"message":"(#17) User request limit reached","code":17}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#32) Page request limit reached","code":32}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#613) Calls to this api have exceeded the rate limit","code":613}}"#,
        ),
    ];
    let writes = [("/feed", 0), ("/comments", 0)];
    publisher::any_fault_at_any_write(of, &writes, &more, |effects, receipt, name| {
        let kinds: Vec<_> = effects.iter().map(|effect| &effect["kind"]).collect();
        assert_eq!(kinds, ["post", "comment"], "{name}");
        assert_eq!(effects[0]["id"], receipt.remote_id, "{name}");
    })
    .await;
}

#[tokio::test]
async fn what_is_used_up_is_waited_for_as_long_as_facebook_says() {
    let world = World::new();
    world.fake.set_usage(101, 12);
    let cx = world.cx();
    let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
    let wait = Duration::from_secs(12 * 60);
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::After(Some(wait)))
    );
    world.fake.set_usage(3, 0);
    done(world.facebook.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn what_facebook_refuses_for_good_is_refused() {
    for (code, subcode, kind) in [
        (190, 460, ErrorKind::Unauthorized),
        (200, 0, ErrorKind::Forbidden),
        (200, 1_404_078, ErrorKind::Forbidden),
        (368, 0, ErrorKind::Forbidden),
        (506, 0, ErrorKind::Duplicate),
        (12, 0, ErrorKind::ApiVersionRetired),
        (100, 0, ErrorKind::InvalidInput),
        (100, 1_609_008, ErrorKind::InvalidInput),
    ] {
        let world = World::new();
        world.fake.refuse_writes(1, code, subcode);
        let error = world
            .facebook
            .publish(&world.cx(), &hello())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (kind, Retry::Never),
            "{code}"
        );
        assert!(
            error
                .platform_code()
                .unwrap()
                .starts_with(&code.to_string())
        );
        assert!(world.effects().is_empty());
    }
}

#[tokio::test]
async fn a_token_that_expires_between_post_and_comment_goes_on_with_the_new_one() {
    let world = World::new();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/comments", Fault::RateLimited(None)));
    let cx = world.cx();
    world.facebook.publish(&cx, &commented()).await.unwrap_err();
    world.fake.renew_token("renewed-token");
    let error = world.facebook.publish(&cx, &commented()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(
        error.message().starts_with("the first comment of"),
        "{error}"
    );
    let renewed = cx.with_credential(Credential::token("renewed-token"));
    done(
        world
            .facebook
            .publish(&renewed, &commented())
            .await
            .unwrap(),
    );
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test]
async fn the_same_twice_is_a_duplicate_and_our_own_lost_one_is_found() {
    let world = World::new();
    done(world.facebook.publish(&world.cx(), &hello()).await.unwrap());
    let error = world
        .facebook
        .publish(&world.cx(), &hello())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Duplicate, Retry::Never)
    );
    assert_eq!(world.effects().len(), 1);

    // It went through, and the list does not show it yet: Facebook's own refusal is the net.
    let world = World::new();
    let cx = world.cx();
    world.fault("/feed", Fault::CutAfter);
    let blind = Fault::Reply(200, "{\"data\":[]}");
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/published_posts", blind).times(2));
    for _ in 0..2 {
        let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    done(world.facebook.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn a_post_without_text_stays_unknown_after_a_lost_answer() {
    let world = World::new();
    let cx = world.cx();
    let link = Post::text("").link("https://acme.dev").unwrap();
    world.fault("/feed", Fault::CutAfter);
    for _ in 0..3 {
        let error = world.facebook.publish(&cx, &link).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    assert_eq!(world.effects().len(), 1);
}
