//! The fault acceptance: each ends right, with exactly the right number of posts.

use std::{sync::Arc, time::Duration};

use automarket_connector_graph::testing::passing_troubles;
use automarket_connector_instagram::{Login, testing};
use automarket_core::{
    Credential, ErrorKind, Post, Publisher, Receipt, Retry,
    chrono::TimeDelta,
    http_types::Method,
    testing::{
        Fault, FaultRule, ManualClock,
        conformance::publisher::{self, PublisherUnderTest},
    },
};

use crate::conformance::fresh;
use crate::world::{World, done, hello, story, with_options};

fn commented() -> Post {
    let mut post = hello();
    post.base.first_comment = Some("First".into());
    post
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_any_write_leaves_one_of_each() {
    let of = || PublisherUnderTest {
        post: commented(),
        ..fresh(Login::Instagram)
    };
    let mut more = passing_troubles();
    more.push(Fault::Reply(
        400,
        r#"{"error":{"message":"fetch failed","code":9004,"error_subcode":2207052}}"#,
    ));
    let writes = [("/media_publish", 0), ("/comments", 0)];
    publisher::any_fault_at_any_write(of, &writes, &more, |effects, receipt, name| {
        let kinds: Vec<_> = effects.iter().map(|effect| &effect["kind"]).collect();
        assert_eq!(kinds, ["image", "comment"], "{name}");
        assert_eq!(effects[0]["id"], receipt.remote_id, "{name}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_whose_making_failed_is_no_unknown() {
    for fault in [
        Fault::CutAfter,
        Fault::StatusAfter(500),
        Fault::HangAfter,
        Fault::RateLimited(Some("7")),
        Fault::Reply(
            400,
            r#"{"error":{"message":"fetch failed","code":9004,"error_subcode":2207052}}"#,
        ),
    ] {
        let world = World::new();
        let rule = FaultRule::on("/media", fault.clone()).method(Method::POST);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert!(
            matches!(error.retry(), Retry::After(_)),
            "{fault:?}: {error:?}"
        );
        done(world.instagram.publish(&cx, &hello()).await.unwrap());
        assert_eq!(world.effects().len(), 1);
    }
}

#[tokio::test]
async fn what_instagram_refuses_for_good_is_refused() {
    for (code, subcode, kind) in [
        (190, 463, ErrorKind::Unauthorized),
        (100, 33, ErrorKind::Unauthorized),
        (10, 0, ErrorKind::Forbidden),
        (25, 2_207_050, ErrorKind::Forbidden),
        (12, 0, ErrorKind::ApiVersionRetired),
        (36_003, 2_207_009, ErrorKind::InvalidInput),
        (100, 0, ErrorKind::InvalidInput),
    ] {
        let world = World::new();
        world.fake.refuse_writes(1, code, subcode);
        let error = world
            .instagram
            .publish(&world.cx(), &hello())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (kind, Retry::Never),
            "{code}"
        );
        assert!(world.effects().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_days_quota_is_asked_for_and_holds_at_publishing_too() {
    let world = World::of_login(Login::Facebook);
    world.fake.set_quota(2);
    for n in 0..2 {
        world.fake.seed(&format!("Post {n}"), world.cx().now());
    }
    let cx = world.cx();
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::QuotaExhausted, Retry::After(hour))
    );
    assert_eq!(world.fake.containers(), 0);
    world.clock.advance(TimeDelta::hours(25));
    done(world.instagram.publish(&cx, &hello()).await.unwrap());

    // Another process used the last one meanwhile.
    let world = World::new();
    world.fake.set_quota(1);
    let cx = world.cx();
    world
        .sandbox
        .fault("/media_publish", Fault::RateLimited(None));
    world.instagram.publish(&cx, &hello()).await.unwrap_err();
    world.fake.seed("Elsewhere", cx.now());
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::QuotaExhausted, Retry::After(hour))
    );
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_between_post_and_comment_goes_on_with_the_new_one() {
    let world = World::new();
    world.sandbox.fault("/comments", Fault::RateLimited(None));
    let cx = world.cx();
    world
        .instagram
        .publish(&cx, &commented())
        .await
        .unwrap_err();
    world.fake.renew_token("renewed-token");
    let error = world
        .instagram
        .publish(&cx, &commented())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(
        error.message().starts_with("the first comment of"),
        "{error}"
    );
    let renewed = cx.with_credential(Credential::token("renewed-token"));
    done(
        world
            .instagram
            .publish(&renewed, &commented())
            .await
            .unwrap(),
    );
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_cannot_be_read_fails_nothing() {
    let world = World::new();
    let cx = world.cx();
    // Quota, container, its questions, publishing: then the address.
    let rule = FaultRule::on("/1788", Fault::StatusBefore(503)).method(Method::GET);
    world.sandbox.faults().add(rule.after(2));
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.sandbox.faults().hits().len(), 1);
    assert_eq!(receipt.url, None);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_comment_that_is_refused_leaves_the_post_published() {
    let world = World::of_login(Login::Facebook);
    let body = r##"{"error":{"message":"(#10) Permissions error","code":10}}"##;
    world.sandbox.fault("/comments", Fault::Reply(403, body));
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &commented()).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Forbidden);
    assert!(why.message.contains("the first comment"), "{}", why.message);
    assert_eq!(world.effects().len(), 1);
    world.instagram.measure(&cx, &receipt).await.unwrap();
    world.instagram.delete(&world.cx(), &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_post_that_comments_do_not_see_yet_is_waited_for() {
    let unseen = r#"{"error":{"message":"Unsupported post request. Object with ID '1' does not exist","code":100,"error_subcode":33}}"#;
    let hidden = |times| {
        let world = World::new();
        let rule = FaultRule::on("/comments", Fault::Reply(400, unseen)).method(Method::POST);
        world.sandbox.faults().add(rule.times(times));
        world
    };
    let world = hidden(2);
    let outcome = world.instagram.publish(&world.cx(), &commented()).await;
    assert!(done(outcome.unwrap()).data["comment"].is_string());
    assert_eq!(world.effects().len(), 2);
    // Longer than one attempt takes.
    let world = hidden(7);
    let cx = world.cx();
    for _ in 0..2 {
        let error = world
            .instagram
            .publish(&cx, &commented())
            .await
            .unwrap_err();
        let later = Retry::After(Some(Duration::from_secs(30)));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, later));
    }
    done(world.instagram.publish(&cx, &commented()).await.unwrap());
    assert_eq!(world.effects().len(), 2);
    // Not for ever: somebody deleted it.
    let world = hidden(99);
    let cx = world.cx();
    world
        .instagram
        .publish(&cx, &commented())
        .await
        .unwrap_err();
    world.clock.advance(TimeDelta::minutes(11));
    let receipt = done(world.instagram.publish(&cx, &commented()).await.unwrap());
    assert_eq!(receipt.comment_error().unwrap().kind, ErrorKind::NotFound);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_comment_is_not_taken_for_the_lost_one() {
    for login in [Login::Instagram, Login::Facebook] {
        let world = World::of_login(login);
        world.sandbox.fault("/comments", Fault::CutBefore);
        let cx = world.cx();
        let error = world
            .instagram
            .publish(&cx, &commented())
            .await
            .unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let media = world.effects()[0]["id"].as_str().unwrap().to_owned();
        world.fake.comment_of_other(&media, "First");
        done(world.instagram.publish(&cx, &commented()).await.unwrap());
        let effects = world.effects();
        let ours = |effect: &&serde_json::Value| effect["account"] == testing::ACCOUNT;
        assert_eq!(effects.len(), 3, "{effects:?}");
        assert_eq!(effects.iter().filter(ours).count(), 2, "{effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_token_may_not_see_is_not_said_to_be_deleted() {
    let world = World::of_login(Login::Facebook);
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    let blind = r#"{"error":{"message":"Object does not exist, cannot be loaded due to missing permissions","code":100,"error_subcode":33}}"#;
    let rule = FaultRule::on(receipt.remote_id.clone(), Fault::Reply(400, blind));
    world.sandbox.faults().add(rule.method(Method::DELETE));
    let error = world
        .instagram
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(world.effects().len(), 1);
    // Not even the list: that is the account's trouble, and waits for it.
    world
        .sandbox
        .fault(&receipt.remote_id, Fault::Reply(400, blind));
    world
        .sandbox
        .fault(&receipt.remote_id, Fault::Reply(400, blind));
    world.sandbox.fault("/media", Fault::Reply(400, blind));
    let error = world
        .instagram
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(world.effects().len(), 1);
    for _ in 0..2 {
        world.instagram.delete(&world.cx(), &receipt).await.unwrap();
        assert!(world.effects().is_empty());
    }
}

/// Meta was seen to say 100/33 of each single thing for days, while its lists held it.
#[tokio::test(start_paused = true)]
async fn what_a_list_holds_is_not_gone() {
    for post in [hello(), with_options(hello(), &story())] {
        let world = World::of_login(Login::Facebook);
        let cx = world.cx();
        let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
        world.fake.hide_objects(true);
        let error = world
            .instagram
            .delete(&world.cx(), &receipt)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Forbidden, Retry::Never)
        );
        assert!(error.remedy().is_some());
        let error = world.instagram.measure(&cx, &receipt).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unavailable, Retry::After(None))
        );
        assert_eq!(world.effects().len(), 1);
        // What no list holds is gone.
        world.fake.hide_objects(false);
        world.instagram.delete(&world.cx(), &receipt).await.unwrap();
        world.fake.hide_objects(true);
        world.instagram.delete(&world.cx(), &receipt).await.unwrap();
        let error = world.instagram.measure(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // Unless there is more than is searched.
        for n in 0..501 {
            world.fake.seed(&format!("Busy {n}"), cx.now());
        }
        let error = world
            .instagram
            .delete(&world.cx(), &receipt)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::CannotTell, Retry::Never)
        );
    }
}

/// Of an account that has made more posts than are searched only those of its time are looked through.
#[tokio::test(start_paused = true)]
async fn what_is_gone_is_known_however_many_posts_there_are() {
    let world = World::of_login(Login::Facebook);
    let busy = || {
        for n in 0..600 {
            world.fake.seed(&format!("Busy {n}"), world.cx().now());
        }
        world.clock.advance(TimeDelta::days(30));
    };
    busy();
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    world.clock.advance(TimeDelta::days(30));
    busy();
    // It is there, and only the lists say so.
    world.fake.hide_objects(true);
    let error = world
        .instagram
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    // It is gone.
    world.fake.hide_objects(false);
    world.instagram.delete(&world.cx(), &receipt).await.unwrap();
    world.instagram.delete(&world.cx(), &receipt).await.unwrap();
    let error = world.instagram.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // The version before did not say when it was made.
    let before = Receipt::new(receipt.remote_id);
    let error = world
        .instagram
        .delete(&world.cx(), &before)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_not_to_be_seen_cost_no_others() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    let blind = r#"{"error":{"message":"Object does not exist","code":100,"error_subcode":33}}"#;
    world.sandbox.fault("/insights", Fault::Reply(400, blind));
    let counts = world.instagram.measure(&cx, &receipt).await.unwrap();
    assert_eq!((counts.likes, counts.reach), (Some(11), None));
}

#[tokio::test(start_paused = true)]
async fn a_publishing_that_is_refused_and_done_all_the_same_is_done() {
    for (code, subcode) in [
        (4, 2_207_051),
        (25, 2_207_050),
        (10, 0),
        (4, 0),
        (80_002, 0),
    ] {
        let world = World::new();
        world.fake.refuse_published(1, code, subcode);
        let receipt = world.instagram.publish(&world.cx(), &hello()).await;
        let receipt = done(receipt.unwrap_or_else(|error| panic!("{code}/{subcode}: {error:?}")));
        let effects = world.effects();
        assert_eq!((effects.len(), world.fake.containers()), (1, 1));
        assert_eq!(effects[0]["id"], receipt.remote_id);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_block_left_is_looked_for_before_the_refusal_stands_and_never_sent_again() {
    // Done all the same, and its status says so late.
    let world = World::new();
    world.fake.refuse_published(1, 4, 2_207_051);
    world.fake.finish_late(100);
    let cx = world.cx();
    for _ in 0..2 {
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert!(error.is_unknown(), "{error:?}");
        world.clock.advance(TimeDelta::minutes(1));
    }
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects()[0]["id"], receipt.remote_id);
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));

    // Nor where its status cannot be asked at once.
    let world = World::new();
    world.fake.refuse_published(1, 4, 2_207_051);
    let limit = r#"{"error":{"message":"(#4) limit","code":4,"error_subcode":2207051}}"#;
    let cx = world.cx();
    // Its first question is answered.
    let status = FaultRule::on("/1788", Fault::Reply(400, limit)).method(Method::GET);
    world.sandbox.faults().add(status.after(2));
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));

    // It was none of that: a real block.
    let world = World::new();
    let cx = world.cx();
    let block = r#"{"error":{"message":"blocked","code":4,"error_subcode":2207051}}"#;
    world
        .sandbox
        .fault("/media_publish", Fault::Reply(400, block));
    let mut error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    // Final once two looks have found nothing.
    for _ in 0..2 {
        assert!(error.is_unknown(), "{error:?}");
        world.clock.advance(TimeDelta::minutes(6));
        error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    }
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Forbidden, Retry::Never)
    );
    assert!(error.message().contains("blocked"), "{error}");
    assert_eq!((world.effects().len(), world.fake.containers()), (0, 1));
    // Who sends it anew, the block being over, is not answered with the old one.
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn which_media_it_became_is_found_whatever_our_clock_shows() {
    for (sent, looked) in [(90, 90), (3600, 0)] {
        let world = World::new();
        world.sandbox.fault("/media_publish", Fault::CutAfter);
        let cx = world.cx().with_taken(Arc::new(Vec::new()));
        let ahead = |seconds| {
            let clock = ManualClock::at(cx.now() + TimeDelta::seconds(seconds));
            cx.clone().with_clock(Arc::new(clock))
        };
        let lost = world.instagram.publish(&ahead(sent), &hello()).await;
        assert!(lost.unwrap_err().is_unknown());
        world.clock.advance(TimeDelta::seconds(60));
        let found = world.instagram.publish(&ahead(looked), &hello()).await;
        let receipt = done(found.unwrap());
        assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    }
}
