//! What posts become on Instagram.

use automarket_connector_instagram::{InstagramOptions, Login, UserTag, testing};
use automarket_core::{
    Context, Credential, Delivery, ErrorKind, Intent, Lookup, Media, Outcome, Post, Publisher,
    TenantId,
    check::Severity,
    chrono::TimeDelta,
    content::{MediaKind, MediaSource},
    testing::{Fault, FaultRule},
};
use serde_json::json;

use crate::world::{World, done, film, hello, photo, story, with_options};

fn intent(post: &Post, cx: &Context) -> Intent {
    Intent {
        key: "key".into(),
        post: post.clone(),
        at: cx.now(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_with_all_that_can_be_said_of_it() {
    let world = World::new();
    let options = InstagramOptions {
        collaborators: vec!["globex".into()],
        location: Some("110".into()),
        user_tags: vec![UserTag::at("acme", 0.5, 0.25)],
        ..InstagramOptions::default()
    };
    let mut post = hello();
    post.base.first_comment = Some("More: acme.dev".into());
    let post = with_options(post, &options);
    let receipt = done(world.instagram.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects.len(), 2);
    let image = &effects[0];
    assert_eq!(
        (&image["kind"], &image["alt"]),
        (&json!("image"), &json!("A crab"))
    );
    assert_eq!(image["caption"], "Hello from Acme & friends #rust");
    assert_eq!(image["collaborators"], json!(["globex"]));
    assert_eq!(image["location"], "110");
    assert_eq!(
        image["tags"],
        json!([{"username": "acme", "x": 0.5, "y": 0.25}])
    );
    assert_eq!(effects[1]["parent"], json!(receipt.remote_id));
    let url = format!("https://www.instagram.com/p/C{}/", receipt.remote_id);
    assert_eq!(receipt.url, Some(url));
}

#[tokio::test(start_paused = true)]
async fn a_video_is_a_reel() {
    let world = World::new();
    let options = InstagramOptions {
        share_to_feed: Some(false),
        cover_at: Some(1500),
        audio_name: Some("Ours".into()),
        user_tags: vec![UserTag::new("acme")],
        ..InstagramOptions::default()
    };
    let post = with_options(Post::text("A film").media(film()), &options);
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
    let [reel] = world.effects().try_into().unwrap();
    assert_eq!(
        (&reel["kind"], &reel["share_to_feed"]),
        (&json!("reel"), &json!("false"))
    );
    let metrics = world.instagram.measure(&cx, &receipt).await.unwrap();
    assert_eq!((metrics.views, metrics.impressions), (Some(500), Some(500)));
    assert_eq!(metrics.raw["ig_reels_avg_watch_time"], json!(3100));
}

#[tokio::test(start_paused = true)]
async fn a_carousel_is_one_post_of_many() {
    let world = World::new();
    let post = hello().media(film()).media(photo());
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
    let [carousel] = world.effects().try_into().unwrap();
    assert_eq!(carousel["kind"], "carousel");
    let items = carousel["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(
        (&items[0]["alt"], &items[1]["alt"]),
        (&json!("A crab"), &json!(null))
    );
    assert_eq!(world.fake.containers(), 4);
    let found = world
        .instagram
        .find(&cx, &intent(&post, &cx))
        .await
        .unwrap();
    assert_eq!(found, Lookup::Found(Outcome::Done(receipt)));
}

#[tokio::test(start_paused = true)]
async fn a_story_is_shown_without_its_text() {
    let world = World::new();
    let post = with_options(hello(), &story());
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects()[0]["kind"], "story");
    let content = post.content_for(&automarket_connector_instagram::PLATFORM, None);
    let said = world.instagram.check(&content, Delivery::Now, None);
    let said: Vec<_> = said
        .iter()
        .map(|one| (one.severity, one.rule.as_str()))
        .collect();
    assert_eq!(said, [(Severity::Advice, "instagram.story_text")]);
    let metrics = world.instagram.measure(&cx, &receipt).await.unwrap();
    assert_eq!(metrics.raw["navigation"], json!(2));
    let told = world
        .instagram
        .find(&cx, &intent(&post, &cx))
        .await
        .unwrap();
    assert!(matches!(told, Lookup::CannotTell(_)));
}

#[tokio::test(start_paused = true)]
async fn media_is_fetched_where_it_is_or_where_the_host_puts_it() {
    let world = World::new();
    let tenant = TenantId::new("acme").unwrap();
    world.host.put(&tenant, "photo", &b"\xFF\xD8\xFF\xE0"[..]);
    let cx = world.cx();
    let kept = Post::text("Kept").media(Media::host(MediaKind::Image, "photo").alt("A crab"));
    done(world.instagram.publish(&cx, &kept).await.unwrap());
    let url = world.effects()[0]["media"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://media.example/"), "{url}");
    let there = Media::address(MediaKind::Image, url.parse().unwrap()).alt("A crab");
    let post = Post::text("There").media(there);
    done(world.instagram.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(world.effects()[1]["media"], json!(url));

    let nowhere =
        Context::new(world.sandbox.clone()).with_credential(Credential::token(testing::TOKEN));
    let error = world
        .instagram
        .publish(&nowhere, &hello())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.remedy().unwrap().contains("MediaHost"));
}

#[tokio::test]
async fn what_instagram_does_not_take_is_refused_before_anything_is_made() {
    let world = World::new();
    let many = InstagramOptions {
        collaborators: vec!["a".into(), "b".into(), "c".into(), "d".into()],
        ..InstagramOptions::default()
    };
    let tags = |tag| InstagramOptions {
        user_tags: vec![tag],
        ..InstagramOptions::default()
    };
    let covered = InstagramOptions {
        cover_at: Some(1),
        ..InstagramOptions::default()
    };
    let insecure = InstagramOptions {
        cover: Some("http://acme.dev/cover.jpg".parse().unwrap()),
        ..InstagramOptions::default()
    };
    let place = InstagramOptions {
        location: Some("Berlin".into()),
        ..InstagramOptions::default()
    };
    let text = |text: String| Post::text(text).media(photo());
    let tall = Media {
        width: Some(900),
        height: Some(1600),
        ..photo()
    };
    let long = Media {
        seconds: Some(61.0),
        ..film()
    };
    let png = Media::image(&b"\x89PNG\r\n\x1a\n"[..], "image/png");
    let mut eleven = Post::text("Many");
    for _ in 0..11 {
        eleven = eleven.media(photo());
    }
    for (post, rule) in [
        (Post::text("No media"), "media.required"),
        (text("x".repeat(2201)), "text.too_long"),
        (text("#tag ".repeat(31)), "text.hashtags"),
        (text("@acme ".repeat(21)), "text.mentions"),
        (Post::text("x").media(png), "media.mime"),
        (eleven, "media.count"),
        (Post::text("Tall").media(tall.clone()), "media.aspect"),
        (with_options(hello(), &many), "instagram.collaborators"),
        (
            with_options(hello(), &tags(UserTag::new("acme"))),
            "instagram.user_tags",
        ),
        (
            with_options(hello(), &tags(UserTag::at("acme", 1.5, 0.0))),
            "instagram.user_tags",
        ),
        (with_options(hello(), &covered), "instagram.reel"),
        (
            with_options(Post::text("Film").media(film()), &insecure),
            "instagram.cover",
        ),
        (with_options(hello(), &place), "instagram.location"),
        (
            with_options(hello().media(photo()), &story()),
            "instagram.story",
        ),
        (
            with_options(Post::text("").media(long), &story()),
            "instagram.story",
        ),
    ] {
        let error = world
            .instagram
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.rule()),
            (ErrorKind::InvalidInput, Some(rule))
        );
        assert!(error.remedy().is_some());
    }
    let due = world.cx().now() + TimeDelta::hours(1);
    for delivery in [Delivery::At(due), Delivery::Draft, Delivery::Queue] {
        let post = hello().delivery(delivery);
        let error = world
            .instagram
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(world.fake.containers(), 0);
    // A story may be tall.
    let content = with_options(Post::text("").media(tall), &story())
        .content_for(&automarket_connector_instagram::PLATFORM, None);
    assert_eq!(world.instagram.check(&content, Delivery::Now, None), []);
}

#[tokio::test(start_paused = true)]
async fn find_tells_older_foreign_and_repeated_captions_apart() {
    let world = World::new();
    let cx = world.cx();
    let caption = "Hello from Acme & friends #rust";
    world.fake.seed(caption, cx.now() - TimeDelta::hours(1));
    let absent = world
        .instagram
        .find(&cx, &intent(&hello(), &cx))
        .await
        .unwrap();
    assert_eq!(absent, Lookup::Absent);
    let id = world.fake.seed(caption, cx.now());
    // Two looks do not show it.
    let empty = FaultRule::on("/media", Fault::Reply(200, r#"{"data":[]}"#));
    world.sandbox.faults().add(empty.times(2));
    let found = world
        .instagram
        .find(&cx, &intent(&hello(), &cx))
        .await
        .unwrap();
    let Lookup::Found(outcome) = found else {
        panic!("{found:?}")
    };
    assert_eq!(outcome.remote_id(), id);
    world.fake.seed(caption, cx.now());
    let told = world
        .instagram
        .find(&cx, &intent(&hello(), &cx))
        .await
        .unwrap();
    assert!(matches!(told, Lookup::CannotTell(_)));
}

#[tokio::test]
async fn numbers_survive_a_metric_that_is_retired() {
    let world = World::of_login(Login::Facebook);
    world.fake.set_processing(0);
    let cx = world.cx();
    let receipt = done(world.instagram.publish(&cx, &hello()).await.unwrap());
    let all = world.instagram.measure(&cx, &receipt).await.unwrap();
    assert_eq!(
        (all.impressions, all.reach, all.saves),
        (Some(500), Some(320), Some(4))
    );
    assert_eq!(
        (all.likes, all.comments, all.shares),
        (Some(11), Some(2), Some(3))
    );
    assert_eq!((all.views, all.clicks), (None, None));
    world.fake.retire_metric("views");
    let rest = world.instagram.measure(&cx, &receipt).await.unwrap();
    assert_eq!(
        (rest.impressions, rest.reach, rest.saves),
        (None, Some(320), Some(4))
    );
    world.instagram.delete(&cx, &receipt).await.unwrap();
    let error = world.instagram.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn bytes_in_memory_are_the_hosts_to_serve() {
    assert!(matches!(photo().source, MediaSource::Bytes(_)));
}
