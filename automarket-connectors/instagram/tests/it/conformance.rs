use std::sync::Arc;

use automarket_connector_instagram::{Login, testing};
use automarket_core::{
    Credential, Post,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::world::{World, film, hello};

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

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_film_leaves_one_effect() {
    let reel = || Post::text("Hello from Acme").media(film());
    let of_both = || hello().media(film());
    for post in [&reel as &dyn Fn() -> Post, &of_both] {
        publisher::a_crash_at_any_request_leaves_one_effect(&|| PublisherUnderTest {
            post: post(),
            ..fresh(Login::Instagram)
        })
        .await;
    }
}
