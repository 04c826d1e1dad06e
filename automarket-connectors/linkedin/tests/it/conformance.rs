use std::sync::Arc;

use automarket_connector_linkedin::testing;
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
        other: Some(world.of(testing::OTHER_ORGANIZATION, testing::OTHER_TOKEN)),
        publisher: Arc::new(world.linkedin),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/rest/posts"),
    }
}

#[tokio::test(start_paused = true)]
async fn linkedin_keeps_the_publisher_contract() {
    publisher::all(fresh).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_film_leaves_one_effect() {
    // Two parts.
    let (_file, media) = film(5 * 1024 * 1024);
    publisher::a_crash_at_any_request_leaves_one_effect(&|| PublisherUnderTest {
        post: hello().media(media.clone()),
        ..fresh()
    })
    .await;
}
