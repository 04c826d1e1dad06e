//! The fault acceptance: each fault at each part of a thread ends right, with exactly the right number of posts.

use std::{sync::Arc, time::Duration};

use automarket_connector_x::XConfig;
use automarket_core::{
    Context, Credential, Error, ErrorKind, Intent, Lookup, Media, Post, Publisher, Retry,
    chrono::TimeDelta,
    http_types::Method,
    steps::{MemorySteps, Steps as _},
    testing::{
        Fault, FaultRule, ManualClock,
        conformance::publisher::{self, PublisherUnderTest},
    },
};

use serde_json::json;

use crate::conformance::fresh;
use crate::world::{World, chain, done, hello, thread};

#[tokio::test(start_paused = true)]
async fn any_fault_at_any_part_leaves_one_whole_thread() {
    let of = || PublisherUnderTest {
        post: thread(),
        ..fresh()
    };
    let more = [
        Fault::Reply(
            429,
            r#"{"title":"Too Many Requests","type":"about:blank","status":429}"#,
        ),
        Fault::Reply(200, "{\"errors\":[{\"title\":\"odd\"}]}"),
    ];
    let writes = [("/2/tweets", 0), ("/2/tweets", 1), ("/2/tweets", 2)];
    publisher::any_fault_at_any_write(of, &writes, &more, |effects, receipt, name| {
        let texts = ["One <first>", "Two acme.dev", "Three"];
        assert_eq!(chain(effects), texts, "{name}");
        assert_eq!(receipt.data["ids"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_anywhere_in_a_thread_goes_on_at_the_next_part() {
    for request in 0..3 {
        let world = World::new();
        let rule = FaultRule::on("/2/tweets", Fault::HangAfter).after(request);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let post = thread();
        let attempt = world.x.publish(&cx, &post);
        let dying = tokio::time::timeout(Duration::from_secs(5), attempt);
        assert!(dying.await.is_err());
        assert_eq!(world.effects().len(), request as usize + 1);
        done(world.x.publish(&cx, &thread()).await.unwrap());
        assert_eq!(world.chain(), ["One <first>", "Two acme.dev", "Three"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_goes_on_with_the_parts_that_it_was_begun_with() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for request in 0..3 {
            let world = World::new();
            let rule = FaultRule::on("/2/tweets", fault.clone()).method(Method::POST);
            world.sandbox.faults().add(rule.after(request));
            let cx = world.cx().with_steps(Arc::new(MemorySteps::default()));
            let error = world.x.publish(&cx, &thread()).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            // As another version would part it.
            let mut parted = Post::text("One <first>\nTwo acme.dev");
            parted.base.thread = Some(vec!["Three".into()]);
            done(world.x.publish(&cx, &parted).await.unwrap());
            assert_eq!(world.chain(), ["One <first>", "Two acme.dev", "Three"]);
        }
    }
}

#[tokio::test]
async fn a_token_that_expires_in_a_thread_stops_it_and_the_new_one_goes_on() {
    let world = World::new();
    world.sandbox.faults().add(
        FaultRule::on("/2/tweets", Fault::StatusBefore(429))
            .after(1)
            .method(Method::POST),
    );
    let cx = world.cx();
    world.x.publish(&cx, &thread()).await.unwrap_err();
    world.fake.renew_token("renewed-token");
    let error = world.x.publish(&cx, &thread()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().starts_with("part 2 of 3"), "{error}");
    assert_eq!(world.effects().len(), 1);
    let renewed = cx.with_credential(Credential::token("renewed-token"));
    done(world.x.publish(&renewed, &thread()).await.unwrap());
    assert_eq!(world.chain().len(), 3);
}

const TWICE: &str = r#"{"detail":"You are not allowed to create a Tweet with duplicate content."}"#;

async fn refused(world: &World, post: &Post) -> Error {
    let cx = world.cx();
    let error = world.x.publish(&cx, post).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never, "{error:?}");
    error
}

#[tokio::test]
async fn a_retired_version_a_spent_cap_and_credits_are_told_apart() {
    for (status, body, kind) in [
        (410, "<html>gone</html>", ErrorKind::ApiVersionRetired),
        (
            402,
            "{\"title\":\"CreditsDepleted\"}",
            ErrorKind::QuotaExhausted,
        ),
        (
            429,
            "{\"title\":\"UsageCapExceeded\",\"type\":\"https://api.x.com/2/problems/usage-capped\"}",
            ErrorKind::QuotaExhausted,
        ),
    ] {
        let world = World::new();
        world.sandbox.fault("/2/tweets", Fault::Reply(status, body));
        let error = refused(&world, &hello()).await;
        assert_eq!(error.kind(), kind);
        assert!(error.remedy().is_some());
        assert!(world.effects().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_text_twice_is_a_duplicate_and_our_own_lost_one_is_found() {
    let world = World::new();
    done(world.x.publish(&world.cx(), &hello()).await.unwrap());
    // Of another intent, at once: the first one's post is not taken for its own.
    let error = refused(&world, &hello()).await;
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    assert!(error.remedy().is_some());
    assert_eq!(world.effects().len(), 1);

    // It went through, and the search does not show it yet: X's own refusal is the net.
    let world = World::new();
    let cx = world.cx();
    let blind = FaultRule::on("/users/", Fault::Reply(200, "{\"meta\":{}}"));
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/2/tweets", Fault::CutAfter).method(Method::POST));
    world.sandbox.faults().add(blind.times(6));
    for _ in 0..2 {
        let error = world.x.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    let receipt = done(world.x.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(
        receipt.remote_id,
        world.effects()[0]["id"].as_str().unwrap()
    );
}

/// What X refused as a repeat of itself is out, whatever the list says and however long X remembers it.
#[tokio::test(start_paused = true)]
async fn what_x_said_that_it_has_is_never_sent_again() {
    let world = World::new();
    let cx = world.cx();
    let rule = FaultRule::on("/2/tweets", Fault::CutAfter).method(Method::POST);
    world.sandbox.faults().add(rule);
    world.fake.delay_listing(u32::MAX);
    world.x.publish(&cx, &hello()).await.unwrap_err();
    // The look after the refusal fails; the refusal counts all the same.
    let busy = FaultRule::on("/users/", Fault::StatusBefore(503));
    world.sandbox.faults().add(busy.after(3));
    let error = world.x.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    assert!(error.is_unknown(), "{error:?}");
    world.fake.set_takes_repeats(true);
    for _ in 0..2 {
        let error = world.x.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        assert_eq!(world.effects().len(), 1);
    }
    world.fake.delay_listing(0);
    let receipt = done(world.x.publish(&cx, &hello()).await.unwrap());
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    assert_eq!(world.effects().len(), 1);
}

/// The two nets under a lost answer, each without the other; and without both.
#[tokio::test(start_paused = true)]
async fn a_lost_post_never_stands_twice() {
    let lost = |config: XConfig, fault| {
        let world = World::with(config);
        let rule = FaultRule::on("/2/tweets", fault).method(Method::POST);
        world.sandbox.faults().add(rule);
        world
    };
    let trusting = XConfig::default();
    let careful = XConfig {
        trust_absence: false,
        ..XConfig::default()
    };
    // X lists it late, and would take it again.
    let world = lost(trusting, Fault::CutAfter);
    world.fake.delay_listing(2);
    world.fake.set_takes_repeats(true);
    let cx = world.cx();
    world.x.publish(&cx, &hello()).await.unwrap_err();
    done(world.x.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);

    // X never lists it, and would take it again: whether or not it is out, it is not sent a second time.
    for (fault, out) in [(Fault::CutAfter, 1), (Fault::CutBefore, 0)] {
        let world = lost(careful.clone(), fault);
        world.fake.delay_listing(u32::MAX);
        world.fake.set_takes_repeats(true);
        let cx = world.cx();
        world.x.publish(&cx, &hello()).await.unwrap_err();
        for _ in 0..3 {
            let error = world.x.publish(&cx, &hello()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CannotTell);
            assert!(error.is_unknown());
        }
        assert_eq!(world.effects().len(), out);
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_does_not_show_yet_is_waited_for() {
    let world = World::new();
    world.fake.hide_parents(2);
    done(world.x.publish(&world.cx(), &thread()).await.unwrap());
    assert_eq!(world.chain().len(), 3);
    // Longer than one attempt takes.
    let world = World::new();
    world.fake.hide_parents(7);
    let cx = world.cx();
    for _ in 0..2 {
        let error = world.x.publish(&cx, &thread()).await.unwrap_err();
        let later = Retry::After(Some(Duration::from_secs(30)));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, later));
    }
    done(world.x.publish(&cx, &thread()).await.unwrap());
    assert_eq!(world.chain().len(), 3);
    // Not for ever: somebody deleted it.
    let world = World::new();
    world.fake.hide_parents(99);
    let cx = world.cx();
    world.x.publish(&cx, &thread()).await.unwrap_err();
    world.clock.advance(TimeDelta::minutes(11));
    let receipt = done(world.x.publish(&cx, &thread()).await.unwrap());
    assert_eq!(receipt.thread_error().unwrap().kind, ErrorKind::NotFound);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_refused_leaves_those_before_it_published() {
    let said = r#"{"detail":"Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to."}"#;
    for (body, kind) in [(said, ErrorKind::Forbidden), (TWICE, ErrorKind::Duplicate)] {
        let world = World::new();
        let rule = FaultRule::on("/2/tweets", Fault::Reply(403, body)).method(Method::POST);
        world.sandbox.faults().add(rule.after(2));
        let mut post = thread();
        post.base.first_comment = Some("First".into());
        let receipt = done(world.x.publish(&world.cx(), &post).await.unwrap());
        let why = receipt.thread_error().unwrap();
        assert_eq!(why.kind, kind);
        assert!(why.message.contains("part 3 of 4"), "{}", why.message);
        assert_eq!(world.chain(), ["One <first>", "Two acme.dev"]);
        world.x.delete(&world.cx(), &receipt).await.unwrap();
        assert!(world.effects().is_empty());
    }
}

/// The rest goes once there are credits; until then it is known what is out.
#[tokio::test]
async fn a_part_that_nobody_paid_for_is_sent_when_it_is_paid() {
    let world = World::new();
    let body = r#"{"title":"CreditsDepleted"}"#;
    let rule = FaultRule::on("/2/tweets", Fault::Reply(402, body)).method(Method::POST);
    world.sandbox.faults().add(rule.after(1));
    let cx = world.cx();
    let error = world.x.publish(&cx, &thread()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExhausted);
    let out = error.receipt().unwrap();
    assert_eq!(out.data["ids"], json!([world.effects()[0]["id"]]));
    done(world.x.publish(&cx, &thread()).await.unwrap());
    assert_eq!(world.chain().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_of_a_part_comes_with_what_is_out() {
    let world = World::with(XConfig {
        trust_absence: false,
        ..XConfig::default()
    });
    let rule = FaultRule::on("/2/tweets", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(rule.after(2));
    let cx = world.cx();
    for kind in [ErrorKind::Network, ErrorKind::CannotTell] {
        let error = world.x.publish(&cx, &thread()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.is_unknown());
        let out = error.receipt().unwrap();
        assert_eq!(out.data["ids"].as_array().unwrap().len(), 2);
    }
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test]
async fn a_thread_that_repeats_itself_is_not_begun() {
    let world = World::new();
    let mut thread = thread();
    thread.base.thread = Some(vec!["Two".into(), "Two ".into()]);
    let mut comment = hello();
    comment.base.first_comment = Some("Hello from Acme & friends".into());
    for post in [thread, comment] {
        let error = refused(&world, &post).await;
        assert_eq!(error.rule(), Some("x.repeated_part"));
    }
    assert!(world.effects().is_empty());
}

/// What nobody lists is no word that nothing is out, for who asks either.
#[tokio::test(start_paused = true)]
async fn find_is_as_careful_as_a_second_sending() {
    for (trust_absence, late, found) in [(true, 2, true), (true, 3, false), (false, 3, false)] {
        let world = World::with(XConfig {
            trust_absence,
            ..XConfig::default()
        });
        let cx = world.cx();
        let at = cx.now();
        done(world.x.publish(&cx, &hello()).await.unwrap());
        world.fake.delay_listing(late);
        let intent = Intent {
            key: "key".into(),
            post: hello(),
            at,
        };
        let looked = world.x.find(&cx, &intent).await.unwrap();
        let as_it_is = match looked {
            Lookup::Found(_) => found,
            Lookup::Absent => trust_absence && !found,
            Lookup::CannotTell(_) => !trust_absence,
        };
        assert!(as_it_is, "{looked:?}");
    }
}

#[tokio::test]
async fn a_part_that_is_sent_once_more_is_found_when_it_is_out() {
    let world = World::new();
    let first = done(world.x.publish(&world.cx(), &thread()).await.unwrap());
    // Of three that are out, one is known to be.
    let steps = MemorySteps::default();
    let begun = world.cx().now() - TimeDelta::seconds(1);
    for (name, state) in [
        ("x.begun", json!({ "kept": begun })),
        ("x.post.0", json!({ "done": first.data["ids"][0] })),
    ] {
        steps.put(name, &state).await.unwrap();
    }
    let cx = world.cx().with_steps(Arc::new(steps));
    let again = done(world.x.publish(&cx, &thread()).await.unwrap());
    assert_eq!(again.data, first.data);
    assert_eq!(world.effects().len(), 3);
}

#[tokio::test]
async fn the_real_limit_is_waited_for_until_its_reset() {
    let world = World::new();
    for n in 0..100 {
        let post = Post::text(format!("Post {n}"));
        done(world.x.publish(&world.cx(), &post).await.unwrap());
    }
    world.clock.advance(TimeDelta::minutes(5));
    let cx = world.cx();
    let error = world.x.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(600))));
    world.clock.advance(TimeDelta::minutes(10));
    done(world.x.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 101);
}

#[tokio::test]
async fn more_posts_than_are_searched_stay_unknown() {
    let world = World::new();
    let cx = world.cx();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/2/tweets", Fault::CutBefore).method(Method::POST));
    assert!(
        world
            .x
            .publish(&cx, &hello())
            .await
            .unwrap_err()
            .is_unknown()
    );
    for n in 0..501 {
        world.fake.seed_own(&format!("Busy {n}"), world.cx().now());
    }
    let error = world.x.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
    assert_eq!(world.effects().len(), 501);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_only_looks_like_the_lost_one_is_not_taken_for_it() {
    let lost = || {
        let world = World::new();
        let rule = FaultRule::on("/2/tweets", Fault::CutBefore).method(Method::POST);
        world.sandbox.faults().add(rule);
        world
    };
    // Of media alone there is nothing to know it by but the files.
    let world = lost();
    let cx = world.cx();
    let photo = Media::image(&b"\x89PNG\r\n\x1a\n"[..], "image/png");
    let bare = Post::text("").media(photo);
    world.x.publish(&cx, &bare).await.unwrap_err();
    world.fake.seed_own("", cx.now());
    let error = world.x.publish(&cx, &bare).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
    assert_eq!(world.effects().len(), 1);
    let intent = Intent {
        key: "key".into(),
        post: bare,
        at: cx.now(),
    };
    let looked = world.x.find(&cx, &intent).await.unwrap();
    assert!(matches!(looked, Lookup::CannotTell(_)), "{looked:?}");

    // The same words for somebody else.
    let world = lost();
    let cx = world.cx();
    let thanks = Post::text("@alice Thanks!");
    world.x.publish(&cx, &thanks).await.unwrap_err();
    let other = world.fake.seed_own("@bob Thanks!", cx.now());
    let receipt = done(world.x.publish(&cx, &thanks).await.unwrap());
    assert_ne!(receipt.remote_id, other);
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test]
async fn a_first_comment_that_is_refused_leaves_the_post_published() {
    let world = World::new();
    let body = r#"{"title":"Forbidden","detail":"You are not permitted to perform this action.","type":"about:blank","status":403}"#;
    let rule = FaultRule::on("/2/tweets", Fault::Reply(403, body)).method(Method::POST);
    world.sandbox.faults().add(rule.after(1));
    let mut post = hello();
    post.base.first_comment = Some("First".into());
    let receipt = done(world.x.publish(&world.cx(), &post).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Forbidden);
    assert!(why.message.contains("part 2 of 2"), "{}", why.message);
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}

/// An address that leads nowhere any more says 404 to everything.
#[tokio::test]
async fn a_404_that_is_not_of_the_post_deletes_nothing() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.x.publish(&cx, &thread()).await.unwrap());
    let moved = json!({"base_url": "https://api.x.com/x"});
    let account = cx.account().unwrap().clone().with_settings(moved);
    let elsewhere = world.cx().with_account(account);
    let refused = async |cx: &Context| {
        let error = world.x.delete(cx, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.remedy().is_some());
        assert_eq!(world.effects().len(), 3);
    };
    refused(&elsewhere).await;
    for page in [
        "<html>Not Found</html>",
        r#"{"errors":[{"message":"Sorry, that page does not exist","code":34}]}"#,
    ] {
        world.sandbox.fault("/2/tweets/", Fault::Reply(404, page));
        refused(&cx).await;
    }
    // Nor does it end a series of numbers.
    let error = world.x.measure(&elsewhere, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedReply, "{error:?}");
    // What is known to be gone is.
    let no_status = r#"{"errors":[{"message":"No status found with that ID.","code":144}]}"#;
    world
        .sandbox
        .fault("/2/tweets/", Fault::Reply(404, no_status));
    world.x.delete(&cx, &receipt).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_instead_of_a_list_are_no_empty_list() {
    let refused = r#"{"errors":[{"title":"Authorization Error","type":"https://api.x.com/2/problems/not-authorized-for-resource"}]}"#;
    for answer in [refused, "{}"] {
        let world = World::new();
        world.fake.set_takes_repeats(true);
        let lost = FaultRule::on("/2/tweets", Fault::CutAfter).method(Method::POST);
        world.sandbox.faults().add(lost);
        let rule = FaultRule::on("/users/", Fault::Reply(200, answer)).times(3);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        for _ in 0..4 {
            let error = world.x.publish(&cx, &hello()).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            assert_eq!(world.effects().len(), 1);
        }
        done(world.x.publish(&cx, &hello()).await.unwrap());
        assert_eq!(world.effects().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_is_found_though_our_clock_was_set_back() {
    let world = World::new();
    world.fake.set_takes_repeats(true);
    let rule = FaultRule::on("/2/tweets", Fault::CutAfter).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx().with_taken(Arc::new(Vec::new()));
    let ahead = ManualClock::at(cx.now() + TimeDelta::hours(1));
    let ahead = cx.clone().with_clock(Arc::new(ahead));
    let error = world.x.publish(&ahead, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    world.clock.advance(TimeDelta::seconds(60));
    let receipt = done(world.x.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}
