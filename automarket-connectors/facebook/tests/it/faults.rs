//! The fault acceptance: each ends right, with exactly the right number of posts.

use std::{sync::Arc, time::Duration};

use automarket_connector_facebook::testing;
use automarket_connector_graph::testing::passing_troubles;
use automarket_core::{
    Credential, Delivery, ErrorKind, Outcome, Post, Publisher, Receipt, Retry,
    chrono::TimeDelta,
    http_types::Method,
    testing::{
        Fault, FaultRule, ManualClock,
        conformance::publisher::{self, PublisherUnderTest},
    },
};

use crate::conformance::fresh;
use crate::world::{World, accepted, done, hello};

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
    let mut more = passing_troubles();
    more.extend([
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#2) Service temporarily unavailable","code":2,"is_transient":true}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"We limit how often you can post","code":368,"error_subcode":1390008}}"#,
        ),
    ]);
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
    world.sandbox.fault("/comments", Fault::RateLimited(None));
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

#[tokio::test(start_paused = true)]
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
    world.sandbox.fault("/feed", Fault::CutAfter);
    let blind = Fault::Reply(200, "{\"data\":[]}");
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/published_posts", blind).times(6));
    for _ in 0..2 {
        let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    done(world.facebook.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}

/// What Facebook refused as a repeat of itself is out, whatever the list says and however long that is remembered.
#[tokio::test(start_paused = true)]
async fn what_facebook_said_that_it_has_is_never_sent_again() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/feed", Fault::CutAfter);
    let blind = || FaultRule::on("/published_posts", Fault::Reply(200, "{\"data\":[]}"));
    world.sandbox.faults().add(blind().times(3));
    world.facebook.publish(&cx, &hello()).await.unwrap_err();
    // The look after the refusal fails; the refusal counts all the same.
    world
        .sandbox
        .fault("/published_posts", Fault::StatusBefore(503));
    let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    assert!(error.is_unknown(), "{error:?}");
    world.fake.set_takes_repeats(true);
    world.sandbox.faults().add(blind().times(6));
    for _ in 0..2 {
        let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        assert_eq!(world.effects().len(), 1);
    }
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn a_post_without_text_stays_unknown_after_a_lost_answer() {
    let world = World::new();
    let cx = world.cx();
    let link = Post::text("").link("https://acme.dev").unwrap();
    world.sandbox.fault("/feed", Fault::CutAfter);
    for _ in 0..3 {
        let error = world.facebook.publish(&cx, &link).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn photos_without_words_are_known_by_their_ids() {
    let post = Post::text("").media(crate::media::photo("A dot"));
    let due = World::new().cx().now() + TimeDelta::hours(1);
    for delivery in [Delivery::Now, Delivery::At(due)] {
        for (fault, others) in [
            (Fault::CutAfter, false),
            (Fault::CutBefore, false),
            (Fault::CutAfter, true),
            (Fault::CutBefore, true),
        ] {
            let world = World::new();
            let (cx, post) = (world.cx(), post.clone().delivery(delivery));
            let lost = matches!(fault, Fault::CutBefore);
            world.sandbox.fault("/feed", fault);
            let error = world.facebook.publish(&cx, &post).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            if others {
                // Somebody else's, without words too.
                world.facebook.publish(&world.cx(), &post).await.unwrap();
            }
            let before = world.effects().len();
            let end = world.facebook.publish(&cx, &post).await;
            let unknown = lost && others;
            assert_eq!(end.is_err(), unknown, "{end:?}");
            let made = usize::from(lost && !unknown);
            assert_eq!(world.effects().len(), before + made);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_that_is_listed_late_stands_once() {
    let due = World::ticking().cx().now() + TimeDelta::hours(1);
    for delivery in [Delivery::Now, Delivery::At(due)] {
        let world = World::ticking();
        world.fake.list_after(65);
        world.fake.set_takes_repeats(true);
        world.sandbox.fault("/feed", Fault::CutAfter);
        let (cx, post) = (world.cx(), hello().delivery(delivery));
        let error = world.facebook.publish(&cx, &post).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        // So long the engine waits.
        tokio::time::advance(Duration::from_secs(60)).await;
        world.facebook.publish(&cx, &post).await.unwrap();
        assert_eq!(world.effects().len(), 1, "{delivery:?}");
    }
}

#[tokio::test]
async fn a_first_comment_that_is_refused_leaves_the_post_published() {
    let world = World::new();
    let body = r##"{"error":{"message":"(#200) Permissions error","code":200}}"##;
    world.sandbox.fault("/comments", Fault::Reply(403, body));
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &commented()).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Forbidden);
    assert!(why.message.contains("the first comment"), "{}", why.message);
    assert!(why.remedy.is_some());
    assert_eq!(world.effects().len(), 1);
    // It is measured and taken down like any other.
    world.facebook.measure(&cx, &receipt).await.unwrap();
    world.facebook.delete(&world.cx(), &receipt).await.unwrap();
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
    let outcome = world.facebook.publish(&world.cx(), &commented()).await;
    assert!(done(outcome.unwrap()).data["comment"].is_string());
    assert_eq!(world.effects().len(), 2);
    // Longer than one attempt takes.
    let world = hidden(7);
    let cx = world.cx();
    for _ in 0..2 {
        let error = world.facebook.publish(&cx, &commented()).await.unwrap_err();
        let later = Retry::After(Some(Duration::from_secs(30)));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, later));
    }
    done(world.facebook.publish(&cx, &commented()).await.unwrap());
    assert_eq!(world.effects().len(), 2);
    // Not for ever: somebody deleted it.
    let world = hidden(99);
    let cx = world.cx();
    world.facebook.publish(&cx, &commented()).await.unwrap_err();
    world.clock.advance(TimeDelta::minutes(11));
    let receipt = done(world.facebook.publish(&cx, &commented()).await.unwrap());
    assert_eq!(receipt.comment_error().unwrap().kind, ErrorKind::NotFound);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_comment_is_not_taken_for_the_lost_one() {
    for account in [true, false] {
        let world = World::new();
        world.sandbox.fault("/comments", Fault::CutBefore);
        let cx = if account {
            world.cx()
        } else {
            world.nameless()
        };
        let error = world.facebook.publish(&cx, &commented()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let post = world.effects()[0]["id"].as_str().unwrap().to_owned();
        world.fake.comment_of_other(&post, "First", cx.now());
        done(world.facebook.publish(&cx, &commented()).await.unwrap());
        let ours = |effect: &&serde_json::Value| effect["page"] == testing::PAGE;
        assert_eq!(world.effects().len(), 3);
        assert_eq!(world.effects().iter().filter(ours).count(), 2);
    }
    // Whose it is Facebook does not always say.
    let world = World::new();
    world.sandbox.fault("/comments", Fault::CutBefore);
    let cx = world.cx();
    world.facebook.publish(&cx, &commented()).await.unwrap_err();
    let nobodys = Fault::Reply(200, r#"{"data":[{"id":"1_2","message":"First"}]}"#);
    let rule = FaultRule::on("/comments", nobodys).method(Method::GET);
    world.sandbox.faults().add(rule);
    let error = world.facebook.publish(&cx, &commented()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
}

#[tokio::test]
async fn what_was_just_finished_is_waited_for_however_long_it_took() {
    let world = World::new();
    let cx = world.cx();
    let post = hello().delivery(Delivery::At(cx.now() + TimeDelta::hours(2)));
    world.sandbox.fault("/feed", Fault::RateLimited(None));
    world.facebook.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::minutes(30));
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    let handle = accepted(outcome);
    world.fake.hide(2);
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
    // A repeat of the call does not begin it anew.
    world.clock.advance(TimeDelta::minutes(10));
    let again = world.facebook.publish(&cx, &post).await.unwrap();
    assert_eq!(again, Outcome::Accepted(handle.clone()));
    let late = world.facebook.poll(&cx, &handle).await.unwrap();
    assert_eq!(late, Outcome::Accepted(handle));
}

#[tokio::test]
async fn what_the_token_may_not_see_is_not_said_to_be_gone() {
    let blind = r#"{"error":{"message":"Unsupported get request. Object with ID '1' does not exist, cannot be loaded due to missing permissions","code":100,"error_subcode":33}}"#;
    let refused = r##"{"error":{"message":"(#10) Permissions error","code":10}}"##;
    for (posts, kind) in [
        (Fault::Reply(400, blind), ErrorKind::Unauthorized),
        (Fault::Reply(403, refused), ErrorKind::Forbidden),
        (Fault::StatusBefore(503), ErrorKind::Unavailable),
    ] {
        let world = World::new();
        let cx = world.cx();
        let post = hello().delivery(Delivery::At(cx.now() + TimeDelta::hours(2)));
        let outcome = world.facebook.publish(&cx, &post).await.unwrap();
        let handle = accepted(outcome);
        world.clock.advance(TimeDelta::hours(3));
        world
            .sandbox
            .fault(&handle.remote_id, Fault::Reply(400, blind));
        world.sandbox.fault("/published_posts", posts);
        let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

/// Meta was seen to say 100/33 of each single thing for days, while its lists held it.
#[tokio::test]
async fn what_a_list_holds_is_not_gone() {
    let world = World::new();
    let cx = world.cx();
    let post = hello().delivery(Delivery::At(cx.now() + TimeDelta::hours(2)));
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    let Outcome::Accepted(handle) = &outcome else {
        panic!("{outcome:?}")
    };
    world.fake.hide_objects(true);
    world.clock.advance(TimeDelta::hours(1));
    let still = world.facebook.poll(&cx, handle).await.unwrap();
    assert_eq!(still, outcome);
    world.clock.advance(TimeDelta::hours(2));
    let receipt = done(world.facebook.poll(&cx, handle).await.unwrap());
    assert_eq!(receipt.remote_id, handle.remote_id);
    let error = world.facebook.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::After(None))
    );
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Forbidden, Retry::Never)
    );
    assert!(error.remedy().is_some());
    assert_eq!(world.effects().len(), 1);

    // Nor is what the lists may be late with.
    world.fake.list_after(i64::MAX);
    let mut late = handle.clone();
    late.due = Some(cx.now() - TimeDelta::minutes(1));
    let error = world.facebook.poll(&cx, &late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    world.fake.list_after(0);

    // What no list holds is gone.
    world.fake.delete_by_hand(&receipt.remote_id);
    world.facebook.delete(&world.cx(), &receipt).await.unwrap();
    for error in [
        world.facebook.poll(&cx, handle).await.unwrap_err(),
        world.facebook.measure(&cx, &receipt).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    // Unless there is more since than is searched.
    for n in 0..501 {
        world.fake.seed(&format!("Busy {n}"), cx.now());
    }
    let error = world.facebook.poll(&cx, handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::CannotTell, Retry::Never)
    );
}

#[tokio::test]
async fn what_is_in_no_list_may_be_there() {
    let world = World::new();
    let cx = world.cx();
    let post = hello().delivery(Delivery::Draft);
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    let handle = accepted(outcome);
    world.clock.advance(TimeDelta::hours(1));
    world.fake.hide_objects(true);
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    // Nor did the version before say which lists hold it.
    let mut before = handle.clone();
    before.data.as_object_mut().unwrap().remove("listed");
    let error = world.facebook.poll(&cx, &before).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    // As the engine deletes what was accepted.
    let mut receipt = Receipt::new(handle.remote_id.clone());
    receipt.data = handle.data.clone();
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects().len(), 1);
    // Somebody made it public.
    world.fake.publish_draft(&handle.remote_id, cx.now());
    done(world.facebook.poll(&cx, &handle).await.unwrap());
}

#[tokio::test]
async fn numbers_that_are_not_to_be_seen_cost_no_others() {
    let blind = r#"{"error":{"message":"Unsupported get request. Object with ID '1' does not exist","code":100,"error_subcode":33}}"#;
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    world.sandbox.fault("/insights", Fault::Reply(400, blind));
    let counts = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!((counts.likes, counts.reach), (Some(11), None));
}

#[tokio::test]
async fn what_the_token_may_not_see_is_not_said_to_be_deleted() {
    let blind = r#"{"error":{"message":"Unsupported delete request. Object with ID '1' does not exist, cannot be loaded due to missing permissions","code":100,"error_subcode":33}}"#;
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    let id = receipt.remote_id.clone();
    // It may be read, and not deleted.
    let blinded =
        |method: Method| FaultRule::on(id.clone(), Fault::Reply(400, blind)).method(method);
    world.sandbox.faults().add(blinded(Method::DELETE));
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.remedy().is_some());
    // Nothing may be read any more.
    world.sandbox.faults().add(blinded(Method::DELETE));
    world.sandbox.faults().add(blinded(Method::GET));
    let body = r##"{"error":{"message":"(#10) Permissions error","code":10}}"##;
    world
        .sandbox
        .fault("/published_posts", Fault::Reply(403, body));
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(world.effects().len(), 1);
    // Not even the list: that is the account's trouble, and waits for it.
    world.sandbox.faults().add(blinded(Method::DELETE));
    world.sandbox.faults().add(blinded(Method::GET));
    world
        .sandbox
        .fault("/scheduled_posts", Fault::Reply(400, blind));
    let error = world
        .facebook
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(world.effects().len(), 1);
    for _ in 0..2 {
        world.facebook.delete(&world.cx(), &receipt).await.unwrap();
        assert!(world.effects().is_empty());
    }
}

/// The instant that is remembered is our clock's, and the post's is Facebook's.
#[tokio::test(start_paused = true)]
async fn a_lost_post_is_found_whatever_our_clock_shows() {
    // How far it is ahead when the post is sent, and when it is looked for.
    for (sent, looked) in [(90, 90), (3600, 0)] {
        let world = World::new();
        world.fake.set_takes_repeats(true);
        world.sandbox.fault("/feed", Fault::CutAfter);
        let cx = world.cx().with_taken(Arc::new(Vec::new()));
        let ahead = |seconds| {
            let clock = ManualClock::at(cx.now() + TimeDelta::seconds(seconds));
            cx.clone().with_clock(Arc::new(clock))
        };
        let lost = world.facebook.publish(&ahead(sent), &hello()).await;
        assert!(lost.unwrap_err().is_unknown());
        world.clock.advance(TimeDelta::seconds(60));
        let found = world.facebook.publish(&ahead(looked), &hello()).await;
        let receipt = done(found.unwrap());
        assert_eq!(world.effects().len(), 1, "{sent} {looked}");
        assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    }
}

/// Two articles that are announced in the same words, of which the second never arrived.
#[tokio::test(start_paused = true)]
async fn a_lost_post_is_not_another_one_of_the_same_words() {
    let world = World::new();
    let with = |path: &str| {
        let link = format!("https://acme.example/{path}");
        Post::text("New on the blog").link(&link).unwrap()
    };
    let first = done(
        world
            .facebook
            .publish(&world.cx(), &with("1"))
            .await
            .unwrap(),
    );
    world.clock.advance(TimeDelta::seconds(10));
    world.sandbox.fault("/feed", Fault::CutBefore);
    let cx = world.cx();
    let lost = world.facebook.publish(&cx, &with("2")).await;
    assert!(lost.unwrap_err().is_unknown());
    world.clock.advance(TimeDelta::seconds(60));
    let error = world.facebook.publish(&cx, &with("2")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_unknown()),
        (ErrorKind::CannotTell, true)
    );
    // Who knows whose the first is sends the second.
    let cx = cx.with_taken(Arc::new(vec![first.remote_id.clone()]));
    let second = done(world.facebook.publish(&cx, &with("2")).await.unwrap());
    assert_ne!(first.remote_id, second.remote_id);
    assert_eq!(world.effects().len(), 2);
}
