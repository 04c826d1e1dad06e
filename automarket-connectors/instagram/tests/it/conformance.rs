use std::sync::Arc;

use automarket_connector_instagram::{Login, testing};
use automarket_core::{
    Credential,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::world::{World, hello};

pub(crate) fn fresh(login: Login) -> PublisherUnderTest {
    let world = World::of_login(login);
    // The suite drops attempts after seconds: nothing shall be waited for.
    world.fake.set_processing(0);
    PublisherUnderTest {
        context: world.cx(),
        other: Some(world.of(testing::OTHER_ACCOUNT, testing::OTHER_TOKEN)),
        publisher: Arc::new(world.instagram),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/media_publish"),
    }
}

#[tokio::test(start_paused = true)]
async fn instagrams_own_login_keeps_the_publisher_contract() {
    publisher::all(|| fresh(Login::Instagram)).await;
}

#[tokio::test(start_paused = true)]
async fn facebooks_login_keeps_the_publisher_contract() {
    publisher::all(|| fresh(Login::Facebook)).await;
}
