use std::sync::Arc;

use automarket_connector_mixpost::testing;
use automarket_core::{
    Credential, Platform,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::world::{World, hello};

fn fresh() -> PublisherUnderTest {
    let world = World::new();
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
