use std::sync::Arc;

use automarket_connector_x::testing;
use automarket_core::{
    Credential,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::{
    media::film,
    world::{World, hello},
};

pub(crate) fn fresh() -> PublisherUnderTest {
    let world = World::new();
    PublisherUnderTest {
        context: world.cx(),
        other: Some(world.of(testing::OTHER_USER, testing::OTHER_TOKEN)),
        publisher: Arc::new(world.x),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/2/tweets"),
    }
}

#[tokio::test(start_paused = true)]
async fn x_keeps_the_publisher_contract() {
    publisher::all(fresh).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_film_leaves_one_effect() {
    // Two chunks.
    let (_file, media) = film(1024 * 1024 + 5);
    publisher::a_crash_at_any_request_leaves_one_effect(&|| PublisherUnderTest {
        post: hello().media(media.clone()),
        ..fresh()
    })
    .await;
}
