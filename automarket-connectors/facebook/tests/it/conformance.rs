use std::sync::Arc;

use automarket_connector_facebook::{FacebookOptions, testing};
use automarket_core::{
    Credential,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::{
    media::{film, reel},
    world::{World, hello, with_options},
};

pub(crate) fn fresh() -> PublisherUnderTest {
    of(World::new())
}

fn of(world: World) -> PublisherUnderTest {
    PublisherUnderTest {
        context: world.cx(),
        other: Some(world.of(testing::OTHER_PAGE, testing::OTHER_TOKEN)),
        publisher: Arc::new(world.facebook),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/feed"),
    }
}

#[tokio::test(start_paused = true)]
async fn facebook_keeps_the_publisher_contract() {
    publisher::all(fresh).await;
}

#[tokio::test]
async fn what_facebook_cannot_process_is_told_so() {
    let world = World::new();
    world.fake.fail_processing(1, "codec unknown");
    let (_file, media) = film(2048);
    let test = PublisherUnderTest {
        post: hello().media(media),
        ..of(world)
    };
    publisher::what_failed_for_good_is_told_so(&test, || ()).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_film_leaves_one_effect() {
    let (_file, media) = film(2048);
    for options in [FacebookOptions::default(), reel()] {
        publisher::a_crash_at_any_request_leaves_one_effect(&|| PublisherUnderTest {
            post: with_options(hello().media(media.clone()), &options),
            ..fresh()
        })
        .await;
    }
}
