//! What posts become on Facebook.

use automarket_connector_facebook::{FacebookOptions, testing};
use automarket_core::{
    Delivery, ErrorKind, Intent, Lookup, Outcome, Post, Publisher,
    chrono::{DateTime, TimeDelta, Utc},
    testing::{Fault, FaultRule},
};
use serde_json::json;

use crate::{
    media::film,
    world::{World, accepted, done, hello, with_options},
};

fn intent(post: &Post, at: DateTime<Utc>) -> Intent {
    Intent {
        key: "key".into(),
        post: post.clone(),
        at,
    }
}

#[tokio::test]
async fn text_link_place_and_comment_arrive() {
    let world = World::new();
    let mut post = hello().link("https://acme.dev/blog/1").unwrap();
    post.base.first_comment = Some("More at https://acme.dev".into());
    let options = FacebookOptions {
        place: Some("110".into()),
        ..FacebookOptions::default()
    };
    let post = with_options(post, &options);
    let receipt = done(world.facebook.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects.len(), 2);
    assert_eq!(effects[0]["message"], "Hello from Acme & friends");
    assert_eq!(effects[0]["link"], "https://acme.dev/blog/1");
    assert_eq!(effects[0]["place"], "110");
    assert_eq!(effects[1]["parent"], json!(receipt.remote_id));
    assert_eq!(effects[1]["message"], "More at https://acme.dev");
    let url = format!("https://www.facebook.com/{}", receipt.remote_id);
    assert_eq!(receipt.url, Some(url));
}

#[tokio::test]
async fn a_time_is_kept_by_facebook_within_its_window() {
    let world = World::new();
    let now = world.cx().now();
    for (ahead, fits) in [
        (TimeDelta::minutes(9), false),
        (TimeDelta::minutes(10), true),
        (TimeDelta::days(30), true),
        (TimeDelta::days(31), false),
    ] {
        let post = Post::text(format!("In {ahead}")).delivery(Delivery::At(now + ahead));
        let outcome = world.facebook.publish(&world.cx(), &post).await;
        if !fits {
            let error = outcome.unwrap_err();
            assert_eq!(error.rule(), Some("facebook.schedule"));
            assert!(error.remedy().is_some());
            continue;
        }
        let outcome = outcome.unwrap();
        let Outcome::Accepted(handle) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(handle.due, Some(now + ahead));
        let found = world.facebook.find(&world.cx(), &intent(&post, now)).await;
        assert_eq!(found.unwrap(), Lookup::Found(outcome));
    }
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test]
async fn a_time_that_has_come_near_is_no_reason_to_stop() {
    let world = World::new();
    let due = world.cx().now() + TimeDelta::minutes(10);
    let post = hello().delivery(Delivery::At(due));
    let cx = world.cx();
    world
        .sandbox
        .fault("/feed", automarket_core::testing::Fault::CutAfter);
    assert!(
        world
            .facebook
            .publish(&cx, &post)
            .await
            .unwrap_err()
            .is_unknown()
    );
    world.clock.advance(TimeDelta::minutes(5));
    world.facebook.publish(&cx, &post).await.unwrap();
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn what_facebook_does_not_take_is_refused_before_anything_is_sent() {
    let world = World::new();
    let reel = FacebookOptions {
        reel: true,
        ..FacebookOptions::default()
    };
    let nowhere = FacebookOptions {
        place: Some("https://facebook.com/acme".into()),
        ..FacebookOptions::default()
    };
    let place = FacebookOptions {
        place: Some("110".into()),
        ..FacebookOptions::default()
    };
    let title = FacebookOptions {
        title: Some("Our launch".into()),
        ..FacebookOptions::default()
    };
    let (_file, film) = film(2048);
    let film = Post::text("A film").media(film);
    let mut commented = hello().delivery(Delivery::At(world.cx().now() + TimeDelta::hours(1)));
    commented.base.first_comment = Some("First".into());
    for (post, rule) in [
        (with_options(film, &place), "facebook.place"),
        (with_options(hello(), &title), "facebook.title"),
        (with_options(hello(), &reel), "facebook.reel"),
        (with_options(hello(), &nowhere), "facebook.place"),
        (commented, "facebook.first_comment"),
        (Post::text("x".repeat(63_207)), "text.too_long"),
    ] {
        let error = world
            .facebook
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.rule()),
            (ErrorKind::InvalidInput, Some(rule))
        );
        assert!(error.remedy().is_some());
    }
    let post = hello().delivery(Delivery::Queue);
    let error = world.facebook.publish(&world.cx(), &post).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(world.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn find_does_not_take_older_posts_or_those_of_another_page() {
    let world = World::new();
    let now = world.cx().now();
    world
        .fake
        .seed("Hello from Acme & friends", now - TimeDelta::hours(1));
    let other = world.of(testing::OTHER_PAGE, testing::OTHER_TOKEN);
    done(world.facebook.publish(&other, &hello()).await.unwrap());
    let absent = world
        .facebook
        .find(&world.cx(), &intent(&hello(), now))
        .await;
    assert_eq!(absent.unwrap(), Lookup::Absent);
    // Its own one, which two looks do not show.
    let receipt = done(world.facebook.publish(&world.cx(), &hello()).await.unwrap());
    let empty = FaultRule::on("/published_posts", Fault::Reply(200, r#"{"data":[]}"#));
    world.sandbox.faults().add(empty.times(2));
    let (cx, its) = (world.cx(), intent(&hello(), now));
    let Lookup::Found(found) = world.facebook.find(&cx, &its).await.unwrap() else {
        panic!("it is there")
    };
    assert_eq!(found.remote_id(), receipt.remote_id);
    // A link alone has no text to be known by.
    let link = Post::text("").link("https://acme.dev").unwrap();
    let told = world.facebook.find(&world.cx(), &intent(&link, now)).await;
    assert!(matches!(told.unwrap(), Lookup::CannotTell(_)));
}

#[tokio::test]
async fn more_posts_than_are_searched_stay_unknown() {
    let world = World::new();
    let now = world.cx().now();
    for n in 0..501 {
        world.fake.seed(&format!("Busy {n}"), now);
    }
    let told = world
        .facebook
        .find(&world.cx(), &intent(&hello(), now))
        .await;
    assert!(matches!(told.unwrap(), Lookup::CannotTell(_)));
}

#[tokio::test]
async fn numbers_survive_a_metric_that_is_retired_and_a_permission_that_is_missing() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    let all = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!(
        (all.impressions, all.reach, all.clicks),
        (Some(500), Some(320), Some(7))
    );
    assert_eq!(
        (all.likes, all.comments, all.shares),
        (Some(11), Some(2), Some(3))
    );
    assert_eq!((all.views, all.saves), (None, None));
    assert_eq!(
        all.raw["post_reactions_by_type_total"],
        json!({"like": 9, "love": 2})
    );

    world.fake.retire_metric("post_media_view");
    let rest = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!(
        (rest.impressions, rest.reach, rest.clicks),
        (None, Some(320), Some(7))
    );

    world.fake.set_insights(false);
    let counts = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!((counts.likes, counts.reach), (Some(11), None));

    world.facebook.delete(&cx, &receipt).await.unwrap();
    let error = world.facebook.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_text_of_a_post_can_be_changed() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    world
        .facebook
        .edit(&cx, &receipt, "Better words")
        .await
        .unwrap();
    assert_eq!(world.effects()[0]["message"], "Better words");
    let error = world.facebook.edit(&cx, &receipt, " ").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(world.effects()[0]["message"], "Better words");
}

#[tokio::test(start_paused = true)]
async fn a_draft_waits_at_facebook_until_somebody_publishes_it() {
    let world = World::new();
    let cx = world.cx();
    let draft = hello().delivery(Delivery::Draft);
    let outcome = world.facebook.publish(&cx, &draft).await.unwrap();
    let handle = accepted(outcome);
    assert_eq!(world.effects()[0]["draft"], true);
    let still = world.facebook.poll(&cx, &handle).await.unwrap();
    assert_eq!(still, Outcome::Accepted(handle.clone()));
    assert!(world.fake.publish_draft(&handle.remote_id, cx.now()));
    let receipt = world.public(&cx, Outcome::Accepted(handle)).await;
    assert!(receipt.url.is_some());
    assert_eq!(world.effects().len(), 1);

    // Facebook lists no drafts: a lost one stays unknown.
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/feed", Fault::CutAfter);
    world.facebook.publish(&cx, &draft).await.unwrap_err();
    let error = world.facebook.publish(&cx, &draft).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
    assert_eq!(world.effects().len(), 1);
}
