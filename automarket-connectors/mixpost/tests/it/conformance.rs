use std::sync::Arc;

use automarket_connector_mixpost::testing;
use automarket_core::{
    Credential, Delivery, Media, Platform,
    chrono::TimeDelta,
    content::MediaKind,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::{
    media::video,
    world::{World, hello},
};

fn fresh() -> PublisherUnderTest {
    of(World::new())
}

fn of(world: World) -> PublisherUnderTest {
    PublisherUnderTest {
        context: world.x("unused"),
        other: Some(world.context(testing::MASTODON_ACCOUNT, Platform::MASTODON, "unused")),
        publisher: Arc::new(world.mixpost),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/posts"),
    }
}

#[tokio::test(start_paused = true)]
async fn mixpost_keeps_the_publisher_contract() {
    publisher::all(fresh).await;
}

#[tokio::test]
async fn what_is_refused_for_any_network_is_said_before() {
    for (number, network) in [
        (testing::LINKEDIN_ACCOUNT, Platform::LINKEDIN),
        (testing::FACEBOOK_ACCOUNT, Platform::FACEBOOK),
        (testing::INSTAGRAM_ACCOUNT, Platform::INSTAGRAM),
        (testing::MASTODON_ACCOUNT, Platform::MASTODON),
    ] {
        let fresh = || {
            let world = World::new();
            let context = world.context(number, network.clone(), "unused");
            let mut post = hello();
            if network == Platform::INSTAGRAM {
                let url = "https://acme.example/a.png".parse().unwrap();
                post = post.media(Media::address(MediaKind::Image, url));
            }
            PublisherUnderTest {
                context,
                post,
                ..of(world)
            }
        };
        publisher::what_is_refused_is_what_the_checks_block(&fresh).await;
    }
}

#[tokio::test]
async fn what_mixpost_failed_is_told_so() {
    type Fail = fn(&testing::FakeMixpost);
    let refused: Fail = |fake| fake.refuse_on(testing::X_ACCOUNT, Some("Status is a duplicate."));
    let cut_off: Fail = |fake| fake.set_authorized(testing::X_ACCOUNT, false);
    for fail in [refused, cut_off] {
        let world = World::new();
        let fake = world.fake.clone();
        let mut test = of(world);
        let due = test.context.now() + TimeDelta::minutes(5);
        test.post = hello().delivery(Delivery::At(due));
        publisher::what_failed_for_good_is_told_so(&test, || fail(&fake)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_film_leaves_one_effect() {
    publisher::a_crash_at_any_request_leaves_one_effect(&|| PublisherUnderTest {
        post: hello().media(video(3)),
        ..fresh()
    })
    .await;
}
