//! Containers on their way.

use std::{sync::Arc, time::Duration};

use automarket_connector_instagram::Login;
use automarket_core::{
    Context, ErrorKind, Post, Publisher, Receipt, Retry,
    chrono::TimeDelta,
    http::{Exchange, Exchanges},
    http_types::Method,
    testing::{Fault, FaultRule, TokioClock},
};

use serde_json::{Value, json};

use crate::world::{World, done, film, hello, photo, story, with_options};

#[tokio::test(start_paused = true)]
async fn a_hundred_questions_are_one_post() {
    let world = World::new();
    world.fake.set_processing(100);
    let cx = world.cx();
    let mut attempts = 0;
    loop {
        attempts += 1;
        match world.instagram.publish(&cx, &hello()).await {
            Ok(outcome) => break drop(done(outcome)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
                assert!(world.effects().is_empty());
            }
        }
    }
    assert!(attempts > 1);
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_fails_a_hundred_times_is_one_post_in_the_end() {
    let world = World::new();
    let cx = world.cx();
    let status = FaultRule::on("/1788", Fault::StatusBefore(503));
    world
        .sandbox
        .faults()
        .add(status.method(Method::GET).times(100));
    for _ in 0..100 {
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    }
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_anywhere_goes_on_with_the_same_containers() {
    // Quota, two items and their questions, the carousel and its questions, publishing, the address.
    for request in 0..12 {
        let world = World::new();
        let rule = FaultRule::on("/v26.0/", Fault::HangAfter).after(request);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let post = hello().media(photo());
        let attempt = world.instagram.publish(&cx, &post);
        // Longer than all pauses, shorter than a call may take.
        let dying = tokio::time::timeout(Duration::from_secs(25), attempt).await;
        assert!(dying.is_err(), "request {request}");
        done(world.instagram.publish(&cx, &post).await.unwrap());
        assert_eq!(world.effects().len(), 1, "request {request}");
        // The one whose answer was lost may be there twice; nobody sees it.
        assert!(world.fake.containers() <= 4, "request {request}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_fetched_is_made_anew_and_not_for_ever() {
    let world = World::new();
    world.fake.fail_processing(2, 2_207_003);
    done(
        world
            .instagram
            .publish(&world.cx(), &hello())
            .await
            .unwrap(),
    );
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 3));

    // What it is, nobody knows.
    let world = World::new();
    world.fake.fail_processing(9, 2_207_099);
    let error = world
        .instagram
        .publish(&world.cx(), &hello())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert_eq!(error.rule(), Some("instagram.media_processing"));
    assert!(error.message().contains("2207099"), "{error}");
    assert_eq!((world.effects().len(), world.fake.containers()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_fetched_for_now_is_fetched_later() {
    let five = Duration::from_secs(5 * 60);
    for (fails, comes) in [(6, true), (99, false)] {
        let world = World::new();
        world.fake.fail_processing(fails, 2_207_003);
        let cx = world.cx();
        let mut waits = 0;
        let end = loop {
            match world.instagram.publish(&cx, &hello()).await {
                Err(error) if error.retry() == Retry::After(Some(five)) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    assert!(error.message().contains("2207003"), "{error}");
                    // Who comes sooner makes no other.
                    let made = world.fake.containers();
                    world.instagram.publish(&cx, &hello()).await.unwrap_err();
                    assert_eq!(world.fake.containers(), made);
                    waits += 1;
                    world.clock.advance(TimeDelta::minutes(5));
                }
                end => break end,
            }
        };
        assert_eq!(end.is_ok(), comes, "{end:?}");
        let (effects, made) = (world.effects().len(), world.fake.containers());
        let wanted = if comes { (1, 7, 4) } else { (0, 12, 9) };
        assert_eq!((effects, made, waits), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_carousel_whose_items_ran_out_is_made_anew() {
    let world = World::new();
    let cx = world.cx();
    let post = hello().media(photo());
    // Quota, then for both items the making and two questions.
    let limited = FaultRule::on("/v26.0/", Fault::RateLimited(None)).after(7);
    world.sandbox.faults().add(limited);
    world.instagram.publish(&cx, &post).await.unwrap_err();
    assert_eq!(world.fake.containers(), 2);
    world.clock.advance(TimeDelta::hours(25));
    done(world.instagram.publish(&cx, &post).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 5));
}

/// The first answer to the making of a carousel is that an item has run out; a second one would be a yes.
#[tokio::test(start_paused = true)]
async fn a_carousel_that_was_given_up_is_not_published_beside_the_next() {
    let expired = r#"{"error":{"message":"expired","code":24,"error_subcode":2207008}}"#;
    let mut commented = hello().media(photo());
    commented.base.first_comment = Some("First!".into());
    for (post, path, fault) in [
        (hello().media(photo()), "/media_publish", Fault::CutAfter),
        (commented, "/comments", Fault::RateLimited(None)),
    ] {
        let world = World::new();
        let cx = world.cx();
        let refused = FaultRule::on("/media", Fault::Reply(400, expired));
        let faults = world.sandbox.faults();
        faults.add(refused.method(Method::POST).after(2));
        faults.add(FaultRule::on(path, fault).method(Method::POST));
        world.instagram.publish(&cx, &post).await.unwrap_err();
        done(world.instagram.publish(&cx, &post).await.unwrap());
        let posts = |one: &&Value| one["kind"] == "carousel";
        assert_eq!(world.effects().iter().filter(posts).count(), 1, "{path}");
        assert_eq!(world.fake.containers(), 5);
    }
}

/// Meta hides containers for a while, and says so in the words that it has for a dead account.
#[tokio::test(start_paused = true)]
async fn an_item_that_a_carousel_does_not_see_yet_is_waited_for_and_made_anew() {
    let hidden = r#"{"error":{"message":"Object with ID '17889455560051445' does not exist","code":100,"error_subcode":33}}"#;
    // A moment, longer than an attempt, until the items are given up, and for good.
    for (rounds, times, containers, attempts) in
        [(1, 1, 3, 1), (1, 4, 3, 2), (1, 6, 5, 2), (3, 6, 6, 4)]
    {
        let world = World::new();
        let cx = world.cx();
        let post = hello().media(photo());
        for round in 1..=rounds {
            let rule = FaultRule::on("/media", Fault::Reply(400, hidden));
            let rule = rule.method(Method::POST).after(2 * round).times(times);
            world.sandbox.faults().add(rule);
        }
        let mut tried = 1;
        let mut end = world.instagram.publish(&cx, &post).await;
        while let Err(error) = &end
            && matches!(error.retry(), Retry::After(Some(_)))
        {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            world.clock.advance(TimeDelta::minutes(11));
            end = world.instagram.publish(&cx, &post).await;
            tried += 1;
        }
        let seen = (world.fake.containers(), tried);
        assert_eq!(seen, (containers, attempts), "{rounds} {times}");
        match rounds {
            3 => assert_eq!(end.unwrap_err().kind(), ErrorKind::InvalidInput),
            _ => drop(done(end.unwrap())),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ran_out_is_published_no_more_and_hides_no_other() {
    let world = World::new();
    let exchanges = Exchanges::default();
    let cx = world.cx().with_exchanges(exchanges.clone());
    let publish = async || {
        let end = world.instagram.publish(&cx, &hello()).await;
        let (asked, _) = exchanges.take();
        let publishing = |one: &&Exchange| one.operation == "media.publish";
        (end, asked.iter().filter(publishing).count())
    };
    world.sandbox.fault("/media_publish", Fault::CutBefore);
    let (end, asked) = publish().await;
    assert!(end.unwrap_err().is_unknown());
    assert_eq!(asked, 1);
    world.fake.fail_ready(2_207_099);
    let limited = FaultRule::on("/media", Fault::RateLimited(None));
    world
        .sandbox
        .faults()
        .add(limited.method(Method::POST).times(2));
    for _ in 0..2 {
        let (end, asked) = publish().await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::RateLimited);
        assert_eq!(asked, 0);
    }
    world.sandbox.fault("/media_publish", Fault::CutAfter);
    assert!(publish().await.0.unwrap_err().is_unknown());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 2));
    // The account is blocked now; the second container says that it is published.
    world.fake.refuse_writes(99, 4, 2_207_051);
    let (end, asked) = publish().await;
    done(end.unwrap());
    assert_eq!((world.effects().len(), asked), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_processed_is_refused_at_once() {
    let world = World::new();
    world.fake.fail_processing(1, 2_207_026);
    let post = Post::text("A film").media(film());
    let error = world
        .instagram
        .publish(&world.cx(), &post)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert!(error.remedy().is_some());
    assert_eq!((world.effects().len(), world.fake.containers()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ran_out_is_made_anew() {
    let world = World::new();
    let cx = world.cx();
    world
        .sandbox
        .fault("/media_publish", Fault::RateLimited(None));
    world.instagram.publish(&cx, &hello()).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(30));
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_failed_before_it_was_published_is_left_behind_for_good() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/media_publish", Fault::CutBefore);
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    world.fake.fail_ready(2_207_003);
    // The next one takes longer than two attempts.
    world.fake.set_processing(45);
    for _ in 0..2 {
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(30))));
    }
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_after_all_is_published_later() {
    let world = World::new();
    world.fake.delay_publishing(2);
    let cx = world.cx();
    for _ in 0..2 {
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(10))));
    }
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_does_not_show_yet_is_waited_for() {
    let world = World::new();
    world.fake.hide(2);
    done(
        world
            .instagram
            .publish(&world.cx(), &hello())
            .await
            .unwrap(),
    );
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

/// Meta was seen to say 100/33 of every container for days, and to publish each.
#[tokio::test(start_paused = true)]
async fn containers_that_never_show_are_published() {
    for post in [hello(), hello().media(photo())] {
        let world = World::of_login(Login::Facebook);
        world.fake.hide_objects(true);
        world.fake.set_processing(0);
        world.fake.delay_publishing(1);
        let cx = world.cx();
        let error = world.instagram.publish(&cx, &post).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(10))));
        let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
        assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
        assert_eq!(world.effects().len(), 1);

        // What became of a lost answer nobody says.
        let world = World::of_login(Login::Facebook);
        world.fake.hide_objects(true);
        world.fake.set_processing(0);
        let cx = world.cx();
        world.sandbox.fault("/media_publish", Fault::CutAfter);
        for _ in 0..3 {
            let error = world.instagram.publish(&cx, &post).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            assert_eq!(world.effects().len(), 1);
        }
        world.fake.hide_objects(false);
        done(world.instagram.publish(&cx, &post).await.unwrap());
        assert_eq!(world.effects().len(), 1);

        // Nor what became of one that a limit is said of: Instagram does what it limits, too.
        let limit = r#"{"error":{"message":"limit","code":9,"error_subcode":2207042}}"#;
        let world = World::of_login(Login::Facebook);
        world.fake.hide_objects(true);
        world.fake.set_processing(0);
        world
            .sandbox
            .fault("/media_publish", Fault::Reply(400, limit));
        let error = world.instagram.publish(&world.cx(), &post).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::QuotaExhausted);
        assert!(error.is_unknown(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_told_by_the_containers_status() {
    // Which post it became cannot be told: a story, no caption, the same caption twice.
    let twice = |world: &World, cx: &Context| {
        world.fake.seed("Hello from Acme & friends #rust", cx.now());
    };
    let once = |_: &World, _: &Context| {};
    type Before = fn(&World, &Context);
    let cases: [(Post, Before); 3] = [
        (with_options(hello(), &story()), once),
        (Post::text("").media(photo()), once),
        (hello(), twice),
    ];
    for (post, before) in cases {
        let world = World::of_login(Login::Facebook);
        let cx = world.cx();
        before(&world, &cx);
        let others = world.effects().len();
        world.sandbox.fault("/media_publish", Fault::CutAfter);
        let error = world.instagram.publish(&cx, &post).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
        assert_eq!(world.effects().len(), others + 1);
        assert!(receipt.is_unlisted(), "{receipt:?}");
        assert_eq!(receipt.url, None);
        let error = world.instagram.measure(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // What cannot be named cannot be deleted: it is still public.
        let error = world.instagram.delete(&cx, &receipt).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::NotFound, Retry::Never)
        );
        assert!(error.remedy().is_some());
        // Again the same.
        let again = done(world.instagram.publish(&cx, &post).await.unwrap());
        assert_eq!(again, receipt);
        assert_eq!(world.effects().len(), others + 1);
    }
}

/// Such a receipt of an older version says it by naming its container.
#[tokio::test(start_paused = true)]
async fn an_older_receipt_that_names_a_container_is_no_posts() {
    let world = World::of_login(Login::Facebook);
    let mut receipt = Receipt::new("17900000000000001");
    receipt.data = json!({"container": receipt.remote_id});
    let error = world.instagram.delete(&world.cx(), &receipt).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::NotFound, Retry::Never)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_public_and_cannot_be_told_stands_without_its_comment() {
    let world = World::new();
    let cx = world.cx();
    world.fake.seed("Hello from Acme & friends #rust", cx.now());
    world.sandbox.fault("/media_publish", Fault::CutAfter);
    let mut post = hello();
    post.base.first_comment = Some("First".into());
    let error = world.instagram.publish(&cx, &post).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert!(why.message.contains("the first comment"), "{why:?}");
    assert!(receipt.is_unlisted(), "{receipt:?}");
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_that_is_listed_late_has_its_id() {
    let mut world = World::new();
    let time = TokioClock::from(world.cx().now());
    world.sandbox = world.sandbox.with_clock(Arc::new(time));
    world.fake.list_after(65);
    world.sandbox.fault("/media_publish", Fault::CutAfter);
    let cx = world.cx();
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    // So long the engine waits.
    tokio::time::advance(Duration::from_secs(60)).await;
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    assert!(receipt.url.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_status_that_lags_behind_never_makes_a_second_post() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/media_publish", Fault::CutAfter);
    assert!(
        world
            .instagram
            .publish(&cx, &hello())
            .await
            .unwrap_err()
            .is_unknown()
    );
    // It still says that it could be published, also when publishing again says that it is gone.
    let lagging = Fault::Reply(
        200,
        r#"{"id":"1","status_code":"FINISHED","status":"Finished"}"#,
    );
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/1788", lagging).method(Method::GET).times(2));
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_publishing_that_is_still_under_way_never_makes_a_second_post() {
    let world = World::new();
    world.fake.finish_late(60);
    let cx = world.cx();
    world.sandbox.fault("/media_publish", Fault::CutAfter);
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    // Its status says that it can be published, and publishing that it is not ready.
    let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(10))));
    // Then publishing says that it is gone: it went out.
    world.clock.advance(TimeDelta::minutes(2));
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    assert_eq!((world.effects().len(), world.fake.containers()), (1, 1));
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}
